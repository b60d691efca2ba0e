"""A node's timers: lazy deadlines on the kernel's queue.

A timer that is moved further away (an election timeout at every heartbeat) costs nothing: the
entry that waits in the queue finds, when its time comes, that the deadline is later, and waits on.
Only a deadline that moves nearer needs another entry; the old one is then ignored.

    set(key, at) ─> deadline ─> [queue entry no later than the deadline] ─> due: fired
                                                                          └─ not yet: again

Invariants:
    I1. A timer fires once for the last deadline set, never before it, and not if it was cancelled:
        not even if it had fired already and the node was too busy to be told.
    I2. At most one queue entry of a timer is in force.

Source: lazy deadlines are about nine times cheaper than interrupting a SimPy process
(`benchmarks/kernel.py`). Not here: what is done with a timer that fired (`driver.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from simswarm.base.effects import TimerFired, TimerKey
from simswarm.base.time import Instant
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.machine.clock import Clock

_NEVER = -1


class Timer:
    """One timer of one boot."""

    __slots__ = ("_armed", "_timers", "deadline", "fired", "key", "waiting")

    def __init__(self, timers: Timers, key: TimerKey) -> None:
        self._timers = timers
        self._armed = _NEVER
        """The instant of the queue entry in force."""
        self.key = key
        self.deadline = _NEVER
        """On the node's monotonic clock."""
        self.fired = TimerFired(key)
        self.waiting = False
        """It has fired, and the node has not been told yet."""

    def arm(self, at: Instant) -> None:
        """See to it that a queue entry comes no later than `at`."""
        if self._armed == _NEVER or at < self._armed:
            self._armed = at
            self._timers.env.call_at(at, self._on_entry, at)

    def disarm(self) -> None:
        """Ignore the queue entry in force."""
        self._armed = _NEVER

    @property
    def is_idle(self) -> bool:
        """Neither set nor waiting for an entry."""
        return self.deadline == _NEVER and self._armed == _NEVER

    def _on_entry(self, at: Instant) -> None:
        if self._armed != at:
            return  # a nearer deadline has taken its place
        self._armed = _NEVER
        timers = self._timers
        if self.deadline == _NEVER:
            timers.forget(self)
            return
        due = timers.clock.instant(self.deadline)
        if due > at:
            self.arm(due)
        else:
            self.deadline = _NEVER
            timers.on_fired(self)


class Timers:
    """All timers of one boot of a node."""

    __slots__ = ("_timers", "clock", "env", "on_fired")

    def __init__(
        self, env: SimEnvironment, clock: Clock, on_fired: Callable[[Timer], None]
    ) -> None:
        self.env = env
        self.clock = clock
        self.on_fired = on_fired
        self._timers: dict[TimerKey, Timer] = {}

    def set(self, key: TimerKey, at: Instant) -> None:
        """Fire `key` when the monotonic clock shows `at`, and not at what was set before."""
        timer = self._timers.get(key)
        if timer is None:
            timer = self._timers[key] = Timer(self, key)
        timer.deadline = at if at >= 0 else 0
        timer.waiting = False
        due = self.clock.instant(at)
        now = self.env.now
        timer.arm(due if due > now else now)

    def cancel(self, key: TimerKey) -> None:
        """Forget a timer; harmless if it is not set."""
        timer = self._timers.get(key)
        if timer is not None:
            timer.deadline = _NEVER
            timer.waiting = False
            self.forget(timer)

    def forget(self, timer: Timer) -> None:
        """Let go of a timer that isn't set any more."""
        if timer.is_idle and self._timers.get(timer.key) is timer:
            del self._timers[timer.key]

    def rearm(self) -> None:
        """The clock runs at another rate: find new instants for all deadlines."""
        now = self.env.now
        for timer in self._timers.values():
            if timer.deadline != _NEVER:
                timer.disarm()
                timer.arm(max(now, self.clock.instant(timer.deadline)))

    def drop(self) -> None:
        """The node is gone, and its timers with it."""
        for timer in self._timers.values():
            timer.disarm()
        self._timers.clear()

    def pending(self) -> list[tuple[TimerKey, Instant]]:
        """What is set, with deadlines on the monotonic clock."""
        return [
            (timer.key, timer.deadline)
            for timer in self._timers.values()
            if timer.deadline != _NEVER
        ]
