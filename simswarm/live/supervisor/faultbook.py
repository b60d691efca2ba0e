"""What a live world needs of the book of network faults that both worlds keep.

The book itself (`sim/fabric/faults.py`) is a plain value machine; a live world is handed one by
whoever makes it, since the two worlds don't know each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from simswarm.base.time import Duration
from simswarm.live.faults import LinkRule


class LinkFault(Protocol):
    """A fault of a link, as `sim.fabric.faults.LinkFault` and the scenario format have it."""

    @property
    def latency(self) -> Duration:
        """Added one-way delay."""
        ...

    @property
    def jitter(self) -> Duration:
        """± around it."""
        ...

    @property
    def loss(self) -> int:
        """Millionths."""
        ...

    @property
    def duplicate(self) -> int:
        """Millionths."""
        ...

    @property
    def reorder(self) -> int:
        """Millionths."""
        ...

    @property
    def bandwidth(self) -> int:
        """Bytes a second; 0: no limit."""
        ...


class Condition(Protocol):
    """What all faults together do to one direction."""

    @property
    def cut(self) -> bool:
        """Nothing passes."""
        ...

    @property
    def fault(self) -> LinkFault:
        """What happens to what passes."""
        ...


class FaultBook(Protocol):
    """Which network faults are in force: `sim.fabric.faults.FaultBook`, which both worlds use."""

    def partition(self, groups: Sequence[Sequence[str]]) -> int:
        """Cut every link between two groups."""
        ...

    def shape(
        self, sources: Sequence[str], targets: Sequence[str], fault: Any, *, oneway: bool
    ) -> int:
        """Do something to links."""
        ...

    def heal(self, fault: int) -> bool:
        """End one fault."""
        ...

    def heal_all(self) -> None:
        """End every fault."""
        ...

    def heal_nodes(self, names: Sequence[str]) -> None:
        """End every fault as far as it concerns these nodes."""
        ...

    def heal_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """End every fault between groups."""
        ...

    def condition(self, source: str, target: str) -> Condition:
        """What all faults together do to this direction."""
        ...


def link_rule(condition: Condition) -> LinkRule:
    """What a node's transport is told of one of its links."""
    fault = condition.fault
    return LinkRule(
        condition.cut,
        fault.latency,
        fault.jitter,
        fault.loss,
        fault.duplicate,
        fault.reorder,
        fault.bandwidth,
    )
