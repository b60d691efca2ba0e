"""A node's files: what is written is pending until an fsync, and a crash may take what is pending.

    write ──> pending of the file ──> one fsync for all that waits ──> durable ──> Written
                     └── crash: kept (process killed) │ a prefix, torn (power loss) │ all gone

Invariants:
    I1. Per file one fsync is in flight; appends that arrive meanwhile share the next one (group
        commit). Files don't wait for each other.
    I2. `Written` without an error comes only after the records are durable, in order of writing.
    I3. After a power loss a file holds its durable records and a prefix of the pending ones; the
        record after them may be there in part (a torn tail). A REPLACE or REMOVE happened wholly
        or not at all. Nothing durable is ever lost, but by `lose="disk"` and `corrupt`.
    I4. After a failed write every later one of that file fails in the same way until the next
        boot: what the kernel then holds is unknown.

Source: "fsyncgate" (PostgreSQL, 2018) for I4; group commit is what the live disk does as well.
Not here: the record format (`base/records.py`), what records mean (their owners).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal, Protocol

from simswarm.base.effects import Token, Write, WriteMode
from simswarm.base.records import HEADER, frame
from simswarm.base.time import Duration
from simswarm.base.values import Value
from simswarm.sim.distributions import Draws, Sampler
from simswarm.sim.kernel import SimEnvironment

Lose = Literal["nothing", "unsynced", "disk"]
"""What a crash takes: nothing (the process was killed), what was not yet synced (power loss), or
the whole disk."""
_APPEND = WriteMode.APPEND
"""Looking a member up in its class is slow before Python 3.12."""
_NO_SPACE = "No space left on device"
_IO_ERROR = "Input/output error"


class DiskFault(Value, frozen=True):
    """What is wrong with a disk while the fault is in force."""

    slow: Duration = 0
    """Added to every fsync."""
    full: bool = False
    """Whatever needs room fails."""
    error: bool = False
    """Every fsync fails."""


class Durable(Protocol):
    """Told how writes ended."""

    def written(self, token: Token, error: str | None) -> None:
        """A write is durable, or failed."""
        ...


class _File:
    """One file: durable records, and writes that are not durable yet."""

    __slots__ = ("broken", "damaged", "exists", "in_flight", "name", "pending", "records", "tail")

    def __init__(self, name: str) -> None:
        self.name = name
        self.exists = False
        self.records: list[bytes] = []
        self.damaged: dict[int, bytes] = {}
        """Records whose bytes on the disk are no longer what was written."""
        self.tail = b""
        """Part of a record that a crash cut off."""
        self.pending: deque[Write] = deque()
        self.in_flight = 0
        """How many of the pending writes the fsync under way covers; 0: none is."""
        self.broken: str | None = None

    def apply(self, write: Write) -> None:
        """Make a write durable."""
        self.tail = b""
        if write.mode is _APPEND:
            self.exists = True
            self.records += write.records
        else:
            self.exists = write.mode is WriteMode.REPLACE
            self.records = list(write.records) if self.exists else []
            self.damaged.clear()

    def image(self) -> bytes:
        """The file's bytes."""
        frames = [
            self.damaged.get(number) or frame(record) for number, record in enumerate(self.records)
        ]
        return HEADER + b"".join(frames) + self.tail


_Sync = tuple[_File, int]
"""A file, and the generation of the disk in which its fsync began."""


class Disk:
    """All files of one node. They outlive its boots."""

    __slots__ = ("_draws", "_durable", "_env", "_files", "_fsync", "_generation", "fault")

    def __init__(self, env: SimEnvironment, draws: Draws, fsync: Sampler, durable: Durable) -> None:
        self._env = env
        self._draws = draws
        self._fsync = fsync
        self._durable = durable
        self._files: dict[str, _File] = {}
        self._generation = 0
        self.fault = DiskFault()

    def use(self, fsync: Sampler) -> None:
        """Take so long for an fsync from now on."""
        self._fsync = fsync

    def load(self) -> dict[str, bytes]:
        """What a booting node finds: every file's bytes, a torn tail included. The tail is cut
        off behind it, so that what is appended next stands behind a whole record."""
        image = {file.name: file.image() for file in self._files.values() if file.exists}
        for file in self._files.values():
            file.tail = b""
            file.broken = None
        return image

    def write(self, write: Write) -> None:
        """Make a write durable; `written` tells when it is."""
        file = self._files.get(write.file)
        if file is None:
            file = self._files[write.file] = _File(write.file)
        file.pending.append(write)
        if not file.in_flight:
            self._sync(file)

    def _sync(self, file: _File) -> None:
        """Begin an fsync of what waits: appends in a row together, anything else alone."""
        count = 1
        if len(file.pending) > 1 and file.pending[0].mode is _APPEND:
            for write in list(file.pending)[1:]:
                if write.mode is not _APPEND:
                    break
                count += 1
        file.in_flight = count
        delay = self._draws.duration(self._fsync) + self.fault.slow
        self._env.call_in(delay, self._on_synced, (file, self._generation))

    def _on_synced(self, sync: _Sync) -> None:
        file, generation = sync
        if generation != self._generation:
            return  # the node crashed meanwhile
        batch = [file.pending.popleft() for _ in range(file.in_flight)]
        file.in_flight = 0
        file.broken = file.broken or self._failure(batch)
        if file.broken is None:
            for write in batch:
                file.apply(write)
        elif self.fault.error:
            self._salvage(file, batch)
        if file.pending:
            self._sync(file)
        error = file.broken and f"{file.name}: {file.broken}"
        for write in batch:
            if generation == self._generation:  # else an earlier one of the batch ended the node
                self._durable.written(write.token, error)

    def _failure(self, batch: Sequence[Write]) -> str | None:
        if self.fault.error:
            return _IO_ERROR
        if self.fault.full and any(write.records for write in batch):
            return _NO_SPACE
        return None

    def crash(self, lose: Lose) -> None:
        """The node ended: what was pending is kept, partly lost, or gone with all the rest."""
        self._generation += 1
        if lose == "disk":
            self._files.clear()
            return
        for file in self._files.values():
            pending = list(file.pending)
            file.pending.clear()
            file.in_flight = 0
            if file.broken is not None:
                continue
            if lose == "nothing":
                for write in pending:
                    file.apply(write)
            else:
                torn = self._salvage(file, pending)
                if torn and self._draws.happens(500_000):
                    file.tail = self._torn(torn)

    def _torn(self, record: bytes) -> bytes:
        """What is left of a record that was being written: its beginning, and perhaps zeros where
        the file had grown already."""
        size = 1 + self._draws.next() % (len(record) - 1)
        if self._draws.happens(250_000):
            return record[:size].ljust(len(record), b"\0")
        return record[:size]

    def _salvage(self, file: _File, pending: Sequence[Write]) -> bytes:
        """A random prefix of pending writes gets to the disk. Returns the frame of the record
        after it, if it is a record of an append."""
        units: list[Write] = []
        for write in pending:
            if write.mode is WriteMode.APPEND:
                units += [
                    Write(write.file, write.mode, (record,), write.token)
                    for record in write.records
                ]
            else:
                units.append(write)
        if not units:
            return b""
        kept = self._draws.next() % (len(units) + 1)
        for unit in units[:kept]:
            file.apply(unit)
        if kept == len(units) or units[kept].mode is not WriteMode.APPEND:
            return b""
        file.exists = True
        return frame(units[kept].records[0])

    def corrupt(self, name: str | None = None) -> str:
        """Turn one bit of one durable record; the node finds out at its next boot. Returns what
        was hit, such as `wal, record 3`; empty where there is no record."""
        candidates = [
            file
            for file in self._files.values()
            if file.records and (name is None or file.name == name)
        ]
        if not candidates:
            return ""
        file = candidates[self._draws.next() % len(candidates)]
        number = self._draws.next() % len(file.records)
        damaged = bytearray(file.damaged.get(number) or frame(file.records[number]))
        bit = self._draws.next() % (8 * len(damaged))
        damaged[bit // 8] ^= 1 << bit % 8
        file.damaged[number] = bytes(damaged)
        return f"{file.name}, record {number + 1}"
