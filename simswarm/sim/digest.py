"""The proof that two runs are the same: a hash chain over the execution itself.

Every step adds (time, node, the input, what it sent, wrote and answered, what it asked of its
engine) to one SHA-256. Observations and timers set are left out: the first so that no trace level
and no new observation changes a digest, the second because a timer shows when it fires.
Every `INTERVAL` steps the hash so far is kept, so that the first step in which two runs differ can
be found without storing either:

    1. compare the checkpoints: once different, always different, so bisect for the first;
    2. run both again with `record_steps` = the interval before it, and compare step by step.

Invariants:
    I1. Equal digests mean equal executions; equal executions give equal digests.
    I2. The bytes of a step can be told apart: it is one MessagePack array.

Source: madsim's log of draws, compared on a second run; here it is one of steps.
Not here: the bytes of a step (`driver.py`), the digest over the trace (`recorder.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from simswarm.base.time import Instant
from simswarm.base.values import Value

INTERVAL = 256
"""Steps between checkpoints."""
_PREFIX = 8
"""Bytes of the hash that a checkpoint keeps."""

Checkpoint = tuple[int, bytes]
"""A number of steps, and the first bytes of the hash over them."""


class StepRecord(Value, frozen=True):
    """One step in words, for people who look for a difference."""

    number: int
    """The first step of a world is 1."""
    t: Instant
    """Simulated time, as the kernel counts it."""
    node: str
    given: str
    effects: tuple[str, ...]


class Digest:
    """The hash over a world's steps so far."""

    __slots__ = ("_first", "_hash", "_last", "_waiting", "checkpoints", "records", "steps")

    def __init__(self, record_steps: tuple[int, int] | None = None) -> None:
        self._hash = sha256(b"simswarm execution 1")
        self._waiting: list[bytes] = []
        """Steps not hashed yet: many together are cheaper than one by one."""
        self._first, self._last = record_steps or (0, -1)
        self.steps = 0
        self.checkpoints: list[Checkpoint] = []
        self.records: list[StepRecord] = []
        """Steps of the window that was asked for, first and last included."""

    def add(self, step: bytes) -> bool:
        """One step more. Whether it is to be recorded in words."""
        self._waiting.append(step)
        self.steps = steps = self.steps + 1
        if steps % INTERVAL == 0:
            self._catch_up()
            self.checkpoints.append((steps, self._hash.digest()[:_PREFIX]))
        return self._first <= steps <= self._last

    @property
    def value(self) -> str:
        """The digest as results print it."""
        self._catch_up()
        return "sha256:" + self._hash.hexdigest()

    def _catch_up(self) -> None:
        self._hash.update(b"".join(self._waiting))
        self._waiting.clear()


def differing_interval(
    one: Sequence[Checkpoint], other: Sequence[Checkpoint]
) -> tuple[int, int] | None:
    """The steps (first, last) among which two runs begin to differ, judged by checkpoints that
    both have; None where these are all equal (the difference, if any, comes after them)."""
    low, high = 0, min(len(one), len(other))
    if high == 0 or one[high - 1] == other[high - 1]:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if one[middle - 1] == other[middle - 1]:
            low = middle
        else:
            high = middle
    return low * INTERVAL + 1, high * INTERVAL


def first_difference(one: Sequence[StepRecord], other: Sequence[StepRecord]) -> int | None:
    """The number of the first step in which two recorded windows differ; None if they don't.
    A window that ends early differs at its end."""
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            return mine.number
    if len(one) != len(other):
        shorter, longer = sorted((one, other), key=len)
        return longer[len(shorter)].number
    return None
