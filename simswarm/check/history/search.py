"""The search for an order that explains the operations of one key, boxed by a count of steps.

A node of the search says which operations have taken effect and what the value is now. An
operation may be next if it started before the first end that is still to come (the *frontier*:
whatever ended there must take effect before). Nodes are values on a stack, so there is no
recursion and nothing to undo, and a search may be stopped and continued.

       started before the frontier: one of these is next
             ╭────────┴────────╮
    w1  ━━━━━┿━━━━━━━━━━━━━━━━━┿━━━━━━━━━━━━
    w2       ┝━━━━━━━━━━━━━━━━━┥ <- the frontier: the first end
    r3                             ┝━━━━━━┥    too early for this one

What keeps it small:

1. A node is never visited twice. Done operations are the bits of an integer; the run of done
   ones at its low end is shifted out and counted, so that a node's size depends on how many
   operations overlap, not on how long the history is.
2. An operation that only looks (it never changes any value) takes effect as soon as it fits:
   wherever it stands in an order that works, it can be moved here. This does not go for a write
   of the value that is there already: later it may be the one that brings it back.
3. Of operations that do the same, only the one that ends first is tried: in an order that works,
   it can change places with any other of them.
4. Nothing is done that makes a later operation impossible (`lookahead`).
5. Operations with unknown outcome are used only when needed, and a node is superfluous if another
   like it used fewer of them (`spares`).

Invariants
  I1  success is reported only when every required operation has taken effect;
  I2  failure is reported only when the stack is empty, so every order was tried or ruled out by
      the five rules above;
  I3  the operations that end before `furthest` do have an order, failure or not.

Source: J. Wing, C. Gong: Testing and verifying concurrent objects (1993); G. Lowe: Testing for
linearizability (2017), for remembering what was tried. Rules 2 to 5 stand on the reasons given
with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from simswarm.base.values import Value
from simswarm.check.history.lookahead import Node, look_ahead
from simswarm.check.history.model import Action, Frozen, Register, changes
from simswarm.check.history.moves import NOT, Moves
from simswarm.check.history.partition import NEVER
from simswarm.check.history.spares import Spare, Spares


class Finite(Value, frozen=True):
    """An operation with an end, to the search."""

    action: Action
    start: int
    end: int
    required: bool = True
    """False: it may also not take effect between its start and its end."""


class Outcome(Enum):
    """How a search stands."""

    FOUND = "found"
    NONE = "none"
    OPEN = "open"


class Search:
    """One question: do these operations have an order, from any of these first values?

    `finite` and `spare` are sorted by start.
    """

    __slots__ = (
        "_ahead",
        "_ends",
        "_groups",
        "_looks",
        "_moves",
        "_needs",
        "_seen",
        "_spares",
        "_stack",
        "_starts",
        "furthest",
        "steps",
    )

    def __init__(
        self,
        register: Register,
        roots: Sequence[Frozen],
        finite: Sequence[Finite],
        spare: Sequence[Spare],
    ) -> None:
        moves = self._moves = Moves(register)
        self._starts = [one.start for one in finite]
        self._ends = [one.end for one in finite]
        self._groups = [moves.kind(one.action) << 1 | (not one.required) for one in finite]
        """What does the same: the number of the action, doubled; odd if it need not happen."""
        self._looks = [not changes(action) for action in moves.actions]
        self._needs = [moves.needs(kind) for kind in range(len(moves.actions))]
        self._spares = Spares(moves, spare)
        self._ahead = look_ahead(moves, self._groups, self._spares)
        self._seen: dict[tuple[int, int, int], list[int]] = {}
        self._stack: list[Node] = [(0, 0, moves.number(root), 0) for root in reversed(roots)]
        self.steps = 0
        self.furthest = -1
        """The last position at which an end stood in the way."""

    def run(self, limit: int) -> Outcome:
        """Go on until it is decided, or `limit` steps were made since the beginning."""
        stack = self._stack
        last = len(self._starts)
        while stack:
            if self.steps >= limit:
                return Outcome.OPEN
            low, bits, value, used = stack.pop()
            settled, frontier, next_ones = self._candidates(low, bits, value)
            bits |= settled
            run = (~bits & (bits + 1)).bit_length() - 1
            low, bits = low + run, bits >> run
            if low == last:
                return Outcome.FOUND
            if frontier > self.furthest:
                self.furthest = frontier
            if self._is_new(low, bits, value, used):
                self._push_spare(next_ones, frontier, (low, bits, value, used))
                self._push_finite(next_ones, frontier, (low, bits, value, used))
        return Outcome.NONE

    def _candidates(self, low: int, bits: int, value: int) -> tuple[int, int, list[int]]:
        """Which operations take effect at once (bits), the frontier, and what may be next."""
        starts, ends, groups, last = self._starts, self._ends, self._groups, len(self._starts)
        looks, after = self._looks, self._moves.after
        frontier, settled, known = NEVER, 0, bits
        first: dict[int, int] = {}
        while True:
            bit = ~known & (known + 1)
            which = low + bit.bit_length() - 1
            if which >= last or starts[which] > frontier:
                break
            known |= bit
            self.steps += 1
            group = groups[which]
            if looks[group >> 1] and after(group >> 1, value) == value:
                settled |= bit
                continue
            frontier = min(frontier, ends[which])
            best = first.get(group)
            if best is None or ends[which] < ends[best]:
                first[group] = which
        return settled, frontier, list(first.values())

    def _push_finite(self, next_ones: list[int], frontier: int, node: Node) -> None:
        low, bits, value, used = node
        ends = self._ends
        # what ends last is pushed first, so that what ends first is tried first
        next_ones.sort(key=ends.__getitem__, reverse=True)
        for which in next_ones:
            group = self._groups[which]
            done = bits | 1 << (which - low)
            after = self._moves.after(group >> 1, value)
            if group & 1 and ends[which] == frontier:
                self._stack.append((low, done, value, used))
            # one that need not happen and changes nothing is kept for later
            if after != NOT and not (group & 1 and after == value):
                self._push(value, (low, done, after, used))

    def _push_spare(self, next_ones: list[int], frontier: int, node: Node) -> None:
        spares = self._spares
        if not spares.kinds:
            return
        low, bits, value, used = node
        needed = [self._needs[self._groups[which] >> 1] for which in next_ones]
        for place in spares.worth_trying(needed, value):
            self.steps += 1
            bit = spares.next(place, used, frontier)
            if bit:
                after = self._moves.after(spares.kinds[place], value)
                if after not in (NOT, value):
                    self._push(value, (low, bits, after, used | bit))

    def _push(self, before: int, node: Node) -> None:
        ahead = self._ahead
        if ahead is None or node[2] == before or not ahead.is_lost(before, node):
            self._stack.append(node)

    def _is_new(self, low: int, bits: int, value: int, used: int) -> bool:
        """Whether nothing as good was seen; remembers this."""
        before = self._seen.setdefault((low, bits, value), [])
        if before:
            if any(other & ~used == 0 for other in before):
                return False
            before[:] = [other for other in before if used & ~other != 0]
        before.append(used)
        return True
