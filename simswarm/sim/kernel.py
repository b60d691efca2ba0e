"""The simulation kernel: SimPy's environment with one queue for events and plain callbacks.

Every entry of the queue is `(time, priority, sequence, function, argument)`. SimPy's own events
enter it as `(…, _fire, event)`; protocol code (deliveries, timers, disks, engines) uses `call_at`
and `call_in` and so pays for no event object. `sequence` is one counter for both kinds: events
and callbacks at one instant happen in the order in which they were scheduled.

Invariants:
    I1. Entries are processed in order of (time, priority, sequence); function and argument are
        never compared.
    I2. A program that uses only SimPy's interface runs as on `simpy.Environment`, with the same
        results and the same error texts.
    I3. Time is integer nanoseconds as long as every delay is an integer.

Source: SimPy 4.1 `core.py` (whose `schedule`, `peek`, `step` and `run` alone touch the queue);
replacing the event object by a tuple is what makes callbacks faster (`benchmarks/kernel.py`).
Not here: whose callbacks these are (`driver.py`, `network.py`, …). No other module imports simpy.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVar

from simpy import Environment, Event, Interrupt, Process
from simpy.core import EmptySchedule, Infinity, StopSimulation
from simpy.events import NORMAL, URGENT, EventPriority

from simswarm.base.time import Duration, Instant

__all__ = ["EmptySchedule", "Event", "Interrupt", "Process", "SimEnvironment"]

Argument = TypeVar("Argument")
_Entry = tuple[int, int, int, Callable[[Any], object], Any]
_RESUMED = EventPriority(-1)
"""A stop event that still has callbacks goes before everything else at its instant."""


class SimEnvironment(Environment):
    """A SimPy environment in integer nanoseconds that also takes plain callbacks."""

    # SimPy keeps `_now` and shows it as the property `now`. It is asked for several times in a
    # callback, so here `now` is what is kept.
    __slots__ = ("_sequence", "now")

    now: Instant
    """The current simulated time."""
    _queue: list[_Entry]  # type: ignore[assignment]

    def __init__(self, initial_time: Instant = 0) -> None:
        super().__init__(initial_time)
        self._queue = []
        self._sequence = 0

    @property
    def _now(self) -> Instant:
        return self.now

    @_now.setter
    def _now(self, at: Instant) -> None:
        self.now = at

    def call_at(
        self, at: Instant, function: Callable[[Argument], object], argument: Argument
    ) -> None:
        """Call `function(argument)` at an instant that is not in the past."""
        assert at >= self.now, "the past can't be changed"
        self._sequence = sequence = self._sequence + 1
        heappush(self._queue, (at, NORMAL, sequence, function, argument))

    def call_in(
        self, delay: Duration, function: Callable[[Argument], object], argument: Argument
    ) -> None:
        """Call `function(argument)` after a delay of at least 0."""
        assert delay >= 0, "the past can't be changed"
        self._sequence = sequence = self._sequence + 1
        heappush(self._queue, (self.now + delay, NORMAL, sequence, function, argument))

    def schedule(self, event: Event, priority: EventPriority = NORMAL, delay: float = 0) -> None:
        """Schedule a SimPy event with a priority and a delay."""
        self._sequence = sequence = self._sequence + 1
        entry: Any = (self.now + delay, priority, sequence, self._fire, event)
        heappush(self._queue, entry)

    def peek(self) -> float:
        """The time of the next entry; infinity where there is none."""
        return self._queue[0][0] if self._queue else Infinity

    def step(self) -> None:
        """Process the next entry.

        Raises:
            EmptySchedule: there is none.
        """
        if not self._queue:
            raise EmptySchedule
        self.now, _, _, function, argument = heappop(self._queue)
        function(argument)

    def run(self, until: float | Event | None = None) -> Any:
        """Process entries until an event has happened, a time is reached, or none is left.

        What is scheduled for exactly the time `until` is left for the next run, so that a run in
        slices processes the same entries in the same order as a run in one go.
        """
        event: Any = None
        if until is not None:
            event = until if isinstance(until, Event) else self._stop_at(until)
            if event.callbacks is None:
                return event.value  # it has happened already
            event.callbacks.append(StopSimulation.callback)
        queue = self._queue
        try:
            while queue:
                self.now, _, _, function, argument = heappop(queue)
                function(argument)
        except StopSimulation as stop:
            return stop.args[0]
        if event is not None:
            assert not event.triggered
            raise RuntimeError(
                f'No scheduled events left but "until" event was not triggered: {event}'
            )
        return None

    def _stop_at(self, until: float) -> Any:
        """An event that happens at a time, before everything else scheduled for it."""
        at = until if isinstance(until, int) else float(until)
        if at <= self.now:
            raise ValueError(f"until ({at}) must be greater than the current simulation time")
        event = Event(self)
        event._ok = True
        event._value = None
        self.schedule(event, URGENT, at - self.now)
        return event

    def _fire(self, event: Event) -> None:
        """Call what waits for a SimPy event, as `simpy.Environment.step` does."""
        callbacks: Any = event.callbacks
        event.callbacks = None  # type: ignore[assignment]  # from now on it can't be waited for
        try:
            for callback in callbacks:
                callback(event)
        except StopSimulation:
            event.callbacks = callbacks[callbacks.index(callback) + 1 :]
            self.schedule(event, _RESUMED)
            raise
        if not event._ok and not hasattr(event, "_defused"):
            cause: Any = event._value
            failure = type(cause)(*cause.args)
            failure.__cause__ = cause
            raise failure
