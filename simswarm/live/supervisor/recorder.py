"""The trace of a live swarm: every node's records and the supervisor's own, merged by time.

    nodes' trace files ──read──> by CLOCK_MONOTONIC ──after `LAG`──> records, sinks

Records of different processes are sorted as far as they come within `LAG`; one that comes later
(its process was stopped in the middle of a step) keeps its place in the trace but not its time: it
is given that of the record before it.

Records made before the origin (t = 0) is known are held, as in the simulator.

Invariants:
    I1. Times in the trace never go back.
    I2. Sinks see records in the order of the trace.
    I3. What managers applied and what their Raft did is passed on in the same order as records.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Protocol

from simswarm.base.effects import Field
from simswarm.base.time import MILLISECOND, Duration, Instant
from simswarm.base.trace import CommittedOnce, TraceRecord
from simswarm.live.traces import Applied, Line, Observed, Seen
from simswarm.live.watch import RaftSeen
from simswarm.store import Change

LAG: Duration = 30 * MILLISECOND
"""Longer than a step and the writing of its records take, unless `live.slow_step` says so."""


class RecordSink(Protocol):
    """Wants to see every record."""

    def on_record(self, record: TraceRecord) -> None:
        """A record was added to the trace."""
        ...


class AppliedSink(Protocol):
    """Wants to know what each manager applies (`check.committed.CommittedStream.applied`)."""

    def __call__(self, manager: str, changes: tuple[Change, ...], index: int) -> None:
        """A manager has applied an entry."""
        ...


class RaftSink(Protocol):
    """Wants to know what each manager's Raft does."""

    def __call__(self, manager: str, seen: RaftSeen) -> None:
        """It wrote, or took a step."""
        ...


class LiveRecorder:
    """The trace of one live swarm."""

    def __init__(self, began: Instant) -> None:
        """`began`: CLOCK_MONOTONIC at the world's time 0."""
        self._began = began
        self.origin: Instant | None = None
        """The world's time at t = 0; None until it is marked."""
        self.records: list[TraceRecord] = []
        self.sinks: list[RecordSink] = []
        self.applied: list[AppliedSink] = []
        self.raft: list[RaftSink] = []
        self._queue: list[tuple[Instant, int, str, Line]] = []
        self._sequence = 0
        self._held: list[tuple[Instant, str, Observed]] = []
        self._once = CommittedOnce()
        self._last: Instant | None = None

    def add(self, node: str, entry: Line) -> None:
        """Something from a node's trace."""
        self._put(entry.at - self._began, node, entry)

    def _put(self, at: Instant, node: str, entry: Line) -> None:
        self._sequence += 1
        heappush(self._queue, (at, self._sequence, node, entry))

    def record(
        self, at: Instant, node: str, kind: str, fields: tuple[tuple[str, Field], ...]
    ) -> None:
        """A record of the supervisor's own; `at` in the world's time."""
        self._put(at, node, Observed(at, kind, fields))

    @property
    def next_at(self) -> Instant | None:
        """When the oldest entry that is not in the trace yet was observed."""
        return self._queue[0][0] if self._queue else None

    def take_next(self) -> Instant:
        """Put the oldest entry into the trace; its observed time, which never goes back."""
        at, _, node, entry = heappop(self._queue)
        now = self._last = at if self._last is None else max(at, self._last)
        self._take(now, node, entry)
        return now

    def _take(self, now: Instant, node: str, entry: Line) -> None:
        if isinstance(entry, Applied):
            for sink in self.applied:
                sink(node, entry.changes, entry.index)
        elif isinstance(entry, Seen):
            for listener in self.raft:
                listener(node, entry.seen)
        elif self._once.repeats(entry.kind, entry.fields):
            return  # two leaders recorded it
        elif self.origin is None:
            self._held.append((now, node, entry))
        else:
            self._keep(now, node, entry, self.origin)

    def mark_origin(self, at: Instant) -> None:
        """This instant is t = 0."""
        assert self.origin is None, "t = 0 is marked once"
        self.origin = at
        held, self._held = self._held, []
        for when, node, entry in held:
            self._keep(when, node, entry, at)

    def _keep(self, at: Instant, node: str, entry: Observed, origin: Instant) -> None:
        record = TraceRecord(at - origin, node, entry.kind, entry.fields)
        self.records.append(record)
        for sink in self.sinks:
            sink.on_record(record)
