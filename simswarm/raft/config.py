"""The settings of one Raft node, in ticks and bytes.

Invariants:
    I1. `heartbeat_ticks < election_ticks`: a healthy leader is heard several times before any
        follower's patience ends.

Source: etcd-io/raft Config; the numbers are swarmkit manager/state/raft/raft.go
(DefaultNodeConfig, DefaultRaftConfig).
Not here: how long a tick is. That is the caller's business, Raft only counts them.
"""

from __future__ import annotations

from simswarm.base.errors import InvalidSpec
from simswarm.base.values import Value
from simswarm.raft.messages import NO_LEADER, RaftID

ELECTION_TICKS = 10
HEARTBEAT_TICKS = 1
MAX_MESSAGE_BYTES = 65_535
MAX_INFLIGHT = 256
SNAPSHOT_TICKS = 60
DRIFT_PERCENT = 10

assert HEARTBEAT_TICKS < ELECTION_TICKS


class RaftConfig(Value, frozen=True):
    """How one member takes part."""

    id: RaftID
    """This member. Used once for ever: an id whose disk is lost must not come back."""
    members: tuple[RaftID, ...]
    """All voters, this one included."""
    election_ticks: int = ELECTION_TICKS
    """A follower's patience is drawn from election_ticks .. 2*election_ticks - 1."""
    heartbeat_ticks: int = HEARTBEAT_TICKS
    """A leader is heard at least this often."""
    check_quorum: bool = True
    """A leader out of touch with a quorum steps down; followers of a live leader don't vote."""
    pre_vote: bool = False
    """Ask whether a candidacy would succeed before entering a new term (THESIS 9.6)."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """Payload of one append; a larger entry travels alone."""
    max_inflight: int = MAX_INFLIGHT
    """Appends under way to one follower."""
    dynamic: bool = False
    """Membership may change: `members` are the voters before the first entry of the log, the same
    on all members (a newcomer need not be among them), and members not known yet are heard."""
    snapshot_ticks: int = SNAPSHOT_TICKS
    """A snapshot that was neither acknowledged nor reported for so long is sent again."""
    max_uncommitted_bytes: int = 0
    """A leader takes no proposal that would make the data not applied yet larger; 0: no limit.
    One that is larger alone is taken when there is no other."""
    lease_reads: bool = False
    """Leaders answer reads without asking a majority each time. All members must agree on it."""
    drift_percent: int = DRIFT_PERCENT
    """How much longer one member's tick may last than another's, for leases."""

    def validate(self) -> None:
        """Check each field and the rules between them.

        Raises:
            InvalidSpec: a value that can't work.
        """
        if self.id == NO_LEADER or NO_LEADER in self.members:
            raise InvalidSpec("raft: 0 is no member's id")
        if self.id not in self.members and not self.dynamic:
            raise InvalidSpec(f"raft: {self.id} is not in its own member list")
        if len(frozenset(self.members)) != len(self.members):
            raise InvalidSpec("raft: a member is listed twice")
        if self.heartbeat_ticks < 1:
            raise InvalidSpec("raft: heartbeat_ticks must be at least 1")
        if self.election_ticks <= self.heartbeat_ticks:
            raise InvalidSpec("raft: election_ticks must be greater than heartbeat_ticks")
        if self.lease_reads and not self.check_quorum:
            raise InvalidSpec("raft: lease_reads needs check_quorum")
        if self.drift_percent < 0:
            raise InvalidSpec("raft: drift_percent must not be negative")
        if self.snapshot_ticks < 1 or self.max_uncommitted_bytes < 0:
            raise InvalidSpec("raft: snapshot_ticks must be at least 1, a limit not negative")
        if self.max_message_bytes < 1 or self.max_inflight < 1:
            raise InvalidSpec("raft: max_message_bytes and max_inflight must be at least 1")
