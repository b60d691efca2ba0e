"""Chance as an input: named streams, forked by name and never by draw order.

A component receives an `Entropy`; it draws from it or forks a stream of its own by name, so
that an extra draw in one part never shifts another. Everything is derived from one generator
method, `integer`, in integer arithmetic: no libm function lies on a path to an event.

Invariants:
    I1. The same seed and names give the same draws on every Python and platform.
    I2. Streams are forked per (node, boot number): a reboot repeats no nonce and no time-out.

Not here: entropy of the operating system (`live/system.py`).
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from hashlib import blake2b
from random import Random
from typing import Protocol, TypeVar

T = TypeVar("T")


class Entropy(Protocol):
    """A stream of chance."""

    def integer(self, low: int, high: int) -> int:
        """A uniform integer with low <= n <= high."""
        ...

    def bytes(self, size: int) -> bytes:
        """That many random bytes."""
        ...

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, uniformly. There must be at least one."""
        ...

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put the items in a random order, in place."""
        ...

    def fork(self, name: str) -> Entropy:
        """An independent stream: same parent and name, same stream."""
        ...


class SeededEntropy:
    """Entropy from a seed and a path of names (Mersenne Twister bits, blake2b for the path)."""

    __slots__ = ("_path", "_random")

    def __init__(self, seed: int | str, path: str = "") -> None:
        self._path = f"{seed}{path}"
        digest = blake2b(self._path.encode(), digest_size=16).digest()
        # Not its bound method: a copy of that would go on drawing from this generator.
        self._random = Random(int.from_bytes(digest, "little"))

    def integer(self, low: int, high: int) -> int:
        """A uniform integer with low <= n <= high."""
        span = high - low + 1
        assert span >= 1, "low must not exceed high"
        width = span.bit_length()
        bits = self._random.getrandbits
        draw = bits(width)
        while draw >= span:
            draw = bits(width)
        return low + draw

    def bytes(self, size: int) -> bytes:
        """That many random bytes."""
        return self._random.getrandbits(8 * size).to_bytes(size, "little") if size else b""

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, uniformly."""
        return options[self.integer(0, len(options) - 1)]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put the items in a random order, in place (Fisher-Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.integer(0, last)
            items[last], items[other] = items[other], items[last]

    def fork(self, name: str) -> SeededEntropy:
        """The independent stream of this name."""
        return SeededEntropy(self._path, f"/{name}")
