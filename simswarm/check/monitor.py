"""Shows a world to all invariants: the observer that is always on.

    World ──on_boot, on_step──> Monitor ──> RaftSafety, DurableBeforeAcknowledged
      └── stores ──taps──> CommittedStream ──> StatesOnlyRise, LiveTasksPerSlot, NodeResources, …

Invariants:
    I1. It reads and never touches: a run has the same digest with it and without.
    I2. A checker that raises is taken out and marked `stopped`; the others go on.

Not here: what an invariant says (`raft_safety.py` and its neighbours).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from simswarm.base.effects import Effect, Input, Send, Write, Written
from simswarm.base.time import Instant
from simswarm.base.trace import TraceRecord
from simswarm.check.committed import CommittedListener, CommittedStream
from simswarm.check.durability import PROMISES, TAG_AT, DurableBeforeAcknowledged
from simswarm.check.invariant import Announce, Invariant
from simswarm.check.placement import ConstraintsHold, NodeResources
from simswarm.check.raft_safety import FollowedLog, RaftSafety, record_heads
from simswarm.check.tasks import LiveTasksPerSlot, StatesOnlyRise
from simswarm.manager.manager import Manager
from simswarm.manager.wal import WriteAheadLog
from simswarm.raft.raft import Raft
from simswarm.sim.driver import Host
from simswarm.store import Change


class Guarded:
    """A listener to committed entries whose failure stops only itself."""

    __slots__ = ("_invariant", "_listener")

    def __init__(self, listener: CommittedListener, invariant: Invariant) -> None:
        self._listener = listener
        self._invariant = invariant

    def on_committed(self, changes: Sequence[Change], index: int) -> None:
        """Pass it on, as long as the checker works."""
        if self._invariant.stopped:
            return
        try:
            self._listener.on_committed(changes, index)
        except Exception as error:  # whatever it is, the run must go on and say so
            stop([self._invariant], error)


def stop(invariants: Sequence[Invariant], error: Exception) -> None:
    """A checker failed: its sentences are unknown from now on."""
    for invariant in invariants:
        invariant.stopped = f"{type(error).__name__}: {error}"


class _Member(NamedTuple):
    """A manager that is up: its Raft member, what is known of its log, and the log itself, which
    knows in clear what it seals."""

    raft: Raft
    followed: FollowedLog
    wal: WriteAheadLog


class Monitor:
    """Observes a world for all invariants."""

    __slots__ = ("_members", "durability", "raft", "stream", "tasks")

    def __init__(self, clock: Callable[[], Instant], announce: Announce) -> None:
        """`clock` gives nanoseconds since the swarm was up; `announce` hears of violations."""
        self.stream = CommittedStream()
        self.raft = RaftSafety(clock)
        self.durability = DurableBeforeAcknowledged(clock)
        self._members: dict[str, _Member] = {}
        """Every manager that is up."""
        watchers = (
            StatesOnlyRise(clock),
            LiveTasksPerSlot(clock, self.raft.elections),
            NodeResources(clock),
            ConstraintsHold(clock),
        )
        self.tasks: tuple[Invariant, ...] = watchers
        self.stream.on_each(self)
        for watcher in watchers:
            self.stream.on_first(Guarded(watcher, watcher))
        for invariant in self.invariants:
            invariant.announce = announce

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        """All of them, in the order in which results list them."""
        return (*self.raft.invariants, self.durability, *self.tasks)

    @property
    def committed_lost(self) -> int:
        """Committed entries that were found to be lost."""
        return self.raft.committed_lost

    # ── what the world tells ─────────────────────────────────────────────────────────────────

    def on_boot(self, host: Host, image: Mapping[str, bytes], effects: list[Effect]) -> None:
        """A node has booted from this disk image."""
        manager = getattr(host.node, "manager", None)
        if not isinstance(manager, Manager):
            return
        self.stream.attach(host.name, manager.store)
        replica = manager.replica
        raft = replica.raw.raft
        try:
            log = self.raft.booted(host.name, replica.recovered)
            self._members[host.name] = _Member(raft, log, replica.wal)
            self.durability.booted(host.name, replica.recovered)
            self._performed(host.name, effects, replica.wal)
            self.raft.stepped(host.name, raft)
        except Exception as error:
            stop([*self.raft.invariants, self.durability], error)

    def on_step(self, host: Host, given: Input, effects: list[Effect]) -> None:
        """A node has taken a step; its effects are not performed yet."""
        member = self._members.get(host.name)
        if member is None or self.durability.stopped:
            return
        raft, log, wal = member
        try:
            if type(given) is Written:
                self.durability.written(host.name, given)
            if effects:
                self._performed(host.name, effects, wal)
            if log.is_behind(raft):
                self.raft.stepped(host.name, raft)
        except Exception as error:
            stop([*self.raft.invariants, self.durability], error)

    def on_record(self, record: TraceRecord) -> None:
        """Records are made from what is watched here; they add nothing."""

    def on_crash(self, host: Host) -> None:
        """What is durable is read again at the next boot."""
        self._members.pop(host.name, None)

    def on_applied(self, manager: str, changes: Sequence[Change], index: int) -> None:
        """A manager has applied an entry."""
        if self.raft.machines.stopped:
            return
        try:
            self.raft.on_applied(manager, changes, index)
        except Exception as error:
            stop([self.raft.machines], error)

    def _performed(self, name: str, effects: list[Effect], wal: WriteAheadLog) -> None:
        for effect in effects:
            if type(effect) is Send:
                if effect.frame[TAG_AT] in PROMISES:
                    self.durability.sent(name, effect)
            elif type(effect) is Write:
                write = wal.in_clear(effect)
                if write is not None:
                    heads = record_heads(write.records)
                    self.raft.wrote(name, write, heads)
                    self.durability.wrote(name, write, heads)
