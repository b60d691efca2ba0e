"""Which manager to talk to: a weighted random choice that learns from success and failure.

Every known manager has a weight in [-256, 256]; an observation of weight w moves it halfway to w,
rounded up. A choice falls on each in proportion to its weight; weights of zero and below count
as 0.001, so that no manager is ever out of reach.

Source: swarmkit remotes/remotes.go. Everything is counted in thousandths here, for no float may
decide what happens next.
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Address
from simswarm.base.entropy import Entropy

OBSERVATION_WEIGHT = 10
"""At the start, and (negative) for a session that ended."""
WEIGHT_LIMIT = 256
_THOUSANDTHS = 1000


class Remotes:
    """The managers this node knows."""

    __slots__ = ("_entropy", "_weights")

    def __init__(self, entropy: Entropy, managers: Sequence[Address]) -> None:
        self._entropy = entropy
        self._weights: dict[Address, int] = {}
        for manager in managers:
            self.observe(manager, OBSERVATION_WEIGHT)

    @property
    def weights(self) -> tuple[tuple[Address, int], ...]:
        """Every known manager with its weight, in the order they became known."""
        return tuple(self._weights.items())

    def observe(self, manager: Address, weight: int) -> None:
        """Take an experience with a manager into account, and know it from now on."""
        weight = max(-WEIGHT_LIMIT, min(WEIGHT_LIMIT, weight))
        self._weights[manager] = -(-(weight + self._weights.get(manager, 0)) // 2)

    def observe_if_known(self, manager: Address, weight: int) -> None:
        """Take an experience into account, unless the manager was forgotten."""
        if manager in self._weights:
            self.observe(manager, weight)

    def keep_only(self, managers: Sequence[Address]) -> None:
        """Forget every manager that isn't listed."""
        for manager in tuple(self._weights):
            if manager not in managers:
                del self._weights[manager]

    def select(self) -> Address | None:
        """A manager to talk to; None if none is known."""
        shares = [max(0, weight) * _THOUSANDTHS + 1 for weight in self._weights.values()]
        if not shares:
            return None
        draw = self._entropy.integer(0, sum(shares) - 1)
        for manager, share in zip(self._weights, shares, strict=True):
            if draw < share:
                return manager
            draw -= share
        raise AssertionError("the draw is below the sum of all shares")
