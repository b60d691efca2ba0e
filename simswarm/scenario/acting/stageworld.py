"""The verbs that running a scenario needs of a world: simulated and live have the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from simswarm.base.effects import Field
from simswarm.base.time import Duration, Instant
from simswarm.base.values import Value
from simswarm.sim.fabric.faults import LinkFault
from simswarm.sim.machine.images import ImageBehaviour
from simswarm.wire.control import Result

Lose = Literal["nothing", "unsynced", "disk"]


class StageWorld(Protocol):
    """A world on which a scenario is played."""

    @property
    def t(self) -> Instant:
        """Nanoseconds since the swarm was up."""
        ...

    def crash(self, name: str, lose: Lose = ...) -> object:
        """End a node and its containers."""
        ...

    def restart(self, name: str) -> object:
        """Boot a node that is down."""
        ...

    def pause(self, name: str) -> object:
        """Stop a node's process for a while."""
        ...

    def resume(self, name: str) -> object:
        """Let a paused node go on."""
        ...

    def partition(self, groups: Sequence[Sequence[str]]) -> int:
        """Cut the links between groups; returns the fault's id."""
        ...

    def set_link(
        self, sources: Sequence[str], targets: Sequence[str], link: LinkFault, *, oneway: bool
    ) -> int:
        """Make links worse; returns the fault's id."""
        ...

    def heal(self, fault: int | None = None) -> object:
        """End one network fault, or all."""
        ...

    def heal_nodes(self, names: Sequence[str]) -> None:
        """End network faults as far as they concern these nodes."""
        ...

    def heal_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """End network faults between groups."""
        ...

    def set_image(self, name: str, behaviour: ImageBehaviour) -> None:
        """Let an image behave so from now on."""
        ...

    def exit_container(self, node: str, task: str, code: int) -> object:
        """Make a container end."""
        ...

    def call(
        self,
        name: str,
        request: Value,
        on_reply: Callable[[Result | None], None],
        timeout: Duration,
    ) -> int:
        """Ask a node on behalf of a client."""
        ...

    def observe(self, node: str, kind: str, **fields: Field) -> None:
        """Add a record to the trace."""
        ...
