"""The file `keys` of one manager, and the steps in which its keys are exchanged.

    rotate ──> keys: current, pending ──durable──> seal with pending ──> log written anew
                                                                               │ durable
                           old key forgotten <──durable── keys: current <──────┘

Invariants:
    I1. Nothing is sealed with a key that is not durable in the file `keys`; at the first boot
        nothing at all is written before.
    I2. A crash between any two steps leaves a disk that reads; an exchange that was begun is
        taken up again at the next boot, from its second step.

Source: swarmkit manager/state/raft/storage.go (RotateEncryptionKey), manager/deks.go. There a
snapshot ends the exchange.
Not here: what keys are (`pki/datakeys.py`), the log (`wal.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from simswarm.base.effects import Outbox, Token, WriteMode
from simswarm.base.entropy import Entropy
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import recover
from simswarm.manager.segments import is_segment
from simswarm.pki import (
    DataKeys,
    KeySealer,
    decode_keys,
    encode_keys,
    new_data_keys,
    promoted,
    with_pending,
    with_unlock_key,
)

KEYS_FILE = "keys"


class KeyKeeper:
    """Keeps the keys of one manager's disk."""

    __slots__ = (
        "_entropy",
        "_keys",
        "_out",
        "_rewriting",
        "_under_way",
        "_writes",
        "rewrite_due",
        "sealer",
        "usable",
    )

    def __init__(
        self, disk: Mapping[str, bytes], unlock: bytes, out: Outbox, entropy: Entropy
    ) -> None:
        """Read the keys, or draw new ones for a new disk. `entropy` must be this boot's own.

        Raises:
            WrongKey: they are locked, and this unlock key is missing or another one.
            StorageCorrupt: the file is damaged, or missing beside a log.
        """
        self._out = out
        self._entropy = entropy
        self._under_way: deque[tuple[Token, DataKeys]] = deque()
        self._writes = 0
        self._rewriting: Token = 0
        """The write of the log that ends an exchange."""
        image = disk.get(KEYS_FILE)
        self.usable = image is not None
        """Whether the keys are durable, so that something may be sealed."""
        if image is None:
            if any(is_segment(file) for file in disk):
                raise StorageCorrupt(f"{KEYS_FILE}: the file is missing, and the log is there")
            self._keys = new_data_keys(entropy, unlock)
            self._write(self._keys)
        else:
            recovered = recover(image, KEYS_FILE)
            if len(recovered.records) != 1 or recovered.torn_bytes:
                raise StorageCorrupt(f"{KEYS_FILE}: the file is damaged")
            self._keys = decode_keys(recovered.records[0], unlock)
        self.sealer = KeySealer(self._keys.readable, entropy.fork("nonces"))
        self.rewrite_due = bool(self._keys.pending)
        """Whether everything must be sealed anew, to end an exchange of the data key."""

    def rotate(self) -> None:
        """Exchange the data key; nothing happens if that is under way."""
        self._change(with_pending(self._keys, self._entropy))

    def lock(self, unlock: bytes, version: int) -> None:
        """Take an unlock key; empty to unlock for good.

        Raises:
            FailedPrecondition: another key of the same version.
        """
        self._change(with_unlock_key(self._keys, unlock, version, self._entropy))

    def rewriting(self, token: Token) -> None:
        """This write seals everything anew."""
        self._rewriting = token
        self.rewrite_due = False

    def rewritten(self, token: Token) -> None:
        """A write of the log is durable: perhaps the one that ends an exchange."""
        if token == self._rewriting:
            self._change(promoted(self._keys))

    def written(self, token: Token) -> bool:
        """A write is durable; False if it was none of this file's."""
        if not self._under_way or self._under_way[0][0] != token:
            return False
        keys = self._under_way.popleft()[1]
        self.usable = True
        self.sealer.keys = keys.readable
        if not keys.pending:
            self._rewriting = 0
        self.rewrite_due = bool(keys.pending) and not self._rewriting
        return True

    def _change(self, keys: DataKeys) -> None:
        if keys != self._keys:
            self._keys = keys
            self._write(keys)

    def _write(self, keys: DataKeys) -> None:
        self._writes += 1
        record = encode_keys(keys, self._entropy.fork(f"file/{self._writes}"))
        token = self._out.write(KEYS_FILE, WriteMode.REPLACE, (record,))
        self._under_way.append((token, keys))
