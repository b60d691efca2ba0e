"""Fake proposers: at once, when told, or never."""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.errors import SimswarmError
from simswarm.base.time import Now
from simswarm.store import ObjectChange, Outcome, Store, Tx


class Manual:
    """Commits when told to; a store is built around it."""

    def __init__(self, *, leads: bool = True, immediate: bool = False) -> None:
        self.leads = leads
        self.immediate = immediate
        self.index = 10
        self.wall = 1000
        self.proposed: list[tuple[str, tuple[ObjectChange, ...]]] = []
        self.refuse_next: SimswarmError | None = None
        self.store = Store(self, lambda: Now(self.wall, self.wall))

    def can_propose(self) -> bool:
        return self.leads

    def commit_index(self) -> int:
        return self.index

    def propose(self, name: str, changes: Sequence[ObjectChange]) -> None:
        if self.refuse_next is not None:
            error, self.refuse_next = self.refuse_next, None
            self.store.drop(error)
            return
        self.proposed.append((name, tuple(changes)))
        if self.immediate:
            self.commit()

    def commit(self) -> tuple[ObjectChange, ...]:
        """The proposal under way commits."""
        _, changes = self.proposed.pop(0)
        self.index += 1
        self.store.apply(changes, self.index)
        self.store.finish()
        return changes


class Do:
    """A write made of a function, which is its own owner."""

    def __init__(self, function, name: str = "test.do") -> None:
        self.function = function
        self.name = name
        self.ran = 0
        self.outcomes: list[Outcome] = []

    def __call__(self, tx: Tx) -> None:
        self.ran += 1
        self.function(tx)

    def on_outcome(self, write, outcome: Outcome) -> None:
        assert write is self
        self.outcomes.append(outcome)
