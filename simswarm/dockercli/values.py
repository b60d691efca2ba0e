"""The small syntaxes of docker's flags and of Compose: sizes, spans, ports, mounts, key=value.

Everything here reads one text and gives a value of the model, or raises `BadValue` with docker's
own words.

Source: docker/cli opts (port.go, mount.go, opts.go), docker/go-units, Go's time and strconv.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from simswarm.base.time import Duration, parse_duration
from simswarm.model.specs import GenericResource, Mount, Port

Pair: TypeAlias = tuple[str, str]

UINT_MAX = 2**64 - 1
_DURATION = re.compile(r"([-+]?)((?:\d+(?:\.\d*)?|\.\d+)[a-zµμ]+)+")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s?(?:([kmgtp])i?)?b?", re.IGNORECASE)
_BINARY = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_PROTOCOLS = ("tcp", "udp", "sctp")
_MODES = ("ingress", "host")
_KINDS = ("bind", "volume", "tmpfs", "npipe", "cluster")


class BadValue(ValueError):
    """A text that isn't what it should be, in docker's words."""


def span(text: str) -> Duration:
    """Go's time.ParseDuration, of spans that aren't negative."""
    if text == "0":
        return 0
    if not _DURATION.fullmatch(text) or len(text) > 40:
        if re.fullmatch(r"[-+]?\d+(\.\d+)?", text):
            raise BadValue(f'time: missing unit in duration "{text}"')
        raise BadValue(f'time: invalid duration "{text}"')
    if text.startswith("-"):
        raise BadValue("duration cannot be negative")
    try:
        found = parse_duration(text.removeprefix("+").replace("μ", "µ"))
    except ValueError:
        raise BadValue(f'time: invalid duration "{text}"') from None
    if "d" in text or found >= 2**63:
        raise BadValue(f'time: invalid duration "{text}"')
    return found


def size(text: str) -> int:
    """An amount of memory, in powers of 1024."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise BadValue(f"invalid size: '{text}'")
    bytes_ = _scaled(found[1], 1024 ** _BINARY[(found[2] or "").lower()])
    if bytes_ >= 2**63:
        raise BadValue(f"invalid size: '{text}'")
    return bytes_


def nano_cpus(text: str) -> int:
    """A number of processors, in billionths."""
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        raise BadValue(f"failed to parse {text} as a rational number")
    if len(text.partition(".")[2].rstrip("0")) > 9:
        raise BadValue("value is too precise")
    return _scaled(text, 10**9)


def _scaled(text: str, factor: int) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)


def unsigned(text: str) -> int:
    """Go's strconv.ParseUint."""
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise BadValue(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if len(text) > 20 or int(text) > UINT_MAX:
        raise BadValue(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def ratio(text: str) -> float:
    """Go's strconv.ParseFloat, of plain numbers."""
    if not re.fullmatch(r"[-+]?\d{1,15}(\.\d{1,15})?", text):
        raise BadValue(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    return float(text)


def key_value(text: str) -> Pair:
    """`key=value`; without `=` the value is empty."""
    key, _, value = text.partition("=")
    if not key.strip():
        raise BadValue(f"invalid label '{text}': empty name")
    return key, value


def variable(text: str) -> str:
    """An environment variable `NAME=value`."""
    if text.startswith("=") or not text:
        raise BadValue(f"invalid environment variable: {text}")
    return text


def spread(text: str) -> str:
    """A placement preference `spread=node.labels.zone`."""
    strategy, equals, over = text.partition("=")
    if not equals:
        raise BadValue('placement preference must be of the format "<strategy>=<arg>"')
    if strategy != "spread":
        raise BadValue(f"unsupported placement preference {strategy} (only spread is supported)")
    return over


def generic_resource(text: str) -> GenericResource:
    """A reservation of generic resources `gpu=2`."""
    kind, equals, count = text.partition("=")
    if not equals or not kind or not re.fullmatch(r"\d{1,9}", count):
        raise BadValue(f"invalid generic-resource request `{text}`")
    return GenericResource(kind, count=int(count))


def ports(text: str) -> tuple[Port, ...]:
    """A published port, short (`8080:80/udp`, `3000-3002:80-82`) or long (`target=80,…`)."""
    return (_long_port(text),) if "=" in text else _short_ports(text)


def _long_port(text: str) -> Port:
    fields = {"protocol": "tcp", "mode": "ingress", "target": "0", "published": "0"}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not value:
            raise BadValue(f"invalid field: {part}")
        if key not in fields:
            raise BadValue(f"invalid field key: {key}")
        fields[key] = value.lower()
    if fields["protocol"] not in _PROTOCOLS:
        raise BadValue(f"invalid protocol value: {fields['protocol']}")
    if fields["mode"] not in _MODES:
        raise BadValue(
            f"invalid publish mode value ({fields['mode']}): must be either ingress or host"
        )
    target = _port_number(fields["target"])
    if target == 0:
        raise BadValue("missing mandatory field: target")
    published = _port_number(fields["published"])
    return Port(target, published, fields["protocol"], fields["mode"])


def _port_number(text: str) -> int:
    if not re.fullmatch(r"\d{1,5}", text) or int(text) > 65535:
        raise BadValue(f"invalid port: {text}")
    return int(text)


def _short_ports(text: str) -> tuple[Port, ...]:
    body, _, protocol = text.partition("/")
    if protocol and protocol.lower() not in _PROTOCOLS:
        raise BadValue(f"invalid proto: {protocol}")
    pieces = body.rsplit(":", 2)
    target = _port_range(pieces[-1], text)
    published = _port_range(pieces[-2], text) if len(pieces) > 1 else range(0)
    if len(published) not in (0, len(target)):
        raise BadValue(f"invalid ranges specified for container and host Ports: {text}")
    return tuple(
        Port(port, published[index] if published else 0, protocol.lower() or "tcp")
        for index, port in enumerate(target)
    )


def _port_range(text: str, whole: str) -> range:
    first, _, last = text.partition("-")
    try:
        low, high = _port_number(first), _port_number(last or first)
    except BadValue:
        raise BadValue(f"invalid containerPort: {whole}") from None
    if high < low or low == 0:
        raise BadValue(f"invalid range specified for port: {text}")
    return range(low, high + 1)


def mount(text: str) -> Mount:
    """A mount `type=volume,source=db,target=/data[,readonly]`."""
    fields = {"type": "volume", "source": "", "target": "", "readonly": "false"}
    names = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        name = names.get(key.lower(), key.lower())
        if name == "readonly" and not equals:
            value = "true"
        elif not equals:
            raise BadValue(f"invalid field '{part}' must be a key=value pair")
        if name in fields:
            fields[name] = value
        elif not re.match(r"(volume|bind|tmpfs|consistency)", name):
            raise BadValue(f"unexpected key '{key}' in '{part}'")
    if fields["type"] not in _KINDS:
        raise BadValue(f"unknown mount type: {fields['type']}")
    if not fields["target"]:
        raise BadValue("target is required")
    read_only = fields["readonly"] in ("true", "1")
    return Mount(fields["type"], fields["source"], fields["target"], read_only)
