"""The write-ahead log reads back what was written, and refuses what no crash leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.effects import Outbox, Write, WriteMode
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import HEADER, frame_file
from simswarm.base.time import Now
from simswarm.manager.wal import WAL_FILE, WriteAheadLog, read
from simswarm.raft import Entry, HardState
from simswarm.wire import codec


def image(*records: Entry | HardState) -> bytes:
    return frame_file(tuple(codec.encode_record(record) for record in records))


def entry(term: int, index: int) -> Entry:
    return Entry(term, index, b"%d.%d" % (term, index))


def log() -> tuple[Outbox, WriteAheadLog]:
    out = Outbox(codec.encode, Now(0, 0))
    return out, WriteAheadLog(out)


def test_a_new_disk_is_an_empty_log():
    assert (read(b"").entries, read(b"").hard_state) == ((), None)
    assert read(HEADER).entries == ()


def test_a_later_entry_replaces_everything_from_its_index_on():
    on_disk = read(image(entry(1, 1), entry(1, 2), entry(1, 3), entry(2, 2)))
    assert on_disk.entries == (entry(1, 1), entry(2, 2))


def test_the_last_hard_state_counts():
    states = HardState(1, 2, 0), HardState(3, 0, 1)
    assert read(image(states[0], entry(1, 1), states[1])).hard_state == states[1]


@pytest.mark.parametrize(
    "records",
    [
        (entry(1, 2),),
        (entry(1, 1), entry(1, 3)),
        (entry(1, 0),),
        (entry(1, 1), HardState(1, 0, 1), entry(2, 1)),
        (HardState(3, 0, 0), HardState(2, 0, 0)),
    ],
)
def test_records_that_are_no_log_are_refused(records):
    with pytest.raises(StorageCorrupt):
        read(image(*records))


def test_a_record_of_an_unknown_kind_is_refused():
    with pytest.raises(StorageCorrupt, match="unknown kind"):
        read(frame_file((b"\x92\x63\x01",)))


def test_one_write_a_batch_entries_first():
    out, wal = log()
    wal.append((entry(1, 1), entry(1, 2)), HardState(1, 2, 0))
    (write,) = out.drain()
    assert isinstance(write, Write)
    assert (write.file, write.mode) == (WAL_FILE, WriteMode.APPEND)
    assert [type(codec.decode_record(record)) for record in write.records] == [
        Entry, Entry, HardState,
    ]  # fmt: skip


def test_an_empty_batch_writes_nothing():
    out, wal = log()
    wal.append((), None)
    assert out.drain() == []
    assert wal.barrier == 0


def test_the_barrier_is_the_newest_write_under_way():
    out, wal = log()
    wal.append((entry(1, 1),), None)
    wal.append((), HardState(1, 0, 0))
    first, second = (write.token for write in out.drain() if isinstance(write, Write))
    assert wal.barrier == second
    assert wal.written(99) is None
    batch = wal.written(first)
    assert batch is not None
    assert batch.last == entry(1, 1)
    assert wal.barrier == second
    wal.written(second)
    assert wal.barrier == 0


def test_a_torn_tail_is_replaced_by_the_whole_records():
    out, wal = log()
    on_disk = read(image(entry(1, 1), entry(1, 2))[:-1])
    assert on_disk.entries == (entry(1, 1),)
    wal.repair(on_disk)
    (write,) = out.drain()
    assert isinstance(write, Write)
    assert write.mode is WriteMode.REPLACE
    assert read(frame_file(write.records)).entries == (entry(1, 1),)
    assert wal.barrier == write.token


def test_a_whole_file_needs_no_repair():
    out, wal = log()
    wal.repair(read(image(entry(1, 1))))
    assert out.drain() == []


@given(st.data())
def test_a_log_cut_anywhere_is_a_prefix_of_itself(data):
    """Batches as Raft makes them, conflicts included; the file is then cut at any byte."""
    terms: list[int] = []
    records: list[Entry | HardState] = []
    term = 1
    for _ in range(data.draw(st.integers(1, 6))):
        term += data.draw(st.integers(0, 2))
        start = data.draw(st.integers(0, len(terms)))
        del terms[start:]
        for _ in range(data.draw(st.integers(1, 3))):
            terms.append(term)
            records.append(entry(term, len(terms)))
        records.append(HardState(term, 0, 0))
    whole = image(*records)
    cut = data.draw(st.integers(1, len(whole)))
    on_disk = read(whole[:cut])
    kept = [codec.decode_record(record) for record in on_disk.records]
    assert kept == records[: len(kept)]
    if cut == len(whole):
        assert [e.term for e in on_disk.entries] == terms
    assert [e.index for e in on_disk.entries] == list(range(1, len(on_disk.entries) + 1))
