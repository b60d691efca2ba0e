"""What a run knows of its swarm at this moment: the newest committed state, in counters.

    committed changes ──> Facts ──> services by name: how many run, on what, is it settled
                                    nodes by name: role, status, tasks

Every counter is kept by what a task contributes to it: on a change the old contribution is taken
out and the new one put in, so that a swarm of ten thousand tasks costs no more a change than one
of ten.

Invariants:
    I1. Equal committed state gives equal facts, however it came about.
    I2. `revision` rises with every change that a condition or an expectation could see.

Source: what counts as running follows `docker service ls` (swarmkit
manager/controlapi/service.go:ListServiceStatuses): observed state running, node not down.
Not here: what containers really do and who is up (`truth.py`), names of conditions (`snapshot.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.time import Instant
from simswarm.base.values import label
from simswarm.model.objects import Node, NodeState, Service, Task, UpdateState, UpdateStatus
from simswarm.model.specs import Global, Replicated, TaskSpec
from simswarm.model.taskstate import TaskState
from simswarm.store import Change, Deleted, Updated

ZONE = "zone"
"""The node label that scenario files deal out."""


class ServiceFacts:
    """One service and its tasks."""

    __slots__ = (
        "bad",
        "good",
        "images",
        "pending",
        "per_node",
        "running",
        "service",
        "tasks",
        "wanted",
    )

    def __init__(self, service: Service) -> None:
        self.service = service
        self.tasks: dict[str, Task] = {}
        self.running = 0
        """Tasks observed running on nodes that are not down."""
        self.images: dict[str, int] = {}
        """Running tasks by image."""
        self.per_node: dict[str, int] = {}
        """Running tasks by node id."""
        self.wanted = 0
        """Tasks that are meant to run."""
        self.pending = 0
        """Tasks that are meant to run and have no node."""
        self.good = 0
        """Running, meant to, and of the current spec."""
        self.bad = 0
        """Meant to run and not good; or not meant to and still there on a node that is up."""

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.spec.name

    @property
    def desired(self) -> int:
        """How many tasks there should be."""
        mode = self.service.spec.mode
        return mode.replicas if isinstance(mode, Replicated) else self.wanted

    @property
    def is_global(self) -> bool:
        """Whether it runs on every node."""
        return isinstance(self.service.spec.mode, Global)

    @property
    def update(self) -> UpdateStatus | None:
        """Its update, if there was one."""
        return self.service.update_status

    @property
    def updating(self) -> bool:
        """Whether an update or a rollback is under way."""
        status = self.service.update_status
        return status is not None and status.state in (
            UpdateState.UPDATING,
            UpdateState.ROLLBACK_STARTED,
        )

    @property
    def settled(self) -> bool:
        """All desired tasks of the current spec run, none in excess, no update under way."""
        return self.bad == 0 and self.good == self.desired and not self.updating

    def is_current(self, task: Task) -> bool:
        """Whether a task is what the current spec asks for."""
        service = self.service
        if task.spec_version is not None and task.spec_version == service.spec_version:
            return True
        same_endpoint = task.endpoint == service.spec.endpoint
        return same_endpoint and _same_but_placement(task.spec, service.spec.task)


def _same_but_placement(a: TaskSpec, b: TaskSpec) -> bool:
    """Whether two specs ask for the same container; a moved constraint restarts nothing."""
    return (
        a.container == b.container
        and a.reservations == b.reservations
        and a.limits == b.limits
        and a.restart == b.restart
        and a.networks == b.networks
        and a.force_update == b.force_update
    )


class TaskTimes:
    """When a task was created, was first seen running, and ended, by the commits that said so."""

    __slots__ = ("created", "ended", "started")

    def __init__(self, created: Instant) -> None:
        self.created = created
        self.started: Instant | None = None
        self.ended: Instant | None = None


class NodeFacts:
    """One node."""

    __slots__ = ("node", "occupied", "tasks")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.tasks: dict[str, None] = {}
        """Ids of all its tasks, ended ones included."""
        self.occupied = 0
        """Tasks that have not ended."""

    @property
    def is_down(self) -> bool:
        """Whether the swarm thinks it is down."""
        return self.node.status.state == NodeState.DOWN

    @property
    def zone(self) -> str | None:
        """The value of its label `zone`."""
        return label(self.node.spec.labels, ZONE)


class Facts:
    """The committed state of the swarm."""

    __slots__ = (
        "_by_name",
        "index",
        "nodes",
        "not_ready",
        "revision",
        "services",
        "services_by_name",
        "times",
    )

    def __init__(self) -> None:
        self.index = 0
        self.revision = 0
        self.times: dict[str, TaskTimes] = {}
        """By task id."""
        self.services: dict[str, ServiceFacts] = {}
        self.services_by_name: dict[str, ServiceFacts] = {}
        self.nodes: dict[str, NodeFacts] = {}
        self.not_ready: dict[str, NodeFacts] = {}
        """Those whose status is anything but ready: usually few."""
        self._by_name: dict[str, list[NodeFacts]] = {}

    def node_named(self, name: str) -> NodeFacts | None:
        """The newest node of this name: a node that left and joined again has two objects."""
        found: NodeFacts | None = None
        for facts in self._by_name.get(name, ()):
            if found is None or not facts.is_down:
                found = facts
        return found

    def node_name(self, id: str) -> str:
        """The name of a node, or "" where there is none of this id."""
        facts = self.nodes.get(id)
        return facts.node.name if facts is not None else ""

    def zones(self) -> list[str]:
        """All zones that nodes are in, sorted."""
        named = {zone: None for facts in self.nodes.values() if (zone := facts.zone) is not None}
        return sorted(named)

    def running_by_zone(self, service: ServiceFacts) -> dict[str, int]:
        """Running tasks in every zone, empty ones included."""
        counts = dict.fromkeys(self.zones(), 0)
        for node_id, running in service.per_node.items():
            zone = self.nodes[node_id].zone if node_id in self.nodes else None
            if zone is not None:
                counts[zone] += running
        return counts

    def commit(self, changes: Sequence[Change], index: int, now: Instant) -> None:
        """One entry more is committed."""
        self.index = index
        self.revision += 1
        for change in changes:
            item = change.object
            if isinstance(item, Task):
                old = change.old if isinstance(change, Updated) else None
                assert old is None or isinstance(old, Task)
                self._task(item, old, gone=isinstance(change, Deleted))
                self._time(item, now, gone=isinstance(change, Deleted))
            elif isinstance(item, Service):
                self._service(item, gone=isinstance(change, Deleted))
            elif isinstance(item, Node):
                self._node(item, gone=isinstance(change, Deleted))

    def _service(self, service: Service, *, gone: bool) -> None:
        facts = self.services.get(service.id)
        if gone:
            if facts is not None:
                del self.services[service.id]
                self.services_by_name.pop(facts.name, None)
            return
        if facts is None:
            facts = ServiceFacts(service)
            self.services[service.id] = facts
        else:
            self.services_by_name.pop(facts.name, None)
            tasks = list(facts.tasks.values())
            for task in tasks:
                self._count(facts, task, -1)
            facts.service = service
            for task in tasks:
                self._count(facts, task, 1)
        self.services_by_name[service.spec.name] = facts

    def _node(self, node: Node, *, gone: bool) -> None:
        facts = self.nodes.get(node.id)
        if facts is None:
            if not gone:
                facts = self.nodes[node.id] = NodeFacts(node)
                self._by_name.setdefault(node.name, []).append(facts)
        else:
            self._by_name[facts.node.name].remove(facts)
            if gone or (node.status.state == NodeState.DOWN) != facts.is_down:
                self._recount(facts, node, gone=gone)
            facts.node = node
            if not gone:
                self._by_name.setdefault(node.name, []).append(facts)
        if facts is not None and not gone and node.status.state is not NodeState.READY:
            self.not_ready[node.id] = facts
        else:
            self.not_ready.pop(node.id, None)

    def _recount(self, facts: NodeFacts, node: Node, *, gone: bool) -> None:
        """A node came up, went down or vanished: its tasks count otherwise now."""
        affected = [
            (service, service.tasks[id])
            for service in self.services.values()
            for id in facts.tasks
            if id in service.tasks
        ]
        for service, task in affected:
            self._count(service, task, -1)
        facts.node = node
        if gone:
            del self.nodes[node.id]
        for service, task in affected:
            self._count(service, task, 1)

    def _task(self, task: Task, old: Task | None, *, gone: bool) -> None:
        service = self.services.get(task.service_id)
        if service is not None:
            known = service.tasks.pop(task.id, None)
            if known is not None:
                self._count(service, known, -1)
            if not gone:
                service.tasks[task.id] = task
                self._count(service, task, 1)
        if old is not None or gone:
            self._occupy(old if old is not None else task, -1)
        if not gone:
            self._occupy(task, 1)

    def _time(self, task: Task, now: Instant, *, gone: bool) -> None:
        if gone:
            self.times.pop(task.id, None)
            return
        times = self.times.get(task.id)
        if times is None:
            times = self.times[task.id] = TaskTimes(now)
        state = task.status.state
        if state == TaskState.RUNNING and times.started is None:
            times.started = now
        elif state > TaskState.RUNNING and times.ended is None:
            times.ended = now

    def _occupy(self, task: Task, sign: int) -> None:
        node = self.nodes.get(task.node_id)
        if node is None:
            return
        if sign > 0:
            node.tasks[task.id] = None
        else:
            node.tasks.pop(task.id, None)
        if task.status.state <= TaskState.RUNNING:
            node.occupied += sign

    def _count(self, facts: ServiceFacts, task: Task, sign: int) -> None:
        """Put what a task contributes into its service's counters, or take it out."""
        node = self.nodes.get(task.node_id)
        state = task.status.state
        is_up = node is not None and not node.is_down
        runs = state == TaskState.RUNNING and is_up
        if runs:
            image = task.spec.container.image
            facts.running += sign
            _add(facts.images, image, sign)
            _add(facts.per_node, task.node_id, sign)
        if task.desired_state <= TaskState.RUNNING:
            facts.wanted += sign
            if not task.node_id:
                facts.pending += sign
            if runs and facts.is_current(task):
                facts.good += sign
            else:
                facts.bad += sign
        elif is_up and TaskState.ASSIGNED <= state <= TaskState.RUNNING:
            facts.bad += sign


def _add(counts: dict[str, int], key: str, amount: int) -> None:
    count = counts.get(key, 0) + amount
    if count:
        counts[key] = count
    else:
        counts.pop(key, None)
