"""The state of one member, and how it changes roles. What a role does is in its own file.

                  patience ends              majority grants
    FOLLOWER ───────────────────> CANDIDATE ────────────────> LEADER
        ^  ^                       │   │  ^                      │
        │  └─ leader of this term ─┘   └──┘ patience ends        │
        └───────────── higher term, or quorum out of touch ──────┘

With pre-vote, PRECANDIDATE stands before CANDIDATE: the same questions, in the old term.

Invariants:
    I1. The term never falls; within a term the vote changes only from nobody to somebody.
    I2. A leader knows itself as leader; a candidate has voted for itself and knows none.
    I3. A vote request, a vote and an acknowledgement leave after what they promise is durable.

Source: PAPER figure 2 (state); etcd-io/raft raft.go (reset, become*).
Not here: follower, candidate and leader rules (files of these names), terms and dispatch
(`step`), batches of work (`rawnode`).
"""

from __future__ import annotations

from simswarm.base.entropy import Entropy
from simswarm.raft import membership as members
from simswarm.raft import quorum
from simswarm.raft.config import RaftConfig
from simswarm.raft.log import Log
from simswarm.raft.messages import (
    NO_LEADER,
    HardState,
    Index,
    Membership,
    RaftID,
    RaftMessage,
    Snapshot,
    Term,
)
from simswarm.raft.progress import Progress
from simswarm.raft.readqueue import Reads
from simswarm.raft.ready import Outgoing, Role

NO_VOTE: RaftID = 0


class Raft:
    """One member. Changed only by the functions of this package; others read."""

    __slots__ = (
        "_entropy",
        "append_due",
        "config",
        "contradiction",
        "election_elapsed",
        "election_timeout",
        "electors",
        "extras_due",
        "handed_over",
        "heartbeat_elapsed",
        "holds_reads",
        "id",
        "ignored",
        "is_voter",
        "leader",
        "leaves_at",
        "log",
        "loyal",
        "loyal_elapsed",
        "membership",
        "messages",
        "peers",
        "pending_change",
        "pending_snapshot",
        "progress",
        "quorum_checked",
        "reads",
        "reads_busy",
        "role",
        "snapshot",
        "term",
        "ticks",
        "transfer_ends",
        "transferee",
        "unapplied_bytes",
        "unproven",
        "vote",
        "votes",
        "voting",
        "voting_too",
        "watches_entries",
    )

    def __init__(
        self, config: RaftConfig, entropy: Entropy, log: Log, hard_state: HardState | None
    ) -> None:
        self.config = config
        self.id = config.id
        self.membership = Membership()
        """The configuration in force: that of the last entry handed out to be applied."""
        self.peers: tuple[RaftID, ...] = ()
        """The other members."""
        self.electors: tuple[RaftID, ...] = ()
        """The other voters."""
        self.is_voter = False
        self._entropy = entropy
        self.log = log
        self.term: Term = 0
        self.vote: RaftID = NO_VOTE
        """Whom this member voted for in this term."""
        self._restore(hard_state)
        self.role = Role.FOLLOWER
        self.leader: RaftID = NO_LEADER
        self.votes: dict[RaftID, bool] = {}
        """Answers to this candidacy: one per voter."""
        self.snapshot: Snapshot | None = None
        """The newest one: what a follower gets that lacks entries which are compacted."""
        self.pending_snapshot: Snapshot | None = None
        """A leader's snapshot that the owner has not been given yet."""
        self.reads = Reads()
        self.reads_busy = config.lease_reads
        """This leader must look after reads at each heartbeat; or reads may fail."""
        self.holds_reads = False
        """Confirmed reads wait for entries to be applied."""
        self.loyal = config.lease_reads
        self.loyal_elapsed = 0
        """Ticks since a leader was last heard, in any term; or since the start."""
        self.watches_entries = config.dynamic or config.max_uncommitted_bytes > 0
        """Entries that come to be applied must be looked at."""
        self.extras_due = False
        """There is something for the owner that is neither entries, messages nor state."""
        self.messages: list[Outgoing] = []
        self.ticks = 0
        """Ticks since the last role change or new term."""
        self.election_elapsed = 0
        """Ticks since a leader was heard, a vote granted or a candidacy begun."""
        self.heartbeat_elapsed = 0
        self.election_timeout = 0
        self.ignored = 0
        """Messages dropped: from strangers, or that no correct member sends."""
        self.contradiction = ""
        """Why this member can't go on: what a leader said contradicts what is committed here.
        Its owner stops it. Empty while all is well."""
        self._without_office()
        self._reset(self.term)
        self.adopt(Membership(tuple(sorted(config.members))))

    def _without_office(self) -> None:
        """What only a leader uses."""
        self.progress: dict[RaftID, Progress] = {}
        """Every member in the leader's eyes."""
        self.voting: tuple[Progress, ...] = ()
        """Those of them whose majority decides."""
        self.voting_too: tuple[Progress, ...] = ()
        """While joint: those of the outgoing voters, whose majority decides too."""
        self.pending_change: Index = 0
        """No change of membership may be proposed before this index is applied."""
        self.unproven = False
        """This leader needed no other vote than its own, which is not durable yet."""
        self.leaves_at: Index = 0
        """This leader has no vote any more, and steps down once this index is applied."""
        self.handed_over = False
        """This leader has asked somebody to stand, who may do so at any time."""
        self.unapplied_bytes = 0
        """Data of proposals in this leader's log that isn't applied yet, if that is limited."""
        self.append_due = False
        """This leader has entries or a commit index that some follower hasn't been sent."""
        self.quorum_checked = 0
        """This leader's tick count when it last looked for its quorum."""
        self.transferee: RaftID = NO_LEADER
        """Whom this leader is handing its office to; it takes no proposals meanwhile."""
        self.transfer_ends = 0
        """The leader's tick count at which it gives up handing over."""

    @property
    def commit(self) -> Index:
        """The highest index known to be committed."""
        return self.log.committed

    @property
    def applied(self) -> Index:
        """The highest index handed out to be applied."""
        return self.log.applied

    @property
    def last_index(self) -> Index:
        """The index of the last entry."""
        return self.log.last_index

    @property
    def in_lease(self) -> bool:
        """Whether a leader was heard within the shortest election time-out (PAPER section 6).

        Such a member takes no part in an election: it neither votes nor adopts its term. Where
        leases are read from, it keeps to that whatever term it hears of, and after a restart.
        """
        if self.loyal:
            return self.role is Role.LEADER or self.loyal_elapsed < self.config.election_ticks
        return (
            self.config.check_quorum
            and self.leader != NO_LEADER
            and self.election_elapsed < self.config.election_ticks
        )

    def become_follower(self, term: Term, leader: RaftID) -> None:
        """Follow `leader` (or nobody yet) in `term`."""
        assert term >= self.term
        self._reset(term)
        self.role = Role.FOLLOWER
        self.leader = leader

    def become_precandidate(self) -> None:
        """Ask whether a candidacy would succeed. Term and vote stay; the leader is forgotten."""
        assert self.role is not Role.LEADER, "a leader doesn't stand against itself"
        self._reset(self.term)
        self.role = Role.PRECANDIDATE
        self.votes[self.id] = True

    def become_candidate(self) -> None:
        """Stand for election in the next term, with one's own vote."""
        assert self.role is not Role.LEADER, "a leader doesn't stand against itself"
        self._reset(self.term + 1)
        self.role = Role.CANDIDATE
        self.vote = self.id
        # Counted at once although it isn't durable yet: no other vote can come in before the
        # requests are out, and these wait for the disk.
        self.votes[self.id] = True

    def become_leader(self) -> None:
        """Lead this term: ask every follower where its log agrees."""
        assert self.role is Role.CANDIDATE, "only a candidate is elected"
        self._reset(self.term)
        self.role = Role.LEADER
        self.leader = self.id
        self.follow_up()
        # What is not durable here doesn't count yet.
        self.progress[self.id].match = self.log.persisted
        # Any entry not applied yet may be a change.
        self.pending_change = self.log.last_index
        if self.config.max_uncommitted_bytes:
            waiting = self.log.entries(self.log.applied + 1)
            self.unapplied_bytes = sum(len(entry.data) for entry in waiting)

    def adopt(self, membership: Membership) -> None:
        """A configuration comes into force."""
        self.membership = membership
        self.peers = tuple(id for id in members.everybody(membership) if id != self.id)
        voters = frozenset(membership.voters + membership.outgoing)
        self.electors = tuple(id for id in self.peers if id in voters)
        self.is_voter = self.id in voters

    def follow_up(self) -> None:
        """Keep an eye on every member of the configuration in force, and on nobody else."""
        following = self.log.last_index + 1
        window = self.config.max_inflight
        before, self.progress = self.progress, {}
        for id in sorted((self.id, *self.peers)):
            known = before.get(id)
            if known is None:
                known = Progress(following, window)
                if before:
                    # A newcomer gets a whole time-out before its silence counts.
                    known.heard = self.ticks
            self.progress[id] = known
        halves = self.membership
        self.voting = tuple(self.progress[id] for id in halves.voters)
        self.voting_too = tuple(self.progress[id] for id in halves.outgoing)

    def _reset(self, term: Term) -> None:
        """Begin a term, or a role within it."""
        if term > self.term:
            self.term = term
            self.vote = NO_VOTE
        self.leader = NO_LEADER
        self.ticks = 0
        self.quorum_checked = 0
        self.transferee = NO_LEADER
        self.leaves_at = 0
        self.handed_over = False
        self.unproven = False
        if self.reads_busy:
            self.reads.drop(self.id)
            self.reads_busy = self.loyal
            self.extras_due = True
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        # Drawn afresh each time, so that split votes don't repeat (PAPER 5.2).
        ticks = self.config.election_ticks
        self.election_timeout = self._entropy.integer(ticks, 2 * ticks - 1)
        self.votes.clear()
        self.progress.clear()
        self.voting = self.voting_too = ()
        self.append_due = False

    def _restore(self, hard_state: HardState | None) -> None:
        if hard_state is not None:
            self.term = hard_state.term
            self.vote = hard_state.vote
        # A torn write may have kept entries of a term and lost the term. Nothing was said in
        # that term yet, so no vote was given in it.
        if self.log.last_term > self.term:
            self.term = self.log.last_term
            self.vote = NO_VOTE

    def send(self, message: RaftMessage) -> None:
        """Send a message that promises nothing about this member's disk."""
        self.messages.append(Outgoing(message, self.unproven))

    def send_durable(self, message: RaftMessage) -> None:
        """Send a message once all state it may depend on is durable."""
        self.messages.append(Outgoing(message, True))

    def record_vote(self, voter: RaftID, granted: bool) -> quorum.VoteResult:
        """Count a voter's first answer, and tell how the election stands."""
        self.votes.setdefault(voter, granted)
        return quorum.tally(self.votes, self.membership)

    def check_invariants(self) -> None:
        """The invariants above and those of the parts; cheap enough for every step."""
        self.log.check_invariants()
        assert self.log.floor <= (self.snapshot.index if self.snapshot is not None else 0)
        assert self.log.last_term <= self.term
        if self.role is Role.LEADER:
            assert self.leader == self.id
            assert self.vote == self.id
            assert self.progress[self.id].match == self.log.persisted
            assert self.is_voter or self.leaves_at > 0
            for peer in self.peers:
                self.progress[peer].check_invariants()
                assert self.progress[peer].match <= self.log.last_index
        else:
            assert self.leader != self.id
            assert not self.progress
            assert not self.append_due
            assert self.transferee == NO_LEADER
        if self.role is Role.CANDIDATE:
            assert self.leader == NO_LEADER
            assert self.vote == self.id
        elif self.role is Role.PRECANDIDATE:
            assert self.leader == NO_LEADER
