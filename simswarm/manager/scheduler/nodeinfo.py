"""A node as the scheduler sees it: the tasks tracked there, and what they leave.

Reservations are taken when a task is placed and given back when its *state* has passed RUNNING or
it is deleted; that it shall stop (its desired state) only ends its being counted as active.

Invariants:
    I1. available = described resources - reservations of tracked tasks.
    I2. active counts tracked tasks with desired state <= COMPLETE.

Source: swarmkit manager/scheduler/nodeinfo.go; constants monitorFailures and maxFailures.
Not here: which tasks are tracked (`tracker`).
"""

from __future__ import annotations

from simswarm.base.time import MINUTE, Duration, Instant
from simswarm.base.values import replace
from simswarm.model.objects import Node, Task
from simswarm.model.resources import Generics, claim, consume, reclaim
from simswarm.model.specs import Port
from simswarm.model.taskstate import TaskState

FAILURE_WINDOW: Duration = 5 * MINUTE
FAILURES_MAX = 5
"""So many failures of one service version within the window make a node a last choice."""

ServiceVersion = tuple[str, int]


def service_version(task: Task) -> ServiceVersion:
    """What failures are counted by: the service and the version of its spec."""
    return task.service_id, task.spec_version or 0


def host_ports(task: Task) -> tuple[Port, ...]:
    """The ports that a task takes on its node itself."""
    if task.endpoint is None:
        return ()
    return tuple(
        port for port in task.endpoint.ports if port.mode == "host" and port.published != 0
    )


class NodeInfo:
    """One node's bookkeeping."""

    __slots__ = (
        "_cleaned_at",
        "_failures",
        "_used_ports",
        "active",
        "active_by_service",
        "generic",
        "memory_bytes",
        "nano_cpus",
        "node",
        "tasks",
    )

    def __init__(self, node: Node, now: Instant) -> None:
        self.tasks: dict[str, Task] = {}
        self.active = 0
        self.active_by_service: dict[str, int] = {}
        self._used_ports: dict[tuple[str, int], None] = {}
        self._failures: dict[ServiceVersion, list[Instant]] = {}
        self._cleaned_at = now
        self.nano_cpus = 0
        self.memory_bytes = 0
        self.generic: Generics = ()
        self.node = node
        self.update(node)

    def update(self, node: Node) -> None:
        """The node has changed: what is left is computed anew from what it describes."""
        self.node = node
        if node.description is None:
            self.nano_cpus, self.memory_bytes, self.generic = 0, 0, ()
            return
        resources = node.description.resources
        self.nano_cpus = resources.nano_cpus
        self.memory_bytes = resources.memory_bytes
        self.generic = resources.generic
        for task in self.tasks.values():
            self.nano_cpus -= task.spec.reservations.nano_cpus
            self.memory_bytes -= task.spec.reservations.memory_bytes
            self.generic = consume(self.generic, task.generic)

    def add(self, task: Task) -> Task:
        """Track a task; one that is tracked already is only counted anew.

        Returns:
            The task, with the generic resources it got.
        """
        known = self.tasks.get(task.id)
        if known is not None:
            if _is_active(task) != _is_active(known):
                self.tasks[task.id] = task
                self._count(task.service_id, 1 if _is_active(task) else -1)
            return task
        wanted = task.spec.reservations
        self.nano_cpus -= wanted.nano_cpus
        self.memory_bytes -= wanted.memory_bytes
        if wanted.generic or task.generic:
            self.generic, taken = claim(self.generic, wanted.generic)
            task = replace(task, generic=taken)
        self.tasks[task.id] = task
        for port in host_ports(task):
            self._used_ports[port.protocol, port.published] = None
        if _is_active(task):
            self._count(task.service_id, 1)
        return task

    def remove(self, task: Task) -> bool:
        """Stop tracking a task and take back what it had. False: it was not tracked."""
        known = self.tasks.pop(task.id, None)
        if known is None:
            return False
        if _is_active(known):
            self._count(task.service_id, -1)
        for port in host_ports(task):
            self._used_ports.pop((port.protocol, port.published), None)
        self.nano_cpus += task.spec.reservations.nano_cpus
        self.memory_bytes += task.spec.reservations.memory_bytes
        description = self.node.description
        if description is not None and description.resources.generic:
            self.generic = reclaim(self.generic, task.generic, description.resources.generic)
        return True

    def uses_port(self, port: Port) -> bool:
        """Whether a tracked task has this port of the node."""
        return (port.protocol, port.published) in self._used_ports

    def active_of(self, service_id: str) -> int:
        """How many active tasks of a service are tracked here."""
        return self.active_by_service.get(service_id, 0)

    def record_failure(self, task: Task, now: Instant) -> None:
        """A task that the scheduler had placed here failed or was rejected."""
        if now - self._cleaned_at >= FAILURE_WINDOW:
            self._failures = {
                key: times
                for key, times in self._failures.items()
                if any(now - time < FAILURE_WINDOW for time in times)
            }
            self._cleaned_at = now
        times = self._failures.get(service_version(task), [])
        recent = [time for time in times if now - time < FAILURE_WINDOW]
        self._failures[service_version(task)] = [*recent, now]

    def recent_failures(self, key: ServiceVersion, now: Instant) -> int:
        """How often tasks of this service version failed here within the window."""
        if not self._failures:
            return 0
        times = self._failures.get(key, [])
        return sum(1 for time in times if now - time <= FAILURE_WINDOW)

    def check_invariants(self) -> None:
        """I1 and I2, from scratch."""
        tasks = self.tasks.values()
        description = self.node.description
        if description is not None:
            left = description.resources.nano_cpus - sum(
                task.spec.reservations.nano_cpus for task in tasks
            )
            assert self.nano_cpus == left, f"{self.node.id}: {self.nano_cpus} != {left}"
        active = sum(1 for task in tasks if _is_active(task))
        assert self.active == active, f"{self.node.id}: {self.active} != {active}"
        assert self.active == sum(self.active_by_service.values())

    def _count(self, service_id: str, change: int) -> None:
        self.active += change
        count = self.active_by_service.get(service_id, 0) + change
        if count:
            self.active_by_service[service_id] = count
        else:
            del self.active_by_service[service_id]


def _is_active(task: Task) -> bool:
    return task.desired_state <= TaskState.COMPLETE
