"""The shortest failing window: the smallest piece of time in which no order explains what was said.

A window ends where an operation ends, and begins as early as it can without taking in one more.
What lies within it must be explained; what only reaches into it may take effect there or not:

        window:      ├───────────────────┤
    must be          ┝━━━━━━┥  ┝━━━━━┥
    may be       ┝━━━━━━━━━━━━┥                 started before: by its end, or before the window
    may be                         ┝━━━━━━━┥    ends later: from its start on, or afterwards
    may be   ┝━━━ ?                             outcome unknown

At its beginning the register holds whatever something that started before could have left there;
at the beginning of the history, the initial value. So a window that fails is a proof of its own:
nobody needs to look at the rest of the history.

Invariants
  I1  if a window fails, the history fails, and every wider window does;
  I2  of all failing windows the one with the fewest operations is reported, the earliest of those,
      unless the box is reached first (`shortest` is false then, and the window fails still).

How: by doubling and halving (I1), the first end by which the history fails - the search of the
whole says before which it does not -, and the smallest window with that end. Windows that end
later are tried with one operation less than the best so far.

Not here: how it is shown (`picture`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple

from simswarm.base.values import Value
from simswarm.check.history.model import Frozen, NotSwap, Read, Swap, Tail, changes
from simswarm.check.history.partition import Placed, Timeline
from simswarm.check.history.search import Finite, Outcome, Search
from simswarm.check.history.spares import Spare


class Piece(Value, frozen=True):
    """A failing window of one key; operations are given by their numbers in the history."""

    inside: tuple[int, ...]
    """What no order explains, by start."""
    around: tuple[int, ...]
    """What may take effect there or not, and doesn't help, by start."""
    from_beginning: bool
    """It fails from the initial value, else from every value that could be there."""
    shortest: bool


class _Window(NamedTuple):
    """A stretch of time, in positions, and what lies within it (places in `ended`, by start)."""

    begin: int
    end: int
    inside: Sequence[int]


class _Windows:
    """The windows of one timeline, and the steps that may still be spent on them."""

    __slots__ = ("_ends", "_left", "_line", "_starts", "boxed")

    def __init__(self, line: Timeline, steps: int) -> None:
        self._line = line
        self._starts = [one.start for one in line.ended]
        self._ends = [_end(one) for one in line.ended]
        self._left = steps
        self.boxed = False

    def ending_by(self, position: int) -> list[int]:
        """What ends at a position or before it, by start."""
        return [place for place, end in enumerate(self._ends) if end <= position]

    def ends_after(self, position: int) -> list[tuple[int, int]]:
        """Ends after a position, and whose they are."""
        return sorted((end, place) for place, end in enumerate(self._ends) if end > position)

    def last(self, count: int, inside: list[int], end: int) -> _Window:
        """The window of the last `count` of all operations that end by `end`."""
        if count >= len(inside):
            return _Window(0, end, inside[:])
        return _Window(self._starts[inside[-count - 1]] + 1, end, inside[-count:])

    def tightened(self, window: _Window) -> _Window:
        """The same operations, from the first start on: less reaches into it."""
        return _Window(self._starts[window.inside[0]], window.end, window.inside)

    def until(self, end: int) -> _Window:
        """The window from the beginning of the history."""
        return _Window(0, end, self.ending_by(end))

    def fails(self, window: _Window) -> bool:
        """Whether no order explains what lies within a window."""
        if self._left <= 0:
            self.boxed = True
            return False
        required = [Finite(one.action, one.start, _end(one)) for one in self._inside(window)]
        early, late = self._around(window)
        optional = [Finite(one.action, one.start, _end(one), required=False) for one in early]
        spare = [Spare(one.action, one.start) for one in late]
        roots = self._roots(window, (*early, *late))
        search = Search(self._line.register, roots, [*optional, *required], spare)
        outcome = search.run(self._left)
        self._left -= search.steps + len(required) + len(spare)
        self.boxed = self.boxed or outcome is Outcome.OPEN
        return outcome is Outcome.NONE

    def piece(self, window: _Window, *, shortest: bool) -> Piece:
        """A window as a result."""
        early, late = self._around(window)
        return Piece(
            tuple(one.number for one in self._inside(window)),
            tuple(one.number for one in sorted((*early, *late), key=_start)),
            window.begin == 0,
            shortest,
        )

    def _inside(self, window: _Window) -> list[Placed]:
        return [self._line.ended[place] for place in window.inside]

    def _around(self, window: _Window) -> tuple[list[Placed], list[Placed]]:
        """What may change the value in a window without lying within: until its end, or for good.

        Both by start.
        """
        line, (begin, end, _) = self._line, window
        first, until = bisect_left(self._starts, begin), bisect_right(self._starts, end)
        place = first - 1
        reaching: list[Placed] = []
        while place >= 0 and line.reach[place] >= begin:
            if self._ends[place] >= begin:
                reaching.append(line.ended[place])
            place -= 1
        reaching.reverse()
        early = [one for one in reaching if _end(one) <= end and changes(one.action)]
        late = [one for one in (*reaching, *line.ended[first:until]) if _end(one) > end]
        late += [one for one in line.open if one.start < end]
        return early, sorted((one for one in late if changes(one.action)), key=_start)

    def _roots(self, window: _Window, around: Sequence[Placed]) -> list[Frozen]:
        """What the register may hold when a window begins."""
        line = self._line
        if window.begin == 0:
            return [line.initial]
        if line.appended < window.begin:
            return [Tail()]
        looked_for: dict[Frozen, None] = {}
        for one in (*self._inside(window), *around):
            match one.action:
                case Read(value=value) | Swap(old=value) | NotSwap(old=value):
                    looked_for[value] = None
                case _:
                    pass
        return self._possible(looked_for, window.begin)

    def _possible(self, looked_for: dict[Frozen, None], begin: int) -> list[Frozen]:
        line = self._line
        roots = [
            value
            for value in looked_for
            if value == line.initial or line.written.get(value, begin) < begin
        ]
        # values that nothing here looks for are all the same: one stands for all
        for value, since in ((line.initial, -1), *line.written.items()):
            if since >= begin:
                break
            if value not in looked_for:
                return [*roots, value]
        return roots


def shortest_window(line: Timeline, furthest: int, steps: int) -> Piece:
    """The shortest failing window of a timeline that has no order.

    What ends before `furthest` is known to have one.
    """
    windows = _Windows(line, steps)
    first = _first_end(windows, furthest)
    inside = windows.ending_by(first)
    best = _narrow(windows, inside, first)
    found = windows.last(best, inside, first)
    for end, place in windows.ends_after(first):
        insort(inside, place)
        while best > 1 and not windows.boxed:
            shorter = windows.last(best - 1, inside, end)
            if not windows.fails(shorter):
                break
            best, found = best - 1, shorter
    shortest = not windows.boxed
    tight = windows.tightened(found)
    return windows.piece(tight if windows.fails(tight) else found, shortest=shortest)


def _first_end(windows: _Windows, furthest: int) -> int:
    """The first end by which the history fails: every failing window ends there or later."""
    ends = [end for end, _ in windows.ends_after(furthest - 1)]
    passes, fails = -1, 0
    while fails < len(ends) - 1 and not windows.fails(windows.until(ends[fails])):
        passes, fails = fails, 2 * fails + 1
    fails = min(fails, len(ends) - 1)
    while fails - passes > 1:
        middle = (passes + fails) // 2
        if windows.fails(windows.until(ends[middle])):
            fails = middle
        else:
            passes = middle
    return ends[fails]


def _narrow(windows: _Windows, inside: list[int], end: int) -> int:
    """How many operations the smallest failing window with this end has."""
    passes, fails = 0, 1
    while fails < len(inside) and not windows.fails(windows.last(fails, inside, end)):
        passes, fails = fails, 2 * fails
    fails = min(fails, len(inside))
    while fails - passes > 1:
        middle = (passes + fails) // 2
        if windows.fails(windows.last(middle, inside, end)):
            fails = middle
        else:
            passes = middle
    return fails


def _start(one: Placed) -> int:
    return one.start


def _end(one: Placed) -> int:
    assert one.end is not None
    return one.end
