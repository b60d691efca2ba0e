"""How spans of time are written in a scenario: every duration has a unit.

    30s   1m30s   500us            one span
    400ms..900ms                   drawn evenly between the two
    {p50: 2s, p99: 9s}             drawn from a distribution with these quantiles

Values are integer nanoseconds. Drawing from a distribution is the simulator's business; here it
is only a frozen description.

Not here: units of anything else (`quantities.py`), moments and windows (`moments.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from simswarm.base.time import Duration, format_duration, parse_duration
from simswarm.base.values import Value
from simswarm.scenario.grammar.forms import JsonSchema, Read, describe, wrong

LONGEST: Duration = 2**62
"""About 146 years: sums of two spans still fit 64 bits."""
NEEDS_UNIT = "a duration needs a unit, such as 500ms, 30s, 2m or 1m30s"
PATTERN = r"^\s*(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+\s*$"
_BARE = re.compile(r"\s*\d{1,9}(\.\d+)?\s*")


def duration(value: object) -> Duration:
    """Read one span."""
    if isinstance(value, str):
        try:
            span = parse_duration(value)
        except ValueError:
            span = -1
        if 0 <= span <= LONGEST:
            return span
        if span > LONGEST:
            raise wrong("E105", "a duration of more than 146 years")
    raise wrong("E110", NEEDS_UNIT, _with_unit(value))


def signed_duration(value: object) -> Duration:
    """Read a span that may point back: `-200ms`."""
    if isinstance(value, str) and value.strip().startswith("-"):
        return -duration(value.strip()[1:])
    return duration(value)


def _with_unit(value: object) -> str:
    text = str(value)
    if not isinstance(value, bool) and _BARE.fullmatch(text):
        return f"did you mean '{text.strip()}s'?"
    return ""


class Fixed(Value, frozen=True):
    """Always the same span."""

    span: Duration


class Uniform(Value, frozen=True):
    """Evenly between two spans, both included."""

    low: Duration
    high: Duration


class Quantiles(Value, frozen=True):
    """Half of the draws are at most `p50`, 99 of 100 at most `p99`."""

    p50: Duration
    p99: Duration


Distribution: TypeAlias = Fixed | Uniform | Quantiles


def distribution(value: object) -> Distribution:
    """Read a span, a range or a pair of quantiles."""
    if isinstance(value, Fixed | Uniform | Quantiles):
        return value
    if isinstance(value, Mapping):
        return _quantiles(value)
    if isinstance(value, str) and ".." in value:
        low, high = (duration(part) for part in value.split("..", 1))
        if low > high:
            raise wrong("E113", "the range ends before it begins", f"write '{swap(value)}'")
        return Uniform(low, high)
    return Fixed(duration(value))


def _quantiles(value: Mapping[Any, Any]) -> Quantiles:
    if set(value) != {"p50", "p99"}:
        raise wrong("E113", "a distribution is a duration, a range 2s..5s, or {p50: 2s, p99: 9s}")
    p50, p99 = duration(value["p50"]), duration(value["p99"])
    if p50 > p99:
        raise wrong("E113", "p50 can't be longer than p99")
    return Quantiles(p50, p99)


def swap(text: str) -> str:
    """A range the other way round."""
    low, high = text.split("..", 1)
    return f"{high.strip()}..{low.strip()}"


def write_distribution(value: Distribution | str) -> str | dict[str, str]:
    """The shortest form that reads back as the same value."""
    match value:
        case Fixed(span):
            return format_duration(span)
        case Uniform(low, high):
            return f"{format_duration(low)}..{format_duration(high)}"
        case Quantiles(p50, p99):
            return {"p50": format_duration(p50), "p99": format_duration(p99)}
    return value


_TEXT: JsonSchema = {"type": "string", "pattern": PATTERN, "examples": ["30s", "1m30s"]}
_SIGNED: JsonSchema = {"type": "string", "pattern": PATTERN.replace(r"^\s*", r"^\s*-?", 1)}
_DISTRIBUTION: JsonSchema = {
    "anyOf": [
        _TEXT,
        {"type": "string", "pattern": r"\.\.", "examples": ["400ms..900ms"]},
        {
            "type": "object",
            "properties": {"p50": _TEXT, "p99": _TEXT},
            "required": ["p50", "p99"],
            "additionalProperties": False,
        },
    ]
}

Span = Annotated[int, Read(duration, format_duration, _TEXT)]
"""A field that holds one span, in nanoseconds."""
SignedSpan = Annotated[int, Read(signed_duration, format_duration, _SIGNED)]
"""A field that holds a span that may point back."""
Spread = Annotated[Distribution, Read(distribution, write_distribution, _DISTRIBUTION)]
"""A field that holds a distribution of spans."""


class SpreadOr(Read):
    """Annotation of a field that holds a distribution, or a word with a meaning of its own."""

    __slots__ = ("_meaning", "_word")

    def __init__(self, word: str, meaning: str) -> None:
        self._word, self._meaning = word, meaning
        schema = {"anyOf": [{"const": word, "description": meaning}, *_DISTRIBUTION["anyOf"]]}
        super().__init__(self._read_either, write_distribution, schema)

    def _read_either(self, value: object) -> Distribution | str:
        if isinstance(value, str) and value.strip().isalpha():
            if value.strip() == self._word:
                return self._word
            hint = f"'{self._word}' means: {self._meaning}"
            raise wrong("E104", f"{describe(value)} is neither a duration nor a known word", hint)
        return distribution(value)
