"""A node's files: real ones, made durable by fsync in a worker thread.

    write ──> queue of the file ──> one worker at a time: write all that waits, one fsync ──> done

Invariants:
    I1. Per file one fsync is in flight; what arrives meanwhile shares the next one (group
        commit). Files don't wait for each other.
    I2. A write is reported durable only after the fsync of its file, and for a file that was
        created, replaced or removed also of the directory.
    I3. REPLACE is a temporary file renamed over the old one: a crash leaves the old or the new.
    I4. After a failed fsync nothing more is written to that file: what the kernel then holds is
        unknown, so every later write of it fails with the same error.
    I5. One process at a time uses a directory (`flock`); a killed process leaves no lock behind.

Source: the fsync rule is PostgreSQL's lesson of 2018 ("fsyncgate": a second fsync may succeed
though pages were dropped). Not here: what the records mean; recovery (`base/records.py`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

from simswarm.base.effects import Token, Write, WriteMode
from simswarm.base.errors import FailedPrecondition, StorageCorrupt
from simswarm.base.records import HEADER, frame, frame_file, recover
from simswarm.live.background import spawn

WORKERS = 4
"""Threads that write and sync, for all files of a node."""
_TEMPORARY = "%new"
"""No stored name ends so: in a quoted name `%` is followed by two hex digits."""
_LOCK = "%lock"


class Durable(Protocol):
    """Told how writes ended."""

    def __call__(self, token: Token, error: str | None) -> None:
        """A write is durable, or failed."""
        ...


class LiveDisk:
    """The files of one node in a directory of their own."""

    def __init__(
        self, folder: Path, done: Durable, *, sync: Callable[[int], None] = os.fsync
    ) -> None:
        self._folder = folder
        self._done = done
        self._sync = sync
        self._queues: dict[str, deque[Write]] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._broken: dict[str, str] = {}
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="disk")
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise FailedPrecondition(f"{folder}: another process uses this disk") from None

    def load(self) -> dict[str, bytes]:
        """What a booting node finds: every file's bytes, a torn tail included. The tail is cut
        off behind it, so that what is appended next stands behind a whole record."""
        image: dict[str, bytes] = {}
        for path in sorted(self._folder.iterdir()):
            if path.name == _LOCK:
                continue
            if path.name.endswith(_TEMPORARY):
                path.unlink()  # a REPLACE that never happened
                continue
            name = unquote(path.name)
            image[name] = path.read_bytes()
            self._cut_tail(path, image[name])
        return image

    def _cut_tail(self, path: Path, content: bytes) -> None:
        try:
            torn = recover(content, path.name).torn_bytes
        except StorageCorrupt:
            return  # the node will say so, and stop
        if torn:
            with path.open("r+b") as file:
                file.truncate(len(content) - torn)
                self._sync(file.fileno())

    def write(self, write: Write) -> None:
        """Make a write durable; `done` is called on the event loop when it is."""
        self._queues.setdefault(write.file, deque()).append(write)
        if write.file not in self._busy:
            self._busy[write.file] = spawn(self._work(write.file))

    async def _work(self, file: str) -> None:
        """Take what waits for a file, batch by batch, until nothing does."""
        queue = self._queues[file]
        loop = asyncio.get_running_loop()
        try:
            while queue:
                batch = self._take(queue)
                error = self._broken.get(file)
                if error is None:
                    error = await loop.run_in_executor(self._workers, self._perform, file, batch)
                    if error is not None:
                        self._broken[file] = error
                for write in batch:
                    self._done(write.token, error)
        finally:
            del self._busy[file]

    @staticmethod
    def _take(queue: deque[Write]) -> list[Write]:
        """The next batch: appends in a row share one fsync, anything else goes alone."""
        batch = [queue.popleft()]
        while queue and batch[0].mode is WriteMode.APPEND and queue[0].mode is WriteMode.APPEND:
            batch.append(queue.popleft())
        return batch

    def _perform(self, file: str, batch: list[Write]) -> str | None:
        """In a worker thread: one batch, durable when it returns None."""
        path = self._folder / quote(file, safe="")
        try:
            match batch[0].mode:
                case WriteMode.APPEND:
                    self._append(path, batch)
                case WriteMode.REPLACE:
                    self._replace(path, frame_file(batch[0].records))
                case WriteMode.REMOVE:
                    path.unlink(missing_ok=True)
                    self._sync_folder()
        except OSError as error:
            return f"{file}: {error.strerror or error}"
        return None

    def _append(self, path: Path, batch: list[Write]) -> None:
        content = b"".join(frame(record) for write in batch for record in write.records)
        created = not path.exists()
        with path.open("ab") as opened:
            if opened.tell() == 0:
                content = HEADER + content
            opened.write(content)
            opened.flush()
            self._sync(opened.fileno())
        if created:
            self._sync_folder()

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(path.name + _TEMPORARY)
        with temporary.open("wb") as opened:
            opened.write(content)
            opened.flush()
            self._sync(opened.fileno())
        temporary.replace(path)
        self._sync_folder()

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    async def close(self) -> None:
        """Wait for what is being written, and give the directory free."""
        await asyncio.gather(*self._busy.values(), return_exceptions=True)
        self.abandon()

    def abandon(self) -> None:
        """Give the directory free at once, as a crash does; nothing more is reported."""
        for queue in self._queues.values():
            queue.clear()
        self._workers.shutdown(wait=True)
        os.close(self._lock)
