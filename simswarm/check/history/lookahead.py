"""What is still to come, to the search: whether a value that is left now can never be had again.

If an operation that must still take effect needs the value 3, and no write of 3 is left, then
nothing may change the value before it. Where clients write different values each time, as most
test clients do, this cuts off nearly everything; where they write a few values again and again,
it costs a look at the last write of each.

Not here: histories with appends, where values come from anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.check.history.moves import Moves
from simswarm.check.history.spares import Spares


class Lookahead:
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

    def is_lost(self, value: int, low: int, bits: int, used: int) -> bool:
        """Whether something undone needs a value that nothing undone makes."""
        needers = self._needers.get(value)
        if needers is None or not _is_open(needers, low, bits):
            return False
        makers = self._makers.get(value, ())
        return not _is_open(makers, low, bits) and not self._spares.can_make(value, used)


def _is_open(places: Sequence[int], low: int, bits: int) -> bool:
    """Whether one of some operations is not done; the late ones are asked first."""
    for which in reversed(places):
        if which < low:
            return False
        if not bits >> (which - low) & 1:
            return True
    return False
