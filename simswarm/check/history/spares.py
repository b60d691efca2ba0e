"""Operations with unknown outcome, to the search: they may take effect at some time, or never.

Two things keep them from multiplying everything else:

- Of those that do the same, the one that started first is used first. What was used is then a set
  of bits, and of two nodes that differ in it alone, one that used a part of what the other used is
  the better one.
- One is used only if something needs it now: an operation that may come next must need the value
  it makes, or another spare one whose result is needed. In an order that works, one that nothing
  looks at before the next write can be left out.

Where anything is appended, or a not-matching cas must be got out of the way, any value may help.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simswarm.base.values import Value
from simswarm.check.history.model import Action, Append
from simswarm.check.history.moves import ANY, NOT, Moves
from simswarm.check.history.partition import NEVER


class Spare(Value, frozen=True):
    """An operation that may take effect at any time after its start, or never."""

    action: Action
    start: int


def appends(moves: Moves) -> bool:
    """Whether anything is appended, so that values may come from anywhere."""
    return any(isinstance(action, Append) for action in moves.actions)


class Spares:
    """All spare operations of one question, in groups that do the same."""

    __slots__ = ("_appends", "_first_bits", "_from", "_into", "_masks", "_starts", "kinds")

    def __init__(self, moves: Moves, spares: Sequence[Spare]) -> None:
        """`spares` are sorted by start; `moves` knows the other operations already."""
        by_kind: dict[int, list[int]] = {}
        for one in spares:
            by_kind.setdefault(moves.kind(one.action), []).append(one.start)
        self.kinds = list(by_kind)
        """The action of each group."""
        self._starts = list(by_kind.values())
        self._first_bits: list[int] = []
        self._masks: list[int] = []
        bits = 0
        for starts in self._starts:
            self._first_bits.append(bits)
            self._masks.append((1 << len(starts)) - 1)
            bits += len(starts)
        self._appends = appends(moves)
        self._from = [moves.needs(kind) for kind in self.kinds]
        self._into: dict[int, list[int]] = {}
        """Value → the groups that make it."""
        for group, kind in enumerate(self.kinds):
            self._into.setdefault(moves.makes(kind), []).append(group)

    def next(self, group: int, used: int, before: int) -> int:
        """The bit of the first of a group that is not used yet and started in time, or 0."""
        starts, first = self._starts[group], self._first_bits[group]
        count = (used >> first & self._masks[group]).bit_length()
        if count < len(starts) and starts[count] < before:
            return 1 << (first + count)
        return 0

    def can_make(self, value: int, used: int) -> bool:
        """Whether one that makes a value is left."""
        return any(self.next(group, used, NEVER) for group in self._into.get(value, ()))

    def worth_trying(self, needed: Iterable[int], value: int) -> list[int]:
        """Groups whose result something needs, if the value is `value` now."""
        wanted = {need: None for need in needed if need != NOT}
        if self._appends or ANY in wanted:
            return list(range(len(self.kinds)))
        found: list[int] = []
        todo = list(wanted)
        while todo:
            for group in self._into.get(todo.pop(), ()):
                source = self._from[group]
                if source in (NOT, value):
                    found.append(group)
                elif source not in wanted:
                    wanted[source] = None
                    todo.append(source)
        return found
