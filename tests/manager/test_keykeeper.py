"""Keys come first, and are exchanged so that a crash at any write leaves a disk that reads."""

from __future__ import annotations

import pytest

from simswarm.base.effects import Outbox
from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import FailedPrecondition, StorageCorrupt
from simswarm.base.records import frame_file
from simswarm.base.time import SECOND, Now
from simswarm.base.values import replace
from simswarm.manager.keykeeper import KEYS_FILE, KeyKeeper
from simswarm.manager.segments import is_segment, read
from simswarm.manager.wal import WriteAheadLog
from simswarm.model.objects import Service
from simswarm.pki import KeySealer, WrongKey, decode_keys, human_key
from simswarm.raft import Entry, HardState
from simswarm.wire import codec
from tests.manager.platter import Platter
from tests.manager.trio import Trio, create

UNLOCK, OTHER = b"u" * 32, b"o" * 32
ENTRIES = tuple(Entry(1, number, b"MARKER %d" % number) for number in range(1, 7))


class Machine:
    """Keys and log of one manager, driven as its replica drives them."""

    def __init__(self, files: dict[str, list[bytes]], unlock: bytes, boot: int) -> None:
        self.platter = Platter()
        self.platter.files = files
        self.out = Outbox(codec.encode, Now(0, 0))
        disk = self.platter.image()
        self.keys = KeyKeeper(disk, unlock, self.out, SeededEntropy(boot))
        self.image = read(disk, self.keys.sealer)
        self.wal = WriteAheadLog(self.out, self.keys.sealer, 60)
        self.wal.repair(self.image)

    def run(self, writes: int | None = None) -> int:
        """End so many writes (None: all), as long as there are any; returns how many."""
        ended = 0
        while writes is None or ended < writes:
            if self.keys.usable and self.keys.rewrite_due and not self.wal.barrier:
                self.keys.rewriting(self.wal.rewrite(self.entries))
            self.platter.take(self.out.drain())
            if not self.platter.waiting:
                break
            token = self.platter.end().token
            ended += 1
            batch = self.wal.written(token)
            if batch is None:
                self.keys.written(token)
            elif batch.obsolete:
                self.keys.rewritten(token)
                self.wal.remove(batch.obsolete)
        return ended

    @property
    def entries(self) -> tuple[Entry, ...]:
        return read(self.platter.image(), self.keys.sealer).entries


def filled(unlock: bytes = b"") -> dict[str, list[bytes]]:
    machine = Machine({}, unlock, 1)
    machine.run()
    for entry in ENTRIES:
        machine.wal.append((entry,), HardState(1, 1, entry.index))
        machine.run()
    return machine.platter.files


def copied(files: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    return {name: list(records) for name, records in files.items()}


def current(files: dict[str, list[bytes]], unlock: bytes = b"") -> bytes:
    keys = decode_keys(files[KEYS_FILE][0], unlock)
    assert not keys.pending
    return keys.current


def test_keys_are_durable_before_anything_is_sealed():
    machine = Machine({}, b"", 1)
    assert not machine.keys.usable
    machine.run(1)
    assert machine.keys.usable
    assert list(machine.platter.files) == [KEYS_FILE]


@pytest.mark.parametrize("unlock", [b"", UNLOCK])
def test_an_exchange_of_the_data_key_survives_a_crash_at_every_write(unlock):
    before = filled(unlock)
    old = current(before, unlock)
    whole = Machine(copied(before), unlock, 2)
    whole.keys.rotate()
    steps = whole.run()
    assert steps > 6, "keys, log, keys, and the old segments"
    for crash in range(steps + 1):
        machine = Machine(copied(before), unlock, 2)
        machine.keys.rotate()
        machine.run(crash)
        again = Machine(machine.platter.files, unlock, 3)
        assert again.image.entries == ENTRIES, crash
        assert again.image.hard_state == HardState(1, 1, 6), crash
        again.run()
        if crash == 0:
            continue  # the exchange had not begun
        after = again.platter.files
        assert current(after, unlock) != old
        reader = KeySealer((current(after, unlock),), SeededEntropy(9))
        assert read(again.platter.image(), reader).entries == ENTRIES, "all of it with the new key"
        assert len(list(filter(is_segment, after))) == 1


def test_new_records_are_sealed_with_the_pending_key_once_it_is_durable():
    machine = Machine(filled(), b"", 2)
    keys = machine.keys.sealer.keys
    machine.keys.rotate()
    assert machine.keys.sealer.keys == keys
    machine.run(1)
    assert machine.keys.sealer.keys[0] == keys[0]
    assert len(machine.keys.sealer.keys) == 2
    machine.run()
    assert keys[0] not in machine.keys.sealer.keys


def test_a_second_exchange_begins_when_the_first_has_ended():
    machine = Machine(filled(), b"", 2)
    for _ in range(2):
        machine.keys.rotate()
        machine.keys.rotate()
        old = machine.keys.sealer.keys[0]
        machine.run()
        assert old not in machine.keys.sealer.keys
    assert machine.entries == ENTRIES


def test_locking_seals_the_data_key_and_everything_anew():
    files = filled()
    open_key = current(files)
    assert open_key in files[KEYS_FILE][0]
    machine = Machine(files, b"", 2)
    machine.keys.lock(UNLOCK, 5)
    machine.run()
    with pytest.raises(WrongKey, match="locked"):
        Machine(copied(files), b"", 3)
    with pytest.raises(WrongKey, match="not its unlock key"):
        Machine(copied(files), OTHER, 3)
    assert current(files, UNLOCK) != open_key
    assert Machine(copied(files), UNLOCK, 3).image.entries == ENTRIES
    again = Machine(files, UNLOCK, 3)
    with pytest.raises(FailedPrecondition):
        again.keys.lock(OTHER, 5)
    data_key = current(files, UNLOCK)
    again.keys.lock(OTHER, 6)
    assert again.run() == 1, "another lock is one write"
    assert current(files, OTHER) == data_key


def test_a_key_file_that_is_missing_or_damaged_is_refused():
    files = filled()
    for records in ([], [b"x"], files[KEYS_FILE] * 2):
        with pytest.raises(StorageCorrupt, match="keys: "):
            Machine({**files, KEYS_FILE: records}, b"", 2)
    rest = {name: records for name, records in files.items() if name != KEYS_FILE}
    with pytest.raises(StorageCorrupt, match="missing"):
        Machine(rest, b"", 2)
    content = frame_file(tuple(files[KEYS_FILE]))
    for size in range(len(content)):
        disk = {KEYS_FILE: content[:size]}
        with pytest.raises(StorageCorrupt):
            KeyKeeper(disk, b"", Outbox(codec.encode, Now(0, 0)), SeededEntropy(1))


# ── in a manager ─────────────────────────────────────────────────────────────────────────────


def test_managers_have_keys_of_their_own_and_nothing_in_clear():
    trio = Trio()
    trio.ask("m1", create("a-service-that-nobody-may-read"))
    trio.advance(2 * SECOND)
    disks = [b"".join(host.bytes().values()) for host in trio.hosts.values()]
    assert not any(b"nobody-may-read" in disk for disk in disks)
    assert len({current(host.disk) for host in trio.hosts.values()}) == 3


def test_a_manager_exchanges_its_key_under_way_and_boots_from_what_it_wrote():
    trio = Trio()
    for host in trio.hosts.values():
        host.config = replace(host.config, raft=replace(host.config.raft, segment_bytes=500))
        trio.crash(host.name)
        trio.boot(host.name)
    trio.advance(30 * SECOND)
    for number in range(5):
        trio.ask("m1", create(f"before{number}"))
    leader, old = trio.leader, current(trio[trio.leader].disk)
    trio.step(leader, lambda m: m.replica.rotate_data_key())
    trio.ask("m1", create("during"))
    trio.advance(2 * SECOND)
    assert current(trio[leader].disk) != old
    trio.ask("m1", create("after"))
    trio.crash(leader)
    trio.boot(leader)
    trio.advance(60 * SECOND)
    names = {service.spec.name for service in trio.manager(leader).store.find(Service)}
    assert names == {*(f"before{number}" for number in range(5)), "during", "after"}


def test_a_locked_manager_boots_with_its_unlock_key_alone():
    trio = Trio()
    host = trio["m2"]
    trio.step("m2", lambda m: m.replica.lock(UNLOCK, 3))
    trio.advance(2 * SECOND)
    trio.crash("m2")
    with pytest.raises(WrongKey):
        trio.boot("m2")
    host.config = replace(host.config, unlock_key=human_key(UNLOCK))
    trio.boot("m2")
    trio.advance(2 * SECOND)
    assert trio.manager("m2").replica.raw.raft.commit > 0
