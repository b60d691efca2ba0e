"""When things happened: the moments that expectations and triggers are measured from.

Invariants:
    I1. A moment once known never changes: an event that fires again keeps its first mark.

Not here: how moments are written (`moments.py`).
"""

from __future__ import annotations

from simswarm.base.time import Instant
from simswarm.scenario.grammar.moments import (
    AfterEvent,
    AtEnd,
    AtTime,
    Between,
    Finally,
    Moment,
    Throughout,
    Window,
)


class Marks:
    """When each event first fired and was undone, and when the run ended."""

    __slots__ = ("end", "fired", "undone")

    def __init__(self) -> None:
        self.fired: dict[str, Instant] = {}
        self.undone: dict[str, Instant] = {}
        self.end: Instant | None = None

    def fire(self, id: str, at: Instant) -> None:
        """An event fires."""
        self.fired.setdefault(id, at)

    def undo(self, id: str, at: Instant) -> None:
        """What an event did is undone."""
        self.undone.setdefault(id, at)

    def moment(self, moment: Moment | None) -> Instant | None:
        """When a moment is, as far as that is known yet. No moment: the beginning."""
        match moment:
            case None:
                return 0
            case AtTime(at):
                return at
            case AfterEvent(id, delay):
                fired = self.fired.get(id)
                return None if fired is None else fired + delay
            case AtEnd():
                return self.end

    def window(self, window: Window | None) -> tuple[Instant | None, Instant | None]:
        """Begin and end of a window, each None while unknown. No window: the whole run."""
        match window:
            case None:
                return 0, self.end
            case Finally():
                return self.end, self.end
            case Between(start, end):
                return self.moment(start), self.moment(end)
            case Throughout(id):
                undone = self.undone.get(id)
                return self.fired.get(id), self.end if undone is None else undone

    def ends_with_run(self, window: Window | None) -> bool:
        """Whether it is the end of the run that ends a window, as far as is known yet."""
        match window:
            case None | Finally() | Between(_, AtEnd()):
                return True
            case Throughout(id):
                return id not in self.undone
            case _:
                return False

    def missing(self, part: Moment | Window | None) -> str | None:
        """The id of an event that a moment or window still waits for, or None."""
        match part:
            case AfterEvent(id) | Throughout(id):
                return None if id in self.fired else id
            case Between(start, end):
                return self.missing(start) or self.missing(end)
            case _:
                return None
