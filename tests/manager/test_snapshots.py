"""A snapshot reads back as the state it was taken of, or is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import frame_file
from simswarm.base.time import SECOND
from simswarm.manager.snapshots import (
    SnapshotEncoder,
    SnapshotHead,
    objects_of,
    read_snapshot,
    snapshot_name,
    snapshot_records,
)
from simswarm.pki import PLAIN, KeySealer
from simswarm.raft.messages import Membership, Snapshot
from simswarm.store.tables import KINDS
from tests.manager.trio import Trio, create

MEMBERS = Membership((1, 2, 3))
NAME = snapshot_name(9)
SMALL = Snapshot(9, 2, MEMBERS, frame_file((b"\x90", b"\x90")))


def sealer(key: bytes = b"k" * 32) -> KeySealer:
    return KeySealer((key,), SeededEntropy(1))


def encoded(encoder: SnapshotEncoder) -> Snapshot:
    while encoder.advance():
        pass
    return encoder.finished()


@pytest.fixture(scope="module")
def trio() -> Trio:
    made = Trio()
    for number in range(7):
        made.ask("m1", create(f"service{number}"))
    made.advance(3 * SECOND)
    return made


@pytest.mark.parametrize("size", [1, 3, 200])
def test_a_store_in_slices_is_the_same_store(trio, size):
    store = trio.manager("m1").store
    snapshot = encoded(SnapshotEncoder(store.capture(), 1, MEMBERS, size))
    expected = [item for kind in KINDS.values() for item in store.find(kind)]
    assert list(objects_of(snapshot.data)) == expected
    assert (snapshot.index, snapshot.term, snapshot.membership) == (store.index, 1, MEMBERS)


def test_all_managers_encode_the_same_bytes(trio):
    images = {
        encoded(SnapshotEncoder(trio.manager(name).store.capture(), 1, MEMBERS)).data
        for name in trio.hosts
    }
    assert len(images) == 1


def test_the_store_may_go_on_while_a_capture_is_encoded():
    trio = Trio()
    trio.ask("m1", create("first"))
    store = trio.manager("m1").store
    encoder = SnapshotEncoder(store.capture(), 1, MEMBERS, 1)
    before = [item for kind in KINDS.values() for item in store.find(kind)]
    encoder.advance()
    trio.ask("m1", create("second"))
    assert list(objects_of(encoded(encoder).data)) == before


def test_the_newest_snapshot_counts_and_older_files_are_named():
    by = sealer()
    older = msgspec.structs.replace(SMALL, index=8)
    disk = {
        NAME: frame_file(snapshot_records(SMALL, by)),
        snapshot_name(8): frame_file(snapshot_records(older, by)),
        "wal/0000000000000001": b"",
    }
    assert read_snapshot(disk, by) == (SMALL, (snapshot_name(8),))
    assert read_snapshot({}, by) == (None, ())


@given(st.data())
def test_a_snapshot_that_is_cut_or_damaged_is_refused(data):
    content = frame_file(snapshot_records(SMALL, sealer()))
    if data.draw(st.booleans()):
        damaged = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        changed = bytearray(content)
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        changed[bit // 8] ^= 1 << bit % 8
        damaged = bytes(changed)
    with pytest.raises(StorageCorrupt):
        read_snapshot({NAME: damaged}, sealer())


def test_moved_exchanged_and_foreign_records_are_refused():
    records = snapshot_records(SMALL, sealer())
    for name, some, by in (
        (snapshot_name(8), records, sealer()),
        (NAME, (records[0], records[2], records[1]), sealer()),
        (NAME, records[:2], sealer()),
        (NAME, records, sealer(b"o" * 32)),
        (NAME, records, PLAIN),
        ("snap/9", records, sealer()),
    ):
        with pytest.raises(StorageCorrupt):
            read_snapshot({name: frame_file(some)}, by)


@pytest.mark.parametrize("field", ["format", "index", "slices", "checksum"])
def test_every_field_of_a_head_is_believed_only_if_it_fits(field):
    records = list(snapshot_records(SMALL, PLAIN))
    head = msgspec.msgpack.decode(PLAIN.unseal(records[0], b""), type=SnapshotHead)
    changed = msgspec.structs.replace(head, **{field: getattr(head, field) + 1})
    records[0] = PLAIN.seal(msgspec.msgpack.encode(changed), b"")
    with pytest.raises(StorageCorrupt):
        read_snapshot({NAME: frame_file(tuple(records))}, PLAIN)


def test_an_object_of_an_unknown_kind_is_refused():
    with pytest.raises(StorageCorrupt, match="unknown kind"):
        objects_of(frame_file((b"\x91\x92\x63\x01",)))
