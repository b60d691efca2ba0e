"""Files: durable only after an fsync, and what a crash may take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.effects import Write, WriteMode
from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import frame_file, recover
from simswarm.base.time import MILLISECOND, SECOND
from simswarm.sim.distributions import Draws, Fixed, Uniform, sampler
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.machine.disk import Disk, DiskFault

APPEND, REPLACE, REMOVE = WriteMode.APPEND, WriteMode.REPLACE, WriteMode.REMOVE


class Bench:
    """A disk, and what it told."""

    def __init__(self, seed=1, fsync=None):
        self.env = SimEnvironment()
        self.told = []
        self.token = 0
        source = sampler(fsync or Fixed(MILLISECOND))
        self.disk = Disk(self.env, Draws(SeededEntropy(seed)), source, self)

    def written(self, token, error):
        self.told.append((self.env.now, token, error))

    def write(self, *records, file="wal", mode=APPEND):
        self.token += 1
        self.disk.write(Write(file, mode, records, self.token))
        return self.token

    def run(self, span=SECOND):
        self.env.run(until=self.env.now + span)

    def records(self, file="wal"):
        image = self.disk.load()
        return recover(image[file], file).records if file in image else None


def test_a_write_is_durable_after_one_fsync():
    bench = Bench()
    bench.write(b"a", b"b")
    assert bench.told == []
    bench.run()
    assert bench.told == [(MILLISECOND, 1, None)]
    assert bench.disk.load() == {"wal": frame_file((b"a", b"b"))}


def test_appends_that_arrive_during_an_fsync_share_the_next():
    bench = Bench()
    bench.write(b"a")
    bench.run(MILLISECOND // 2)
    bench.write(b"b")
    bench.write(b"c")
    bench.run()
    assert bench.told == [
        (MILLISECOND, 1, None),
        (2 * MILLISECOND, 2, None),
        (2 * MILLISECOND, 3, None),
    ]


def test_files_do_not_wait_for_each_other():
    bench = Bench()
    bench.write(b"a", file="one")
    bench.write(b"b", file="two")
    bench.run()
    assert [at for at, _, _ in bench.told] == [MILLISECOND, MILLISECOND]


def test_replace_and_remove_stand_alone_and_in_order():
    bench = Bench()
    bench.write(b"a")
    bench.write(b"b")
    bench.write(b"new", mode=REPLACE)
    bench.write(b"c")
    bench.run()
    assert bench.records() == (b"new", b"c")
    bench.write(mode=REMOVE)
    bench.run()
    assert bench.records() is None
    bench.write(b"again")
    bench.run()
    assert bench.records() == (b"again",)


writes = st.lists(
    st.tuples(
        st.sampled_from([APPEND, APPEND, APPEND, REPLACE, REMOVE]),
        st.lists(st.binary(max_size=5), max_size=3),
        st.integers(0, 2 * MILLISECOND),
    ),
    max_size=12,
)


def states(operations):
    """The contents a file goes through: records, or None where it does not exist."""
    now, seen = None, [None]
    for mode, records in operations:
        if mode is APPEND:
            now = list(now or [])
            seen.append(list(now))
            for record in records:
                now = [*now, record]
                seen.append(now)
        else:
            now = list(records) if mode is REPLACE else None
            seen.append(now)
    return seen


@given(writes, st.integers(0, 10_000), st.sampled_from(["nothing", "unsynced", "disk"]))
def test_a_crash_keeps_what_was_durable_and_a_prefix_of_the_rest(script, seed, lose):
    bench = Bench(seed, Uniform(0, 2 * MILLISECOND))
    operations = []
    for mode, records, pause in script:
        bench.write(*records, mode=mode)
        operations.append((mode, records))
        bench.run(pause + 1)
    durable = max((token for _, token, _ in bench.told), default=0)
    bench.disk.crash(lose)
    found = bench.records()
    found = None if found is None else list(found)
    if lose == "disk":
        assert found is None
    elif lose == "nothing":
        assert found == states(operations)[-1]
    else:
        after_durable = len(states(operations[:durable])) - 1
        possible = states(operations)[after_durable:]
        assert found in possible or (found == [] and None in possible)  # made, still empty
    bench.run()
    assert max((token for _, token, _ in bench.told), default=0) == durable


def test_a_power_loss_tears_the_next_record_now_and_then_and_the_tail_is_cut_off_once():
    torn = 0
    for seed in range(60):
        bench = Bench(seed)
        bench.write(b"first")
        bench.run()
        bench.write(b"second", b"third")
        bench.disk.crash("unsynced")
        image = bench.disk.load()["wal"]
        recovered = recover(image, "wal")
        torn += recovered.torn_bytes > 0
        assert recovered.records == (b"first", b"second", b"third")[: len(recovered.records)]
        assert len(recovered.records) >= 1
        assert recover(bench.disk.load()["wal"], "wal").torn_bytes == 0
        bench.write(b"next")
        bench.run()
        assert bench.records() == (*recovered.records, b"next")
    assert 10 < torn < 50


def test_a_failed_fsync_fails_every_later_write_of_the_file_until_the_next_boot():
    bench = Bench()
    bench.write(b"a")
    bench.run()
    bench.disk.fault = DiskFault(error=True)
    bench.write(b"b")
    bench.run()
    bench.disk.fault = DiskFault()
    bench.write(b"c")
    bench.write(b"x", file="other")
    bench.run()
    errors = [error for _, _, error in bench.told]
    assert errors == [None, "wal: Input/output error", "wal: Input/output error", None]
    bench.disk.crash("nothing")
    assert bench.records() in [(b"a",), (b"a", b"b")]
    bench.write(b"d")
    bench.run()
    assert bench.records()[-1] == b"d"


def test_a_full_disk_refuses_what_needs_room():
    bench = Bench()
    bench.disk.fault = DiskFault(full=True)
    bench.write(b"a")
    bench.write(file="old", mode=REMOVE)
    bench.run()
    assert sorted(bench.told) == [
        (MILLISECOND, 1, "wal: No space left on device"),
        (MILLISECOND, 2, None),
    ]
    assert bench.records() is None


def test_a_slow_disk_takes_longer():
    bench = Bench()
    bench.disk.fault = DiskFault(slow=SECOND)
    bench.write(b"a")
    bench.run(5 * SECOND)
    assert bench.told == [(SECOND + MILLISECOND, 1, None)]


@pytest.mark.parametrize("seed", range(20))
def test_corruption_is_found_when_the_file_is_read(seed):
    bench = Bench(seed)
    assert bench.disk.corrupt() == ""
    bench.write(b"one", b"", b"three")
    bench.run()
    hit = bench.disk.corrupt("wal")
    image = bench.disk.load()["wal"]
    clean = frame_file((b"one", b"", b"three"))
    assert sum((a ^ b).bit_count() for a, b in zip(image, clean, strict=True)) == 1
    if hit == "wal, record 3":  # not to be told from a torn tail
        assert recover(image, "wal").records == (b"one", b"")
    else:
        with pytest.raises(StorageCorrupt, match=hit.split(", ")[1]):
            recover(image, "wal")


def test_a_crash_within_a_batch_of_reports_ends_them():
    bench = Bench()

    class Fatal(Bench):
        def written(self, token, error):
            super().written(token, error)
            if token == 2:
                self.disk.crash("nothing")

    bench = Fatal()
    for record in (b"a", b"b", b"c"):
        bench.write(record)
    bench.run()
    assert [token for _, token, _ in bench.told] == [1, 2]
    assert bench.records() == (b"a", b"b", b"c")
