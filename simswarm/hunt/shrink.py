"""Making a plan smaller while it still shows the same violation.

    faults     none of one kind; halves, quarters, … single ones left out, until none can go
    settings   each to its simplest: fewer members, a perfect network, one client, …
    the rest   each fault to its simplest (loses nothing, all links alike, shorter)

What is left is minimal in its faults: without any one of them the violation is gone. That is
checked, not hoped for (`necessary`).

Invariants:
    I1. Every plan kept violates the same invariant as the first one.
    I2. At most `budget` plans are played; then the smallest so far is the result.

Source: delta debugging (Zeller, Hildebrandt, 2002); the order of passes is hypothesis's: first
delete, then simplify.
Not here: playing (`run.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from simswarm.base.values import replace
from simswarm.hunt.plan import Crash, Fault, Isolate, Link, Partition, Plan, Strike, targets
from simswarm.hunt.run import Outcome, play

BUDGET = 400
SIMPLEST = Plan()


class Shrinker:
    """One plan on its way down."""

    __slots__ = ("_budget", "_invariant", "_play", "best", "outcome", "played")

    def __init__(
        self,
        plan: Plan,
        outcome: Outcome,
        *,
        budget: int = BUDGET,
        play: Callable[[Plan], Outcome] = play,
    ) -> None:
        assert outcome.violated, "only what fails can fail with less"
        self.best = plan
        self.outcome = outcome
        self._invariant = outcome.invariant
        self._budget = budget
        self._play = play
        self.played = 0

    def shrink(self) -> Plan:
        """The smallest plan found."""
        while True:
            before = self.best
            self._end_early()
            self._leave_out()
            self._simplify_settings()
            self._simplify_faults()
            if self.best == before or self.played >= self._budget:
                return self.best

    def necessary(self) -> tuple[bool, ...]:
        """For each fault that is left, whether the violation is gone without it."""
        return tuple(
            not self._fails(_without(self.best, [position]))
            for position in range(len(self.best.faults))
        )

    def _fails(self, plan: Plan) -> bool:
        outcome = self._play(plan)
        failed = outcome.violated and outcome.invariant == self._invariant
        if failed:
            self.outcome = outcome
        return failed

    def _try(self, plan: Plan) -> bool:
        """Take a plan if it still fails."""
        if plan == self.best or self.played >= self._budget:
            return False
        self.played += 1
        before = self.outcome
        if self._fails(plan):
            self.best = plan
            return True
        self.outcome = before
        return False

    def _end_early(self) -> None:
        """What comes after the violation has no part in it."""
        end = self.outcome.at // 1_000_000 + 1
        if end < self.best.chaos:
            early = tuple(fault for fault in self.best.faults if fault.at <= end)
            self._try(replace(self.best, chaos=end, faults=early))

    def _leave_out(self) -> None:
        size = max(1, len(self.best.faults) // 2)
        while self.best.faults:
            position = 0
            went = False
            while position < len(self.best.faults):
                if self._try(_without(self.best, range(position, position + size))):
                    went = True
                else:
                    position += size
            if size == 1 and not went:
                return
            size = max(1, size // 2)
            if self.played >= self._budget:
                return

    def _simplify_settings(self) -> None:
        for members in range(1, self.best.members):
            if self._try(_of_size(self.best, members)):
                break
        for field in msgspec.structs.fields(Plan):
            if field.name not in ("faults", "members", "seed", "chaos"):
                simplest = getattr(SIMPLEST, field.name)
                self._try(replace(self.best, **{field.name: simplest}))
        self._try(replace(self.best, clients=0))
        self._try(replace(self.best, clients=1))
        for part in (8, 4, 2):
            if self._try(replace(self.best, chaos=self.best.chaos // part)):
                break

    def _simplify_faults(self) -> None:
        for position in range(len(self.best.faults)):
            for simpler in _simpler(self.best.faults[position]):
                faults = list(self.best.faults)
                faults[position] = simpler
                self._try(replace(self.best, faults=tuple(faults)))


def _without(plan: Plan, positions: Sequence[int]) -> Plan:
    kept = [fault for position, fault in enumerate(plan.faults) if position not in positions]
    return replace(plan, faults=tuple(kept))


def _of_size(plan: Plan, members: int) -> Plan:
    """The same with fewer members, as far as nobody is missed."""
    smaller = replace(plan, members=members, core=0, core_first=0)
    gone = [name for name in plan.names if name not in smaller.names]
    kept = [fault for fault in plan.faults if not any(name in gone for name in targets(fault))]
    return replace(smaller, faults=tuple(kept)) if len(kept) == len(plan.faults) else plan


def _simpler(fault: Fault) -> Iterator[Fault]:
    match fault:
        case Crash(lose="unsynced") | Strike(lose="unsynced"):
            yield replace(fault, lose="nothing")
        case Isolate(way=way, company=company) if way != "both" or company:
            yield replace(fault, way="both", company=0)
            yield replace(fault, company=0)
        case Partition(times=times) if times > 1:
            yield replace(fault, times=1)
        case Link():
            for name in ("latency", "jitter", "loss", "duplicate", "reorder"):
                if getattr(fault, name):
                    yield replace(fault, **{name: 0})
        case _:
            pass
