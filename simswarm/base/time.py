"""Time as the protocol sees it: integer nanoseconds, and two clocks.

`Now.mono` is for timers: it never goes back within a boot; drift and pauses act on it.
`Now.wall` is for timestamps and certificates: skew and jumps act on it.

Not here: reading a clock. That is a driver's business; below the line `now` is an argument.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from simswarm.base.values import Value

Instant: TypeAlias = int
"""A moment on one clock, in nanoseconds."""
Duration: TypeAlias = int
"""A span, in nanoseconds."""

NANOSECOND: Duration = 1
MICROSECOND: Duration = 1_000
MILLISECOND: Duration = 1_000_000
SECOND: Duration = 1_000_000_000
MINUTE: Duration = 60 * SECOND
HOUR: Duration = 60 * MINUTE

_UNITS = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
    "d": 24 * HOUR,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)")


class Now(Value, frozen=True):
    """What a node's two clocks show, in nanoseconds."""

    mono: Instant
    wall: Instant


def parse_duration(text: str) -> Duration:
    """Read a duration such as `500ms`, `30s`, `1m30s` or `1.5h` into nanoseconds.

    Raises:
        ValueError: no unit, an unknown unit, or something else than a duration.
    """
    text = text.strip()
    position, total = 0, 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            raise ValueError("a duration needs a unit, such as 500ms, 30s, 2m or 1m30s")
        whole, _, fraction = part[1].partition(".")
        unit = _UNITS[part[2]]
        total += int(whole) * unit
        if fraction:
            total += int(fraction) * unit // 10 ** len(fraction)
        position = part.end()
    if position == 0:
        raise ValueError("a duration needs a unit, such as 500ms, 30s, 2m or 1m30s")
    return total


def format_duration(span: Duration) -> str:
    """Print a duration in its largest exact units: `1m30s`, `250ms`, `0s`."""
    if span < 0:
        return "-" + format_duration(-span)
    if span == 0:
        return "0s"
    parts = []
    for name, unit in (
        ("h", HOUR),
        ("m", MINUTE),
        ("s", SECOND),
        ("ms", MILLISECOND),
        ("us", MICROSECOND),
        ("ns", NANOSECOND),
    ):
        count, span = divmod(span, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts)
