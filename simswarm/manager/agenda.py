"""When a control loop writes: one turn at a time, one stage a turn, a bounded batch each.

A loop marks what is to be done and names the stage; the agenda queues a write for the stage that
waits longest. When the write runs (on the newest committed state) the loop performs the stage as
far as the batch has room; when it has ended the loop says again which stages have work left.

    mark ─> add(stage) ─> Store.update(Turn) ─> perform(stage, batch) ─> committed ─> finished
                ^                                                                        │
                └──────────────────────── work left, or more marked ─────────────────────┘

Invariants:
    I1. At most one write of a loop is queued or in flight.
    I2. Every stage gets its turn: a stage added again goes behind those that wait.
    I3. A closed agenda performs nothing, also not what is queued already.

Source: limits of a batch: swarmkit manager/state/store/memory.go (Batch, MaxChangesPerTransaction,
MaxTransactionBytes). Not here: the store's own queue (`store/store.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from simswarm.base.errors import Unavailable
from simswarm.base.values import Value
from simswarm.model.defaults import MAX_CHANGES_PER_TRANSACTION, MAX_PROPOSAL_BYTES
from simswarm.store import Outcome, Store, Tx, Write

MAX_BATCH_BYTES = MAX_PROPOSAL_BYTES * 3 // 4

_encode = msgspec.msgpack.Encoder().encode


class Batch:
    """A transaction that fills up: `room` says how many more changes it takes."""

    __slots__ = ("_bytes", "_measured", "tx")

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._measured = 0
        self._bytes = 0

    def room(self) -> int:
        """How many more changes fit; 0 when it is full by number or by size."""
        changes = self.tx.changes
        for change in changes[self._measured :]:
            self._bytes += len(_encode(change))
        self._measured = len(changes)
        if self._bytes >= MAX_BATCH_BYTES:
            return 0
        return max(0, MAX_CHANGES_PER_TRANSACTION - len(changes))

    def room_for(self, item: Value) -> int:
        """How many more changes that carry something of this item's size fit; at least 1 where
        there is room at all."""
        room = self.room()
        if room:
            each = len(_encode(item))
            room = max(1, min(room, (MAX_BATCH_BYTES - self._bytes) // each))
        return room

    def takes(self, changes: int) -> bool:
        """Whether one item of so many changes fits. An empty batch takes any item."""
        return changes <= self.room() or not self.tx.changes


class Staged(Protocol):
    """A loop whose work is divided in stages."""

    @property
    def owner(self) -> str:
        """The word its writes begin with."""
        ...

    def perform(self, stage: str, batch: Batch) -> None:
        """Do what is marked for a stage, as far as the batch has room."""
        ...

    def finished(self, stage: str) -> None:
        """The turn's changes are committed and applied: `add` what has work left."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One write of a loop: a stage performed on committed state."""

    agenda: Agenda
    loop: Staged
    stage: str

    @property
    def name(self) -> str:
        """`owner.stage`, as the trace shows it."""
        return f"{self.loop.owner}.{self.stage}"

    def __call__(self, tx: Tx) -> None:
        """Perform the stage."""
        if not self.agenda.closed:
            self.loop.perform(self.stage, Batch(tx))


class Agenda:
    """The stages of one loop that wait for their turn."""

    __slots__ = ("_loop", "_store", "_turn", "_waiting", "closed")

    def __init__(self, store: Store, loop: Staged) -> None:
        self._store = store
        self._loop = loop
        self._waiting: dict[str, None] = {}
        self._turn: Turn | None = None
        self.closed = False

    def add(self, stage: str) -> None:
        """Ask for a turn of this stage; more often than once before it comes changes nothing."""
        if not self.closed:
            self._waiting[stage] = None
            self._next()

    def close(self) -> None:
        """Leadership is lost: forget all turns."""
        self.closed = True
        self._waiting.clear()

    def on_outcome(self, write: Write, outcome: Outcome) -> None:
        """A turn has ended; the next one may come."""
        turn, self._turn = self._turn, None
        assert turn is write, "one turn at a time"
        if isinstance(outcome.error, Unavailable):
            self.close()
        if self.closed:
            return
        self._loop.finished(turn.stage)
        self._next()

    def _next(self) -> None:
        if self._turn is None and self._waiting:
            stage = next(iter(self._waiting))
            del self._waiting[stage]
            self._turn = Turn(self, self._loop, stage)
            self._store.update(self._turn, self)
