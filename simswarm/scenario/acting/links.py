"""Networks and link faults, from a file's words to the simulator's.

Jitter is ± around the latency, as `tc netem` has it.
"""

from __future__ import annotations

from simswarm.base.time import Duration
from simswarm.base.values import replace
from simswarm.scenario.acting.draws import simulated
from simswarm.scenario.grammar.durations import Distribution, Fixed, Quantiles, Uniform
from simswarm.scenario.model import Cluster, Link
from simswarm.scenario.model.actions import LinkFault as FileLinkFault
from simswarm.sim.fabric.faults import LinkFault
from simswarm.sim.fabric.profiles import PROFILES, LinkProfile, Profile

BITS_PER_BYTE = 8


def network_profile(cluster: Cluster) -> Profile:
    """The network and disks of a cluster: a profile and what differs from it."""
    profile = PROFILES[cluster.network.profile]()
    link = _shaped(profile.link, cluster.network)
    between = profile.between_zones
    if cluster.between_zones is not None:
        between = _shaped(between or link, cluster.between_zones)
    return replace(profile, link=link, between_zones=between)


def _shaped(profile: LinkProfile, link: Link) -> LinkProfile:
    """A link's profile with what a file says of it."""
    latency = profile.latency
    if link.latency is not None:
        latency = simulated(jittered(link.latency, link.jitter or 0))
    return replace(
        profile,
        latency=latency,
        loss=profile.loss if link.loss is None else link.loss,
        duplicate=profile.duplicate if link.duplicate is None else link.duplicate,
        reorder=profile.reorder if link.reorder is None else link.reorder,
        bandwidth=profile.bandwidth if link.bandwidth is None else _bytes(link.bandwidth),
    )


def jittered(latency: Distribution, jitter: Duration) -> Distribution:
    """A latency ± jitter, never below 0."""
    if not jitter:
        return latency
    match latency:
        case Fixed(span):
            return Uniform(max(0, span - jitter), span + jitter)
        case Uniform(low, high):
            return Uniform(max(0, low - jitter), high + jitter)
        case Quantiles(p50, p99):
            return Quantiles(p50, p99 + jitter)


def link_fault(link: FileLinkFault) -> LinkFault:
    """What is done to a link on top of its profile.

    A range of latencies becomes its middle with the rest as jitter; of quantiles the median counts.
    """
    jitter = link.jitter or 0
    match link.latency:
        case None:
            latency = 0
        case Fixed(span):
            latency = span
        case Uniform(low, high):
            latency, jitter = (low + high) // 2, jitter + (high - low) // 2
        case Quantiles(p50, p99):
            latency, jitter = p50, jitter + min(p50, p99 - p50)
    return LinkFault(
        latency=latency,
        jitter=jitter,
        loss=link.loss or 0,
        duplicate=link.duplicate or 0,
        reorder=link.reorder or 0,
        bandwidth=0 if link.bandwidth is None else _bytes(link.bandwidth),
    )


def _bytes(bits: int) -> int:
    """Bits a second as bytes a second; 0 would mean no limit."""
    return max(1, bits // BITS_PER_BYTE)
