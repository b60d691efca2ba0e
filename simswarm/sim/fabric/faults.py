"""Which network faults are in force: partitions and shaped links, each with an id to heal it by.

    partition [[m1, w1], [m2, m3]]     m1 ✂ m2, m1 ✂ m3, w1 ✂ m2, w1 ✂ m3, both ways
    link {from: m1, to: w1, loss: …}   m1 ⇄ w1, or only m1 → w1 (one-way)

Faults add up: a link is cut if any fault cuts it; delays are summed, probabilities are combined
as independent chances, the smallest bandwidth rules. So their order doesn't matter.

Invariants:
    I1. A node that no group of a partition names is not affected by it: it talks to everybody.
    I2. A fault never concerns a node's messages to itself.
    I3. Healing a fault twice, or one that is over, does nothing.

Not here: what a faulty link does to a message (`links.py`, `streams.py`), records (`world.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from simswarm.base.errors import InvalidSpec
from simswarm.base.time import Duration
from simswarm.base.values import Value
from simswarm.sim.distributions import MILLION

FaultID: TypeAlias = int
"""Names one injected fault of one world; the first is 1."""


class LinkFault(Value, frozen=True):
    """What is done to a link, on top of what its profile says. Probabilities in parts per
    million; a loss of a million cuts the link."""

    latency: Duration = 0
    """Added to the profile's."""
    jitter: Duration = 0
    """± around the added latency, uniformly."""
    loss: int = 0
    duplicate: int = 0
    reorder: int = 0
    bandwidth: int = 0
    """Bytes a second; 0 sets no limit."""


class Condition(Value, frozen=True):
    """What all faults together do to one direction of a link."""

    cut: bool
    fault: LinkFault


HEALTHY = Condition(False, LinkFault())


class _Fault:
    """One fault: whom it concerns, and for whom it has been healed since."""

    __slots__ = ("_healed_groups", "_healed_nodes", "fault")

    def __init__(self, fault: LinkFault | None) -> None:
        self.fault = fault
        """None: cut."""
        self._healed_nodes: dict[str, None] = {}
        self._healed_groups: list[dict[str, int]] = []

    def concerns(self, source: str, target: str) -> bool:
        """Whether it was meant for this direction."""
        raise NotImplementedError

    def holds(self, source: str, target: str) -> bool:
        """Whether it is in force in this direction."""
        return (
            self.concerns(source, target)
            and source not in self._healed_nodes
            and target not in self._healed_nodes
            and not any(_separates(groups, source, target) for groups in self._healed_groups)
        )

    def heal_nodes(self, names: Sequence[str]) -> None:
        """No longer for these nodes."""
        self._healed_nodes.update(dict.fromkeys(names))

    def heal_groups(self, groups: dict[str, int]) -> None:
        """No longer between these groups."""
        self._healed_groups.append(groups)


class _Partition(_Fault):
    __slots__ = ("_groups",)

    def __init__(self, groups: dict[str, int]) -> None:
        super().__init__(None)
        self._groups = groups

    def concerns(self, source: str, target: str) -> bool:
        return _separates(self._groups, source, target)


class _Shaping(_Fault):
    __slots__ = ("_oneway", "_sources", "_targets")

    def __init__(
        self, sources: Sequence[str], targets: Sequence[str], fault: LinkFault, *, oneway: bool
    ) -> None:
        super().__init__(None if fault.loss >= MILLION else fault)
        self._sources = dict.fromkeys(sources)
        self._targets = dict.fromkeys(targets)
        self._oneway = oneway

    def concerns(self, source: str, target: str) -> bool:
        if source in self._sources and target in self._targets:
            return True
        return not self._oneway and source in self._targets and target in self._sources


class FaultBook:
    """All network faults of a world."""

    __slots__ = ("_faults", "_last")

    def __init__(self) -> None:
        self._faults: dict[FaultID, _Fault] = {}
        self._last = 0

    def partition(self, groups: Sequence[Sequence[str]]) -> FaultID:
        """Cut every link between two groups, both ways.

        Raises:
            InvalidSpec: a node is in two groups.
        """
        return self._add(_Partition(_grouped(groups)))

    def shape(
        self, sources: Sequence[str], targets: Sequence[str], fault: LinkFault, *, oneway: bool
    ) -> FaultID:
        """Do something to the links from `sources` to `targets`, and back unless one-way."""
        return self._add(_Shaping(sources, targets, fault, oneway=oneway))

    def heal_all(self) -> None:
        """End every fault."""
        self._faults.clear()

    def heal(self, fault: FaultID) -> bool:
        """End one fault. False: it is not in force."""
        return self._faults.pop(fault, None) is not None

    def heal_nodes(self, names: Sequence[str]) -> None:
        """End every fault as far as it concerns these nodes."""
        for fault in self._faults.values():
            fault.heal_nodes(names)

    def heal_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """End every fault between nodes of different groups."""
        between = _grouped(groups)
        for fault in self._faults.values():
            fault.heal_groups(between)

    def condition(self, source: str, target: str) -> Condition:
        """What all faults together do to this direction."""
        if source == target or not self._faults:
            return HEALTHY
        cut, sum_of = False, HEALTHY.fault
        for fault in self._faults.values():
            if not fault.holds(source, target):
                continue
            if fault.fault is None:
                cut = True
            else:
                sum_of = _combined(sum_of, fault.fault)
        return Condition(cut, sum_of)

    def _add(self, fault: _Fault) -> FaultID:
        self._last += 1
        self._faults[self._last] = fault
        return self._last


def _grouped(groups: Sequence[Sequence[str]]) -> dict[str, int]:
    placed: dict[str, int] = {}
    for number, group in enumerate(groups):
        for name in group:
            if placed.setdefault(name, number) != number:
                raise InvalidSpec(f"{name} can't be in two groups of a partition")
    return placed


def _separates(groups: dict[str, int], source: str, target: str) -> bool:
    mine, other = groups.get(source), groups.get(target)
    return mine is not None and other is not None and mine != other


def either(one: int, other: int) -> int:
    """The chance that at least one of two independent things happens, in parts per million."""
    return MILLION - (MILLION - one) * (MILLION - other) // MILLION


def _combined(one: LinkFault, other: LinkFault) -> LinkFault:
    limits = [limit for limit in (one.bandwidth, other.bandwidth) if limit]
    return LinkFault(
        latency=one.latency + other.latency,
        jitter=one.jitter + other.jitter,
        loss=either(one.loss, other.loss),
        duplicate=either(one.duplicate, other.duplicate),
        reorder=either(one.reorder, other.reorder),
        bandwidth=min(limits, default=0),
    )
