"""Swarms to measure, and what makes them work: writes, tasks, faults.

All invariants watch from the first boot on unless they are asked not to, and the digest is always
on, as in every run of a scenario. Load and faults are plain callbacks on the kernel's queue.
"""

from __future__ import annotations

from collections.abc import Callable

from simswarm.base.time import MILLISECOND, SECOND, Duration, Instant
from simswarm.check.invariant import Invariant, Violation
from simswarm.check.monitor import Monitor
from simswarm.manager.manager import Manager
from simswarm.model.config import Member, NodeConfig, RaftSettings
from simswarm.model.objects import NodeDescription, Task
from simswarm.model.specs import (
    ContainerSpec,
    NodeRole,
    Replicated,
    Resources,
    ServiceSpec,
    TaskSpec,
)
from simswarm.model.taskstate import TaskState
from simswarm.sim.fabric.faults import LinkFault
from simswarm.sim.fabric.profiles import lan
from simswarm.sim.world import World
from simswarm.wire.control import CallFailed, CreateService, RemoveService, Result, ServiceResult

SEED = 1
CALL_TIMEOUT: Duration = 20 * SECOND
MACHINE = Resources(4 * SECOND, 8 * 2**30)
"""Four CPUs (in billionths) and 8 GiB."""
FORMING: Duration = 5 * SECOND
"""From the first boot to the moment at which measuring begins."""


class Swarm:
    """A simulated swarm that is up."""

    def __init__(
        self, managers: int, workers: int, *, tick: Duration = SECOND, watched: bool = True
    ) -> None:
        self.world = World(SEED, profile=lan())
        self.monitor: Monitor | None = None
        self.violations: list[str] = []
        if watched:
            self.monitor = Monitor(self._clock, self._on_violation)
            self.world.observers.append(self.monitor)
        self.managers = [f"m{number}" for number in range(1, managers + 1)]
        members = tuple(Member(number, name, name) for number, name in enumerate(self.managers, 1))
        for member in members:
            self._add(member.name, members, member.raft_id == 1, tick)
        for number in range(1, workers + 1):
            self._add(f"w{number}", members, None, tick)
        for name in self.world.hosts:
            self.world.boot(name)
        self.world.run(FORMING)
        self.world.mark_origin()
        if self.leader() is None:
            raise RuntimeError("the swarm did not come up")

    def _add(
        self, name: str, members: tuple[Member, ...], first: bool | None, tick: Duration
    ) -> None:
        manager = first is not None
        self.world.add(
            NodeConfig(
                name,
                name,
                NodeRole.MANAGER if manager else NodeRole.WORKER,
                tuple(member.address for member in members),
                members if manager else (),
                campaign=bool(first),
                description=NodeDescription(hostname=name, resources=MACHINE),
                raft=RaftSettings(tick=tick),
            )
        )

    def _clock(self) -> Instant:
        return self.world.now

    def _on_violation(self, invariant: Invariant, violation: Violation) -> None:
        self.violations.append(f"{invariant.name}: {violation.message}")

    def problems(self) -> list[str]:
        """What the invariants found, and those that stopped looking."""
        watched = self.monitor.invariants if self.monitor is not None else ()
        stopped = [f"{one.name}: stopped: {one.stopped}" for one in watched if one.stopped]
        return self.violations + stopped

    def leader(self) -> str | None:
        """The name of the manager that leads, if one does."""
        for name in self.managers:
            if (manager := self.manager(name)) is not None and manager.is_leader:
                return name
        return None

    def manager(self, name: str) -> Manager | None:
        """The manager half of a node that is up."""
        manager = getattr(self.world.host(name).node, "manager", None)
        return manager if isinstance(manager, Manager) else None

    def running_tasks(self) -> int:
        """How many tasks run as the leader knows it."""
        leader = self.leader()
        manager = self.manager(leader) if leader is not None else None
        if manager is None:
            return 0
        tasks = manager.store.find(Task)
        return sum(task.status.state is TaskState.RUNNING for task in tasks)


class Writes:
    """Clients that create services without tasks and remove them again: one log entry each, and
    as many objects at the end as at the beginning. They ask the managers in turn."""

    def __init__(self, swarm: Swarm, per_second: int) -> None:
        self._world = swarm.world
        self._managers = swarm.managers
        self._period = 2 * SECOND // per_second
        self._asked = 0
        self.committed = 0
        self.failed = 0

    def begin(self) -> None:
        """Start writing, for ever."""
        self._ask(None)

    def _manager(self) -> str:
        self._asked += 1
        return self._managers[self._asked % len(self._managers)]

    def _ask(self, _: None) -> None:
        name = f"load-{self._asked}"
        spec = ServiceSpec(name, TaskSpec(ContainerSpec("load")), Replicated(0))
        self._world.call(self._manager(), CreateService(spec), self._created, CALL_TIMEOUT)
        self._world.env.call_in(self._period, self._ask, None)

    def _created(self, result: Result | None) -> None:
        self._count(result)
        if isinstance(result, ServiceResult):
            request = RemoveService(result.service.id)
            self._world.call(self._manager(), request, self._count, CALL_TIMEOUT)

    def _count(self, result: Result | None) -> None:
        if result is None or isinstance(result, CallFailed):
            self.failed += 1
        else:
            self.committed += 1


class Services:
    """Services with tasks, created all at once."""

    def __init__(self, swarm: Swarm, count: int, replicas: int) -> None:
        self._swarm = swarm
        self._count = count
        self._replicas = replicas
        self.refused = 0

    def create(self) -> None:
        """Ask for them; the tasks come in their own time."""
        for number in range(self._count):
            spec = ServiceSpec(
                f"service-{number}", TaskSpec(ContainerSpec("app")), Replicated(self._replicas)
            )
            world = self._swarm.world
            world.call(self._swarm.managers[0], CreateService(spec), self._answered, CALL_TIMEOUT)

    def _answered(self, result: Result | None) -> None:
        self.refused += not isinstance(result, ServiceResult)


class Faults:
    """Every three seconds something happens to the managers, in turn: the leader crashes as at a
    power loss and comes back, it is cut off with one follower, every link loses messages. Each
    lasts for one and a half seconds."""

    PERIOD = 3 * SECOND
    LASTS = 1500 * MILLISECOND
    LOSS = LinkFault(loss=50_000, jitter=2 * MILLISECOND)

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._world = swarm.world
        self._down: list[str] = []
        self._turn = 0
        self.injected = 0

    def begin(self) -> None:
        """Start, for ever."""
        self._world.env.call_in(self.PERIOD, self._strike, None)

    def _strike(self, _: None) -> None:
        kinds: list[Callable[[str], None]] = [self._crash, self._cut_off, self._jam]
        leader = self._swarm.leader() or self._swarm.managers[0]
        kinds[self._turn % len(kinds)](leader)
        self._turn += 1
        self.injected += 1
        self._world.env.call_in(self.LASTS, self._end, None)
        self._world.env.call_in(self.PERIOD, self._strike, None)

    def _crash(self, leader: str) -> None:
        self._world.crash(leader, "unsynced")
        self._down.append(leader)

    def _cut_off(self, leader: str) -> None:
        others = [name for name in self._swarm.managers if name != leader]
        self._world.partition([[leader, *others[:1]], others[1:]])

    def _jam(self, leader: str) -> None:
        names = self._swarm.managers
        self._world.set_link(names, names, self.LOSS)

    def _end(self, _: None) -> None:
        for name in self._down:
            self._world.boot(name)
        self._down.clear()
        self._world.heal()
