"""The operating system's clocks and chance, behind the same words the simulator uses.

Invariants:
    I1. `mono` is CLOCK_MONOTONIC: one clock for all processes of a machine, so that records of
        several nodes can be merged by it; it never goes back.
    I2. OS entropy has no seed: forks are independent because every draw is.

Not here: a seeded stream (`base/entropy.py`); the conformance suite drives live nodes with one.
"""

from __future__ import annotations

import os
import time
from collections.abc import MutableSequence, Sequence
from typing import Protocol, TypeVar

from simswarm.base.time import Now

T = TypeVar("T")


class Clock(Protocol):
    """Where a driver reads the time."""

    def now(self) -> Now:
        """What the node's two clocks show."""
        ...


class SystemClock:
    """The machine's monotonic clock and its wall clock."""

    __slots__ = ()

    def now(self) -> Now:
        """Both clocks, in nanoseconds."""
        return Now(time.monotonic_ns(), time.time_ns())


class SystemEntropy:
    """Chance from the operating system."""

    __slots__ = ()

    def integer(self, low: int, high: int) -> int:
        """A uniform integer with low <= n <= high (by rejection, as the seeded stream does)."""
        span = high - low + 1
        assert span >= 1, "low must not exceed high"
        width = span.bit_length()
        size = (width + 7) // 8
        surplus = 8 * size - width
        draw = span
        while draw >= span:
            draw = int.from_bytes(os.urandom(size), "little") >> surplus
        return low + draw

    def bytes(self, size: int) -> bytes:
        """That many random bytes."""
        return os.urandom(size)

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, uniformly."""
        return options[self.integer(0, len(options) - 1)]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put the items in a random order, in place (Fisher-Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.integer(0, last)
            items[last], items[other] = items[other], items[last]

    def fork(self, name: str) -> SystemEntropy:
        """As independent as this one; the name has nothing to select."""
        return self
