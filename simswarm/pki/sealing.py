"""Sealed records: ChaCha20-Poly1305 (RFC 8439), with nonces that are handed in.

    plain ──seal(key, nonce, context)──> Sealed {algorithm, nonce, data} ──unseal──> plain

A nonce is 8 drawn bytes and a counter of 4. The bytes are drawn once for each sealer, which is to
say once a boot, from entropy of that boot: no two records share a nonce unless two boots draw the
same 64 bits. When the counter is used up, the next 8 bytes are drawn.

Invariants:
    I1. Nothing here draws by itself: same entropy and records, same bytes.
    I2. `unseal` gives what was sealed, for the same context, or raises; never anything else.
    I3. No cipher object is kept in a sealer: it can be copied and compared like any state.

Source: RFC 8439. Swarm's record is the same (swarmkit api MaybeEncryptedRecord), its cipher not:
XSalsa20-Poly1305 with a random nonce of 24 bytes (manager/encryption/nacl.go), or Fernet.
Not here: which keys there are (`datakeys.py`), what records mean.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from struct import Struct

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from simswarm.base.entropy import Entropy
from simswarm.base.errors import StorageCorrupt
from simswarm.base.values import Value

KEY_BYTES = 32
NONCE_BYTES = 12
_PREFIX_BYTES = 8
_COUNTS = 1 << 32
_COUNTER = Struct("<I").pack


class Algorithm(IntEnum):
    """How a record is sealed."""

    NONE = 0
    CHACHA20_POLY1305 = 1


class Sealed(Value, frozen=True):
    """A record on the disk."""

    algorithm: Algorithm
    nonce: bytes
    data: bytes


_CHACHA, _NONE = Algorithm.CHACHA20_POLY1305, Algorithm.NONE
"""Looking a member up in its class is slow before Python 3.12."""
_encode: Callable[[Sealed], bytes] = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sealed).decode


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(key)


def decode_sealed(record: bytes) -> Sealed:
    """The parts of a sealed record.

    Raises:
        StorageCorrupt: it is none.
    """
    try:
        return _decode(record)
    except (msgspec.DecodeError, ValueError) as error:
        raise StorageCorrupt(f"not a sealed record: {error}") from None


def open_sealed(record: Sealed, context: bytes, keys: tuple[bytes, ...]) -> bytes:
    """What a sealed record holds, if one of these keys sealed it for this context.

    Raises:
        StorageCorrupt: sealed with another key or for another context, or damaged.
    """
    if record.algorithm is not _CHACHA or len(record.nonce) != NONCE_BYTES:
        raise StorageCorrupt("a record that is not sealed stands among sealed ones")
    for key in reversed(keys):
        try:
            return _cipher(key).decrypt(record.nonce, record.data, context)
        except InvalidTag:
            continue
    raise StorageCorrupt("a record does not unseal: another key, or damage")


class KeySealer:
    """Seals with the last of its keys and unseals with any."""

    __slots__ = ("_count", "_entropy", "_prefix", "keys")

    def __init__(self, keys: tuple[bytes, ...], entropy: Entropy) -> None:
        """`entropy` must be this boot's own."""
        assert keys
        assert all(len(key) == KEY_BYTES for key in keys)
        self.keys = keys
        self._entropy = entropy
        self._prefix = entropy.bytes(_PREFIX_BYTES)
        self._count = 0

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """A record as it goes to the disk."""
        return _encode(self.sealed(plain, context))

    def sealed(self, plain: bytes, context: bytes) -> Sealed:
        """A sealed record that becomes part of another value."""
        if self._count == _COUNTS:
            self._prefix = self._entropy.bytes(_PREFIX_BYTES)
            self._count = 0
        nonce = self._prefix + _COUNTER(self._count)
        self._count += 1
        return Sealed(_CHACHA, nonce, _cipher(self.keys[-1]).encrypt(nonce, plain, context))

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """The record again.

        Raises:
            StorageCorrupt: sealed with another key or for another context, or damaged.
        """
        return open_sealed(decode_sealed(sealed), context, self.keys)


class Plain:
    """Seals nothing: the same format without a key."""

    __slots__ = ()

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """The record with its form around it."""
        return _encode(Sealed(_NONE, b"", plain))

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """The record again.

        Raises:
            StorageCorrupt: it is sealed, or no record.
        """
        record = decode_sealed(sealed)
        if record.algorithm is not _NONE or record.nonce:
            raise StorageCorrupt("a record is sealed, and there is no key")
        return record.data


PLAIN = Plain()
