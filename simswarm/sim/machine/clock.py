"""A node's two clocks, as its oscillator and its operator make them: drift, skew, jumps.

    mono(t) = m₀ + (t − t₀) · (1 + drift)        timers; drift acts on it, never goes back
    wall(t) = t + epoch + skew + jumps           timestamps; skew and jumps act on it

A clock without a fault shows simulated time. A change of drift starts a new straight line at
(t₀, m₀), so that `mono` has no step.

Invariants:
    I1. `mono` never goes back.
    I2. A timer never fires before its deadline on `mono`: `instant(deadline)` is rounded up.

Not here: what a pause does (inputs wait; the clocks go on), timers (`timers.py`).
"""

from __future__ import annotations

from simswarm.base.time import Duration, Instant, Now
from simswarm.base.values import Value

BILLION = 1_000_000_000
WALL_EPOCH: Instant = 1_767_225_600 * BILLION
"""2026-01-01T00:00:00Z: what clocks show when a world begins."""


class ClockModel(Value, frozen=True):
    """How a clock is wrong."""

    skew: Duration = 0
    """How far `wall` is ahead; may be negative."""
    drift: int = 0
    """How much faster `mono` runs, in parts per billion; may be negative, above −10⁹."""


class Clock:
    """The clocks of one node."""

    __slots__ = ("_anchor", "_anchor_mono", "_drift", "_mono_ahead", "_wall_ahead")

    def __init__(self, model: ClockModel) -> None:
        self._anchor: Instant = 0
        self._anchor_mono: Instant = 0
        self._mono_ahead: Duration = 0
        self._drift = 0
        self._wall_ahead = WALL_EPOCH + model.skew
        self.set_drift(model.drift, 0)

    def now(self, t: Instant) -> Now:
        """What both clocks show at a simulated instant."""
        return Now(self.mono(t) if self._drift else t + self._mono_ahead, t + self._wall_ahead)

    def mono(self, t: Instant) -> Instant:
        """What the monotonic clock shows."""
        passed = t - self._anchor
        return self._anchor_mono + passed + passed * self._drift // BILLION

    def instant(self, mono: Instant) -> Instant:
        """The first simulated instant at which the monotonic clock shows at least `mono`."""
        passed = mono - self._anchor_mono
        if self._drift:
            passed = -(-passed * BILLION // (BILLION + self._drift))
        return self._anchor + passed

    def set_drift(self, drift: int, t: Instant) -> None:
        """Run at another rate from now on; timers have to be set anew."""
        assert drift > -BILLION, "a clock can't stand still or run backwards"
        self._anchor_mono = self.mono(t)
        self._anchor = t
        self._mono_ahead = self._anchor_mono - t
        self._drift = drift

    def jump(self, by: Duration) -> None:
        """Set the wall clock forward, or back."""
        self._wall_ahead += by
