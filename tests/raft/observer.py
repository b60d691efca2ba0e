"""A global observer of a Raft group: sees every member and disk, judges after every event.

The names I1 … I18 are those of the usual list of consensus invariants. Its memory outlives
crashes: what was once committed, voted or acknowledged stays so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from simswarm.raft import (
    AppendEntriesReply,
    Entry,
    EntryKind,
    HardState,
    RaftMessage,
    RawNode,
    RequestVote,
    RequestVoteReply,
    Role,
)
from simswarm.raft import membership as members
from simswarm.raft.log import after_snapshot
from simswarm.raft.messages import Membership, Snapshot
from simswarm.raft.quorum import majority
from simswarm.raft.raft import Raft


class Violated(AssertionError):
    """An invariant does not hold."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Violated(what)


@dataclass
class Image:
    """What one member's disk holds for certain."""

    hard_state: HardState | None = None
    entries: list[Entry] = field(default_factory=list)
    snapshot: Snapshot | None = None

    @property
    def covered(self) -> int:
        return self.snapshot.index if self.snapshot else 0

    def holds(self, index: int, term: int) -> bool:
        if index <= self.covered:
            return True
        at = index - self.entries[0].index if self.entries else -1
        return 0 <= at < len(self.entries) and self.entries[at].term == term

    def beyond(self, index: int) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.index > index)

    def write(
        self,
        hard_state: HardState | None,
        entries: tuple[Entry, ...],
        snapshot: Snapshot | None = None,
    ) -> None:
        if snapshot is not None:
            self.entries = list(after_snapshot(self.entries, snapshot))
            self.snapshot = snapshot
        if hard_state is not None:
            self.hard_state = hard_state
        if entries:
            first = self.entries[0].index if self.entries else entries[0].index
            self.entries[entries[0].index - first :] = entries

    def compact(self, snapshot: Snapshot, keep: int) -> None:
        """The owner's own snapshot: older entries are dropped, but for the last few."""
        if snapshot.index > self.covered:
            self.snapshot = snapshot
            self.entries = [e for e in self.entries if e.index > snapshot.index - keep]


@dataclass
class _Last:
    """What was seen of one member at its last event in this incarnation."""

    commit: int = 0
    applied: int = 0
    role: Role = Role.FOLLOWER
    term: int = 0
    log: tuple[Entry, ...] = ()


class Observer:
    """Collects facts and compares each new one with all others."""

    def __init__(self, images: Mapping[int, Image], founders: Iterable[int]) -> None:
        self.images = images
        self.configs = [(0, Membership(tuple(sorted(founders))))]
        """The configuration after each committed change, and the change's index."""
        self.states = [b""]
        """What the state machine is after each entry."""
        self.leaders: dict[int, int] = {}
        self.logs_at_win: dict[int, tuple[Entry, ...]] = {}
        self.entries: dict[tuple[int, int], tuple[bytes, int]] = {}
        self.committed: list[tuple[Entry, int]] = []
        """Entry i-1: what is committed at i, and in which leader's term."""
        self.applied: list[Entry] = []
        self.votes: dict[tuple[int, int], int] = {}
        self.said: dict[int, int] = {}
        """The largest term in which each member promised something."""
        self._last: dict[int, _Last] = {}
        self._next: dict[int, int] = {}
        """What each member must apply next in this incarnation: none keeps its tables."""

    # ── events ───────────────────────────────────────────────────────────────────────────────

    def on_boot(self, id: int, node: RawNode) -> None:
        raft = node.raft
        covered = self.images[id].covered
        must(raft.term >= self.said.get(id, 0), f"I7 member {id} forgot its term")
        vote = self.votes.get((raft.term, id))
        must(vote in (None, raft.vote), f"I7 member {id} forgot its vote")
        self._last[id] = _Last(raft.commit, raft.applied, raft.role, raft.term)
        self._next[id] = covered + 1

    def on_event(self, id: int, node: RawNode) -> None:
        """Something happened at this member."""
        raft, last = node.raft, self._last[id]
        log = self.history(raft)
        self._check_membership(id, raft, log)
        self._check_leadership(id, node, log, last)
        if log != last.log:
            # What a leader by its own vote alone has in memory, nobody knows but itself.
            known = [e for e in log if not raft.unproven or e.term < raft.term]
            self._check_matching(tuple(known))
        must(raft.commit >= last.commit, f"I6 commit of {id} fell")
        must(raft.applied >= last.applied, f"I6 applied of {id} fell")
        must(raft.applied <= raft.commit <= len(log), f"I6 order of indexes at {id}")
        must(raft.term >= last.term, f"I7 term of {id} fell")
        if raft.commit > last.commit:
            self._check_commit(id, node, log, last)
        self._last[id] = _Last(raft.commit, raft.applied, raft.role, raft.term, log)

    def on_apply(self, id: int, entry: Entry) -> None:
        must(entry.index == self._next[id], f"I5 {id} skipped to {entry.index}")
        self._next[id] += 1
        if entry.index <= len(self.applied):
            must(self.applied[entry.index - 1] == entry, f"I5 {id} applied another {entry.index}")
        else:
            self.applied.append(entry)
            digest = hashlib.sha256(self.states[-1] + repr(entry).encode()).digest()
            self.states.append(digest)

    def on_snapshot(self, id: int, snapshot: Snapshot) -> None:
        """A member made one, or is about to load one."""
        index = snapshot.index
        must(index < len(self.states), f"I16 snapshot of {id} is ahead of everybody")
        must(self.states[index] == snapshot.data, f"I16 snapshot of {id} at {index} is no replay")
        must(self.config_at(index) == snapshot.membership, f"I16 membership of {id} at {index}")
        entry, _ = self.committed[index - 1]
        must(entry.term == snapshot.term, f"I16 term of the snapshot of {id} at {index}")

    def on_load(self, id: int, snapshot: Snapshot) -> None:
        """A member replaces its tables by a snapshot."""
        self.on_snapshot(id, snapshot)
        must(snapshot.index >= self._next[id], f"I6 {id} goes back to {snapshot.index}")
        self._next[id] = snapshot.index + 1

    def state_at(self, index: int) -> bytes:
        return self.states[index]

    def config_at(self, index: int) -> Membership:
        return [config for at, config in self.configs if at <= index][-1]

    def history(self, raft: Raft) -> tuple[Entry, ...]:
        """A member's log as if nothing had been compacted."""
        floor = raft.log.floor
        if not floor:
            return raft.log.entries()
        must(floor <= len(self.committed), f"I6 {raft.id} compacted what is not committed")
        before = tuple(entry for entry, _ in self.committed[:floor])
        must(before[-1].term == raft.log.floor_term, f"I3 {raft.id} forgot a term")
        return before + raft.log.entries()

    def on_leave(self, message: RaftMessage, log: tuple[Entry, ...]) -> None:
        """A message leaves its sender; `log` is the sender's as it was when it said this."""
        image = self.images[message.source]
        stored = image.hard_state or HardState(0, 0, 0)
        if isinstance(message, RequestVote):
            self._promise_vote(stored, message.term, message.source, message.source)
        elif isinstance(message, RequestVoteReply) and message.granted:
            self._promise_vote(stored, message.term, message.source, message.target)
        elif isinstance(message, AppendEntriesReply) and not message.rejected:
            must(stored.term >= message.term, f"I8 {message.source} acknowledged before its term")
            proved = log[: message.index]
            stored = image.beyond(image.covered)[: max(0, message.index - image.covered)]
            must(
                stored == proved[image.covered :],
                f"I8 {message.source} acknowledged {message.index} before it was durable",
            )
            self._remember_term(message.source, message.term)

    # ── judgements ───────────────────────────────────────────────────────────────────────────

    def _check_membership(self, id: int, raft: Raft, log: tuple[Entry, ...]) -> None:
        if raft.commit <= len(self.committed):
            config = self.config_at(raft.applied)
            must(raft.membership == config, f"I16 {id} has another membership at {raft.applied}")
        open = [e.index for e in log[raft.commit :] if e.kind is EntryKind.CONFIG]
        must(len(open) <= 1, f"I11 two changes are under way at {id}: {open}")

    def _promise_vote(self, stored: HardState, term: int, voter: int, candidate: int) -> None:
        durable = stored.term > term or (stored.term == term and stored.vote == candidate)
        must(durable, f"I8 vote of {voter} in term {term} left before it was durable")
        given = self.votes.setdefault((term, voter), candidate)
        must(given == candidate, f"I7 {voter} voted for {given} and {candidate} in {term}")
        self._remember_term(voter, term)

    def _remember_term(self, id: int, term: int) -> None:
        self.said[id] = max(self.said.get(id, 0), term)

    def _check_leadership(
        self, id: int, node: RawNode, log: tuple[Entry, ...], last: _Last
    ) -> None:
        raft = node.raft
        if raft.role is not Role.LEADER:
            return
        first = self.leaders.setdefault(raft.term, id)
        must(first == id, f"I1 {first} and {id} lead term {raft.term}")
        if last.role is Role.LEADER and last.term == raft.term:
            must(log[: len(last.log)] == last.log, f"I2 leader {id} changed its log")
            return
        self.logs_at_win[raft.term] = log
        newer = [index for index, _ in self.configs if index > raft.applied]
        must(len(newer) <= 1, f"I11 {id} won in a membership {len(newer)} changes old")
        for entry, term in self.committed:
            if term < raft.term:
                must(_has(log, entry), f"I4 leader {id} of {raft.term} lacks {entry.index}")

    def _check_matching(self, log: tuple[Entry, ...]) -> None:
        before = 0
        for entry in log:
            fact = (entry.data, before)
            known = self.entries.setdefault((entry.term, entry.index), fact)
            must(known == fact, f"I3 two histories end in term {entry.term} index {entry.index}")
            before = entry.term

    def _check_commit(self, id: int, node: RawNode, log: tuple[Entry, ...], last: _Last) -> None:
        raft = node.raft
        for index in range(last.commit + 1, raft.commit + 1):
            entry = log[index - 1]
            if index <= len(self.committed):
                known = self.committed[index - 1][0]
                must(known == entry, f"I5 {id} committed another entry at {index}")
                continue
            must(raft.role is Role.LEADER, f"I6 {id} committed {index} before any leader")
            self.committed.append((entry, raft.term))
            if entry.kind is EntryKind.CONFIG:
                change = members.decode_change(entry.data)
                self.configs.append((index, members.change(self.configs[-1][1], change)))
            for term, log_at_win in self.logs_at_win.items():
                if term > raft.term:
                    must(_has(log_at_win, entry), f"I4 leader of {term} lacks {index}")
        if raft.role is Role.LEADER and last.role is Role.LEADER:
            newest = log[raft.commit - 1]
            must(newest.term == raft.term, f"I10 leader {id} counted an entry of {newest.term}")
            for half in (raft.membership.voters, raft.membership.outgoing):
                holding = [self.images[m].holds(newest.index, newest.term) for m in half]
                durable = holding.count(True)
                enough = not half or durable >= majority(len(half))
                must(enough, f"I9 {newest.index} is on {durable} of {len(half)} disks")


def _has(log: tuple[Entry, ...], entry: Entry) -> bool:
    return len(log) >= entry.index and log[entry.index - 1] == entry
