"""The one sequence of committed entries that all managers apply, as it comes into being.

    manager 1's store ──tap──┐                    ┌─> on_applied (every manager, every entry)
    manager 2's store ──tap──┼──> CommittedStream ┤
    manager 3's store ──tap──┘                    └─> on_committed (each entry once, in order)

The first manager to apply an entry tells its changes; what the others apply later is the same
(state-machine safety, which `raft_safety.py` checks) and is told to `on_applied` alone.

Invariants:
    I1. `on_committed` sees rising indexes, whatever crashes and restarts.
    I2. Taps read and never write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from simswarm.store import Change, Store


class AppliedListener(Protocol):
    """Who wants to know what each manager applies."""

    def on_applied(self, manager: str, changes: Sequence[Change], index: int) -> None:
        """This manager has applied this entry."""
        ...


class CommittedListener(Protocol):
    """Who follows the newest committed state."""

    def on_committed(self, changes: Sequence[Change], index: int) -> None:
        """An entry has been applied somewhere for the first time."""
        ...


class StoreTap:
    """A watcher on one manager's store."""

    __slots__ = ("_manager", "_stream")

    def __init__(self, manager: str, stream: CommittedStream) -> None:
        self._manager = manager
        self._stream = stream

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """One entry's changes are in this manager's tables."""
        self._stream.applied(self._manager, changes, index)


class CommittedStream:
    """Merges what all managers apply into the sequence of committed entries."""

    __slots__ = ("_committed", "_each", "index")

    def __init__(self) -> None:
        self.index = 0
        self._each: list[AppliedListener] = []
        self._committed: list[CommittedListener] = []

    def attach(self, manager: str, store: Store) -> None:
        """Follow a manager that has just booted."""
        store.watch(StoreTap(manager, self))

    def on_each(self, listener: AppliedListener) -> None:
        """Tell this listener what every manager applies."""
        self._each.append(listener)

    def on_first(self, listener: CommittedListener) -> None:
        """Tell this listener every entry once."""
        self._committed.append(listener)

    def applied(self, manager: str, changes: Sequence[Change], index: int) -> None:
        """A manager has applied an entry."""
        for each in self._each:
            each.on_applied(manager, changes, index)
        if index > self.index:
            self.index = index
            for first in self._committed:
                first.on_committed(changes, index)
