"""The four promises of Raft, watched over all managers at once.

    election safety        at most one leader in a term
    log matching           same index and term → same log up to there
    leader completeness    what is committed is in the log of every later leader
    state machine safety   all managers commit and apply the same at each index

Each manager's log is followed by what it writes, as a chain: `chain[i]` hashes entry i and
`chain[i-1]`, so that two logs agree up to i exactly if their chains agree at i. Every check is
one comparison; only a violation is searched for.

Invariants:
    I1. O(new entries) a step; O(1) when nothing was written, committed or won.
    I2. A reboot rebuilds the chain from the disk: what was lost there is not held against Raft.

Source: PAPER figure 3. Not here: what must be durable when (`durability.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from simswarm.base.effects import Write, WriteMode
from simswarm.base.time import Instant
from simswarm.base.values import Value
from simswarm.check.invariant import Invariant
from simswarm.raft.messages import HardState, Index, Term
from simswarm.raft.raft import Raft
from simswarm.raft.ready import Role
from simswarm.store import Change

WAL = "wal"


class EntryHead(Value, frozen=True, tag=20):
    """The beginning of an `Entry`: its data may be long, and nobody here reads it."""

    term: Term
    index: Index


# msgspec accepts a union type as a value; mypy has no way to say that
_heads: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(EntryHead | HardState)


Heads = Sequence[EntryHead | HardState]


def record_heads(records: Sequence[bytes]) -> Heads:
    """What the records of a log file are, without entries' data."""
    decode = _heads.decode
    return [decode(payload) for payload in records]


RECENT = 64
"""Entries of which it is kept what they changed: others apply them soon."""
_encode = msgspec.msgpack.Encoder().encode
_LEADER, APPEND = Role.LEADER, WriteMode.APPEND
"""Looking a member up in its class is slow before Python 3.12."""


class FollowedLog:
    """One manager's log as it was written, and what was last seen of its Raft."""

    __slots__ = ("chain", "commit", "led_term", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.chain: list[int] = []
        self.commit: Index = 0
        self.led_term: Term = 0

    def is_behind(self, raft: Raft) -> bool:
        """Whether the member has committed something, or won an election, since the last look."""
        return raft.log.committed != self.commit or (
            raft.role is _LEADER and raft.term != self.led_term
        )


class RaftSafety:
    """Follows all logs; owns the four invariants."""

    __slots__ = (
        "_applied",
        "_clock",
        "_commit_terms",
        "_committed",
        "_leaders",
        "_logs",
        "_recent",
        "_seen",
        "committed_lost",
        "completeness",
        "election",
        "machines",
        "matching",
    )

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock
        self.election = Invariant("election safety")
        self.matching = Invariant("log matching")
        self.completeness = Invariant("leader completeness")
        self.machines = Invariant("state machine safety")
        self.committed_lost = 0
        """Entries that were committed and that a later leader (or commit) does not have."""
        self._logs: dict[str, FollowedLog] = {}
        self._seen: dict[tuple[Index, Term], int] = {}
        """(Index, term) → the chain of the first log that had such an entry."""
        self._committed: list[int] = []
        """The chain of what is committed."""
        self._commit_terms: list[tuple[Term, Index]] = []
        """Up to which index each term committed, terms ascending."""
        self._leaders: dict[Term, str] = {}
        self._applied: dict[Index, int] = {}
        self._recent: dict[Index, Sequence[Change]] = {}
        """What recent entries changed where they were applied last."""

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        """The four."""
        return (self.election, self.matching, self.completeness, self.machines)

    def elections(self) -> int:
        """How many terms have had a leader so far."""
        return len(self._leaders)

    @property
    def committed(self) -> Index:
        """The highest index that any manager has committed."""
        return len(self._committed)

    def agrees(self, manager: str, index: Index) -> bool:
        """Whether a manager's log, as it was written, holds what was committed up to `index`."""
        log = self._logs.get(manager)
        if log is None or len(log.chain) < index:
            return False
        return index == 0 or log.chain[index - 1] == self._committed[index - 1]

    def booted(self, manager: str, records: Sequence[bytes]) -> FollowedLog:
        """A manager starts from these records of its log file; returns what is known of it."""
        log = FollowedLog(manager)
        self._logs[manager] = log
        self._append(log, records)
        return log

    def wrote(self, manager: str, write: Write, heads: Heads | None = None) -> None:
        """A manager asked for a write. `heads`: of its records, where they are read already."""
        log = self._logs.get(manager)
        if log is None or write.file != WAL:
            return
        if write.mode is not APPEND:
            log.chain = []
        self._append(log, write.records, heads)

    def stepped(self, manager: str, raft: Raft) -> None:
        """A manager's step is over: look at what it committed and whether it leads."""
        log = self._logs.get(manager)
        if log is None:
            return
        if raft.log.committed != log.commit:
            self._advance(log, raft.log.committed, raft.term)
        if raft.role is _LEADER and raft.term != log.led_term:
            log.led_term = raft.term
            self._elected(log, raft.term)

    def on_applied(self, manager: str, changes: Sequence[Change], index: int) -> None:
        """A manager has applied an entry: it must have done what the first one did."""
        self.machines.checked += 1
        same = self._recent.get(index) == changes
        self._recent[index] = changes
        self._recent.pop(index - RECENT, None)
        if same:
            return
        digest = _content(changes)
        first = self._applied.setdefault(index, digest)
        if digest != first:
            message = f"{manager} applied something else at index {index} than the first manager"
            self.machines.broken(self._clock(), message)

    def _append(
        self, log: FollowedLog, records: Sequence[bytes], heads: Heads | None = None
    ) -> None:
        chain = log.chain
        if heads is None:
            heads = record_heads(records)
        for payload, entry in zip(records, heads, strict=True):
            if type(entry) is not EntryHead:
                continue
            before = entry.index - 1
            if before > len(chain):
                message = f"{log.name} wrote entry {entry.index} to a log of {len(chain)}"
                self.matching.broken(self._clock(), message)
                return
            del chain[before:]
            value = _link(chain[-1] if chain else 0, payload)
            self.matching.checked += 1
            first = self._seen.setdefault((entry.index, entry.term), value)
            if first != value:
                message = (
                    f"{log.name}'s log differs from another with the same entry "
                    f"{entry.index} of term {entry.term}"
                )
                self.matching.broken(self._clock(), message)
            chain.append(value)

    def _advance(self, log: FollowedLog, commit: Index, term: Term) -> None:
        """A manager's commit index moved (or was taken from its disk)."""
        log.commit = commit
        self.machines.checked += 1
        chain, committed = log.chain, self._committed
        if commit > len(chain):
            message = f"{log.name} committed up to {commit}, its log ends at {len(chain)}"
            self.machines.broken(self._clock(), message)
            return
        known = min(commit, len(committed))
        if known and chain[known - 1] != committed[known - 1]:
            index = _first_difference(chain, committed, known)
            self.committed_lost += known - index + 1
            message = f"{log.name} committed another entry {index} than was committed before"
            self.machines.broken(self._clock(), message)
            return
        if commit > len(committed):
            committed.extend(chain[len(committed) : commit])
            if self._commit_terms and self._commit_terms[-1][0] >= term:
                self._commit_terms[-1] = (self._commit_terms[-1][0], commit)
            else:
                self._commit_terms.append((term, commit))

    def _elected(self, log: FollowedLog, term: Term) -> None:
        self.election.checked += 1
        other = self._leaders.setdefault(term, log.name)
        if other != log.name:
            message = f"{log.name} and {other} both lead term {term}"
            self.election.broken(self._clock(), message)
        self.completeness.checked += 1
        upto = max((index for at, index in self._commit_terms if at < term), default=0)
        have = min(upto, len(log.chain))
        if upto == have and (upto == 0 or log.chain[upto - 1] == self._committed[upto - 1]):
            return
        index = _first_difference(log.chain, self._committed, upto)
        self.committed_lost += upto - index + 1
        message = f"{log.name} leads term {term} without entry {index}, which was committed"
        self.completeness.broken(self._clock(), message)


@lru_cache(maxsize=4096)
def _link(previous: int, record: bytes) -> int:
    """The chain goes on. Remembered, because all managers write the same entries."""
    content = b"%d " % previous + record
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


def _content(changes: Sequence[Change]) -> int:
    content = b"".join([_encode((type(change).__name__, change.object)) for change in changes])
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


def _first_difference(a: Sequence[int], b: Sequence[int], upto: Index) -> Index:
    """The first index at which two chains differ, or one of them ends."""
    for at in range(upto):
        if at >= len(a) or at >= len(b) or a[at] != b[at]:
            return at + 1
    return upto
