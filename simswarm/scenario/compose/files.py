"""The Compose format, version 3, as far as `docker stack deploy` gives it a meaning.

One model a part. Keys that Swarm or simswarm ignores are not here: the reader reports them and
leaves them out (`ignored.py`).

Source: Docker's documentation of the Compose file format 3 and of `docker stack deploy`.
Not here: what the parts become (`convert.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from simswarm.dockercli.values import BadValue, mount, ports
from simswarm.model.specs import Mount, Port
from simswarm.scenario.grammar.durations import Span
from simswarm.scenario.grammar.forms import Frozen, Many, Read, Short, describe, text_of, wrong
from simswarm.scenario.grammar.quantities import AnyText, Count, Cpus, Flag, Memory, Positive, Text


def _command(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError:
            raise wrong("E110", f"a quote is not closed in {describe(value)}") from None
    if isinstance(value, list | tuple) and not any(isinstance(one, list | dict) for one in value):
        return tuple(text_of(one) for one in value)
    raise wrong("E103", f"a command is a text or a list, not {describe(value)}")


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    """Labels or variables, as a mapping or as a list of KEY=VALUE; sorted, as docker does."""
    if isinstance(value, tuple):
        return value
    found: dict[str, str] = {}
    if isinstance(value, Mapping):
        for key, one in value.items():
            if isinstance(one, list | dict):
                raise wrong("E103", f"expected a text for '{key}', found {describe(one)}", key=key)
            found[text_of(key)] = _scalar(one)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, list | dict):
                raise wrong("E103", f"expected KEY=VALUE, found {describe(one)}")
            key, _, text = text_of(one).partition("=")
            found[key] = text
    else:
        raise wrong("E103", f"expected KEY: VALUE pairs, found {describe(value)}")
    return tuple(sorted(found.items()))


def _variables(value: object) -> tuple[str, ...]:
    """Environment variables, as a mapping or as a list; a name without a value stays a name."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, Mapping):
        for key, one in value.items():
            if isinstance(one, list | dict):
                raise wrong("E103", f"expected a text for '{key}', found {describe(one)}", key=key)
        listed = [key if one is None else f"{key}={_scalar(one)}" for key, one in value.items()]
    elif isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        listed = [text_of(one) for one in value]
    else:
        raise wrong("E103", f"expected KEY: VALUE pairs, found {describe(value)}")
    by_name = {one.partition("=")[0]: one for one in listed}
    return tuple(sorted(by_name.values()))


def _scalar(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else text_of(value)


def _port(value: object) -> tuple[Port, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, Mapping):
        value = ",".join(f"{key}={text_of(one)}" for key, one in value.items())
    elif isinstance(value, bool) or not isinstance(value, str | int):
        raise wrong("E110", f"{describe(value)} is no port", "such as 8080:80")
    try:
        return ports(str(value))
    except BadValue as error:
        raise wrong("E110", str(error), "such as 8080:80, or target=80,published=8080") from None


def _volume(value: object) -> Mount:
    if isinstance(value, Mount):
        return value
    if isinstance(value, Mapping):
        known = {"type": "type", "source": "source", "target": "target", "read_only": "readonly"}
        parts = [
            f"{known[key]}={_scalar(one)}"
            for key, one in value.items()
            if key in known and one is not None
        ]
        try:
            return mount(",".join(parts))
        except BadValue as error:
            raise wrong("E110", str(error)) from None
    if not isinstance(value, str):
        raise wrong("E110", f"{describe(value)} is no volume", "such as db:/var/lib/data")
    source, colon, rest = value.partition(":")
    if not colon:
        return Mount("volume", "", value)
    target, _, mode = rest.partition(":")
    kind = "bind" if source.startswith(("/", ".", "~")) else "volume"
    return Mount(kind, source, target, "ro" in mode.split(","))


def _ratio(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise wrong("E110", f"a failure ratio is a number from 0 to 1, not {describe(value)}")


def _test(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return ("CMD-SHELL", value)
    return _command(value)


Command = Annotated[tuple[str, ...], Read(_command, list, {"type": ["string", "array"]})]
Pairs = Annotated[tuple[tuple[str, str], ...], Read(_pairs, dict, {"type": ["object", "array"]})]
Variables = Annotated[tuple[str, ...], Read(_variables, list, {"type": ["object", "array"]})]
Ports = Annotated[tuple[Port, ...], Read(_port, None, {"type": ["string", "integer", "object"]})]
Volume = Annotated[Mount, Read(_volume, None, {"type": ["string", "object"]})]
Ratio = Annotated[float, Read(_ratio, None, {"type": "number", "minimum": 0, "maximum": 1})]
Test = Annotated[tuple[str, ...], Read(_test, list, {"type": ["string", "array"]})]


class Healthcheck(Frozen):
    """How a container's health is found out."""

    test: Test = ()
    interval: Span | None = None
    timeout: Span | None = None
    retries: Count | None = None
    start_period: Span | None = None
    disable: Flag = False


class UpdateConfig(Frozen):
    """How an update or a rollback proceeds."""

    parallelism: Count | None = None
    """Tasks at a time; 0: all at once."""
    delay: Span | None = None
    failure_action: Literal["pause", "continue", "rollback"] | None = None
    monitor: Span | None = None
    max_failure_ratio: Ratio | None = None
    order: Literal["stop-first", "start-first"] | None = None


class RestartPolicy(Frozen):
    """When and how ended tasks are replaced."""

    condition: Literal["none", "on-failure", "any"] | None = None
    delay: Span | None = None
    max_attempts: Count | None = None
    window: Span | None = None


class DiscreteResource(Frozen):
    """A countable generic resource."""

    kind: Text
    value: Positive


class GenericResource(Frozen):
    """A generic resource of a reservation."""

    discrete_resource_spec: DiscreteResource


class Resources(Frozen):
    """Limits or reservations of a task."""

    cpus: Cpus | None = None
    memory: Memory | None = None
    pids: Count | None = None
    generic_resources: tuple[GenericResource, ...] = ()


class ResourceSettings(Frozen):
    """What a task may use, and what is reserved for it."""

    limits: Resources | None = None
    reservations: Resources | None = None


class Preference(Frozen):
    """Spread tasks over the values of a label."""

    spread: Text


class PlacementSettings(Frozen):
    """Where tasks may run."""

    constraints: Many[Text] | None = None
    preferences: tuple[Preference, ...] = ()
    max_replicas_per_node: Count = 0


class DeploySettings(Frozen):
    """How Swarm runs the service."""

    mode: Literal["replicated", "global", "replicated-job", "global-job"] = "replicated"
    replicas: Count | None = None
    labels: Pairs = ()
    update_config: UpdateConfig | None = None
    rollback_config: UpdateConfig | None = None
    resources: ResourceSettings | None = None
    restart_policy: RestartPolicy | None = None
    placement: PlacementSettings | None = None
    endpoint_mode: Literal["vip", "dnsrr"] | None = None


def _names(value: object) -> tuple[str, ...]:
    """Names, as a list or as the keys of a mapping."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, Mapping | list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise wrong("E103", f"expected a list of networks, found {describe(value)}")


Names = Annotated[tuple[str, ...], Read(_names, list, {"type": ["array", "object"]})]


class Reference(Short):
    """A secret or config that a service uses."""

    short: ClassVar[str] = "source"
    source: Text
    target: Text | None = None
    uid: AnyText | None = None
    gid: AnyText | None = None
    mode: Any = None


class ServiceFile(Frozen):
    """One service of a stack file."""

    image: Text
    command: Command | None = None
    entrypoint: Command | None = None
    environment: Variables = ()
    labels: Pairs = ()
    hostname: Text | None = None
    healthcheck: Healthcheck | None = None
    stop_grace_period: Span | None = None
    stop_signal: Text | None = None
    ports: tuple[Ports, ...] = ()
    networks: Names = ()
    volumes: tuple[Volume, ...] = ()
    secrets: tuple[Reference, ...] = ()
    configs: tuple[Reference, ...] = ()
    deploy: DeploySettings = DeploySettings()


class StackFile(Frozen):
    """A stack file."""

    version: AnyText | None = None
    name: Text | None = None
    services: Annotated[Mapping[str, ServiceFile], Field(min_length=1)]
    networks: Mapping[str, Any] | None = None
    volumes: Mapping[str, Any] | None = None
    secrets: Mapping[str, Any] | None = None
    configs: Mapping[str, Any] | None = None
