"""A global observer of a Raft group: sees every member and disk, judges after every event.

The names I1 … I10 are those of the usual list of consensus invariants. Its memory outlives
crashes: what was once committed, voted or acknowledged stays so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simswarm.raft import (
    AppendEntriesReply,
    Entry,
    HardState,
    RaftMessage,
    RawNode,
    RequestVote,
    RequestVoteReply,
    Role,
)
from simswarm.raft.quorum import majority


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

    def holds(self, index: int, term: int) -> bool:
        return 0 < index <= len(self.entries) and self.entries[index - 1].term == term

    def write(self, hard_state: HardState | None, entries: tuple[Entry, ...]) -> None:
        if hard_state is not None:
            self.hard_state = hard_state
        if entries:
            self.entries[entries[0].index - 1 :] = entries


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

    def __init__(self, images: Mapping[int, Image]) -> None:
        self.images = images
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
        must(raft.term >= self.said.get(id, 0), f"I7 member {id} forgot its term")
        vote = self.votes.get((raft.term, id))
        must(vote in (None, raft.vote), f"I7 member {id} forgot its vote")
        self._last[id] = _Last(raft.commit, raft.applied, raft.role, raft.term)
        self._next[id] = 1

    def on_event(self, id: int, node: RawNode) -> None:
        """Something happened at this member."""
        raft, last = node.raft, self._last[id]
        log = raft.log.entries()
        self._check_leadership(id, node, log, last)
        if log != last.log:
            self._check_matching(log)
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
            must(
                tuple(image.entries[: message.index]) == proved,
                f"I8 {message.source} acknowledged {message.index} before it was durable",
            )
            self._remember_term(message.source, message.term)

    # ── judgements ───────────────────────────────────────────────────────────────────────────

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
            for term, log_at_win in self.logs_at_win.items():
                if term > raft.term:
                    must(_has(log_at_win, entry), f"I4 leader of {term} lacks {index}")
        if raft.role is Role.LEADER and last.role is Role.LEADER:
            newest = log[raft.commit - 1]
            must(newest.term == raft.term, f"I10 leader {id} counted an entry of {newest.term}")
            durable = [
                image.holds(newest.index, newest.term) for image in self.images.values()
            ].count(True)
            must(durable >= majority(len(self.images)), f"I9 {newest.index} is on {durable} disks")


def _has(log: tuple[Entry, ...], entry: Entry) -> bool:
    return len(log) >= entry.index and log[entry.index - 1] == entry
