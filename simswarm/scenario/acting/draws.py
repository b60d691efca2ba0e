"""Spans of time from a file, as the simulator draws them."""

from __future__ import annotations

from simswarm.scenario.grammar import durations
from simswarm.sim import distributions


def simulated(span: durations.Distribution) -> distributions.Distribution:
    """The simulator's distribution for one of the file's."""
    match span:
        case durations.Fixed(value):
            return distributions.Fixed(value)
        case durations.Uniform(low, high):
            return distributions.Uniform(low, high)
        case durations.Quantiles(p50, p99):
            if p50 == 0 or p50 == p99:
                return distributions.Uniform(p50, p99)
            return distributions.Quantiles(p50, p99)
