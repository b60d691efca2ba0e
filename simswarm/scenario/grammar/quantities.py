"""How amounts are written in a scenario: shares, rates, memory, processors, bandwidth.

    5%   0.25%        a share; without `%` it is an error
    50/s   10/m       a rate
    4g   512m         memory, in powers of 1024, as Compose and docker read it
    2   0.5           processors
    10mbit   1gbit    bandwidth, in powers of 1000, as networks are measured

Values are integers: shares in millionths, processors in billionths, memory in bytes, bandwidth in
bits a second. Source of the memory syntax: docker/go-units size.go:RAMInBytes.
"""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from simswarm.base.time import HOUR, MINUTE, SECOND, Duration
from simswarm.base.values import Value
from simswarm.scenario.grammar.forms import Read, describe, text_of, wrong

Millionths: TypeAlias = int
WHOLE: Millionths = 1_000_000
BILLION = 1_000_000_000
LARGEST = 2**62

_SHARE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*%")
_MEMORY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*(?:([kmgtp])i?)?b?", re.IGNORECASE)
_RATE = re.compile(r"(\d{1,9})\s*/\s*(s|m|h|d)")
_BANDWIDTH = re.compile(r"(\d{1,16}(?:\.\d{1,6})?)\s*([kmg]?)bit(?:/s)?", re.IGNORECASE)
_DECIMAL = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_PER = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": 24 * HOUR}
_BINARY = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


class Rate(Value, frozen=True):
    """So many in each period."""

    count: int
    per: Duration


def scaled(text: str, factor: int) -> int:
    """A decimal number times a factor, without floating point; what is finer is cut off."""
    whole, _, fraction = text.partition(".")
    return int(whole) * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)


def share(value: object) -> Millionths:
    """Read a percentage into millionths."""
    found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        hint = ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            hint = f"did you mean '{text_of(value)}%'?"
        raise wrong("E111", "a percentage needs a %, such as 5% or 0.1%", hint)
    millionths = scaled(found[1], WHOLE // 100)
    if millionths > WHOLE:
        raise wrong("E105", "a percentage of more than 100%")
    return millionths


def write_share(millionths: Millionths) -> str:
    """Millionths as a percentage."""
    whole, rest = divmod(millionths, WHOLE // 100)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + "%"


def rate(value: object) -> Rate:
    """Read `50/s`."""
    if isinstance(value, Rate):
        return value
    found = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        hint = f"did you mean '{value}/s'?" if isinstance(value, int) else ""
        raise wrong("E112", "a rate is a number per time, such as 50/s or 10/m", hint)
    return Rate(int(found[1]), _PER[found[2]])


def write_rate(value: Rate) -> str:
    """A rate as it is written."""
    return f"{value.count}/{next(unit for unit, per in _PER.items() if per == value.per)}"


def memory(value: object) -> int:
    """Read an amount of memory into bytes."""
    found = _MEMORY.fullmatch(text_of(value).strip()) if not isinstance(value, bool) else None
    if found is None:
        raise wrong("E114", "an amount of memory is a number with a unit, such as 512m or 4g")
    size = scaled(found[1], 1024 ** _BINARY[(found[2] or "").lower()])
    if size > LARGEST:
        raise wrong("E105", "more memory than any machine has")
    return size


def cpus(value: object) -> int:
    """Read a number of processors into billionths."""
    text = text_of(value).strip()
    if isinstance(value, bool) or not _DECIMAL.fullmatch(text):
        raise wrong("E114", "a number of processors, such as 2 or 0.5")
    return scaled(text, BILLION)


def write_cpus(value: int) -> str:
    """Billionths as a decimal number."""
    whole, rest = divmod(value, BILLION)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def bandwidth(value: object) -> int:
    """Read a bandwidth into bits a second."""
    found = _BANDWIDTH.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise wrong("E114", "a bandwidth is a number with a unit, such as 500kbit or 10mbit")
    bits = scaled(found[1], 1000 ** _BINARY[found[2].lower()])
    if bits == 0:
        raise wrong("E105", "a bandwidth of nothing", "use loss: 100%, or a partition")
    return bits


def write_bandwidth(bits: int) -> str:
    """A bandwidth in its largest exact unit."""
    for unit, factor in (("gbit", 10**9), ("mbit", 10**6), ("kbit", 10**3)):
        if bits % factor == 0:
            return f"{bits // factor}{unit}"
    return f"{bits}bit"


def parts_per_million(value: object) -> int:
    """Read a clock's drift: `50ppm` or `-20ppm`."""
    found = re.fullmatch(r"([-+]?\d{1,6})\s*ppm", value.strip()) if isinstance(value, str) else None
    if found is None:
        raise wrong("E114", "a drift is in parts per million, such as 50ppm or -20ppm")
    return int(found[1])


def _text(value: object) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return text_of(value)
    hint = f'quote it: "{str(value).lower()}"' if isinstance(value, bool) else ""
    raise wrong("E103", f"expected text, found {describe(value)}", hint)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise wrong("E103", "expected text, found nothing")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong("E103", f"expected a whole number, found {describe(value)}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong("E103", f"expected true or false, found {describe(value)}")
    return value


def _write_drift(value: int) -> str:
    return f"{value}ppm"


Share = Annotated[
    int,
    Read(share, write_share, {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"}),
]
"""A field that holds a share, in millionths."""
RateField = Annotated[
    Rate, Read(rate, write_rate, {"type": "string", "pattern": r"^\s*\d+\s*/\s*[smhd]\s*$"})
]
"""A field that holds a rate."""
Memory = Annotated[
    int, Read(memory, None, {"type": ["string", "integer"], "examples": ["512m", "4g"]})
]
"""A field that holds memory, in bytes."""
Cpus = Annotated[int, Read(cpus, write_cpus, {"type": ["string", "number"], "examples": [2, 0.5]})]
"""A field that holds processors, in billionths."""
Bandwidth = Annotated[
    int, Read(bandwidth, write_bandwidth, {"type": "string", "examples": ["10mbit"]})
]
"""A field that holds a bandwidth, in bits a second."""
Drift = Annotated[
    int,
    Read(parts_per_million, _write_drift, {"type": "string", "examples": ["50ppm", "-20ppm"]}),
]
"""A field that holds a clock's drift, in parts per million."""
AnyText = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number"]})]
"""Some text, perhaps empty; a number is taken as it is written."""
Text = Annotated[AnyText, AfterValidator(_not_empty)]
"""Some text."""
Count = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=1_000_000)]
"""A number of things."""
Positive = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1_000_000_000)]
"""A number of things, at least one."""
Integer = Annotated[int, BeforeValidator(_whole), Field(ge=-(2**62), le=2**62)]
Flag = Annotated[bool, BeforeValidator(_flag)]
"""True or false."""
