"""The store of one manager: a queue of writes in front of replicated tables.

    update(write) → queue → [proposal slot free, leading] → write(tx) → changes → proposer
    committed entry (anywhere) → apply(changes) → tables change → watchers told → next write

Invariants:
    I1. Only `apply` changes tables, on leader and followers alike.
    I2. At most one proposal is in flight; a write runs on the newest committed state.
    I3. Every write ends in exactly one `Outcome`, told to its owner, if it has one.
    I4. Tables at equal index are equal on all managers.
    I5. A write runs once, and never in the middle of another or of `apply`: whoever queues one
        from within waits for its turn.

Source: swarmkit manager/state/store/memory.go; its update lock is a FIFO queue here.
Not here: encoding of changes and Raft (`manager/replica.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from simswarm.base.errors import SimswarmError
from simswarm.base.time import Now
from simswarm.base.values import Value
from simswarm.model.objects import StoredObject
from simswarm.store.changes import Change, Created, Deleted, ObjectChange, Put, Remove, Updated
from simswarm.store.selectors import ALL, Selector
from simswarm.store.tables import KINDS, T, Tables
from simswarm.store.transaction import Tx


class Write(Protocol):
    """A named function of committed state. Implementations are frozen objects."""

    @property
    def name(self) -> str:
        """`owner.action`, as the trace shows it."""
        ...

    def __call__(self, tx: Tx) -> None:
        """Read and change; raise a `SimswarmError` to drop the transaction."""
        ...


class Outcome(Value, frozen=True):
    """How a write ended. `error` None: committed (or there was nothing to change) at `index`."""

    error: SimswarmError | None
    index: int


class WriteOwner(Protocol):
    """Who wants to know how a write ended."""

    def on_outcome(self, write: Write, outcome: Outcome) -> None:
        """The write is committed and applied, or was refused."""
        ...


class Proposer(Protocol):
    """Who gets changes committed: Raft, or in tests a fake.

    `propose` starts replication. It ends, perhaps much later, in `Store.apply` + `Store.finish`, or
    in `Store.refuse`; or, within the call, in `Store.drop`, when it can't even begin.
    """

    def can_propose(self) -> bool:
        """Whether this manager leads and its tables hold everything committed before."""
        ...

    def propose(self, name: str, changes: Sequence[ObjectChange]) -> None:
        """Start replication of one write's changes."""
        ...

    def commit_index(self) -> int:
        """The newest committed index."""
        ...


class Watcher(Protocol):
    """A control loop or observer."""

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """One entry's changes are in the tables. May queue writes; must not apply."""
        ...


class Store:
    """Tables, watchers and the queue of writes of one manager."""

    __slots__ = (
        "_clock",
        "_in_flight",
        "_proposer",
        "_pumping",
        "_queue",
        "_tables",
        "_watchers",
        "index",
    )

    def __init__(self, proposer: Proposer, clock: Callable[[], Now]) -> None:
        """`clock` gives the time of the current step (`Outbox.now`)."""
        self._proposer = proposer
        self._clock = clock
        self._tables = Tables()
        self._watchers: list[Watcher] = []
        self._queue: deque[tuple[Write, WriteOwner | None]] = deque()
        self._in_flight: tuple[Write, WriteOwner | None] | None = None
        self._pumping = False
        self.index = 0

    def get(self, kind: type[T], id: str) -> T | None:
        """The committed object with this id, or None."""
        return self._tables.get(kind, id)

    def find(self, kind: type[T], selector: Selector = ALL) -> list[T]:
        """The committed objects that a selector names, in order of id."""
        return self._tables.find(kind, selector)

    def watch(self, watcher: Watcher) -> None:
        """Tell this watcher of changes from now on; watchers are told in order of adding."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Stop telling this watcher."""
        self._watchers.remove(watcher)

    def update(self, write: Write, owner: WriteOwner | None = None) -> None:
        """Queue a write; it runs when its turn comes, on the state committed by then."""
        self._queue.append((write, owner))
        self.pump()

    def pump(self) -> None:
        """Run queued writes until one is in flight. Called again whenever that may help."""
        if self._pumping or not self._queue:
            return
        self._pumping = True
        while self._queue and self._in_flight is None and self._proposer.can_propose():
            write, owner = self._queue.popleft()
            tx = Tx(self._tables, self._proposer.commit_index(), self._clock())
            try:
                write(tx)
            except SimswarmError as error:
                self._tell(write, owner, Outcome(error, self.index))
                continue
            if not tx.changes:
                self._tell(write, owner, Outcome(None, self.index))
                continue
            self._in_flight = (write, owner)
            self._proposer.propose(write.name, tx.changes)
        self._pumping = False

    def apply(self, changes: Sequence[ObjectChange], index: int) -> None:
        """Change the tables by one committed entry and tell the watchers."""
        assert index > self.index, "entries are applied in order, once"
        published: list[Change] = []
        for change in changes:
            if type(change) is Put:
                item = change.object
                old = self._tables.table(type(item)).put(item)
                published.append(Created(item) if old is None else Updated(item, old))
            elif type(change) is Remove:
                gone = self._tables.table(KINDS[change.kind]).remove(change.id)
                if gone is not None:
                    published.append(Deleted(gone))
        self.index = index
        if published:
            self._publish(published, index)

    def _publish(self, changes: Sequence[Change], index: int) -> None:
        # All watchers see this entry before any write runs on it.
        pumping, self._pumping = self._pumping, True
        for watcher in tuple(self._watchers):
            watcher.on_changes(changes, index)
        self._pumping = pumping
        self.pump()

    def finish(self) -> None:
        """The proposal in flight is committed and applied: tell its owner, run the next."""
        assert self._in_flight is not None
        write, owner = self._in_flight
        self._in_flight = None
        self._tell(write, owner, Outcome(None, self.index))
        self.pump()

    def drop(self, error: SimswarmError) -> None:
        """The proposal in flight could not be started: it ends with this error.

        Called within `Proposer.propose`; the next write runs when that returns.
        """
        assert self._pumping, "later it may be committed already: see `refuse`"
        assert self._in_flight is not None
        write, owner = self._in_flight
        self._in_flight = None
        self._tell(write, owner, Outcome(error, self.index))

    def refuse(self, error: SimswarmError) -> None:
        """Leadership is lost: every queued write and the one in flight end with this error.

        The one in flight may still commit later; it is then applied as on any follower. What
        owners queue in answer to their refusal waits until this manager can propose again.
        """
        refused = [self._in_flight] if self._in_flight is not None else []
        refused.extend(self._queue)
        self._in_flight = None
        self._queue.clear()
        for write, owner in refused:
            self._tell(write, owner, Outcome(error, self.index))

    def capture(self) -> tuple[int, tuple[Mapping[str, StoredObject], ...]]:
        """The index and all rows as they are now; O(1), and they stay so."""
        captured = tuple(self._tables.table(kind).capture() for kind in KINDS.values())
        return self.index, captured

    def check_invariants(self) -> None:
        """What must hold between steps; walks the tables, so it is for tests."""
        assert not self._pumping
        assert not (self._queue and self._in_flight is None and self._proposer.can_propose())
        self._tables.check_invariants()

    @staticmethod
    def _tell(write: Write, owner: WriteOwner | None, outcome: Outcome) -> None:
        if owner is not None:
            owner.on_outcome(write, outcome)
