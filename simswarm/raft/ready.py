"""What leaves a Raft node: one batch of work for its owner, and read-only views of it.

The owner takes a `Ready` and, in this order: writes `entries` and after them `hard_state` (one
write; an entry at index i replaces everything stored from i on), sends `messages`, applies
`committed`.
It goes on taking until `has_ready()` is false, and calls `persisted` when the write has ended.

Invariants:
    I1. A message with `durable_first` leaves only when everything that this and all earlier
        batches gave to write is durable. The others may leave at once (THESIS 10.2.1).

Source: etcd-io/raft Ready (node.go, doc.go).
"""

from __future__ import annotations

from enum import IntEnum

from simswarm.base.values import Value
from simswarm.raft.messages import Entry, HardState, Index, RaftID, RaftMessage, Snapshot, Term
from simswarm.raft.progress import ProgressState


class Role(IntEnum):
    """What a member is at the moment."""

    FOLLOWER = 0
    CANDIDATE = 1
    LEADER = 2
    PRECANDIDATE = 3
    """Asks whether a candidacy would succeed, in its old term."""


class Outgoing(Value, frozen=True):
    """A message for `message.target`; see I1 for `durable_first`."""

    message: RaftMessage
    durable_first: bool


class SoftState(Value, frozen=True):
    """Who leads as far as this member knows. Never stored."""

    role: Role
    leader: RaftID
    term: Term


class ReadState(Value, frozen=True):
    """A read that can be answered now from the state machine; with index None it has failed."""

    request: int
    index: Index | None


class Ready(Value, frozen=True):
    """One batch of work."""

    hard_state: HardState | None
    """To write, after `entries`: a write cut short by a crash must not leave a commit index without
    its entries. None if unchanged; a higher commit index alone is no reason to write."""
    entries: tuple[Entry, ...]
    """To write; they replace what is stored from the first one's index on."""
    messages: tuple[Outgoing, ...]
    committed: tuple[Entry, ...]
    """To apply, in order; those with empty data are no-ops."""
    soft: SoftState | None
    """Present when role, leader or term changed since the last batch."""
    snapshot: Snapshot | None = None
    """A leader's: to write before `entries`, in place of all that is stored; and to load into the
    state machine, in place of all that it holds, before `committed` is applied."""
    read_states: tuple[ReadState, ...] = ()
    """Reads to answer, after `committed` is applied."""


class PeerStatus(Value, frozen=True):
    """A follower as its leader sees it."""

    id: RaftID
    match: Index
    next: Index
    state: ProgressState
    inflight: int
    silent_ticks: int
    """Ticks since it was last heard; since the election if never."""


class Status(Value, frozen=True):
    """A member at one moment. `peers` is empty unless it leads."""

    id: RaftID
    role: Role
    term: Term
    vote: RaftID
    leader: RaftID
    committed: Index
    applied: Index
    persisted: Index
    last_index: Index
    peers: tuple[PeerStatus, ...]
