"""Moments and windows of a run, as expectations and triggers name them.

    after: ID [+ DURATION]       the moment an event fires, or so long after
    during: ID                   from its firing to its undoing; without `for`, to the end
    during: A..B                 between two moments: `good..end`, `30s..2m`, `cut + 5s..end`
    during: end                  the last instant

`end` is the end of the run, `nemesis` the nemesis' window (`after: nemesis`: once it is over).

Not here: when events really fire (`scenario/acting/timeline.py`).
"""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from simswarm.base.time import Duration, format_duration
from simswarm.base.values import Value
from simswarm.scenario.grammar.durations import duration
from simswarm.scenario.grammar.forms import Read, describe, wrong

END = "end"
NEMESIS = "nemesis"
RESERVED_IDS = (END, NEMESIS)
ID_PATTERN = r"[A-Za-z_][A-Za-z0-9_-]*"

_ID = re.compile(ID_PATTERN)
_AFTER = re.compile(rf"({ID_PATTERN})\s*(?:\+\s*(\S.*?))?\s*")


class AtTime(Value, frozen=True, tag="time"):
    """So long after the swarm is up."""

    at: Duration


class AfterEvent(Value, frozen=True, tag="event"):
    """The moment the event of this id fires, or `delay` later."""

    id: str
    delay: Duration = 0


class AtEnd(Value, frozen=True, tag="end"):
    """The last instant of the run."""


Moment: TypeAlias = AtTime | AfterEvent | AtEnd


class Throughout(Value, frozen=True, tag="throughout"):
    """While the event of this id is in force."""

    id: str


class Between(Value, frozen=True, tag="between"):
    """From one moment to another."""

    start: Moment
    end: Moment


class Finally(Value, frozen=True, tag="finally"):
    """At the last instant only."""


Window: TypeAlias = Throughout | Between | Finally


def event_id(value: object) -> str:
    """Read the id of an event."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        hint = "an id is a word of letters, digits, - and _ that starts with a letter"
        raise wrong("E123", f"{describe(value)} can't be an id", hint)
    if value in RESERVED_IDS:
        raise wrong("E123", f"the id '{value}' is reserved", f"'{value}' has a meaning of its own")
    return value


def after(value: object) -> AfterEvent:
    """Read `ID [+ DURATION]`."""
    if isinstance(value, AfterEvent):
        return value
    found = _AFTER.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[1] == END:
        hint = "write the id of an event, perhaps with a delay: crash + 30s"
        raise wrong("E110", f"{describe(value)} is no moment after an event", hint)
    return AfterEvent(found[1], duration(found[2]) if found[2] else 0)


def write_moment(value: Moment) -> str:
    """A moment as it is written."""
    match value:
        case AtTime(at):
            return format_duration(at)
        case AfterEvent(id, delay):
            return f"{id} + {format_duration(delay)}" if delay else id
    return END


def moment(value: object) -> Moment:
    """Read one end of a window, or what an expectation's `after` names."""
    if isinstance(value, AtTime | AfterEvent | AtEnd):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if text == END:
        return AtEnd()
    if text[:1].isdigit():
        return AtTime(duration(text))
    return after(value)


def window(value: object) -> Window:
    """Read what an expectation's `during` names."""
    if isinstance(value, Throughout | Between | Finally):
        return value
    if not isinstance(value, str):
        raise wrong("E110", f"{describe(value)} is no window", "such as noise, good..end, or end")
    first, dots, last = (part.strip() for part in value.partition(".."))
    if dots:
        return Between(moment(first), moment(last))
    if first == END:
        return Finally()
    if not _ID.fullmatch(first):
        hint = "write an event's id, or two moments with .. between: good..end"
        raise wrong("E110", f"{describe(value)} is no window", hint)
    return Throughout(first)


def write_window(value: Window) -> str:
    """A window as it is written."""
    match value:
        case Throughout(id):
            return id
        case Between(start, end):
            return f"{write_moment(start)}..{write_moment(end)}"
    return END


EventId = Annotated[str, Read(event_id, None, {"type": "string", "pattern": f"^{ID_PATTERN}$"})]
"""A field that holds the id of an event."""
After = Annotated[
    AfterEvent, Read(after, write_moment, {"type": "string", "examples": ["crash", "crash + 30s"]})
]
"""A field that holds a moment after an event."""
MomentField = Annotated[
    Moment, Read(moment, write_moment, {"type": "string", "examples": ["crash", "crash + 30s"]})
]
"""A field that holds a moment."""
WindowField = Annotated[
    Window, Read(window, write_window, {"type": "string", "examples": ["good..end", "end"]})
]
"""A field that holds a window."""
