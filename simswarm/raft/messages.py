"""What Raft peers say to each other, and what they store.

Source: PAPER figure 2; etcd-io/raft raftpb for the hints on rejection.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

from simswarm.base.values import Value

Term: TypeAlias = int
Index: TypeAlias = int
RaftID: TypeAlias = int

NO_LEADER: RaftID = 0


class EntryKind(IntEnum):
    """What an entry's data is for."""

    NORMAL = 0
    CONFIG = 1
    """A membership change."""


class Entry(Value, frozen=True, tag=20):
    """One slot of the log. Empty data: the no-op a leader begins its term with."""

    term: Term
    index: Index
    data: bytes
    kind: EntryKind = EntryKind.NORMAL


class HardState(Value, frozen=True, tag=21):
    """What must be durable before a message that depends on it is sent."""

    term: Term
    vote: RaftID
    commit: Index


class RequestVote(Value, frozen=True, tag=22):
    """A candidate asks for a vote."""

    term: Term
    source: RaftID
    target: RaftID
    last_index: Index
    last_term: Term
    transfer: bool = False
    """The leader asked for this campaign: leader stickiness does not apply."""


class RequestVoteReply(Value, frozen=True, tag=23):
    """The answer to a vote request."""

    term: Term
    source: RaftID
    target: RaftID
    granted: bool


class AppendEntries(Value, frozen=True, tag=24):
    """A leader replicates entries that follow (previous_index, previous_term)."""

    term: Term
    source: RaftID
    target: RaftID
    previous_index: Index
    previous_term: Term
    commit: Index
    entries: tuple[Entry, ...] = ()


class AppendEntriesReply(Value, frozen=True, tag=25):
    """A follower acknowledges `index`, or rejects `index` with a hint where its log may match."""

    term: Term
    source: RaftID
    target: RaftID
    index: Index
    rejected: bool = False
    hint_index: Index = 0
    hint_term: Term = 0


class LeaderHeartbeat(Value, frozen=True, tag=26):
    """A leader keeps its followers quiet and tells them what is committed."""

    term: Term
    source: RaftID
    target: RaftID
    commit: Index


class LeaderHeartbeatReply(Value, frozen=True, tag=27):
    """A follower is alive and follows."""

    term: Term
    source: RaftID
    target: RaftID


class PreVote(Value, frozen=True, tag=28):
    """Would you vote for me in `term`? Asked before entering it: nobody's term changes."""

    term: Term
    source: RaftID
    target: RaftID
    last_index: Index
    last_term: Term


class PreVoteReply(Value, frozen=True, tag=29):
    """The answer. A grant carries the term asked for, a refusal the term of who refuses."""

    term: Term
    source: RaftID
    target: RaftID
    granted: bool


class TimeoutNow(Value, frozen=True, tag=30):
    """The leader asks a follower that has its whole log to stand for election at once."""

    term: Term
    source: RaftID
    target: RaftID


class Membership(Value, frozen=True):
    """Who belongs to the group. Joint while `outgoing` is not empty: both majorities decide."""

    voters: tuple[RaftID, ...] = ()
    outgoing: tuple[RaftID, ...] = ()
    """The voters before the change under way."""
    learners: tuple[RaftID, ...] = ()
    """They get the log and have no vote."""
    learners_next: tuple[RaftID, ...] = ()
    """Voters of the old half that become learners when the joint configuration is left."""
    auto_leave: bool = False
    """The leader leaves the joint configuration by itself."""


class Snapshot(Value, frozen=True, tag=31):
    """The state after entry `index`, in place of the log up to there."""

    index: Index
    term: Term
    membership: Membership
    data: bytes
    """The owner's state machine, client sessions included."""


class InstallSnapshot(Value, frozen=True, tag=32):
    """A leader sends what a follower lacks and the log no longer has."""

    term: Term
    source: RaftID
    target: RaftID
    snapshot: Snapshot


class ReadProbe(Value, frozen=True, tag=33):
    """A leader asks who still follows it. Rounds are numbered within a term."""

    term: Term
    source: RaftID
    target: RaftID
    round: int


class ReadProbeReply(Value, frozen=True, tag=34):
    """This member still followed when it heard the probe."""

    term: Term
    source: RaftID
    target: RaftID
    round: int


class ReadRequest(Value, frozen=True, tag=35):
    """A follower asks its leader for a read index; `request` is its own number."""

    term: Term
    source: RaftID
    target: RaftID
    request: int


class ReadReply(Value, frozen=True, tag=36):
    """The read index, or 0: who was asked doesn't lead."""

    term: Term
    source: RaftID
    target: RaftID
    request: int
    index: Index


RaftMessage = (
    RequestVote
    | RequestVoteReply
    | AppendEntries
    | AppendEntriesReply
    | LeaderHeartbeat
    | LeaderHeartbeatReply
    | PreVote
    | PreVoteReply
    | TimeoutNow
    | InstallSnapshot
    | ReadProbe
    | ReadProbeReply
    | ReadRequest
    | ReadReply
)
