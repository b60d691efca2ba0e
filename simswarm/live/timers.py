"""The timers of one node on an event loop: at their deadline, in the order of deadlines.

One queue of (deadline, sequence) as in the simulator, so that timers due together fire in the
order in which they were set; the event loop is asked for the earliest only.

Invariants:
    I1. A key has at most one deadline; setting it again moves it.
    I2. `due` is called no earlier than the deadline by the node's own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from simswarm.base.effects import TimerKey
from simswarm.base.time import SECOND, Instant
from simswarm.live.system import Clock


class Timers:
    """Deadlines by key."""

    __slots__ = ("_alarm", "_clock", "_due", "_queue", "_sequence", "_set")

    def __init__(self, clock: Clock, due: Callable[[TimerKey], None]) -> None:
        self._clock = clock
        self._due = due
        self._queue: list[tuple[Instant, int, TimerKey]] = []
        self._set: dict[TimerKey, int] = {}
        self._sequence = 0
        self._alarm: asyncio.TimerHandle | None = None

    def set(self, key: TimerKey, at: Instant) -> None:
        """Call `due(key)` when the clock shows `at`."""
        self._sequence += 1
        self._set[key] = self._sequence
        heappush(self._queue, (at, self._sequence, key))
        if self._queue[0][2] is key:
            self._arm()

    def cancel(self, key: TimerKey) -> None:
        """Forget a deadline, if there is one. Its place in the queue is skipped later."""
        self._set.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._set.clear()
        self._queue.clear()
        self._arm()

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._queue:
            loop = asyncio.get_running_loop()
            wait = (self._queue[0][0] - self._clock.now().mono) / SECOND
            self._alarm = loop.call_later(max(wait, 0.0), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = self._clock.now().mono
        while self._queue and self._queue[0][0] <= now:
            _, sequence, key = heappop(self._queue)
            if self._set.get(key) == sequence:
                del self._set[key]
                self._due(key)
        self._arm()
