"""What the log needs of encryption: bytes in, sealed bytes out, and back or not at all.

`context` says where a record stands. It is not stored: a record unseals only under the context
it was sealed for, so one that was moved, doubled or exchanged is found out.

Not here: ciphers and keys (`pki/`).
"""

from __future__ import annotations

from typing import Protocol


class Sealer(Protocol):
    """Seals records."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """A record as it goes to the disk."""
        ...

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """The record again.

        Raises:
            StorageCorrupt: another key, another context, or damaged.
        """
        ...
