"""The trace of a world: who observed what, at which time before or after the swarm was up.

Records made before the origin (t = 0) is known are held, and get their negative times when
`mark_origin` is called; from then on every record is stamped, kept and shown at once.

Invariants:
    I1. The kinds in `FULL_ONLY` are kept at level `full` alone; they never count in the trace
        digest, which is therefore the same at every level.
    I2. Observers see records in the order of the trace.
    I3. What commits is in the trace once, however many leaders recorded it.

Not here: the digest over the execution (`digest.py`), trace files (`scenario/outcome/bundle.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Literal, NamedTuple, Protocol

from simswarm.base.effects import Field
from simswarm.base.time import Instant
from simswarm.base.trace import CommittedOnce, TraceRecord
from simswarm.sim.kernel import SimEnvironment

Level = Literal["normal", "full"]
FULL_ONLY = frozenset(
    {
        "net.sent",
        "net.delivered",
        "net.dropped",
        "raft.commit",
        "raft.apply",
    }
)
"""Kinds that only a full trace holds: one or more for every message or entry."""
Fields = tuple[tuple[str, Field], ...]


class RecordSink(Protocol):
    """Wants to see every record."""

    def on_record(self, record: TraceRecord) -> None:
        """A record was added to the trace."""
        ...


class _Held(NamedTuple):
    at: Instant
    node: str
    kind: str
    fields: Fields


class Recorder:
    """The trace of one world."""

    __slots__ = ("_env", "_held", "_keeps_all", "_once", "origin", "records", "sinks")

    def __init__(self, env: SimEnvironment, level: Level, sinks: Sequence[RecordSink]) -> None:
        self._env = env
        self._keeps_all = level == "full"
        self._held: list[_Held] = []
        self._once = CommittedOnce()
        self.origin: Instant | None = None
        """The kernel's time at t = 0; None until it is marked."""
        self.records: list[TraceRecord] = []
        self.sinks = sinks

    def record(self, node: str, kind: str, fields: Fields) -> None:
        """Add a record of this instant."""
        if not self._keeps_all and kind in FULL_ONLY:
            return
        if self._once.repeats(kind, fields):
            return
        if self.origin is None:
            self._held.append(_Held(self._env.now, node, kind, fields))
        else:
            self._keep(TraceRecord(self._env.now - self.origin, node, kind, fields))

    def mark_origin(self) -> None:
        """This instant is t = 0."""
        assert self.origin is None, "t = 0 is marked once"
        self.origin = self._env.now
        held, self._held = self._held, []
        for at, node, kind, fields in held:
            self._keep(TraceRecord(at - self.origin, node, kind, fields))

    def _keep(self, record: TraceRecord) -> None:
        self.records.append(record)
        for sink in self.sinks:
            sink.on_record(record)


def trace_digest(records: Iterable[TraceRecord]) -> str:
    """The digest over the lines of a trace, without the kinds that only a full one holds."""
    digest = sha256()
    for record in records:
        if record.kind not in FULL_ONLY:
            digest.update(record.line())
            digest.update(b"\n")
    return "sha256:" + digest.hexdigest()
