"""A scenario on a live swarm: the same timeline, judges and invariants, in real time.

    node processes ──trace files──> LiveWorld ──records──────────> Stage, Monitor
                                       │ └──applied, Raft────────> CommittedStream, RaftSafety
                                       <──crash, partition, call── timeline, clients

Nothing of `run.py` is repeated: `LivePlaying` is a `Playing` on another world. What differs is
what can be known: a node's steps are in another process, so "durable before acknowledged" isn't
watched (the network's frames aren't in the trace); everything else is.

Not here: what a live swarm can't do (`livecheck.py`), starting and stopping one (`live/`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from simswarm.base.effects import Write
from simswarm.base.errors import FailedPrecondition
from simswarm.base.time import Duration
from simswarm.check.invariant import Invariant
from simswarm.check.monitor import stop
from simswarm.check.raft_safety import WAL
from simswarm.live.supervisor.state import StateFolder
from simswarm.live.supervisor.world import LiveWorld
from simswarm.live.watch import RaftBooted, RaftSeen, RaftStepped, RaftWrote
from simswarm.model.config import NodeConfig
from simswarm.model.specs import NodeRole
from simswarm.raft import Index, Role, Term
from simswarm.raft.raft import Raft
from simswarm.scenario.acting.formation import Formation, node_configs
from simswarm.scenario.model import Cluster, Scenario
from simswarm.scenario.outcome.finished import Run
from simswarm.scenario.outcome.result import Json
from simswarm.scenario.run import Playing, Progress
from simswarm.sim.fabric.faults import FaultBook
from simswarm.sim.world import World
from simswarm.store import Change

NOT_WATCHED = "durable before acknowledged"


class _Log(NamedTuple):
    committed: Index


class _RaftView(NamedTuple):
    """What `RaftSafety.stepped` looks at of a Raft."""

    log: _Log
    role: Role
    term: Term


class LivePlaying(Playing):
    """A run on a live swarm under way."""

    __slots__ = ("_live",)

    def __init__(
        self, scenario: Scenario, world: LiveWorld, *, until: Duration | None = None
    ) -> None:
        # LiveWorld has the verbs of World, but is no relative of it: the packages are siblings
        super().__init__(scenario, until=until, world=cast("World", world))
        self._live = world
        world.recorder.applied.append(self._on_applied)
        world.recorder.raft.append(self._on_raft)
        world.use_images(scenario.x_live.images)

    @property
    def invariants(self) -> Sequence[Invariant]:
        """What can be watched of a live swarm."""
        watched = self.stage.monitor.invariants
        return tuple(one for one in watched if one is not self.stage.monitor.durability)

    def form(self) -> None:
        """Bring the swarm up, or take it over, and begin: t = 0.

        Raises:
            FormationFailed, Unavailable: it does not come up.
            FailedPrecondition: it has services already.
        """
        if self._live.record.origin:  # it was up before
            self._live.attach()
            Formation(self.world, self.scenario.cluster, self.stage.scene.facts).run()
            services = sorted(self.stage.scene.facts.services_by_name)
            if services:
                raise FailedPrecondition(
                    f"the live swarm '{self._live.state.name}' has services already "
                    f"({', '.join(services)}): begin with a new one"
                )
        super().form()

    def _on_applied(self, manager: str, changes: tuple[Change, ...], index: int) -> None:
        self.stage.monitor.stream.applied(manager, changes, index)

    def _on_raft(self, manager: str, seen: RaftSeen) -> None:
        raft = self.stage.monitor.raft
        try:
            match seen:
                case RaftBooted(records):
                    raft.booted(manager, records)
                case RaftWrote(mode, records):
                    raft.wrote(manager, Write(WAL, mode, records, 0))
                case RaftStepped(committed, role, term):
                    view = _RaftView(_Log(committed), role, term)
                    raft.stepped(manager, cast("Raft", view))
        except Exception as error:  # as in `check/monitor.py`: the run goes on and says so
            stop(raft.invariants, error)

    def _result(self) -> Json:
        result = super()._result()
        result["live"] = {"swarm": self._live.record.label, "engine": self._live.record.engine}
        result["warnings"].append(f"invariant '{NOT_WATCHED}' is not watched in live runs")
        return result


def start_swarm(
    state: StateFolder, cluster: Cluster, engine: str, *, level: str = "normal"
) -> LiveWorld:
    """Claim a folder for a new live swarm; its nodes are added, not booted.

    Raises:
        FailedPrecondition: a swarm of this name is there.
    """
    state.create(engine)
    world = LiveWorld(state, FaultBook(), level=level)
    for config in node_configs(cluster):
        world.add(config)
    return world


def take_over(state: StateFolder, cluster: Cluster) -> LiveWorld:
    """A live swarm that was brought up before, if it is what a scenario asks for.

    Raises:
        NotFound: there is no such swarm.
        FailedPrecondition: it is another one than the scenario needs.
    """
    found = [config.node for config in state.load().nodes]
    difference = _difference(found, node_configs(cluster))
    if difference:
        raise FailedPrecondition(f"the live swarm '{state.name}' is another one: {difference}")
    return LiveWorld(state, FaultBook())


def _difference(found: list[NodeConfig], wanted: list[NodeConfig]) -> str:
    """How a running swarm differs from the one that is wanted, in words; empty if it doesn't."""
    for role, word in ((NodeRole.MANAGER, "managers"), (NodeRole.WORKER, "workers")):
        has = sum(config.role is role for config in found)
        needs = sum(config.role is role for config in wanted)
        if has != needs:
            return f"it has {has} {word}, the scenario needs {needs}"
    for one, other in zip(found, wanted, strict=True):
        for field in one.__struct_fields__:
            if getattr(one, field) != getattr(other, field):
                return f"its {one.name} has another {field} than the scenario says"
    return ""


def form_swarm(world: LiveWorld, cluster: Cluster) -> float:
    """Boot a new swarm and wait until all is ready; how many seconds it took.

    Raises:
        FormationFailed, Unavailable: it does not come up.
    """
    begun = time.monotonic()
    playing = LivePlaying(Scenario(simswarm=1, name="up", cluster=cluster), world)
    Formation(playing.world, cluster, playing.stage.scene.facts).run()
    world.mark_origin()
    return time.monotonic() - begun


def play_live(
    scenario: Scenario,
    world: LiveWorld,
    *,
    until: Duration | None = None,
    progress: Progress | None = None,
    watch: Callable[[LivePlaying], None] | None = None,
) -> Run:
    """Carry a scenario out on a live swarm, from beginning to end.

    Args:
        scenario: What to run.
        world: The swarm; it is brought up if it isn't.
        until: Where to end, instead of the scenario's own end.
        progress: Told how far the run has come.
        watch: Given the run before it begins.
    """
    playing = LivePlaying(scenario, world, until=until)
    if watch is not None:
        watch(playing)
    playing.form()
    playing.play(progress)
    return playing.finish()
