"""Real files: group commit, atomic replacement, failing fsync, torn tails."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from simswarm.base.effects import Write, WriteMode
from simswarm.base.errors import FailedPrecondition
from simswarm.base.records import frame, frame_file, recover
from simswarm.live.disk import LiveDisk


class Done:
    """Collects how writes ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, str | None]] = []

    def __call__(self, token: int, error: str | None) -> None:
        self.ended.append((token, error))

    async def until(self, count: int) -> None:
        while len(self.ended) < count:
            await asyncio.sleep(0.001)


def append(token: int, *records: bytes, file: str = "wal") -> Write:
    return Write(file, WriteMode.APPEND, records, token)


def test_what_was_written_is_found_again(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        done = Done()
        disk = LiveDisk(tmp_path, done)
        assert disk.load() == {}
        disk.write(append(1, b"a", b"b"))
        disk.write(append(2, b"c"))
        disk.write(Write("tasks/w 1", WriteMode.REPLACE, (b"x",), 3))
        disk.write(append(4, b"gone", file="old"))
        disk.write(Write("old", WriteMode.REMOVE, (), 5))
        await done.until(5)
        assert sorted(done.ended) == [(token, None) for token in range(1, 6)]
        await disk.close()
        again = LiveDisk(tmp_path, done)
        assert again.load() == {
            "wal": frame_file((b"a", b"b", b"c")),
            "tasks/w 1": frame_file((b"x",)),
        }
        await again.close()

    run(script())


def test_writes_that_arrive_during_an_fsync_share_the_next_one(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        gate, entered, syncs = threading.Event(), threading.Event(), []

        def sync(descriptor: int) -> None:
            entered.set()
            gate.wait(10)
            if not os.path.isdir(f"/proc/self/fd/{descriptor}"):
                syncs.append(descriptor)
            os.fsync(descriptor)

        done = Done()
        disk = LiveDisk(tmp_path, done, sync=sync)
        disk.write(append(1, b"0"))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        for token in range(2, 102):
            disk.write(append(token, b"%d" % token))
        assert done.ended == []
        gate.set()
        await done.until(101)
        assert [token for token, _ in done.ended] == list(range(1, 102))
        assert len(syncs) == 2
        await disk.close()

    run(script())


def test_files_do_not_wait_for_each_other(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        gate = threading.Event()

        def sync(descriptor: int) -> None:
            if os.readlink(f"/proc/self/fd/{descriptor}").endswith("slow"):
                gate.wait(10)

        done = Done()
        disk = LiveDisk(tmp_path, done, sync=sync)
        disk.write(append(1, b"a", file="slow"))
        disk.write(append(2, b"b", file="quick"))
        await done.until(1)
        assert done.ended == [(2, None)]
        gate.set()
        await done.until(2)
        await disk.close()

    run(script())


def test_after_a_failed_fsync_the_file_takes_nothing_more(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        failing = [True]

        def sync(descriptor: int) -> None:
            if failing.pop() if failing else False:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            os.fsync(descriptor)

        done = Done()
        disk = LiveDisk(tmp_path, done, sync=sync)
        disk.write(append(1, b"a"))
        await done.until(1)
        disk.write(append(2, b"b"))
        disk.write(append(3, b"c", file="other"))
        await done.until(3)
        error = "wal: Input/output error"
        assert sorted(done.ended) == [(1, error), (2, error), (3, None)]
        await disk.close()

    run(script())


@pytest.mark.parametrize("cut", range(1, len(frame(b"second"))))
def test_a_torn_tail_is_shown_once_and_cut_off_on_the_disk(
    run: Any, tmp_path: Path, cut: int
) -> None:
    async def script() -> None:
        whole = frame_file((b"first", b"second"))
        (tmp_path / "wal").write_bytes(whole[:-cut])
        done = Done()
        disk = LiveDisk(tmp_path, done)
        assert disk.load() == {"wal": whole[:-cut]}
        disk.write(append(1, b"third"))
        await done.until(1)
        await disk.close()
        assert recover((tmp_path / "wal").read_bytes(), "wal").records == (b"first", b"third")

    run(script())


def test_damage_in_the_middle_is_left_for_the_node_to_find(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        damaged = bytearray(frame_file((b"first", b"second")))
        damaged[10] ^= 1
        (tmp_path / "wal").write_bytes(damaged)
        disk = LiveDisk(tmp_path, Done())
        assert disk.load() == {"wal": bytes(damaged)}
        assert (tmp_path / "wal").read_bytes() == bytes(damaged)
        await disk.close()

    run(script())


def test_a_replacement_that_a_crash_interrupted_never_happened(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        (tmp_path / "state").write_bytes(frame_file((b"old",)))
        (tmp_path / "state%new").write_bytes(frame_file((b"new",))[:-1])
        disk = LiveDisk(tmp_path, Done())
        assert disk.load() == {"state": frame_file((b"old",))}
        assert not (tmp_path / "state%new").exists()
        await disk.close()

    run(script())


def test_a_directory_has_one_user_at_a_time(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        disk = LiveDisk(tmp_path, Done())
        with pytest.raises(FailedPrecondition, match="another process"):
            LiveDisk(tmp_path, Done())
        await disk.close()
        await LiveDisk(tmp_path, Done()).close()

    run(script())
