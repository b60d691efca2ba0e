"""Ranges as the format writes them: windows of time (`4m..7m`) and seeds (`1..200`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from simswarm.base.time import Duration, format_duration
from simswarm.base.values import Value
from simswarm.scenario.grammar.durations import duration
from simswarm.scenario.grammar.forms import Read, describe, text_of, wrong

_SEEDS = re.compile(r"(\d{1,18})\s*(?:\.\.\s*(\d{1,18}))?")


class TimeRange(Value, frozen=True):
    """From one time of the run to another."""

    start: Duration
    end: Duration


class Seeds(Value, frozen=True):
    """Seeds, as ranges with both ends included."""

    ranges: tuple[tuple[int, int], ...]

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)


def time_range(value: object) -> TimeRange:
    """Read `4m..7m`."""
    if isinstance(value, TimeRange):
        return value
    if not isinstance(value, str) or ".." not in value:
        raise wrong("E113", f"{describe(value)} is no range of time", "such as 4m..7m")
    start, end = (duration(part) for part in value.split("..", 1))
    if start >= end:
        raise wrong("E113", "the range ends before it begins")
    return TimeRange(start, end)


def write_time_range(value: TimeRange) -> str:
    """A range of time as it is written."""
    return f"{format_duration(value.start)}..{format_duration(value.end)}"


def seeds(value: object) -> Seeds:
    """Read `1..200`, one seed, or a list of both."""
    if isinstance(value, Seeds):
        return value
    parts = value if isinstance(value, list) else [value]
    found = tuple(_seed_range(part) for part in parts)
    if not found or any(first > last for first, last in found):
        raise wrong("E113", f"{describe(value)} holds no seed", "such as 1..200")
    return Seeds(found)


def _seed_range(value: object) -> tuple[int, int]:
    match = _SEEDS.fullmatch(text_of(value)) if not isinstance(value, bool) else None
    if match is None:
        raise wrong("E113", f"{describe(value)} is no range of seeds", "such as 1..200")
    return int(match[1]), int(match[2] or match[1])


def write_seeds(value: Seeds) -> str | list[str]:
    """Seeds as they are written."""
    parts = [f"{first}..{last}" for first, last in value.ranges]
    return parts[0] if len(parts) == 1 else parts


TimeRangeField = Annotated[
    TimeRange, Read(time_range, write_time_range, {"type": "string", "examples": ["4m..7m"]})
]
"""A field that holds a range of time."""
SeedsField = Annotated[
    Seeds,
    Read(seeds, write_seeds, {"type": ["string", "integer", "array"], "examples": ["1..200"]}),
]
"""A field that holds seeds."""
