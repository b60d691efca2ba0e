"""A member's log on disk, in one file of plain records: entries and hard states, as they come.

    records:  entry · entry · hard state · entry · …

The swarm's own log (`manager/wal.py`) has segments, seals and snapshots besides; a hunt of
consensus needs none of these, and its oracles read records as they are written.

Invariants:
    I1. Writes end in the order in which they were given; `barrier` names the last one that has
        not ended, so that a message sent `after=barrier` leaves when all of them are durable.
    I2. A torn tail is cut off on disk before anything is appended behind it.

Not here: framing and checksums (`base/records.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from simswarm.base.effects import Outbox, Token, WriteMode
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import recover
from simswarm.base.values import Value
from simswarm.raft import Entry, HardState, Index
from simswarm.wire import codec

WAL_FILE = "wal"
_APPEND = WriteMode.APPEND
"""Looking a member up in its class is slow before Python 3.12."""


class LogImage(Value, frozen=True):
    """What the disk held at boot."""

    hard_state: HardState | None
    entries: tuple[Entry, ...]
    records: tuple[bytes, ...]
    torn_bytes: int


class Batch(Value, frozen=True):
    """One write under way. `last` is its last entry, if it has any."""

    token: Token
    last: Entry | None


def read(image: bytes) -> LogImage:
    """Read the file's bytes.

    Raises:
        StorageCorrupt: damage that no crash explains, or records that are no log.
    """
    recovered = recover(image, WAL_FILE)
    hard_state: HardState | None = None
    entries: list[Entry] = []
    for payload in recovered.records:
        match codec.decode_record(payload):
            case HardState() as record:
                if hard_state is not None and record.term < hard_state.term:
                    raise StorageCorrupt(f"{WAL_FILE}: the term falls to {record.term}")
                hard_state = record
            case Entry() as record:
                committed = hard_state.commit if hard_state is not None else 0
                _place(entries, record, committed)
    return LogImage(hard_state, tuple(entries), recovered.records, recovered.torn_bytes)


def _place(entries: list[Entry], entry: Entry, committed: Index) -> None:
    if not 1 <= entry.index <= len(entries) + 1:
        raise StorageCorrupt(f"{WAL_FILE}: entry {entry.index} follows entry {len(entries)}")
    if entry.index <= committed:
        raise StorageCorrupt(f"{WAL_FILE}: entry {entry.index} was committed, and written again")
    if entry.index <= len(entries):
        del entries[entry.index - 1 :]
    entries.append(entry)


class WriteAheadLog:
    """Writes batches and remembers which are durable."""

    __slots__ = ("_out", "_under_way")

    def __init__(self, out: Outbox) -> None:
        self._out = out
        self._under_way: deque[Batch] = deque()

    @property
    def barrier(self) -> Token:
        """The newest write that is not durable yet; 0 if all are."""
        return self._under_way[-1].token if self._under_way else 0

    def repair(self, image: LogImage) -> None:
        """Cut a torn tail off: what is appended behind it could not be read again."""
        if image.torn_bytes:
            token = self._out.write(WAL_FILE, WriteMode.REPLACE, image.records)
            self._under_way.append(Batch(token, None))

    def append(self, entries: Sequence[Entry], hard_state: HardState | None) -> None:
        """Make a batch durable; nothing to do for an empty one."""
        if not entries and hard_state is None:
            return
        records = [codec.encode_record(entry) for entry in entries]
        if hard_state is not None:
            records.append(codec.encode_record(hard_state))
        token = self._out.write(WAL_FILE, _APPEND, tuple(records))
        self._under_way.append(Batch(token, entries[-1] if entries else None))

    def written(self, token: Token) -> Batch | None:
        """The batch whose write has just ended; None if it is none of this file's."""
        if self._under_way and self._under_way[0].token == token:
            return self._under_way.popleft()
        assert all(batch.token != token for batch in self._under_way), "writes end in order"
        return None
