"""A sample of durations, some of which were never reached: censored, not dropped.

A run whose leader was not elected before the run ended tells only "longer than that". Such values
are right-censored: they count in every share, and the distribution function (Kaplan-Meier) stays
below 1.

Source: E. Kaplan, P. Meier, 1958, as in scipy.stats.ecdf; E. Wilson, 1927, for shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """Durations in seconds: those `reached`, and for the rest how long each was `waited` for."""

    reached: tuple[float, ...]
    waited: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """All runs, those that never got there included."""
        return len(self.reached) + len(self.waited)

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distribution function: instants (n,) in seconds and shares (n,) between 0 and 1."""
        from scipy import stats

        data = stats.CensoredData.right_censored(
            np.array(self.reached + self.waited),
            np.array([False] * len(self.reached) + [True] * len(self.waited)),
        )
        function = stats.ecdf(data).cdf
        return function.quantiles, function.probabilities

    def quantile(self, share: float) -> float | None:
        """The instant by which this share of runs got there; None if it is beyond what was seen."""
        if not self.reached:
            return None
        instants, shares = self.curve()
        # a share such as 0.9 of 10 runs must find the 9th although 9/10 is not exact
        position = int(np.searchsorted(shares, share - 1e-12))
        return float(instants[position]) if position < len(instants) else None


def share_interval(count: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval in which a true share lies, `count` of `total` having been seen (Wilson)."""
    from scipy import stats

    interval = stats.binomtest(count, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
