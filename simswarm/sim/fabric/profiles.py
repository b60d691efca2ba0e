"""What a network and its disks are like before anything is injected: the four profiles.

    perfect   constant latency, nothing lost: for formation, and to see a protocol alone
    lan       one data centre (the default)
    wan       managers and workers in several regions
    flaky     a bad day: lossy, slow, jumbled; disks that stall

Profiles are functions that derive from one another. Latencies are one-way.

Source: each number's source stands beside it and in `docs/model-card.md`.
Not here: faults that come and go (`faults.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from simswarm.base.time import MICROSECOND, MILLISECOND
from simswarm.base.values import Value, replace
from simswarm.sim.distributions import Distribution, Fixed, Quantiles


class LinkProfile(Value, frozen=True):
    """One direction of a link. Probabilities in parts per million."""

    latency: Distribution
    loss: int = 0
    duplicate: int = 0
    """Datagrams only: a stream discards what it has received already."""
    reorder: int = 0
    """Held back by two further latencies; a stream waits for what comes first."""
    bandwidth: int = 0
    """Bytes a second for each stream; 0 is no limit."""


class Profile(Value, frozen=True):
    """A network and its nodes' disks."""

    name: str
    link: LinkProfile
    fsync: Distribution
    """How long a write takes to be durable."""
    between_zones: LinkProfile | None = None
    """Between nodes of different zones; None: as within one."""


def perfect() -> Profile:
    """Constant latency, nothing lost, nothing drawn."""
    return Profile(
        "perfect",
        LinkProfile(Fixed(100 * MICROSECOND)),
        fsync=Fixed(100 * MICROSECOND),
    )


def lan() -> Profile:
    """One data centre.

    Source: round trips of about 0.5 ms within a data centre (J. Dean, "Numbers everyone should
    know", 2009) and 0.3 to 1.5 ms between zones of one region; fsync as `fio` measured it on an
    SSD for etcd, 0.8 ms in the median and 2.4 ms at the 99 % quantile (IBM, 2019; etcd asks for
    a 99 % quantile below 10 ms).
    """
    return Profile(
        "lan",
        LinkProfile(Quantiles(250 * MICROSECOND, 1 * MILLISECOND)),
        fsync=Quantiles(800 * MICROSECOND, 2400 * MICROSECOND),
    )


def wan() -> Profile:
    """Several regions of one continent.

    Source: round trips of 60 to 100 ms between regions that are thousands of kilometres apart
    (light in fibre alone takes 10 ms for 1,000 km and back); loss of about 1 in 10,000 is what
    backbone operators promise.
    """
    return replace(
        lan(),
        name="wan",
        link=LinkProfile(Quantiles(40 * MILLISECOND, 70 * MILLISECOND), loss=100),
    )


def flaky() -> Profile:
    """A bad day: no measured network, but one on which a protocol still has to be right.

    Source: loss, duplication and reordering within the ranges that TigerBeetle's simulator draws
    from (0–30 %, 0–50 %); fsync stalls as etcd's guides describe for shared disks (50–100 ms).
    """
    return replace(
        lan(),
        name="flaky",
        link=LinkProfile(
            Quantiles(15 * MILLISECOND, 250 * MILLISECOND),
            loss=20_000,
            duplicate=5_000,
            reorder=10_000,
        ),
        fsync=Quantiles(5 * MILLISECOND, 100 * MILLISECOND),
    )


PROFILES: dict[str, Callable[[], Profile]] = {
    "perfect": perfect,
    "lan": lan,
    "wan": wan,
    "flaky": flaky,
}
"""The profiles by the names that scenario files use."""
