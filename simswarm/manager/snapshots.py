"""Snapshots: the store's state after an entry, in slices, and the file that keeps one.

    Store.capture (O(1)) ──> SnapshotEncoder.advance, advance … ──> Snapshot ──> file, or a peer
                               a slice a step: objects as bytes

    snap/0000000000010000   head {index, term, membership, slices, checksum} · slice · slice …

A snapshot's data is its slices, each framed as a record: the same bytes go to the disk and to a
follower that lacks them.

Invariants:
    I1. A file is written whole by one REPLACE: a crash leaves all of it or nothing, and one that
        is not whole is damage: refused.
    I2. Each record is sealed for its snapshot and its place in it.
    I3. The same state gives the same data on all managers: kinds and ids have an order.

Source: swarmkit manager/state/raft/storage.go; api Snapshot.
Not here: when one is made and what it replaces in the log; that the store takes one back. Neither
is built yet: managers keep their log whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from zlib import crc32

import msgspec

from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import frame_file, recover
from simswarm.base.sealer import Sealer
from simswarm.base.values import Value
from simswarm.model.objects import StoredObject
from simswarm.raft.messages import Index, Membership, Snapshot, Term
from simswarm.wire.codec import NOT_A_VALUE

FOLDER = "snap/"
FORMAT = 1
SLICE_OBJECTS = 200
"""So many objects are encoded in a step: about a millisecond."""
_place = Struct("<4sQQ").pack


class SnapshotHead(Value, frozen=True, tag="snapshot"):
    """The first record of a snapshot's file."""

    format: int
    index: Index
    term: Term
    membership: Membership
    slices: int
    checksum: int
    """Over all slices."""


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(SnapshotHead).decode
_objects: msgspec.msgpack.Decoder[tuple[StoredObject, ...]] = msgspec.msgpack.Decoder(
    tuple[StoredObject, ...]
)


class SnapshotEncoder:
    """Encodes one capture of a store, a slice at a time; the store may go on meanwhile."""

    __slots__ = ("_at", "_membership", "_objects", "_slice", "_slices", "_term", "index")

    def __init__(
        self,
        capture: tuple[Index, Sequence[Mapping[str, StoredObject]]],
        term: Term,
        membership: Membership,
        slice_objects: int = SLICE_OBJECTS,
    ) -> None:
        """`capture` is `Store.capture()`, `term` that of the entry at its index."""
        self.index, tables = capture
        self._term = term
        self._membership = membership
        self._objects = [rows[id] for rows in tables for id in sorted(rows)]
        self._slice = slice_objects
        self._slices: list[bytes] = []
        self._at = 0

    def advance(self) -> bool:
        """Encode the next slice; False when there is none left."""
        if self._at >= len(self._objects):
            return False
        end = self._at + self._slice
        self._slices.append(_encode(tuple(self._objects[self._at : end])))
        self._at = end
        return True

    def finished(self) -> Snapshot:
        """The snapshot, when everything is encoded."""
        assert self._at >= len(self._objects), "slices are left"
        data = frame_file(tuple(self._slices))
        return Snapshot(self.index, self._term, self._membership, data)


def objects_of(data: bytes) -> tuple[StoredObject, ...]:
    """The objects in a snapshot's data.

    Raises:
        StorageCorrupt: it is no such data, or of a kind that this version doesn't know.
    """
    found: list[StoredObject] = []
    for piece in _slices(data, "snapshot"):
        try:
            found += _objects.decode(piece)
        except NOT_A_VALUE as error:
            raise StorageCorrupt(f"snapshot with an object of an unknown kind: {error}") from None
    return tuple(found)


def snapshot_name(index: Index) -> str:
    """The file of a snapshot."""
    return f"{FOLDER}{index:016d}"


def snapshot_records(snapshot: Snapshot, sealer: Sealer) -> tuple[bytes, ...]:
    """The records of a snapshot's file, to be written by one REPLACE."""
    slices = _slices(snapshot.data, "snapshot")
    head = SnapshotHead(
        FORMAT,
        snapshot.index,
        snapshot.term,
        snapshot.membership,
        len(slices),
        _checksum(slices),
    )
    payloads = (_encode(head), *slices)
    return tuple(
        sealer.seal(payload, _place(b"snap", snapshot.index, at))
        for at, payload in enumerate(payloads)
    )


def read_snapshot(
    disk: Mapping[str, bytes], sealer: Sealer
) -> tuple[Snapshot | None, tuple[str, ...]]:
    """The newest snapshot in a node's files, and the files of older ones.

    Raises:
        StorageCorrupt: it is damaged, sealed with another key, or no snapshot.
    """
    names = sorted(file for file in disk if file.startswith(FOLDER))
    if not names:
        return None, ()
    newest = names[-1]
    recovered = recover(disk[newest], newest)
    if recovered.torn_bytes or not recovered.records:
        raise StorageCorrupt(f"{newest}: the snapshot is not whole")
    return _read(newest, recovered.records, sealer), tuple(names[:-1])


def _read(name: str, records: Sequence[bytes], sealer: Sealer) -> Snapshot:
    digits = name.removeprefix(FOLDER)
    if len(digits) != 16 or not (digits.isascii() and digits.isdigit()):
        raise StorageCorrupt(f"{name}: not a snapshot")
    index = int(digits)
    try:
        payloads = [
            sealer.unseal(record, _place(b"snap", index, at)) for at, record in enumerate(records)
        ]
        head = _decode_head(payloads[0])
    except StorageCorrupt as error:
        raise StorageCorrupt(f"{name}: {error.message}") from None
    except NOT_A_VALUE as error:
        raise StorageCorrupt(f"{name}: not a snapshot's head: {error}") from None
    slices = tuple(payloads[1:])
    if head.format != FORMAT:
        raise StorageCorrupt(f"{name}: unknown format version {head.format}")
    if head.index != index:
        raise StorageCorrupt(f"{name}: this is the snapshot at {head.index}")
    if (head.slices, head.checksum) != (len(slices), _checksum(slices)):
        raise StorageCorrupt(f"{name}: the snapshot is not whole")
    return Snapshot(index, head.term, head.membership, frame_file(slices))


def _slices(data: bytes, name: str) -> tuple[bytes, ...]:
    recovered = recover(data, name)
    if recovered.torn_bytes:
        raise StorageCorrupt(f"{name}: the snapshot is not whole")
    return recovered.records


def _checksum(slices: Sequence[bytes]) -> int:
    checksum = 0
    for piece in slices:
        checksum = crc32(piece, checksum)
    return checksum
