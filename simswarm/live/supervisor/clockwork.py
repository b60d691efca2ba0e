"""The time of a live run as its observer sees it: a little behind the machine's clock.

A supervisor learns of what its nodes observe some milliseconds later. So that records, callbacks
and conditions share one time that never goes back, the observed time follows the machine's
monotonic clock at a distance (`recorder.LAG`); callbacks are called at the observed time they were
set for, in order with the records of their moment. What a callback does to the swarm is done at
once, that is `LAG` later in real time.

The same words as the simulator's kernel (`now`, `call_at`, `call_in`), so that timelines run on
either.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVar

from simswarm.base.time import Duration, Instant

Argument = TypeVar("Argument")


class LiveEnvironment:
    """Callbacks on observed time."""

    def __init__(self) -> None:
        self.now: Instant = 0
        self._queue: list[tuple[Instant, int, Callable[[Any], object], Any]] = []
        self._sequence = 0

    def call_at(
        self, at: Instant, function: Callable[[Argument], object], argument: Argument
    ) -> None:
        """Call `function(argument)` when the observed time is `at`."""
        self._sequence += 1
        heappush(self._queue, (max(at, self.now), self._sequence, function, argument))

    def call_in(
        self, delay: Duration, function: Callable[[Argument], object], argument: Argument
    ) -> None:
        """Call `function(argument)` after a delay."""
        self.call_at(self.now + delay, function, argument)

    @property
    def next_at(self) -> Instant | None:
        """When the next callback is due."""
        return self._queue[0][0] if self._queue else None

    def run_next(self) -> None:
        """Call the next callback; the observed time is its own."""
        at, _, function, argument = heappop(self._queue)
        self.now = max(self.now, at)
        function(argument)
