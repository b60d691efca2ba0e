"""Nothing is acknowledged before it is durable: votes and appended entries.

A granted vote promises a durable (term, vote); an acknowledged index promises durable entries up
to it. A send may name the write it waits for (`after`), so each promise is covered if what it
rests on is durable already, or is part of a write not newer than `after`; and when the driver
lets a held message go, its write must have ended.

Invariants:
    I1. Only frames that carry a promise are decoded (a look at the tag tells).

Source: PAPER 5.2, 5.3, figure 2 ("updated on stable storage before responding to RPCs").
Not here: that the disk keeps what it said was durable (`sim/machine/disk.py` and its tests).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from simswarm.base.effects import Send, Token, Write, Written
from simswarm.base.time import Instant
from simswarm.check.invariant import Invariant
from simswarm.check.raft_safety import APPEND, WAL, EntryHead, Heads, record_heads
from simswarm.raft.messages import AppendEntriesReply, HardState, Index, RequestVoteReply

BODY_AT, TAG_AT = 2, 3
"""Where a frame's message begins (after version and feature level), and where its tag stands."""
PROMISES = bytes([23, 25])
"""Tags of the messages that may promise something: votes and acknowledgements."""
# msgspec accepts a union type as a value; mypy has no way to say that
_promises: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(
    RequestVoteReply | AppendEntriesReply
)


class FollowedDisk:
    """Which write made each part of a manager's log file, and which writes are durable."""

    __slots__ = ("durable", "entries", "hard", "hard_token", "pending")

    def __init__(self, records: Sequence[bytes]) -> None:
        self.entries: list[Token] = []
        """The write that entry i (at i-1) was last part of; never falls along the log."""
        self.hard = HardState(0, 0, 0)
        self.hard_token: Token = 0
        self.pending: list[Token] = []
        self.durable: Token = 0
        """Writes of the log up to this token have ended well."""
        self.take(record_heads(records), 0)

    def take(self, heads: Heads, token: Token) -> None:
        """Records that begin so are written by this token (0: they were there at boot)."""
        for record in heads:
            if type(record) is HardState:
                self.hard, self.hard_token = record, token
            elif type(record) is EntryHead:
                del self.entries[record.index - 1 :]
                self.entries.append(token)


class DurableBeforeAcknowledged(Invariant):
    """Follows every manager's log file and judges what leaves the manager."""

    __slots__ = ("_clock", "_disks")

    def __init__(self, clock: Callable[[], Instant]) -> None:
        super().__init__("durable before acknowledged")
        self._clock = clock
        self._disks: dict[str, FollowedDisk] = {}

    def durable(self, manager: str) -> Index:
        """Up to which index a manager's entries are durable; of one that is down, were at last."""
        disk = self._disks.get(manager)
        return 0 if disk is None else bisect_right(disk.entries, disk.durable)

    def booted(self, manager: str, records: Sequence[bytes]) -> None:
        """A manager starts from these durable records."""
        self._disks[manager] = FollowedDisk(records)

    def wrote(self, manager: str, write: Write, heads: Heads | None = None) -> None:
        """A manager asked for a write. `heads`: of its records, where they are read already."""
        disk = self._disks.get(manager)
        if disk is None or write.file != WAL:
            return
        if write.mode is not APPEND:
            disk.entries = []
        disk.take(record_heads(write.records) if heads is None else heads, write.token)
        disk.pending.append(write.token)

    def written(self, manager: str, given: Written) -> None:
        """A write has ended."""
        disk = self._disks.get(manager)
        if disk is None or given.token not in disk.pending:
            return
        disk.pending.remove(given.token)
        if given.error is None:
            disk.durable = max(disk.durable, given.token)

    def sent(self, manager: str, send: Send) -> None:
        """A manager asked for a message to be sent, perhaps after a write."""
        disk = self._disks.get(manager)
        if disk is None or send.frame[TAG_AT] not in PROMISES:
            return
        reached = disk.durable if disk.durable > send.after else send.after
        message = _promises.decode(send.frame[BODY_AT:])
        if type(message) is AppendEntriesReply and not message.rejected:
            self.checked += 1
            index = message.index
            if index > len(disk.entries):
                self._early(manager, f"entry {index}, which it never wrote")
            elif index and disk.entries[index - 1] > reached:
                self._early(manager, f"entry {index} before it was durable")
        elif type(message) is RequestVoteReply and message.granted:
            self._vote(manager, disk, (message.term, message.target), reached)

    def _vote(
        self, manager: str, disk: FollowedDisk, vote: tuple[int, int], reached: Token
    ) -> None:
        self.checked += 1
        term = vote[0]
        if (disk.hard.term, disk.hard.vote) != vote:
            self._early(manager, f"its vote in term {term}, which it never wrote")
        elif disk.hard_token > reached:
            self._early(manager, f"its vote in term {term} before it was durable")

    def _early(self, manager: str, what: str) -> None:
        self.broken(self._clock(), f"{manager} gave away {what}")
