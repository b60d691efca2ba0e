"""The write-ahead log: what Raft must not forget, written in batches.

    append(entries, hard state) ──> one record, sealed ──> one Write to the last segment
                                                  └─ full, and nothing under way: begin a new one

Invariants:
    I1. Writes end in the order in which they were given; `barrier` names the last one that has
        not ended, so that a message sent `after=barrier` leaves when all of them are durable.
        For that all writes under way are of one file: a segment that is full grows on while
        writes are under way.
    I2. A torn tail is cut off on disk before anything is appended behind it.

Source: etcd server/storage/wal; swarmkit manager/state/raft/storage.go.
Not here: the files' form and recovery (`segments.py`), keys (`keykeeper.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from zlib import crc32

import msgspec

from simswarm.base.effects import Outbox, Token, Write, WriteMode
from simswarm.base.sealer import Sealer
from simswarm.base.values import Value
from simswarm.manager.segments import (
    FORMAT,
    LogImage,
    SegmentHead,
    encode_batch,
    is_segment,
    place,
    segment_name,
)
from simswarm.model.defaults import WAL_SEGMENT_BYTES
from simswarm.pki import PLAIN
from simswarm.raft import Entry, HardState, Index
from simswarm.wire import codec

WAL = "wal"
"""The log as those who watch it see it: one file of records in clear."""
_REWRITTEN = 100
"""Entries in a batch of a log that is written anew."""
_APPEND, _REPLACE = WriteMode.APPEND, WriteMode.REPLACE
"""Looking a member up in its class is slow before Python 3.12."""
_encode_head: Callable[[SegmentHead], bytes] = msgspec.msgpack.Encoder().encode


class Batch(Value, frozen=True):
    """One write under way. `last` is its last entry, if it has any."""

    token: Token
    last: Entry | None
    payloads: tuple[bytes, ...] = ()
    """Its records in clear."""
    obsolete: tuple[str, ...] = ()
    """Segments that are not needed once it is durable."""


class WriteAheadLog:
    """Writes batches and remembers which are durable."""

    __slots__ = (
        "_chain",
        "_count",
        "_file",
        "_hard",
        "_heads",
        "_limit",
        "_next",
        "_number",
        "_out",
        "_sealer",
        "_size",
        "_under_way",
    )

    def __init__(self, out: Outbox, sealer: Sealer = PLAIN, limit: int = WAL_SEGMENT_BYTES) -> None:
        """A segment that holds `limit` bytes is full."""
        self._out = out
        self._sealer = sealer
        self._limit = limit
        self._under_way: deque[Batch] = deque()
        self._heads: list[SegmentHead] = []
        """Of the segments that make up the log, oldest first."""
        self._number = 0
        self._file = ""
        """The last segment; records so far, and their size."""
        self._count = 0
        self._size = limit
        self._chain = 0
        self._next: Index = 1
        self._hard: HardState | None = None

    @property
    def barrier(self) -> Token:
        """The newest write that is not durable yet; 0 if all are."""
        return self._under_way[-1].token if self._under_way else 0

    @property
    def segments(self) -> tuple[str, ...]:
        """The files that make up the log, oldest first."""
        return tuple(segment_name(head.number) for head in self._heads)

    def repair(self, image: LogImage) -> None:
        """Go on behind what was read. A torn tail is cut off: what is appended behind it could not
        be read again. So are files that are not needed."""
        self._heads = list(image.segments)
        self._chain, self._next, self._hard = image.chain, image.next_index, image.hard_state
        if self._heads:
            self._number = self._heads[-1].number
            self._file = segment_name(self._number)
            self._count = len(image.last)
            self._size = sum(map(len, image.last))
        if image.torn_bytes:
            token = self._out.write(self._file, _REPLACE, image.last)
            self._under_way.append(Batch(token, None))
        self.remove(image.obsolete)

    def append(self, entries: Sequence[Entry], hard_state: HardState | None) -> None:
        """Make a batch durable; nothing to do for an empty one."""
        if not entries and hard_state is None:
            return
        encode = codec.encode_record
        payloads = [encode(entry) for entry in entries]
        if hard_state is not None:
            payloads.append(encode(hard_state))
        mode, records = _APPEND, []
        if self._size >= self._limit and not self._under_way:
            mode = _REPLACE
            records.append(self._begin(self._next, starts=not self._heads))
        if hard_state is not None:
            self._hard = hard_state
        last = None
        if entries:
            last = entries[-1]
            self._next = last.index + 1
        records.append(self._seal(payloads))
        token = self._out.write(self._file, mode, tuple(records))
        self._under_way.append(Batch(token, last, tuple(payloads)))

    def rewrite(self, entries: Sequence[Entry]) -> Token:
        """Write the log anew as one segment that starts it, sealed with the key of today. These
        are all its entries. Only when nothing is under way."""
        assert not self._under_way, "a segment begins when the one before it is durable"
        obsolete = self.segments
        first = entries[0].index if entries else self._next
        self._chain = 0
        self._heads.clear()
        payloads = [codec.encode_record(entry) for entry in entries]
        head = self._begin(first, starts=True)
        batches = range(0, len(payloads), _REWRITTEN)
        records = [head, *(self._seal(payloads[at : at + _REWRITTEN]) for at in batches)]
        token = self._out.write(self._file, _REPLACE, tuple(records))
        # for those who watch nothing has changed
        self._under_way.append(Batch(token, None, (), obsolete))
        return token

    def written(self, token: Token) -> Batch | None:
        """The batch whose write has just ended; None if it is none of this log's."""
        if self._under_way and self._under_way[0].token == token:
            return self._under_way.popleft()
        assert all(batch.token != token for batch in self._under_way), "writes end in order"
        return None

    def remove(self, files: Sequence[str]) -> None:
        """Delete segments that are not needed. That may happen late, or never in a crash."""
        for file in files:
            self._out.write(file, WriteMode.REMOVE, ())

    def in_clear(self, write: Write) -> Write | None:
        """A write as those who watch see it, as long as it is under way; None if it is none of
        this log's."""
        if is_segment(write.file):
            for batch in reversed(self._under_way):
                if batch.token == write.token:
                    return Write(WAL, _APPEND, batch.payloads, write.token)
        return None

    def _begin(self, first: Index, *, starts: bool) -> bytes:
        """Begin a segment; returns its head as it goes to the disk."""
        self._number += 1
        self._file = segment_name(self._number)
        head = SegmentHead(FORMAT, self._number, starts, first, self._chain, self._hard)
        self._heads.append(head)
        record = self._sealer.seal(_encode_head(head), place(self._number, 0))
        self._count, self._size = 1, len(record)
        return record

    def _seal(self, payloads: Sequence[bytes]) -> bytes:
        """Add a batch to the last segment; returns its record as it goes to the disk."""
        batch = encode_batch(payloads)
        record = self._sealer.seal(batch, place(self._number, self._count))
        self._count += 1
        self._size += len(record)
        self._chain = crc32(batch, self._chain)
        return record
