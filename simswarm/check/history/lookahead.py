"""What is still to come, to the search: whether an operation now would make a later one impossible.

Three kinds of history:

- Nothing is appended (`Sources`). If an operation that must still take effect needs the value 3,
  and no write of 3 is left, then nothing may change the value before it. Where clients write
  different values each time, as most test clients do, this cuts off nearly everything; where they
  write a few values again and again, it costs a look at the last write of each.
- Nothing is written or swapped, all is appended (`Growth`). The value never gets shorter, so it
  must be the beginning of what every later read saw.
- Both: no look ahead, values come from anywhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TypeAlias

from simswarm.check.history.model import Append, Read
from simswarm.check.history.moves import Moves
from simswarm.check.history.spares import Spares, appends

Node: TypeAlias = tuple[int, int, int, int]
"""How many operations are done at the low end, which are done above that (bits), the number of
the value, and which spare ones were used (bits)."""


class Sources:
    """Which operations make and need each value, by their places in the order of starts."""

    __slots__ = ("_makers", "_needers", "_spares")

    def __init__(self, moves: Moves, groups: Sequence[int], spares: Spares) -> None:
        """`groups`: the number of each action, doubled; odd if it need not happen."""
        self._makers: dict[int, list[int]] = {}
        self._needers: dict[int, list[int]] = {}
        self._spares = spares
        makes = [moves.makes(kind) for kind in range(len(moves.actions))]
        needs = [moves.needs(kind) for kind in range(len(moves.actions))]
        for which, group in enumerate(groups):
            self._makers.setdefault(makes[group >> 1], []).append(which)
            if not group & 1:
                self._needers.setdefault(needs[group >> 1], []).append(which)

    def is_lost(self, before: int, node: Node) -> bool:
        """Whether something undone needs the value before, and nothing undone makes it."""
        low, bits, _, used = node
        needers = self._needers.get(before)
        if needers is None or not _is_open(needers, low, bits):
            return False
        makers = self._makers.get(before, ())
        return not _is_open(makers, low, bits) and not self._spares.can_make(before, used)


class Growth:
    """What later reads saw of a value that only grows."""

    __slots__ = ("_moves", "_reads", "_seen")

    def __init__(self, moves: Moves, groups: Sequence[int]) -> None:
        reads = [
            which
            for which, group in enumerate(groups)
            if isinstance(moves.actions[group >> 1], Read)
        ]
        self._moves = moves
        self._reads = reads
        self._seen = [moves.needs(groups[which] >> 1) for which in reads]

    def is_lost(self, before: int, node: Node) -> bool:
        """Whether the next read that is not done saw something else than what is there now."""
        low, bits, value, _ = node
        for place in range(bisect_left(self._reads, low), len(self._reads)):
            if not bits >> (self._reads[place] - low) & 1:
                return not self._moves.begins(value, self._seen[place])
        return False


def look_ahead(moves: Moves, groups: Sequence[int], spares: Spares) -> Sources | Growth | None:
    """What looks ahead in a history of these actions."""
    actions = moves.actions
    if not appends(moves):
        return Sources(moves, groups, spares)
    if all(isinstance(action, Append | Read) for action in actions):
        return Growth(moves, groups)
    return None


def _is_open(places: Sequence[int], low: int, bits: int) -> bool:
    """Whether one of some operations is not done; the late ones are asked first."""
    for which in reversed(places):
        if which < low:
            return False
        if not bits >> (which - low) & 1:
            return True
    return False
