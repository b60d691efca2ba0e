"""One direction between two nodes: what its profile and the faults in force make of it.

Links are made when first used (a thousand nodes have a million), and each draws from a stream of
its own, `network/<source>><target>`: traffic on one link never shifts the chances of another.

Invariants:
    I1. A link that needs no chance (constant latency, nothing lost) takes no draw.
    I2. A cut link lets nothing through.

Not here: order and retransmission (`streams.py`), which faults are in force (`faults.py`).
"""

from __future__ import annotations

from simswarm.base.entropy import Entropy
from simswarm.base.time import MICROSECOND, SECOND, Duration, Instant
from simswarm.sim.distributions import Draws, Fixed, Sampler, sampler, span_around
from simswarm.sim.fabric.faults import Condition, either
from simswarm.sim.fabric.profiles import LinkProfile

LOOPBACK = LinkProfile(Fixed(10 * MICROSECOND))
"""From a node to itself. Source: round trips over Linux loopback take some tens of µs."""


class Link:
    """What happens to a message from `source` to `target`."""

    __slots__ = (
        "_added",
        "_base",
        "_constant",
        "_draws",
        "_entropy",
        "bandwidth",
        "cut",
        "duplicate",
        "loss",
        "plain",
        "reorder",
        "source",
        "target",
    )

    def __init__(self, source: str, target: str, entropy: Entropy) -> None:
        self.source = source
        self.target = target
        self._entropy = entropy
        self._draws: Draws | None = None
        self._base: Sampler = sampler(LOOPBACK.latency)
        self._added: Sampler | None = None
        self._constant: Duration = self._base.least
        """The delay where nothing needs drawing, else -1."""
        self.cut = False
        self.plain = True
        """Nothing is lost, doubled, reordered or throttled: a delay is all there is."""
        self.loss = 0
        self.duplicate = 0
        self.reorder = 0
        self.bandwidth = 0

    def become(self, profile: LinkProfile, condition: Condition) -> None:
        """Behave so from now on."""
        fault = condition.fault
        self.cut = condition.cut
        self._base = sampler(profile.latency)
        added = sampler(span_around(fault.latency, fault.jitter))
        self._added = None if added.constant and added.least == 0 else added
        self._constant = self._base.least if self._base.constant and not self._added else -1
        self.loss = either(profile.loss, fault.loss)
        self.duplicate = either(profile.duplicate, fault.duplicate)
        self.reorder = either(profile.reorder, fault.reorder)
        limits = [limit for limit in (profile.bandwidth, fault.bandwidth) if limit]
        self.bandwidth = min(limits, default=0)
        self.plain = not (self.loss or self.duplicate or self.reorder or self.bandwidth)

    @property
    def draws(self) -> Draws:
        """The stream of this link's chances."""
        if self._draws is None:
            self._draws = Draws(self._entropy.fork(f"network/{self.source}>{self.target}"))
        return self._draws

    def delay(self) -> Duration:
        """The one-way latency of the next message."""
        if self._constant >= 0:
            return self._constant
        draws = self._draws or self.draws
        delay = draws.duration(self._base)
        return delay if self._added is None else delay + draws.duration(self._added)

    def out_of_order(self) -> Duration:
        """How much longer the next message takes because it is reordered; mostly 0."""
        if self.reorder and self.draws.happens(self.reorder):
            return self.delay() + self.delay()
        return 0

    def leaves(self, size: int, now: Instant, free: Instant) -> Instant:
        """When the last byte of a message has left, on a queue that is free from `free` on."""
        if not self.bandwidth:
            return now
        return max(now, free) + size * SECOND // self.bandwidth
