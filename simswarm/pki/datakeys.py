"""The keys of one manager's disk: a data key, and perhaps an unlock key that seals it.

    unlock key (KEK) ──seals──> data key (DEK) ──seals──> all records
    in an operator's hands      in the file `keys`  without an unlock key it stands in clear

Exchanging the data key takes three steps, each one write of the file `keys`: a *pending* key stands
beside the current one; everything is sealed anew with it; it becomes the current one. Exchanging
the unlock key is one write. These are functions of values; `manager/keykeeper.py` takes the steps.

Invariants:
    I1. A locked key file that was changed in any field does not open.
    I2. An older unlock key never replaces a newer one; one version never names two keys.
    I3. What was on the disk in clear is not used for long once a lock is wanted: a first unlock
        key asks for a new data key.

Source: swarmkit manager/deks.go (MaybeUpdateKEK, RaftDEKData), manager/encryption/encryption.go
(HumanReadableKey). There the keys are headers of the TLS key's PEM file.
Not here: when keys are exchanged, and the certificates (not built yet).
"""

from __future__ import annotations

from base64 import b64decode, b64encode

import msgspec

from simswarm.base.entropy import Entropy
from simswarm.base.errors import FailedPrecondition, InvalidSpec, StorageCorrupt
from simswarm.base.values import Value, replace
from simswarm.pki.sealing import KEY_BYTES, Algorithm, KeySealer, Sealed, open_sealed

FORMAT = 1
HUMAN_PREFIX = "SWMKEY-1-"
"""Source: swarmkit manager/encryption/encryption.go."""


class WrongKey(StorageCorrupt):
    """The data key is locked, and the unlock key is missing or another one."""


class DataKeys(Value, frozen=True):
    """What a manager knows of its keys. Empty bytes: there is no such key."""

    current: bytes
    pending: bytes = b""
    """The key that everything is being sealed with anew."""
    unlock: bytes = b""
    unlock_version: int = 0
    """Of the cluster object, when the unlock key changed."""

    @property
    def readable(self) -> tuple[bytes, ...]:
        """All keys that records may be sealed with, the one for new records last."""
        return (self.current, self.pending) if self.pending else (self.current,)


class KeyFile(Value, frozen=True):
    """The record of the file `keys`."""

    format: int
    unlock_version: int
    current: Sealed
    pending: Sealed | None


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(KeyFile)


def new_data_keys(entropy: Entropy, unlock: bytes = b"") -> DataKeys:
    """The keys of a new disk."""
    return DataKeys(entropy.bytes(KEY_BYTES), unlock=unlock)


def with_pending(keys: DataKeys, entropy: Entropy) -> DataKeys:
    """Begin to exchange the data key; nothing changes if that is under way."""
    return keys if keys.pending else replace(keys, pending=entropy.bytes(KEY_BYTES))


def promoted(keys: DataKeys) -> DataKeys:
    """Everything is sealed with the pending key: forget the old one."""
    assert keys.pending
    return replace(keys, current=keys.pending, pending=b"")


def with_unlock_key(keys: DataKeys, unlock: bytes, version: int, entropy: Entropy) -> DataKeys:
    """Take a new unlock key (empty: unlock for good). Locking what was open also begins to exchange
    the data key, which was on the disk in clear.

    Raises:
        FailedPrecondition: another key of the same version.
    """
    if version < keys.unlock_version or unlock == keys.unlock:
        return keys
    if version == keys.unlock_version:
        raise FailedPrecondition(f"the unlock key of version {version} is another one")
    changed = replace(keys, unlock=unlock, unlock_version=version)
    return changed if keys.unlock else with_pending(changed, entropy)


def encode_keys(keys: DataKeys, entropy: Entropy) -> bytes:
    """The record of the file `keys`; `entropy` is for nonces and must be this write's own."""
    sealer = KeySealer((keys.unlock,), entropy) if keys.unlock else None
    parts: list[Sealed | None] = []
    for role, key in enumerate((keys.current, keys.pending)):
        if not key:
            parts.append(None)
        elif sealer is None:
            parts.append(Sealed(Algorithm.NONE, b"", key))
        else:
            parts.append(
                sealer.sealed(key, _context(role, keys.unlock_version, bool(keys.pending)))
            )
    current, pending = parts
    assert current is not None
    return _encode(KeyFile(FORMAT, keys.unlock_version, current, pending))


def decode_keys(record: bytes, unlock: bytes) -> DataKeys:
    """The keys in a record of the file `keys`.

    Raises:
        WrongKey: they are locked, and this unlock key is missing or another one.
        StorageCorrupt: not such a record, or its keys are none.
    """
    try:
        file = _decoder.decode(record)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise StorageCorrupt(f"keys: not a key file: {error}") from None
    if file.format != FORMAT:
        raise StorageCorrupt(f"keys: unknown format version {file.format}")
    opened: list[bytes] = []
    for role, part in enumerate((file.current, file.pending)):
        opened.append(b"" if part is None else _open(part, role, file, unlock))
    used = unlock if file.current.algorithm is not Algorithm.NONE else b""
    return DataKeys(opened[0], opened[1], used, file.unlock_version)


def _open(part: Sealed, role: int, file: KeyFile, unlock: bytes) -> bytes:
    if part.algorithm is not file.current.algorithm:
        raise StorageCorrupt("keys: one key is locked and the other is not")
    if part.algorithm is Algorithm.NONE:
        key = part.data
    elif not unlock:
        raise WrongKey("keys: this manager is locked: its data key needs the unlock key")
    else:
        context = _context(role, file.unlock_version, file.pending is not None)
        try:
            key = open_sealed(part, context, (unlock,))
        except StorageCorrupt:
            raise WrongKey(
                "keys: the data key does not unseal: this is not its unlock key, or it is damaged"
            ) from None
    if len(key) != KEY_BYTES:
        raise StorageCorrupt("keys: a data key has another length")
    return key


def _context(role: int, version: int, pending: bool) -> bytes:
    return b"keys/%d/%d/%d/%d" % (FORMAT, role, version, pending)


def human_key(unlock: bytes) -> str:
    """An unlock key as people write it down."""
    return HUMAN_PREFIX + b64encode(unlock).decode().rstrip("=")


def parse_key(text: str) -> bytes:
    """An unlock key that somebody typed.

    Raises:
        InvalidSpec: it is none.
    """
    if not text.startswith(HUMAN_PREFIX):
        raise InvalidSpec("invalid key string")
    body = text.removeprefix(HUMAN_PREFIX)
    try:
        key = b64decode(body + "=" * (-len(body) % 4), validate=True)
    except ValueError:
        raise InvalidSpec("invalid key string") from None
    if len(key) != KEY_BYTES:
        raise InvalidSpec("invalid key string")
    return key
