"""The write-ahead log reads back what was written, and refuses what no crash leaves."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.effects import Outbox, Write, WriteMode
from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import HEADER, frame_file, recover
from simswarm.base.sealer import Sealer
from simswarm.base.time import Now
from simswarm.manager.segments import EMPTY, SegmentHead, encode_batch, place, read, segment_name
from simswarm.manager.wal import WAL, WriteAheadLog
from simswarm.pki import PLAIN, KeySealer
from simswarm.raft import Entry, HardState
from simswarm.wire import codec
from tests.manager.platter import Platter

FIRST, SECOND = segment_name(1), segment_name(2)
KEY = b"k" * 32
Record = Entry | HardState


def sealer(seed: int = 1, key: bytes = KEY) -> KeySealer:
    return KeySealer((key,), SeededEntropy(seed))


def entry(term: int, index: int) -> Entry:
    return Entry(term, index, b"MARKER %d.%d" % (term, index))


class Log:
    """A log and its disk."""

    def __init__(
        self,
        disk: dict[str, bytes] | None = None,
        *,
        by: Sealer = PLAIN,
        limit: int = 1 << 20,
    ) -> None:
        self.out = Outbox(codec.encode, Now(0, 0))
        self.platter = Platter()
        for name, content in (disk or {}).items():
            self.platter.files[name] = list(recover(content, name).records)
        self.wal = WriteAheadLog(self.out, by, limit)
        if disk:
            self.wal.repair(read(disk, by))

    def append(self, *records: Record, end: bool = True) -> list[Write]:
        entries = [record for record in records if isinstance(record, Entry)]
        states = [record for record in records if isinstance(record, HardState)]
        self.wal.append(entries, states[-1] if states else None)
        writes = self.platter.take(self.out.drain())
        if end:
            self.end()
        return writes

    def end(self) -> None:
        while self.platter.waiting:
            batch = self.wal.written(self.platter.end().token)
            if batch is not None:
                self.wal.remove(batch.obsolete)
            self.platter.take(self.out.drain())

    @property
    def image(self) -> dict[str, bytes]:
        return self.platter.image()


def written(*batches: tuple[Record, ...], by: Sealer = PLAIN, limit: int = 1 << 20) -> Log:
    log = Log(by=by, limit=limit)
    for batch in batches:
        log.append(*batch)
    return log


def three_segments(by: Sealer = PLAIN) -> Log:
    return written(
        (entry(1, 1), HardState(1, 1, 0)),
        (entry(1, 2), HardState(1, 1, 1)),
        (entry(1, 3), HardState(1, 1, 2)),
        by=by,
        limit=1,
    )


def test_a_new_disk_is_an_empty_log():
    assert read({}) == EMPTY
    assert read({"tasks": b"\x01"}) == EMPTY


def test_a_later_entry_replaces_everything_from_its_index_on():
    log = written((entry(1, 1), entry(1, 2), entry(1, 3)), (entry(2, 2),))
    assert read(log.image).entries == (entry(1, 1), entry(2, 2))


def test_the_last_hard_state_counts():
    states = HardState(1, 2, 0), HardState(3, 0, 1)
    log = written((entry(1, 1), states[0]), (states[1],))
    assert read(log.image).hard_state == states[1]


@pytest.mark.parametrize(
    "batches",
    [
        ((entry(1, 2),),),
        ((entry(1, 1),), (entry(1, 3),)),
        ((entry(1, 0),),),
        ((entry(1, 1), HardState(1, 0, 1)), (entry(2, 1),)),
        ((HardState(3, 0, 0),), (HardState(2, 0, 0),)),
    ],
)
def test_records_that_are_no_log_are_refused(batches):
    with pytest.raises(StorageCorrupt):
        read(written(*batches).image)


@pytest.mark.parametrize("count", [1, 15, 16, 300])
def test_a_batch_of_any_size_reads_back(count):
    entries = tuple(entry(1, number + 1) for number in range(count))
    assert read(written(entries).image).entries == entries


def test_what_is_no_batch_is_refused():
    log = written((entry(1, 1),))
    log.platter.files[FIRST].append(PLAIN.seal(b"\x92\x63", b""))
    with pytest.raises(StorageCorrupt, match="not a batch"):
        read(log.image)


def test_a_record_of_an_unknown_kind_is_refused():
    log = written((entry(1, 1),))
    log.platter.files[FIRST].append(PLAIN.seal(b"\x91\x92\x63\x01", b""))
    with pytest.raises(StorageCorrupt, match="unknown kind"):
        read(log.image)


def test_one_write_a_batch_entries_first_behind_the_segments_head():
    log = Log()
    (write,) = log.append(entry(1, 1), entry(1, 2), HardState(1, 2, 0), end=False)
    assert (write.file, write.mode) == (FIRST, WriteMode.REPLACE)
    clear = [PLAIN.unseal(record, b"") for record in write.records]
    head = msgspec.msgpack.decode(clear[0], type=SegmentHead)
    assert head == SegmentHead(1, 1, True, 1, 0, None)
    payloads = read({FIRST: frame_file(write.records)}).payloads
    assert [type(codec.decode_record(record)) for record in payloads] == [Entry, Entry, HardState]
    assert clear[1] == encode_batch(payloads)
    assert log.wal.in_clear(write) == Write(WAL, WriteMode.APPEND, payloads, write.token)
    (write,) = log.append(entry(1, 3))
    assert (write.file, write.mode, len(write.records)) == (FIRST, WriteMode.APPEND, 1)
    assert log.wal.in_clear(write) is None, "it is not under way any more"


def test_an_empty_batch_writes_nothing():
    log = Log()
    assert log.append() == []
    assert log.wal.barrier == 0


def test_the_barrier_is_the_newest_write_under_way():
    log = Log()
    (first,) = log.append(entry(1, 1), end=False)
    (second,) = log.append(HardState(1, 0, 0), end=False)
    assert log.wal.barrier == second.token
    assert log.wal.written(99) is None
    batch = log.wal.written(first.token)
    assert batch is not None
    assert batch.last == entry(1, 1)
    assert log.wal.barrier == second.token
    log.wal.written(second.token)
    assert log.wal.barrier == 0


def test_a_torn_tail_is_replaced_by_the_whole_records():
    image = written((entry(1, 1),), (entry(1, 2),)).image
    image[FIRST] = image[FIRST][:-1]
    assert read(image).entries == (entry(1, 1),)
    log = Log(image)
    (write,) = log.platter.take(log.out.drain())
    assert write.mode is WriteMode.REPLACE
    assert log.wal.barrier == write.token
    log.append(entry(2, 2))
    assert read(log.image).entries == (entry(1, 1), entry(2, 2))


def test_a_whole_log_needs_no_repair():
    log = Log(three_segments().image)
    assert log.out.drain() == []


# ── segments ─────────────────────────────────────────────────────────────────────────────────


def test_a_full_segment_is_followed_by_another_that_knows_what_was_before():
    log = three_segments()
    assert list(log.image) == [segment_name(number) for number in (1, 2, 3)]
    assert log.wal.segments == tuple(log.image)
    on_disk = read(log.image)
    assert on_disk.entries == (entry(1, 1), entry(1, 2), entry(1, 3))
    assert [head.next_index for head in on_disk.segments] == [1, 2, 3]
    assert [head.hard_state for head in on_disk.segments] == [
        None, HardState(1, 1, 0), HardState(1, 1, 1),
    ]  # fmt: skip


def test_a_segment_begins_only_when_the_one_before_is_durable():
    log = Log(limit=1)
    writes = [log.append(entry(1, number), end=False)[0] for number in (1, 2, 3)]
    assert {write.file for write in writes} == {FIRST}
    log.end()
    assert log.append(entry(1, 4))[0].file == SECOND


def test_a_log_goes_on_in_its_last_segment_after_a_boot():
    log = Log(three_segments().image, limit=1 << 20)
    (write,) = log.append(entry(1, 4))
    assert (write.file, write.mode) == (segment_name(3), WriteMode.APPEND)
    assert [one.index for one in read(log.image).entries] == [1, 2, 3, 4]


def test_only_the_end_of_the_last_segment_may_be_torn():
    whole = three_segments(sealer()).image
    for name in whole:
        for size in range(len(whole[name])):
            image = {**whole, name: whole[name][:size]}
            if name != segment_name(3):
                with pytest.raises(StorageCorrupt):
                    read(image, sealer())
                continue
            try:
                kept = read(image, sealer()).payloads
            except StorageCorrupt:
                assert not recover(image[name], name).records, "no crash tears a head"
            else:
                assert kept == read(whole, sealer()).payloads[: len(kept)]


@pytest.mark.parametrize("missing", [1, 2])
def test_a_missing_segment_is_refused(missing):
    image = three_segments().image
    del image[segment_name(missing)]
    with pytest.raises(StorageCorrupt, match=f"{segment_name(missing)}: the segment is missing"):
        read(image)


def test_a_snapshot_stands_for_segments_that_are_gone():
    image = three_segments().image
    del image[FIRST]
    on_disk = read(image, covered=1)
    assert on_disk.entries == (entry(1, 2), entry(1, 3))
    assert on_disk.hard_state == HardState(1, 1, 2)


def test_what_is_left_may_replace_entries_of_a_segment_that_is_gone():
    log = written((entry(1, 1), entry(1, 2)), (entry(2, 2), entry(2, 3)), limit=1)
    image = log.image
    del image[FIRST]
    assert read(image, covered=2).entries == (entry(2, 2), entry(2, 3))


def test_records_missing_at_a_segments_end_are_noticed():
    for by in (PLAIN, sealer()):
        log = three_segments(by)
        log.platter.files[SECOND].pop()
        with pytest.raises(StorageCorrupt, match="records are missing before"):
            read(log.image, by)


@pytest.mark.parametrize("name", ["wal/1", "wal/000000000000000x", "wal/0000000000000000", "wal/"])
def test_a_stranger_among_the_segments_is_refused(name):
    with pytest.raises(StorageCorrupt, match="not a segment"):
        read({name: HEADER})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "unknown format version 2"),
        ({"number": 7}, "this is segment 7"),
        ({"chain": 7}, "records are missing"),
        ({"next_index": 7}, "records are missing"),
        ({"hard_state": None}, "records are missing"),
    ],
)
def test_every_field_of_a_head_is_believed_only_if_it_fits(change, said):
    log = three_segments()
    records = log.platter.files[SECOND]
    head = msgspec.msgpack.decode(PLAIN.unseal(records[0], b""), type=SegmentHead)
    changed = msgspec.structs.replace(head, **change)
    records[0] = PLAIN.seal(msgspec.msgpack.encode(changed), b"")
    with pytest.raises(StorageCorrupt, match=said):
        read(log.image)


def test_a_segment_without_a_head_is_refused():
    for image in (b"", HEADER, frame_file((PLAIN.seal(b"\x90", b""),))):
        with pytest.raises(StorageCorrupt, match="head"):
            read({FIRST: image})


def test_a_rewritten_log_starts_anew_and_the_old_segments_go():
    log = three_segments()
    entries = read(log.image).entries
    token = log.wal.rewrite(entries)
    (write,) = log.platter.take(log.out.drain())
    assert (write.token, write.file, write.mode) == (token, segment_name(4), WriteMode.REPLACE)
    assert log.wal.in_clear(write) == Write(WAL, WriteMode.APPEND, (), token)
    log.append(entry(1, 4), end=False)
    assert log.platter.end() == write
    both = read(log.image)
    assert both.obsolete == tuple(segment_name(number) for number in (1, 2, 3))
    assert (both.entries, both.hard_state) == (entries, HardState(1, 1, 2))
    log.wal.remove(log.wal.written(token).obsolete)
    log.platter.take(log.out.drain())
    log.end()
    assert list(log.image) == [segment_name(4)]
    assert read(log.image).entries == (*entries, entry(1, 4))


# ── sealed ───────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_on_a_sealed_disk_in_clear():
    sealed = b"".join(three_segments(sealer()).image.values())
    assert b"MARKER" not in sealed
    assert b"segment" not in sealed
    assert b"MARKER" in b"".join(three_segments().image.values())


def test_another_key_is_refused_with_the_place():
    image = three_segments(sealer()).image
    with pytest.raises(StorageCorrupt, match=f"{segment_name(3)}, record 1: .* another key"):
        read(image, sealer(key=b"o" * 32))
    with pytest.raises(StorageCorrupt, match="there is no key"):
        read(image)


def test_sealed_records_that_were_moved_are_found_out():
    whole = three_segments(sealer()).platter.files
    names = list(whole)
    for one, other in ((0, 1), (1, 2), (0, 2)):
        files = dict(whole)
        files[names[one]], files[names[other]] = files[names[other]], files[names[one]]
        with pytest.raises(StorageCorrupt):
            read({name: frame_file(tuple(records)) for name, records in files.items()}, sealer())
    two = written((entry(1, 1),), (entry(1, 2),), by=sealer()).platter.files[FIRST]
    for change in ([two[0], two[2], two[1]], [two[0], two[2]], [*two, two[1]]):
        files = {FIRST: change}
        with pytest.raises(StorageCorrupt):
            read({name: frame_file(tuple(records)) for name, records in files.items()}, sealer())


def test_the_bytes_on_the_disk_are_fixed():
    """A changed format must be a decision: old disks would not be read any more."""
    image = three_segments(sealer()).image
    assert image == three_segments(sealer()).image
    content = b"".join(name.encode() + data for name, data in sorted(image.items()))
    assert sha256(content).hexdigest()[:16] == "80cdebdc2a628a56"


@st.composite
def batches(draw) -> list[tuple[Record, ...]]:
    """As Raft makes them, conflicts included."""
    terms: list[int] = []
    made: list[tuple[Record, ...]] = []
    term, commit = 1, 0
    for _ in range(draw(st.integers(1, 8))):
        term += draw(st.integers(0, 2))
        del terms[draw(st.integers(commit, len(terms))) :]
        entries: list[Record] = []
        for _ in range(draw(st.integers(0, 3))):
            terms.append(term)
            entries.append(entry(term, len(terms)))
        commit = draw(st.integers(commit, len(terms)))
        made.append((*entries, HardState(term, 0, commit)))
    return made


def end_some(log: Log, draw) -> None:
    """A crash: a prefix of what waits is durable, perhaps with part of a record behind it."""
    for _ in range(draw(st.integers(0, len(log.platter.waiting)))):
        log.platter.end()


@given(st.data(), st.sampled_from([1, 200, 1 << 20]))
def test_a_log_that_is_crashed_or_damaged_is_a_prefix_of_itself_or_refused(data, limit):
    log, given_so_far, durable = Log(by=sealer(), limit=limit), [], 0
    boots = 1
    for batch in data.draw(batches()):
        log.append(*batch, end=False)
        given_so_far += [codec.encode_record(record) for record in batch]
        if data.draw(st.booleans()):
            log.end()
            durable = len(given_so_far)
        elif data.draw(st.integers(0, 3)) == 0:
            end_some(log, data.draw)
            image, torn = log.image, log.platter.waiting
            if torn and torn[0].mode is WriteMode.APPEND:
                rest = frame_file(torn[0].records)[1:]
                image[torn[0].file] += rest[: data.draw(st.integers(0, len(rest) - 1))]
            boots += 1
            kept = read(image, sealer()).payloads
            assert len(kept) >= durable
            assert list(kept) == given_so_far[: len(kept)]
            # what was lost can't be written on top of: this history is over
            log = Log(image, by=sealer(boots), limit=limit)
            log.platter.take(log.out.drain())
            log.end()
            assert read(log.image, sealer()).payloads == kept
            given_so_far, durable = list(kept), len(kept)
            break
    log.end()
    image = log.image
    if not image:
        return
    name = data.draw(st.sampled_from(sorted(image)))
    content = bytearray(image[name])
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    try:
        kept = read({**image, name: bytes(content)}, sealer()).payloads
    except StorageCorrupt:
        return
    assert list(kept) == given_so_far[: len(kept)]
    assert name == max(image), "damage before the last segment is refused"


def test_a_place_is_of_one_size_so_that_no_two_are_alike():
    assert len({place(1, 2), place(2, 1), place(12, 0), place(1, 20)}) == 4
