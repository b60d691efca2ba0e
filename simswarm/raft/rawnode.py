"""One Raft member as its owner drives it: ticks and messages in, batches of work out.

    tick() step(m) propose(d) ──> Raft ──> has_ready() ready() ──> owner: write, send, apply
                                    ^                                │
                                    └──────── persisted(t, i) <──────┘ write ended

The owner's loop, after every call:

    while node.has_ready():
        ready = node.ready()
        …write ready.entries, then .hard_state; send ready.messages; apply .committed…

and `persisted(entries[-1].term, entries[-1].index)` for each batch with entries, in the order of
the batches, when its write has ended.

Invariants:
    I1. Every change leaves in exactly one batch; a batch taken is work promised.
    I2. `persisted` of an entry that has been overwritten meanwhile counts for nothing.

Source: etcd-io/raft rawnode.go, doc.go.
Not here: disk, network and state machine (`manager/replica.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.entropy import Entropy
from simswarm.raft import candidate, leader, reads, reconfigure
from simswarm.raft.config import RaftConfig
from simswarm.raft.log import Log
from simswarm.raft.membership import ConfChange
from simswarm.raft.messages import (
    Entry,
    HardState,
    Index,
    RaftID,
    RaftMessage,
    Snapshot,
    Term,
)
from simswarm.raft.raft import Raft
from simswarm.raft.ready import PeerStatus, Ready, Role, SoftState, Status
from simswarm.raft.step import step

_LEADER = Role.LEADER
"""Looking a member up in its class is slow before Python 3.12."""


class RawNode:
    """A member of a Raft group, without any IO."""

    __slots__ = ("_soft_leader", "_soft_role", "_soft_term", "_stored", "raft")

    def __init__(
        self,
        config: RaftConfig,
        entropy: Entropy,
        *,
        hard_state: HardState | None = None,
        entries: Sequence[Entry] = (),
        applied: Index = 0,
        snapshot: Snapshot | None = None,
    ) -> None:
        """Start a member, with what its disk holds if it isn't new.

        Args:
            config: settings and members; validated here.
            entropy: where election time-outs come from.
            hard_state: the last one stored.
            entries: all entries stored, from index 1 on; with a snapshot, from anywhere up to
                the one after it.
            applied: what the state machine holds already; it gets only later entries.
            snapshot: the newest one stored. The state machine holds it already.

        Raises:
            InvalidSpec, Unsupported: the configuration can't work.
            StorageCorrupt: these entries are no log.
        """
        config.validate()
        stored = hard_state if hard_state is not None else HardState(0, 0, 0)
        log = Log(entries, stored.commit, applied, snapshot)
        self.raft = Raft(config, entropy, log, hard_state)
        self._stored = stored
        if snapshot is not None:
            self.raft.snapshot = snapshot
            self.raft.adopt(snapshot.membership)
        if config.dynamic:
            reconfigure.recover(self.raft)
        self._soft_role = self.raft.role
        self._soft_leader = self.raft.leader
        self._soft_term = self.raft.term

    def tick(self) -> None:
        """One tick of the clock has passed."""
        if self.raft.role is _LEADER:
            leader.tick(self.raft)
        else:
            candidate.tick(self.raft)

    def campaign(self) -> None:
        """Stand for election now, without waiting.

        A leader ignores this, and where leases are read from, who may have promised one.
        """
        raft = self.raft
        if raft.role is not _LEADER and not (raft.loyal and raft.in_lease):
            candidate.campaign(raft)

    def step(self, message: RaftMessage) -> None:
        """Take a message from a peer. Never raises, whatever it says."""
        step(self.raft, message)

    def propose(self, data: bytes) -> Index | None:
        """Append an entry if this member leads; its index, or None. It may still get lost.

        A leader that is handing over or leaving takes none, nor does one with too much under way.
        """
        assert data, "empty data is the no-op's"
        raft = self.raft
        if raft.role is not _LEADER or raft.transferee or raft.leaves_at:
            return None
        if raft.config.max_uncommitted_bytes and not leader.has_room(raft, len(data)):
            return None
        return leader.append(raft, data)

    def propose_conf_change(self, change: ConfChange) -> Index | None:
        """Append a change of membership; its index, or None if it is refused.

        It is in force once it comes out among the entries to apply.
        """
        return reconfigure.propose(self.raft, change)

    def conf_change_refusal(self, change: ConfChange) -> str:
        """Why `propose_conf_change` would refuse this; empty if it wouldn't."""
        return reconfigure.refusal(self.raft, change)

    def make_snapshot(self, data: bytes) -> Snapshot:
        """The group's state after all entries handed out so far, which `data` stands for.

        Followers that lack entries which are compacted are sent the newest one.
        """
        raft, log = self.raft, self.raft.log
        assert log.applied > 0, "nothing was applied yet"
        assert raft.pending_snapshot is None, "a leader's snapshot is to be loaded first"
        term = log.term_at(log.applied)
        assert term is not None
        raft.snapshot = Snapshot(log.applied, term, raft.membership, data)
        return raft.snapshot

    def compact(self, index: Index) -> None:
        """Forget the entries up to `index`, as far as the newest snapshot stands for them."""
        raft = self.raft
        if raft.snapshot is not None:
            index = min(index, raft.snapshot.index)
            if index > raft.log.floor:
                raft.log.compact(index)

    def report_snapshot(self, peer: RaftID, *, arrived: bool) -> None:
        """A snapshot was handed over to this peer's host, or could not be."""
        if self.raft.role is _LEADER and peer in self.raft.peers:
            leader.report_snapshot(self.raft, peer, arrived)

    def transfer_leadership(self, target: RaftID) -> bool:
        """Begin to hand the office to another member; False if that is not possible.

        Proposals are refused until another leads or an election time-out has passed. A second
        call replaces the target; handing over to oneself changes nothing.
        """
        raft = self.raft
        if raft.role is not _LEADER:
            return False
        if target == raft.id:
            return True
        if target not in raft.electors:
            return False
        leader.transfer(raft, target)
        return True

    def read_index(self, request: int) -> bool:
        """Begin a linearizable read; False if no leader is known.

        The answer comes as a `ReadState` with this number, which must not be used twice. If it is
        lost on the way from the leader none comes: the owner has a time-out.
        """
        return reads.ask(self.raft, request)

    @property
    def has_lease(self) -> bool:
        """Whether this leader answers reads without asking a majority."""
        return reads.has_lease(self.raft)

    def late(self, ticks: int) -> None:
        """That many ticks were due and will never come: the process stood still.

        Where leases are read from, the owner says so before anything else that it does.
        """
        self.raft.reads.late += ticks

    def report_unreachable(self, peer: RaftID) -> None:
        """Messages to this peer were lost: a leader stops streaming to it and probes."""
        if self.raft.role is _LEADER and peer in self.raft.peers:
            leader.report_unreachable(self.raft, peer)

    def persisted(self, term: Term, index: Index) -> None:
        """The write whose last entry was this one is durable, and so are all before it."""
        self.raft.log.on_persisted(term, index)
        if self.raft.role is _LEADER:
            leader.on_persisted(self.raft)

    def has_ready(self) -> bool:
        """Whether there is work for the owner."""
        raft, log, stored = self.raft, self.raft.log, self._stored
        return (
            bool(raft.messages)
            or raft.append_due
            or log.applied != log.committed
            or log.handed != log.last_index
            or raft.term != stored.term
            or raft.vote != stored.vote
            or raft.role is not self._soft_role
            or raft.leader != self._soft_leader
            or raft.extras_due
        )

    def ready(self) -> Ready:
        """Take all work there is."""
        raft, log = self.raft, self.raft.log
        snapshot = self._take_extras() if raft.extras_due else None
        committed = log.take_committed() if log.applied != log.committed else ()
        if committed and raft.watches_entries:
            self._watch(committed)
        if raft.append_due:
            # What is applied now may lead to a proposal at once, and then the commit index
            # goes with it: hold it back until the batch after this one.
            leader.replicate(raft, tell_commit=not committed)
        entries = log.take_unwritten() if log.handed != log.last_index else ()
        messages, raft.messages = tuple(raft.messages), []
        hard_state = self._take_hard_state(entries)
        soft = self._take_soft_state()
        if raft.extras_due or (raft.holds_reads and committed):
            raft.extras_due = False
            states = reads.take_results(raft)
            return Ready(hard_state, entries, messages, committed, soft, snapshot, states)
        return Ready(hard_state, entries, messages, committed, soft, snapshot)

    def _watch(self, committed: tuple[Entry, ...]) -> None:
        raft = self.raft
        if raft.config.max_uncommitted_bytes:
            raft.unapplied_bytes -= sum(len(entry.data) for entry in committed)
        if raft.config.dynamic:
            reconfigure.apply(raft, committed)

    def _take_extras(self) -> Snapshot | None:
        raft = self.raft
        reconfigure.leave_joint(raft)
        if raft.role is _LEADER:
            reads.serve(raft)
        snapshot, raft.pending_snapshot = raft.pending_snapshot, None
        if snapshot is not None:
            raft.log.hand_snapshot(snapshot)
        return snapshot

    def _take_hard_state(self, entries: tuple[Entry, ...]) -> HardState | None:
        raft, stored = self.raft, self._stored
        unchanged = raft.term == stored.term and raft.vote == stored.vote
        # a higher commit index rides along with entries, and alone waits for some
        if unchanged and (not entries or raft.log.committed == stored.commit):
            return None
        self._stored = HardState(raft.term, raft.vote, raft.log.committed)
        return self._stored

    def _take_soft_state(self) -> SoftState | None:
        raft = self.raft
        if (
            raft.role is self._soft_role
            and raft.leader == self._soft_leader
            and raft.term == self._soft_term
        ):
            return None
        self._soft_role, self._soft_leader, self._soft_term = raft.role, raft.leader, raft.term
        return SoftState(raft.role, raft.leader, raft.term)

    def status(self) -> Status:
        """This member at the moment."""
        raft, log = self.raft, self.raft.log
        return Status(
            raft.id,
            raft.role,
            raft.term,
            raft.vote,
            raft.leader,
            log.committed,
            log.applied,
            log.persisted,
            log.last_index,
            self._peers(),
        )

    def _peers(self) -> tuple[PeerStatus, ...]:
        raft = self.raft
        if raft.role is not _LEADER:
            return ()
        return tuple(
            PeerStatus(
                peer,
                seen.match,
                seen.next,
                seen.state,
                len(seen.inflight),
                raft.ticks - max(seen.heard, 0),
            )
            for peer, seen in ((peer, raft.progress[peer]) for peer in raft.peers)
        )

    def check_invariants(self) -> None:
        """Everything that must hold between two calls; asserts."""
        self.raft.check_invariants()
        assert self.raft.term >= self._stored.term
