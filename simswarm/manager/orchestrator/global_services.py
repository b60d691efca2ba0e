"""The orchestrator of global services: one task on every node that is up and meets the constraints.

    service created, changed     → reconcile it over all nodes; outdated tasks go to the updater
    node created, changed        → down or drained: its tasks shall stop, none replaces them
                                   else: add what is missing, replace an outdated task at once
    node deleted                 → its tasks are deleted
    task ended                   → restart on the same node; not if the node is paused or does not
                                   meet the constraints any more
    service removed              → all its tasks: desired state REMOVE

Invariants:
    I1. A task of a global service has its node from the start and never another one.
    I2. A paused node keeps its tasks and gets none.

Quirks of Docker 20.10 that are kept: a deleted task comes back only with the next change of its
service or node; a node that stops meeting the constraints keeps its task until the service is
reconciled (the enforcer rejects it meanwhile).

Source: swarmkit manager/orchestrator/global/global.go (bump_20.10). Not here: global jobs.
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Outbox
from simswarm.base.entropy import Entropy
from simswarm.manager.agenda import Batch
from simswarm.manager.orchestrator.slots import Slot, by_node
from simswarm.manager.orchestrator.taskinit import check_tasks
from simswarm.manager.orchestrator.tasks import is_dirty, is_global, is_valid_node, new_task
from simswarm.manager.orchestrator.upkeep import Subject, Upkeep
from simswarm.model.constraints import satisfies
from simswarm.model.objects import Node, Service, Task
from simswarm.model.specs import Availability
from simswarm.model.taskstate import TaskState
from simswarm.store import ByNode, ByService, Change, Created, Deleted, Store


class GlobalOrchestrator:
    """The control loop."""

    __slots__ = ("_entropy", "_out", "_store", "_upkeep")

    owner = "global"

    def __init__(self, store: Store, out: Outbox, entropy: Entropy, epoch: int) -> None:
        self._store = store
        self._out = out
        self._entropy = entropy
        self._upkeep = Upkeep(store, out, entropy, epoch, self.owner)
        self._upkeep.decide(self)

    def start(self) -> None:
        """Look at every task and every service."""
        up = self._upkeep
        check_tasks(self._store, self, up.restarts, up.winddown, self._out.now.wall)
        for service in self._store.find(Service):
            if is_global(service):
                up.subjects[Service, service.id] = None
        up.arm()

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """Mark what the changes call for."""
        for change in changes:
            match change.object:
                case Task() as task if not isinstance(change, Created | Deleted):
                    self._on_task(task)
                case Node() as node:
                    self._on_node(node, gone=isinstance(change, Deleted))
                case Service() as service if is_global(service):
                    if isinstance(change, Deleted):
                        self._upkeep.service_gone(service)
                    else:
                        self._upkeep.subjects[Service, service.id] = None
        self._upkeep.arm()

    def on_timer(self, name: str) -> None:
        """A delay is over."""
        self._upkeep.on_timer(name)

    def stop(self) -> None:
        """Leadership is lost."""
        self._upkeep.stop()

    def owns(self, service: Service) -> bool:
        """Whether a service is global."""
        return is_global(service)

    def fix(self, task: Task) -> None:
        """Mark a task that shall run and does not, or that is where it can't stay."""
        if task.desired_state > TaskState.RUNNING:
            return
        if not is_valid_node(self._store.get(Node, task.node_id)):
            self._upkeep.winddown.set_desired_later(task.id, TaskState.SHUTDOWN)
        elif task.status.state > TaskState.RUNNING:
            self._upkeep.tasks[task.id] = None

    # ── decisions, inside a write ────────────────────────────────────────────────────────────

    def restart(self, batch: Batch, task: Task, service: Service) -> None:
        """Replace a task on its node, or let it be if the node takes none."""
        node = batch.tx.get(Node, task.node_id)
        if node is None or not is_valid_node(node) or not is_global(service):
            return
        if node.spec.availability == Availability.PAUSE or not _meets(service, node):
            self._upkeep.winddown.set_desired(batch, task.id, TaskState.SHUTDOWN)
        else:
            self._upkeep.restarts.restart(batch.tx, service, task)

    def reconcile(self, batch: Batch, subject: Subject) -> bool:
        """Add, stop and update tasks of a service or on a node. False: come again."""
        kind, id = subject
        if kind is Service:
            service = batch.tx.get(Service, id)
            return service is None or self._reconcile_service(batch, service)
        node = batch.tx.get(Node, id)
        return node is None or self._reconcile_node(batch, node)

    def _reconcile_service(self, batch: Batch, service: Service) -> bool:
        restarts = self._upkeep.restarts
        on_nodes: dict[str, Slot] = {}
        for node_id, tasks in by_node(batch.tx.find(Task, ByService(service.id))).items():
            updatable = restarts.updatable(tasks, service)
            if updatable:
                on_nodes[node_id] = updatable
        slots: list[Slot] = []
        for node in batch.tx.find(Node):
            if not is_valid_node(node):
                continue
            slot = on_nodes.pop(node.id, ())
            if not _meets(service, node):
                self._shut_down(batch, slot)
            elif node.spec.availability == Availability.PAUSE:
                continue
            elif slot:
                slots.append(slot)
            elif not self._add(batch, service, node):
                return False
        for slot in on_nodes.values():
            self._shut_down(batch, slot)
        if slots:
            self._upkeep.updates.update(batch.tx, service, slots)
        return True

    def _reconcile_node(self, batch: Batch, node: Node) -> bool:
        tasks = batch.tx.find(Task, ByNode(node.id))
        if not is_valid_node(node):
            for task in tasks:
                if is_global(batch.tx.get(Service, task.service_id)):
                    self._shut_down(batch, (task,))
            return True
        if node.spec.availability == Availability.PAUSE:
            return True
        for service in batch.tx.find(Service):
            if not is_global(service) or not _meets(service, node):
                continue
            own = [task for task in tasks if task.service_id == service.id]
            slot = self._upkeep.restarts.updatable(own, service) if own else ()
            if not self._renew(batch, service, node, slot):
                return False
        return True

    def _renew(self, batch: Batch, service: Service, node: Node, slot: Slot) -> bool:
        """Keep one clean task on a node, or make one. (This is no rolling update: it follows from
        the node's change, and must not cancel an update of the service.)"""
        dirty = [task for task in slot if is_dirty(service, task, node)]
        clean = [task for task in slot if task not in dirty]
        if not clean and not self._add(batch, service, node):
            return False
        self._shut_down(batch, (*dirty, *clean[1:]))
        return True

    def _add(self, batch: Batch, service: Service, node: Node) -> bool:
        """Create a task on a node. False: the batch is full."""
        if not batch.room():
            return False
        batch.tx.create(new_task(service, self._entropy, batch.tx.now.wall, node_id=node.id))
        return True

    def _shut_down(self, batch: Batch, slot: Sequence[Task]) -> None:
        for task in slot:
            self._upkeep.winddown.set_desired(batch, task.id, TaskState.SHUTDOWN)

    # ── triggers ─────────────────────────────────────────────────────────────────────────────

    def _on_task(self, task: Task) -> None:
        self._upkeep.restarts.on_task(task)
        self._upkeep.updates.on_task(task)
        ended = task.status.state > TaskState.RUNNING >= task.desired_state
        if ended and is_global(self._store.get(Service, task.service_id)):
            self._upkeep.tasks[task.id] = None

    def _on_node(self, node: Node, *, gone: bool) -> None:
        self._upkeep.restarts.on_node(node, gone=gone)
        if not gone:
            self._upkeep.subjects[Node, node.id] = None
            return
        self._upkeep.subjects.pop((Node, node.id), None)
        for task in self._store.find(Task, ByNode(node.id)):
            if is_global(self._store.get(Service, task.service_id)):
                self._upkeep.winddown.delete_later(task.id)


def _meets(service: Service, node: Node) -> bool:
    return satisfies(service.spec.task.placement.constraints, node)
