"""What an invariant is to the run that watches it: a name, a count, and what broke it.

An invariant is told of things as they happen (a step, a committed entry, a crash) and says
`broken(at, message)` when its sentence no longer holds. It looks, and never touches.

Invariants:
    I1. At most `KEPT` violations are kept of each; the rest is counted.
    I2. A checker that raises has stopped: from then on its sentence is unknown, not true.

Not here: who tells it (`monitor.py`), the sentences (`raft_safety.py`, `durability.py`,
`tasks.py`, `placement.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from simswarm.base.time import Instant
from simswarm.base.values import Value

KEPT = 20
"""Violations kept of one invariant."""


class Violation(Value, frozen=True):
    """An invariant did not hold. `at`: nanoseconds since the swarm was up."""

    at: Instant
    message: str


class Invariant:
    """Base of all invariants: what was looked at, and what was found."""

    __slots__ = ("announce", "checked", "name", "stopped", "suppressed", "violations")

    def __init__(self, name: str) -> None:
        self.name = name
        self.checked = 0
        self.violations: list[Violation] = []
        self.suppressed = 0
        self.stopped = ""
        """Why this checker gave up; empty while it works."""
        self.announce: Announce | None = None
        """Who is told of every violation that is kept."""

    def broken(self, at: Instant, message: str) -> None:
        """The sentence does not hold."""
        if len(self.violations) >= KEPT:
            self.suppressed += 1
            return
        violation = Violation(at, message)
        self.violations.append(violation)
        if self.announce is not None:
            self.announce(self, violation)

    @property
    def holds(self) -> bool:
        """Whether it was looked at to the end and never broken."""
        return not self.violations and not self.stopped


Announce = Callable[[Invariant, Violation], None]
