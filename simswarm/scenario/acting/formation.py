"""How a swarm comes into being before t = 0: everybody is up, joined and ready, m1 leads.

    boot all ──> m1 leads, all nodes ready ──> the operator sets labels ──> t = 0: the real network

It runs on the same kernel with the `perfect` network and no faults, through the same messages
that any node sends; its records have negative times and count in the digest.

Not here: joining itself (`node/join.py`), what is deployed at 0 (`run.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from simswarm.base.errors import SimswarmError
from simswarm.base.time import MILLISECOND, SECOND, Duration
from simswarm.base.values import replace
from simswarm.model.config import Member, NodeConfig, RaftSettings
from simswarm.model.objects import Node, NodeDescription, NodeState
from simswarm.model.specs import ClusterSpec, NodeRole, Resources
from simswarm.scenario.model import Cluster, Machine, Scenario
from simswarm.scenario.observed.facts import Facts
from simswarm.sim.fabric.profiles import perfect
from simswarm.sim.machine.clock import ClockModel
from simswarm.sim.world import World
from simswarm.wire.control import ListNodes, NodeList, NodeResult, Result, UpdateNode

DEFAULT_CPUS = 4
DEFAULT_MEMORY = 8 * 2**30
"""What a machine has that says nothing else: an ordinary virtual machine."""
LIMIT: Duration = 10 * 60 * SECOND
"""A formation that takes longer has failed."""
SLICE: Duration = 50 * MILLISECOND
PARTS_PER_MILLION = 1_000


class FormationFailed(SimswarmError):
    """The swarm did not come up: the settings don't allow it, or simswarm has a bug."""

    code = "failed precondition"


def node_configs(cluster: Cluster) -> list[NodeConfig]:
    """How each node of a cluster boots, managers first."""
    managers = cluster.manager_names
    members = tuple(Member(number, name, name) for number, name in enumerate(managers, 1))
    return [_config(cluster, machine, members) for machine in cluster.machines]


def _config(cluster: Cluster, machine: Machine, members: tuple[Member, ...]) -> NodeConfig:
    is_manager = machine.role is NodeRole.MANAGER
    return NodeConfig(
        name=machine.name,
        address=machine.name,
        role=machine.role,
        managers=tuple(member.address for member in members),
        members=members if is_manager else (),
        campaign=machine.name == members[0].name,
        description=NodeDescription(
            hostname=machine.name,
            resources=_resources(machine),
            engine_version=cluster.engine,
        ),
        raft=_raft_settings(cluster),
        cluster=ClusterSpec(
            task_history_limit=cluster.task_history,
            dispatcher_heartbeat=cluster.dispatcher_heartbeat,
            snapshot_interval=cluster.raft.snapshot_interval,
            snapshot_keep=cluster.raft.log_entries_for_slow_followers,
        ),
    )


def _resources(machine: Machine) -> Resources:
    cpus = DEFAULT_CPUS * 10**9 if machine.nano_cpus is None else machine.nano_cpus
    memory = DEFAULT_MEMORY if machine.memory_bytes is None else machine.memory_bytes
    return Resources(cpus, memory, machine.generic)


def _raft_settings(cluster: Cluster) -> RaftSettings:
    tuning = cluster.raft
    return RaftSettings(
        tick=tuning.tick,
        election_ticks=tuning.election_tick,
        heartbeat_ticks=tuning.heartbeat_tick,
        check_quorum=tuning.check_quorum,
        pre_vote=tuning.pre_vote,
        snapshot_interval=tuning.snapshot_interval,
        snapshot_keep=tuning.log_entries_for_slow_followers,
    )


def build_world(
    scenario: Scenario, seed: int, record_steps: tuple[int, int] | None = None
) -> World:
    """The machines of a scenario, switched off, on the formation's network."""
    world = World(seed, profile=perfect(), level=scenario.x_trace, record_steps=record_steps)
    machines = {machine.name: machine for machine in scenario.cluster.machines}
    for config in node_configs(scenario.cluster):
        machine = machines[config.name]
        world.add(
            config,
            clock=ClockModel(machine.skew, machine.drift_ppm * PARTS_PER_MILLION),
            service_time=machine.service_time,
            zone=machine.zone or "",
        )
    return world


class Formation:
    """Brings one swarm up."""

    __slots__ = ("_facts", "_labels", "_pending", "_world", "first")

    def __init__(self, world: World, cluster: Cluster, facts: Facts) -> None:
        self._world = world
        self._facts = facts
        self.first = cluster.manager_names[0]
        self._labels = {machine.name: machine.labels for machine in cluster.machines}
        self._pending: dict[str, None] = {}

    def run(self) -> None:
        """Boot everything and wait until the swarm is as it has to be at t = 0.

        Raises:
            FormationFailed: it does not get there.
        """
        for name in self._world.hosts:
            self._world.boot(name)
        self._wait(self._all_ready, "nodes are not ready")
        if any(self._labels.values()):
            self._ask()
            self._wait(self._all_labelled, "labels are not set")

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        while not done():
            if self._world.now > LIMIT:
                raise FormationFailed(f"formation: {what} after {LIMIT // SECOND} s")
            self._world.run(self._world.now + SLICE)

    def _all_ready(self) -> bool:
        """Whether every machine is a ready node."""
        ready = [facts for facts in self._facts.nodes.values() if _is_ready(facts.node)]
        return len(ready) == len(self._world.hosts)

    def _all_labelled(self) -> bool:
        """Whether every node has the labels it should have."""
        return all(
            facts.node.spec.labels == self._labels[facts.node.name]
            for facts in self._facts.nodes.values()
        )

    # ── the operator, who gives the nodes their labels ───────────────────────────────────────

    def _ask(self) -> None:
        self._world.call(self.first, ListNodes(), self._on_nodes, 20 * SECOND)

    def _on_nodes(self, result: Result | None) -> None:
        """Here are the nodes: change those that lack labels."""
        if not isinstance(result, NodeList):
            self._ask()
            return
        lacking = [node for node in result.nodes if node.spec.labels != self._labels[node.name]]
        self._pending = {node.id: None for node in lacking}
        for node in lacking:
            spec = replace(node.spec, labels=self._labels[node.name])
            request = UpdateNode(node.id, node.meta.version, spec)
            self._world.call(self.first, request, self._on_updated, 20 * SECOND)

    def _on_updated(self, result: Result | None) -> None:
        """One answer; a node that changed meanwhile is tried again when all are in."""
        if isinstance(result, NodeResult):
            self._pending.pop(result.node.id, None)
        elif self._pending:
            self._pending.clear()
            self._ask()


def _is_ready(node: Node) -> bool:
    return node.status.state is NodeState.READY and node.description is not None
