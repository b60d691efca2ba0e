"""Sealed records come back whole or not at all; keys are exchanged step by step."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import FailedPrecondition, InvalidSpec, StorageCorrupt
from simswarm.pki import (
    PLAIN,
    DataKeys,
    KeySealer,
    WrongKey,
    decode_keys,
    encode_keys,
    human_key,
    new_data_keys,
    parse_key,
    promoted,
    with_pending,
    with_unlock_key,
)
from simswarm.pki.datakeys import KeyFile
from simswarm.pki.sealing import Sealed, decode_sealed

KEY, OTHER, UNLOCK = b"k" * 32, b"o" * 32, b"u" * 32


def sealer(*keys: bytes, seed: int = 1) -> KeySealer:
    return KeySealer(keys or (KEY,), SeededEntropy(seed))


def test_the_cipher_is_that_of_rfc_8439():
    key = bytes(range(0x80, 0xA0))
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )

    class Given:
        def bytes(self, size):
            return bytes.fromhex("0700000040414243")

    machine = KeySealer((key,), Given())
    machine._count = int.from_bytes(bytes.fromhex("44454647"), "little")
    sealed = machine.sealed(text, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert sealed.data[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed.data[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_what_is_sealed_unseals_for_the_same_context(plain, context):
    for machine in (sealer(), PLAIN):
        assert machine.unseal(machine.seal(plain, context), context) == plain


@given(st.binary(min_size=1, max_size=60), st.data())
def test_no_changed_bit_gives_another_record(plain, data):
    machine = sealer()
    sealed = bytearray(machine.seal(plain, b"here"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StorageCorrupt):
        machine.unseal(bytes(sealed), b"here")


def test_another_place_or_another_key_is_refused():
    sealed = sealer().seal(b"record", b"1")
    for machine, context in ((sealer(), b"2"), (sealer(OTHER), b"1"), (PLAIN, b"1")):
        with pytest.raises(StorageCorrupt):
            machine.unseal(sealed, context)
    with pytest.raises(StorageCorrupt, match="not sealed"):
        sealer().unseal(PLAIN.seal(b"record", b"1"), b"1")


@pytest.mark.parametrize("record", [b"", b"\x90", b"\x93\x07\xc4\x00\xc4\x00", b"\xff", b"\x01"])
def test_what_is_no_sealed_record_is_refused(record):
    for machine in (sealer(), PLAIN):
        with pytest.raises(StorageCorrupt):
            machine.unseal(record, b"")


def test_same_entropy_same_bytes_and_no_nonce_comes_twice():
    first, again, later = sealer(), sealer(), sealer(seed=2)
    records = [first.seal(b"x", b"") for _ in range(100)]
    assert records == [again.seal(b"x", b"") for _ in range(100)]
    records += [later.seal(b"x", b"") for _ in range(100)]
    assert len({decode_sealed(record).nonce for record in records}) == 200


def test_a_counter_that_is_used_up_begins_anew_behind_another_drawn_part():
    machine = sealer()
    machine._count = (1 << 32) - 1
    nonces = [machine.sealed(b"", b"").nonce for _ in range(2)]
    assert nonces[0][8:] == b"\xff" * 4
    assert nonces[1][8:] == b"\0" * 4
    assert nonces[0][:8] != nonces[1][:8]


def test_two_keys_read_and_the_last_one_writes():
    both = sealer(KEY, OTHER)
    assert both.unseal(sealer(KEY).seal(b"old", b""), b"") == b"old"
    assert sealer(OTHER).unseal(both.seal(b"new", b""), b"") == b"new"


# ── data keys ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("unlock", [b"", UNLOCK])
@pytest.mark.parametrize("pending", [b"", OTHER])
def test_a_key_file_reads_back(unlock, pending):
    keys = DataKeys(KEY, pending, unlock, 7)
    record = encode_keys(keys, SeededEntropy(3))
    assert record == encode_keys(keys, SeededEntropy(3))
    assert decode_keys(record, unlock) == keys
    assert (KEY in record) == (not unlock)


def test_a_locked_key_file_says_what_it_lacks():
    record = encode_keys(DataKeys(KEY, unlock=UNLOCK), SeededEntropy(1))
    with pytest.raises(WrongKey, match="locked"):
        decode_keys(record, b"")
    with pytest.raises(WrongKey, match="not its unlock key"):
        decode_keys(record, OTHER)


def test_every_field_of_a_locked_key_file_is_guarded():
    file = msgspec.msgpack.decode(
        encode_keys(DataKeys(KEY, OTHER, UNLOCK, 7), SeededEntropy(1)), type=KeyFile
    )
    replace = msgspec.structs.replace
    plain = Sealed(0, b"", KEY)
    tampered = [
        replace(file, format=2),
        replace(file, unlock_version=8),
        replace(file, pending=None),
        replace(file, current=file.pending, pending=file.current),
        replace(file, pending=plain),
        replace(file, current=plain),
    ]
    for part in ("current", "pending"):
        whole = getattr(file, part)
        changes = ({"nonce": bytes(12)}, {"nonce": b""}, {"data": whole.data[:-1]}, {"data": b""})
        tampered += [replace(file, **{part: replace(whole, **change)}) for change in changes]
    for number, one in enumerate(tampered):
        with pytest.raises(StorageCorrupt):
            pytest.fail(f"{number}: {decode_keys(msgspec.msgpack.encode(one), UNLOCK)}")


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\x90",
        msgspec.msgpack.encode(KeyFile(1, 0, Sealed(0, b"", b"short"), None)),
        msgspec.msgpack.encode(KeyFile(2, 0, Sealed(0, b"", KEY), None)),
    ],
)
def test_what_is_no_key_file_is_refused(record):
    with pytest.raises(StorageCorrupt, match="keys: "):
        decode_keys(record, b"")


def test_the_data_key_is_exchanged_by_way_of_a_pending_one():
    entropy = SeededEntropy(1)
    keys = new_data_keys(entropy)
    both = with_pending(keys, entropy)
    assert with_pending(both, entropy) == both, "one exchange at a time"
    assert both.readable == (keys.current, both.pending)
    after = promoted(both)
    assert after.readable == (both.pending,)
    assert both.pending != keys.current


def test_a_first_unlock_key_asks_for_a_new_data_key_and_a_second_does_not():
    entropy = SeededEntropy(1)
    keys = new_data_keys(entropy)
    locked = with_unlock_key(keys, UNLOCK, 5, entropy)
    assert (locked.unlock, locked.unlock_version, bool(locked.pending)) == (UNLOCK, 5, True)
    settled = promoted(locked)
    other = with_unlock_key(settled, OTHER, 6, entropy)
    assert (other.unlock, other.pending) == (OTHER, b"")
    assert with_unlock_key(other, UNLOCK, 5, entropy) == other, "an older version changes nothing"
    assert with_unlock_key(other, OTHER, 6, entropy) == other
    with pytest.raises(FailedPrecondition):
        with_unlock_key(other, UNLOCK, 6, entropy)
    assert with_unlock_key(other, b"", 7, entropy).unlock == b""


@given(st.binary(min_size=32, max_size=32))
def test_an_unlock_key_can_be_written_down(key):
    text = human_key(key)
    assert text.startswith("SWMKEY-1-")
    assert "=" not in text
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "text",
    ["", "SWMKEY-1-", "SWMKEY-2-" + "A" * 43, "SWMKEY-1-" + "A" * 42, "SWMKEY-1-" + "é" * 43],
)
def test_what_is_no_unlock_key_is_refused(text):
    with pytest.raises(InvalidSpec):
        parse_key(text)
