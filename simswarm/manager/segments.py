"""The write-ahead log on the disk: numbered files of sealed records, and how they are read back.

    wal/0000000000000001   head · batch · batch · batch …     full: never written again
    wal/0000000000000002   head · batch …                     the last one: it grows

A record is a *batch*: entries, then perhaps a hard state, as one MessagePack array, sealed as one.

A segment's *head* says what stood before it: the hard state, the index that comes next and a
checksum over all records so far (its *chain*), so that nothing can be missing in between. Read from
the front, an entry at an index that is taken already replaces everything from there on, and the
last hard state counts. A segment that *starts* the log holds all of it: older ones are left-overs.

Invariants:
    I1. A segment is begun only when the one before it is durable to its end, and its head is
        written atomically with its first batch. So a crash can tear the end of the last segment;
        everything else that is missing, torn or changed is damage: refused, never repaired.
    I2. Each record is sealed for its segment and its place in it.
    I3. What `read` gives was written, in this order, up to some point of time: all that was
        durable, and perhaps more.

Source: etcd server/storage/wal (segments that begin with the checksum of those before, the state
repeated at their head).
Not here: framing and torn tails (`base/records.py`), ciphers (`pki/`), writing (`wal.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import TypeAlias
from zlib import crc32

import msgspec

from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import recover
from simswarm.base.sealer import Sealer
from simswarm.base.values import Value
from simswarm.pki import PLAIN
from simswarm.raft import Entry, HardState, Index
from simswarm.wire import codec

FOLDER = "wal/"
FORMAT = 1
SegmentNumber: TypeAlias = int
_LENGTH = Struct(">I").pack
place = Struct("<QQ").pack
"""What a record is sealed for: segment, and place in it (0: the head)."""


class SegmentHead(Value, frozen=True, tag="segment"):
    """The first record of a segment."""

    format: int
    number: SegmentNumber
    starts: bool
    """Nothing older is needed."""
    next_index: Index
    """Where the log goes on."""
    chain: int
    hard_state: HardState | None


_decode_head = msgspec.msgpack.Decoder(SegmentHead).decode


_decode_batch = msgspec.msgpack.Decoder(tuple[msgspec.Raw, ...]).decode


def encode_batch(payloads: Sequence[bytes]) -> bytes:
    """Encoded records as one MessagePack array."""
    count = len(payloads)
    head = bytes([0x90 | count]) if count < 16 else b"\xdd" + _LENGTH(count)
    return head + b"".join(payloads)


class LogImage(Value, frozen=True):
    """What the disk held at boot."""

    hard_state: HardState | None = None
    entries: tuple[Entry, ...] = ()
    payloads: tuple[bytes, ...] = ()
    """Every record in clear, heads left out."""
    segments: tuple[SegmentHead, ...] = ()
    """Those that make up the log, oldest first."""
    next_index: Index = 1
    chain: int = 0
    last: tuple[bytes, ...] = ()
    """The sealed records of the last segment."""
    torn_bytes: int = 0
    """What a crash left behind them."""
    obsolete: tuple[str, ...] = ()
    """Files that are not needed any more."""


EMPTY = LogImage()


def segment_name(number: SegmentNumber) -> str:
    """The file of a segment."""
    return f"{FOLDER}{number:016d}"


def is_segment(file: str) -> bool:
    """Whether a file is part of the log."""
    return file.startswith(FOLDER)


class _Segment(Value, frozen=True):
    """A segment whose head is read."""

    head: SegmentHead
    records: tuple[bytes, ...]
    torn_bytes: int


def read(disk: Mapping[str, bytes], sealer: Sealer = PLAIN, covered: Index = 0) -> LogImage:
    """Read the log in a node's files; a snapshot covers entries up to `covered`.

    Raises:
        StorageCorrupt: damage that no crash explains, another key, or records that are no log.
    """
    numbers = sorted(_number(file) for file in disk if is_segment(file))
    if not numbers:
        return EMPTY
    needed: list[_Segment] = []
    for number in reversed(numbers):
        if needed and number != needed[-1].head.number - 1:
            break
        needed.append(_open(disk, number, sealer, last=not needed))
        if needed[-1].head.starts:
            break
    needed.reverse()
    head = needed[0].head
    if not head.starts and head.next_index > covered + 1:
        raise StorageCorrupt(f"{segment_name(head.number - 1)}: the segment is missing")
    reader = _Reader(head)
    for segment in needed:
        reader.take(segment, sealer)
    obsolete = tuple(segment_name(number) for number in numbers if number < head.number)
    return reader.image(needed, obsolete)


def _number(file: str) -> SegmentNumber:
    digits = file.removeprefix(FOLDER)
    if len(digits) != 16 or not (digits.isascii() and digits.isdigit()) or int(digits) == 0:
        raise StorageCorrupt(f"{file}: not a segment of the log")
    return int(digits)


def _open(
    disk: Mapping[str, bytes], number: SegmentNumber, sealer: Sealer, *, last: bool
) -> _Segment:
    name = segment_name(number)
    recovered = recover(disk[name], name)
    if not recovered.records:
        raise StorageCorrupt(f"{name}: the segment has no head")
    if recovered.torn_bytes and not last:
        raise StorageCorrupt(f"{name}: the segment's end is damaged")
    try:
        head = _decode_head(_unseal(recovered.records[0], number, 0, sealer))
    except (msgspec.DecodeError, ValueError) as error:
        raise StorageCorrupt(f"{name}: not a segment's head: {error}") from None
    if head.format != FORMAT:
        raise StorageCorrupt(f"{name}: unknown format version {head.format}")
    if head.number != number:
        raise StorageCorrupt(f"{name}: this is segment {head.number}")
    return _Segment(head, recovered.records, recovered.torn_bytes)


def _unseal(record: bytes, number: SegmentNumber, at: int, sealer: Sealer) -> bytes:
    try:
        return sealer.unseal(record, place(number, at))
    except StorageCorrupt as error:
        where = f"{segment_name(number)}, record {at + 1}"
        raise StorageCorrupt(f"{where}: {error.message}") from None


class _Reader:
    """Puts the records of a log together."""

    __slots__ = ("_chain", "_entries", "_first", "_hard", "_name", "_payloads", "_starts")

    def __init__(self, head: SegmentHead) -> None:
        self._first = head.next_index
        self._starts = head.starts
        self._chain = head.chain
        self._hard = head.hard_state
        self._entries: list[Entry] = []
        self._payloads: list[bytes] = []
        self._name = ""

    @property
    def _next(self) -> Index:
        return self._first + len(self._entries)

    def take(self, segment: _Segment, sealer: Sealer) -> None:
        """One segment, behind those taken before."""
        head = segment.head
        self._name = segment_name(head.number)
        if (head.chain, head.next_index, head.hard_state) != (self._chain, self._next, self._hard):
            raise StorageCorrupt(f"{self._name}: records are missing before this segment")
        for at in range(1, len(segment.records)):
            batch = _unseal(segment.records[at], head.number, at, sealer)
            self._chain = crc32(batch, self._chain)
            self._batch(batch)

    def _batch(self, batch: bytes) -> None:
        try:
            payloads = [bytes(payload) for payload in _decode_batch(batch)]
        except (msgspec.DecodeError, ValueError) as error:
            raise StorageCorrupt(f"{self._name}: not a batch of records: {error}") from None
        self._payloads += payloads
        for payload in payloads:
            record = codec.decode_record(payload)
            if isinstance(record, Entry):
                self._place(record)
            else:
                self._state(record)

    def _place(self, entry: Entry) -> None:
        index, committed = entry.index, self._hard.commit if self._hard is not None else 0
        lowest = self._first if self._starts else 1
        if not lowest <= index <= self._next:
            what = f"entry {index} follows entry {self._next - 1}"
            raise StorageCorrupt(f"{self._name}: {what}")
        if index < self._next:
            if index <= committed:
                what = f"entry {index} was committed, and written again"
                raise StorageCorrupt(f"{self._name}: {what}")
            # The first segment that is left may replace entries of one that is gone.
            self._first = min(self._first, index)
            del self._entries[index - self._first :]
        self._entries.append(entry)

    def _state(self, record: HardState) -> None:
        if self._hard is not None and record.term < self._hard.term:
            raise StorageCorrupt(f"{self._name}: the term falls to {record.term}")
        self._hard = record

    def image(self, needed: list[_Segment], obsolete: tuple[str, ...]) -> LogImage:
        """The whole log."""
        last = needed[-1]
        return LogImage(
            self._hard,
            tuple(self._entries),
            tuple(self._payloads),
            tuple(segment.head for segment in needed),
            self._next,
            self._chain,
            last.records,
            last.torn_bytes,
            obsolete,
        )
