"""One manager's copy of the swarm: glue between Raft, its log on disk, and the store.

    Store ──changes──> propose ──> RawNode ──Ready──> 1. Write  entries, hard state   (wal)
      ^                                               2. Send   messages, some after the write
      └───────────── apply, finish <───────────────── 3. apply  committed entries

A store's write becomes one log entry, a `Proposal`. Every manager applies every committed entry
in the same way; the one that proposed it still has its changes decoded, and tells the store that
its write is done.

Becoming leader has two steps. On winning (`on_elected`) this manager may still lack entries that
its predecessors committed. Only when it has applied all that was in its log at that moment, its
own no-op included, does it lead (`on_leading`) and propose.

Invariants:
    I1. Nothing that depends on a write is sent before it is durable, and a failed write stops
        the node: what the disk holds is unknown from then on.
    I2. Leadership is announced when applied >= last index at the moment of election.
    I3. At most one proposal is under way. On losing leadership its owner is told that it failed;
        the entry may still commit, and is then applied like any other.
    I4. Taking Raft's work is never re-entered: proposals made while entries are applied wait in
        Raft for the next round of the same `settle`.
    I5. Nothing is written, and so nothing sent, before the keys of a new disk are durable.

Source: swarmkit manager/state/raft/raft.go (Run, processInternalRaftRequest, caughtUp).
Not here: Raft itself (`raft/`), the log's files (`wal.py`, `segments.py`, `keykeeper.py`), what
leading means (`manager.py`).
Not built yet: compaction and snapshots (the log is kept whole, in memory and on disk), and
membership changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from simswarm.base.effects import Address, Channel, Outbox, TimerKey, Token
from simswarm.base.entropy import Entropy
from simswarm.base.errors import InvalidSpec, NotLeader, ProposalTooLarge, StorageCorrupt
from simswarm.base.time import Instant, Now
from simswarm.base.values import Value
from simswarm.manager.keykeeper import KeyKeeper
from simswarm.manager.segments import read
from simswarm.manager.wal import WriteAheadLog
from simswarm.model.config import Member, NodeConfig
from simswarm.model.defaults import MAX_PROPOSAL_BYTES
from simswarm.pki import parse_key
from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    EntryKind,
    Index,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    Outgoing,
    PreVote,
    PreVoteReply,
    RaftConfig,
    RaftID,
    RaftMessage,
    RawNode,
    Ready,
    RequestVote,
    RequestVoteReply,
    Role,
    SoftState,
    Term,
    TimeoutNow,
)
from simswarm.store import ObjectChange, Store
from simswarm.wire import codec
from simswarm.wire.codec import Proposal

RAFT_TIMER = "raft"
_TICK = TimerKey(RAFT_TIMER, 0, "tick")

LOST_LEADERSHIP = "raft: failed to process the request: node lost leader status"
"""Source: swarmkit manager/state/raft/raft.go ErrLostLeadership."""
TOO_LARGE = "raft: raft message is too large and can't be sent"
"""Source: swarmkit manager/state/raft/raft.go ErrRequestTooLarge."""

SILENT_TICKS_LIMIT = 3
"""A member that was silent for longer counts as unreachable.
Source: swarmkit manager/state/raft/transport/peer.go: a heartbeat a tick, and 2 s to deliver it."""
_PROPOSALS_PER_TERM = 1 << 32
_CHANNELS: Mapping[type, Channel] = {
    AppendEntries: Channel.CONSENSUS,
    AppendEntriesReply: Channel.CONSENSUS,
    LeaderHeartbeat: Channel.HEARTBEAT,
    LeaderHeartbeatReply: Channel.HEARTBEAT,
    PreVote: Channel.CONSENSUS,
    PreVoteReply: Channel.CONSENSUS,
    RequestVote: Channel.CONSENSUS,
    RequestVoteReply: Channel.CONSENSUS,
    TimeoutNow: Channel.CONSENSUS,
}
"""Which stream carries what."""
_LEADER, _NORMAL = Role.LEADER, EntryKind.NORMAL
"""Looking a member up in its class is slow before Python 3.12."""


class LeadershipOwner(Protocol):
    """Who is told of this manager's rise and fall."""

    def on_elected(self) -> None:
        """The election is won; the tables may lag behind."""
        ...

    def on_leading(self) -> None:
        """The tables are up to date: lead."""
        ...

    def on_leadership_lost(self) -> None:
        """No longer leader, whether `on_leading` came or not. Queued writes are refused next."""
        ...


class _UnderWay(Value, frozen=True):
    """The proposal under way, and what its entry will say."""

    term: Term
    index: Index
    changes: tuple[ObjectChange, ...]


class Replica:
    """Raft, log and store of one manager."""

    __slots__ = (
        "_by_address",
        "_catch_up",
        "_halted",
        "_keys",
        "_members",
        "_next_tick",
        "_out",
        "_owner",
        "_proposals",
        "_role",
        "_settling",
        "_tick",
        "_under_way",
        "_unreachable",
        "is_leading",
        "raw",
        "recovered",
        "store",
        "ticks_without_leader",
        "wal",
    )

    def __init__(
        self,
        config: NodeConfig,
        disk: Mapping[str, bytes],
        out: Outbox,
        entropy: Entropy,
        owner: LeadershipOwner,
    ) -> None:
        """Recover from the node's files.

        Raises:
            StorageCorrupt: log or keys are damaged in a way that no crash explains.
            WrongKey: the keys are locked, and the unlock key is missing or another one.
            InvalidSpec, Unsupported: the configuration can't work.
        """
        self._out = out
        self._owner = owner
        self._members: dict[RaftID, Member] = {m.raft_id: m for m in config.members}
        self._by_address: dict[Address, RaftID] = {m.address: m.raft_id for m in config.members}
        unlock = parse_key(config.unlock_key) if config.unlock_key else b""
        self._keys = KeyKeeper(disk, unlock, out, entropy.fork("keys"))
        on_disk = read(disk, self._keys.sealer)
        self.wal = WriteAheadLog(out, self._keys.sealer, config.raft.segment_bytes)
        self.wal.repair(on_disk)
        self.recovered = on_disk.payloads
        """The records that the log held at boot, for those who watch; until the first tick."""
        self.raw = RawNode(
            _raft_config(config),
            entropy.fork("election"),
            hard_state=on_disk.hard_state,
            entries=on_disk.entries,
        )
        self.store = Store(self, self._now)
        self.is_leading = False
        """Whether this manager leads and its tables hold everything committed before."""
        self.ticks_without_leader = 0
        self._role: Role | None = None
        self._catch_up: Index | None = None
        """Elected: the index to be applied before leadership is announced."""
        self._under_way: _UnderWay | None = None
        self._proposals = 0
        self._unreachable: dict[RaftID, None] = {}
        """Members whose stream broke and that have not been heard since."""
        self._settling = False
        self._halted = False
        self._tick = config.raft.tick
        # Processes don't start in step: without a phase of their own, members that drew the same
        # time-out would stand for election in the same instant.
        self._next_tick: Instant = out.now.mono + entropy.fork("phase").integer(1, self._tick)

    # ── inputs ───────────────────────────────────────────────────────────────────────────────

    def boot(self, campaign: bool) -> None:
        """Begin to take part; `campaign`: stand for election at once if the log is empty."""
        self._out.set_timer(_TICK, self._next_tick - self._out.now.mono)
        fresh = self.raw.raft.last_index == 0 and self.raw.raft.term == 0
        if fresh:
            me = self._members[self.raw.raft.id]
            self._out.observe("raft.member", subject=me.name, raft_id=me.raft_id, action="add")
        self._observe_role(self.raw.raft.role, self.raw.raft.term, self.raw.raft.leader)
        if fresh and campaign:
            self.raw.campaign()

    def on_tick(self) -> None:
        """Raft's clock. A late tick keeps the rhythm and makes up for nothing, as Go's ticker."""
        now = self._out.now.mono
        self._next_tick += self._tick
        if self._next_tick <= now:
            self._next_tick += (now - self._next_tick) // self._tick * self._tick + self._tick
        self._out.set_timer(_TICK, self._next_tick - now)
        self.recovered = ()
        self.raw.tick()
        self.ticks_without_leader = 0 if self.raw.raft.leader else self.ticks_without_leader + 1

    def receive(self, source: Address, message: RaftMessage) -> None:
        """A message from a peer; one that doesn't come from where it says is dropped."""
        if self._by_address.get(source) == message.source:
            self._unreachable.pop(message.source, None)
            self.raw.step(message)

    def peer_lost(self, target: Address) -> None:
        """The stream to a member broke: what was on it may be lost."""
        member = self._by_address.get(target)
        if member is not None and member != self.raw.raft.id:
            self._unreachable[member] = None
            self.raw.report_unreachable(member)

    def written(self, token: Token, error: str | None) -> bool:
        """A write has ended; False if it was none of the log's."""
        batch = self.wal.written(token)
        if batch is None:
            return error is None and self._keys.written(token)
        if error is not None:
            self._halt(f"raft log: write or fsync failed: {error}")
        elif batch.last is not None:
            self.raw.persisted(batch.last.term, batch.last.index)
        elif batch.obsolete:
            self._keys.rewritten(token)
            self.wal.remove(batch.obsolete)
        return True

    def rotate_data_key(self) -> None:
        """Seal everything on the disk with a new key; nothing happens if that is under way."""
        self._keys.rotate()

    def lock(self, unlock: bytes, version: int) -> None:
        """Seal the data key with another unlock key; empty to leave it open.

        Raises:
            FailedPrecondition: another key of the same version.
        """
        self._keys.lock(unlock, version)

    def shutdown(self) -> None:
        """Take no more part."""
        self.is_leading = False
        self._out.cancel_timer(_TICK)
        self._halted = True

    def settle(self) -> None:
        """Take Raft's work until there is none. Called at the end of every step. Nothing is taken
        before there are keys to write it with."""
        if self._settling or not self._keys.usable:
            return
        self._settling = True
        raw, raft = self.raw, self.raw.raft
        while not self._halted:
            if raft.contradiction:
                self._halt(f"raft: {raft.contradiction}")
            elif raw.has_ready():
                self._perform(raw.ready())
            elif self._catch_up is not None and raft.applied >= self._catch_up:
                self._lead()
            else:
                break
        if self._keys.rewrite_due and not self.wal.barrier and not self._halted:
            self._keys.rewriting(self.wal.rewrite(raft.log.entries()))
        self._settling = False

    def check_invariants(self) -> None:
        """What must hold between steps; cheap enough for every one."""
        raft = self.raw.raft
        assert not self._settling
        self.raw.check_invariants()
        if not self._halted and self._keys.usable:
            assert self.store.index == raft.applied == raft.commit
            assert not self.raw.has_ready()
        if self.is_leading:
            assert raft.role is Role.LEADER
            assert self._catch_up is None
        if self._under_way is not None:
            assert self.is_leading
            assert raft.applied < self._under_way.index <= raft.last_index

    # ── what others want to know ─────────────────────────────────────────────────────────────

    @property
    def term(self) -> Term:
        """The current term."""
        return self.raw.raft.term

    @property
    def leader(self) -> Member | None:
        """Who leads as far as this manager knows; perhaps this one."""
        return self._members.get(self.raw.raft.leader)

    @property
    def leads_elsewhere(self) -> Address | None:
        """Where to pass things on to: the leader's address, if another manager leads."""
        raft = self.raw.raft
        if raft.leader == raft.id:
            return None
        leader = self._members.get(raft.leader)
        return None if leader is None else leader.address

    @property
    def members(self) -> tuple[Member, ...]:
        """All managers of the Raft group, in order of their Raft ids."""
        return tuple(self._members[raft_id] for raft_id in sorted(self._members))

    def is_member(self, address: Address) -> bool:
        """Whether a manager of the group is at this address."""
        return address in self._by_address

    def reachable(self, raft_id: RaftID) -> bool:
        """Whether this leader is in touch with a member."""
        if raft_id == self.raw.raft.id:
            return True
        seen = self.raw.raft.progress.get(raft_id)
        if seen is None or raft_id in self._unreachable:
            return False
        return self.raw.raft.ticks - max(seen.heard, 0) <= SILENT_TICKS_LIMIT

    # ── the store's proposer ─────────────────────────────────────────────────────────────────

    def can_propose(self) -> bool:
        """Whether this manager leads and its tables hold everything committed before."""
        return self.is_leading and not self._halted

    def commit_index(self) -> Index:
        """The newest committed index."""
        return self.raw.raft.commit

    def propose(self, name: str, changes: Sequence[ObjectChange]) -> None:
        """Make one write's changes an entry of the log."""
        assert self._under_way is None
        assert self._proposals < _PROPOSALS_PER_TERM
        self._proposals += 1
        term = self.raw.raft.term
        proposal = Proposal(term * _PROPOSALS_PER_TERM + self._proposals, name, tuple(changes))
        data = codec.encode_proposal(proposal)
        if len(data) > MAX_PROPOSAL_BYTES:
            self.store.drop(ProposalTooLarge(TOO_LARGE))
            return
        index = self.raw.propose(data)
        if index is None:
            self.store.drop(NotLeader(LOST_LEADERSHIP))
            return
        self._under_way = _UnderWay(term, index, proposal.changes)

    # ── Raft's work ──────────────────────────────────────────────────────────────────────────

    def _perform(self, ready: Ready) -> None:
        if ready.entries or ready.hard_state is not None:
            self.wal.append(ready.entries, ready.hard_state)
        for outgoing in ready.messages:
            self._send(outgoing)
        if ready.soft is not None:
            self._on_soft_state(ready.soft)
        if ready.committed:
            self._apply(ready.committed)

    def _send(self, outgoing: Outgoing) -> None:
        message = outgoing.message
        self._out.send(
            self._members[message.target].address,
            message,
            _CHANNELS[type(message)],
            self.wal.barrier if outgoing.durable_first else 0,
        )

    def _on_soft_state(self, soft: SoftState) -> None:
        was, self._role = self._role, soft.role
        if soft.leader:
            self.ticks_without_leader = 0
        if soft.role is not was:
            self._observe_role(soft.role, soft.term, soft.leader)
        if soft.role is Role.LEADER and was is not Role.LEADER:
            self._catch_up = self.raw.raft.last_index
            self._proposals = 0
            self._owner.on_elected()
        elif was is Role.LEADER and soft.role is not Role.LEADER:
            self._catch_up = None
            self.is_leading = False
            self._under_way = None
            self._owner.on_leadership_lost()
            self.store.refuse(NotLeader(LOST_LEADERSHIP))

    def _lead(self) -> None:
        self._catch_up = None
        # Whatever an earlier leadership's loops left behind is none of this one's business.
        self.store.refuse(NotLeader(LOST_LEADERSHIP))
        self.is_leading = True
        self._owner.on_leading()
        self.store.pump()

    def _apply(self, committed: Sequence[Entry]) -> None:
        last = committed[-1]
        if self._role is _LEADER:
            self._out.observe("raft.commit", index=last.index, term=last.term)
        for entry in committed:
            own = self._under_way
            if own is not None and own.index == entry.index and own.term == entry.term:
                self._under_way = None
                self.store.apply(own.changes, entry.index)
                self.store.finish()
                continue
            try:
                changes = _changes(entry)
            except StorageCorrupt as error:
                self._halt(f"raft entry {entry.index}: {error.message}")
                return
            self.store.apply(changes, entry.index)
        self._out.observe("raft.apply", index=last.index, term=last.term)

    def _observe_role(self, role: Role, term: Term, leader: RaftID) -> None:
        self._role = role
        known = self._members.get(leader)
        self._out.observe(
            "raft.role",
            role=role.name.lower(),
            term=term,
            leader=None if known is None else known.name,
        )

    def _halt(self, reason: str) -> None:
        self._halted = True
        self._out.halt(reason)

    def _now(self) -> Now:
        return self._out.now


def _raft_config(config: NodeConfig) -> RaftConfig:
    own = [member.raft_id for member in config.members if member.name == config.name]
    if len(own) != 1:
        raise InvalidSpec(f"{config.name} is not in its own member list")
    settings = config.raft
    return RaftConfig(
        own[0],
        tuple(member.raft_id for member in config.members),
        settings.election_ticks,
        settings.heartbeat_ticks,
        settings.check_quorum,
        settings.pre_vote,
    )


def _changes(entry: Entry) -> tuple[ObjectChange, ...]:
    """What an entry does to the tables.

    Raises:
        StorageCorrupt: an entry of a kind that this version doesn't know: stop, never skip.
    """
    if entry.kind is not _NORMAL:
        raise StorageCorrupt("membership changes are not supported yet")
    return codec.decode_proposal(entry.data).changes if entry.data else ()
