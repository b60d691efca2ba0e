"""The orchestrator of replicated services: as many slots as the service says, one live task each.

    service created, changed         → reconcile: add tasks in the lowest free slots, or remove
                                       slots, and hand the rest to the updater
    task ended, node lost or drained → restart: shut down and replace in the same slot
    service removed                  → all its tasks: desired state REMOVE

Invariants:
    I1. A slot of a service has at most one task that shall run, but while an update replaces it.
    I2. Slot numbers start at 1; the lowest that is not live is used first.
    I3. What is restarted was meant to run: a desired state past RUNNING is nobody's business here.

Source: swarmkit manager/orchestrator/replicated (replicated.go, services.go, tasks.go, slot.go).
Not here: restart policies (`restart`), rolling updates (`update`), global services.
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Outbox
from simswarm.base.entropy import Entropy
from simswarm.manager.agenda import Batch
from simswarm.manager.orchestrator.slots import Slot, by_number, free_numbers, keep_order
from simswarm.manager.orchestrator.taskinit import check_tasks
from simswarm.manager.orchestrator.tasks import (
    is_ended_or_lost,
    is_replicated,
    is_valid_node,
    new_task,
)
from simswarm.manager.orchestrator.upkeep import Subject, Upkeep
from simswarm.model.objects import Node, Service, Task
from simswarm.model.specs import Replicated
from simswarm.model.taskstate import TaskState
from simswarm.store import ByNode, ByService, Change, Created, Deleted, Store


class ReplicatedOrchestrator:
    """The control loop."""

    __slots__ = ("_entropy", "_out", "_store", "_upkeep")

    owner = "replicated"

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
            if is_replicated(service):
                up.subjects[Service, service.id] = None
        up.arm()

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """Mark what the changes call for."""
        for change in changes:
            match change.object:
                case Task() as task:
                    self._on_task(change, task)
                case Node() as node:
                    self._on_node(node, gone=isinstance(change, Deleted))
                case Service() as service if is_replicated(service):
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
        """Whether a service is replicated."""
        return is_replicated(service)

    def fix(self, task: Task) -> None:
        """Mark a task that shall run and does not."""
        if task.desired_state > TaskState.RUNNING:
            return
        node = self._store.get(Node, task.node_id) if task.node_id else None
        if is_ended_or_lost(task, node) and is_replicated(
            self._store.get(Service, task.service_id)
        ):
            self._upkeep.tasks[task.id] = None

    # ── decisions, inside a write ────────────────────────────────────────────────────────────

    def restart(self, batch: Batch, task: Task, service: Service) -> None:
        """Replace a task, if its service is still of this kind."""
        if is_replicated(service):
            self._upkeep.restarts.restart(batch.tx, service, task)

    def reconcile(self, batch: Batch, subject: Subject) -> bool:
        """Add or remove slots, update the others. False: there is more than the batch takes."""
        _, service_id = subject
        service = batch.tx.get(Service, service_id)
        if service is None or not isinstance(service.spec.mode, Replicated):
            return True
        live: dict[int, Slot] = {}
        dead: dict[int, list[Task]] = {}
        for number, tasks in by_number(batch.tx.find(Task, ByService(service_id))).items():
            updatable = self._upkeep.restarts.updatable(tasks, service)
            if updatable:
                live[number] = updatable
            else:
                dead[number] = tasks
        slots, missing = list(live.values()), service.spec.mode.replicas - len(live)
        surplus: Sequence[Slot] = ()
        if missing < 0:
            ordered = keep_order(slots)
            slots, surplus = ordered[:missing], ordered[missing:]
        self._upkeep.updates.update(batch.tx, service, slots)
        if missing > 0 and not self._add(batch, service, free_numbers(live, missing), dead):
            return False
        self._remove(batch, surplus, dead)
        return True

    def _add(
        self, batch: Batch, service: Service, numbers: Sequence[int], dead: dict[int, list[Task]]
    ) -> bool:
        """Create a task in each of these slots; what was dead in them stays as their history."""
        now = batch.tx.now.wall
        for number in numbers:
            if not batch.room():
                return False
            batch.tx.create(new_task(service, self._entropy, now, slot=number))
            dead.pop(number, None)
        return True

    def _remove(self, batch: Batch, surplus: Sequence[Slot], dead: dict[int, list[Task]]) -> None:
        """Delete dead slots outright; tasks of surplus slots shall go when they have stopped."""
        winddown = self._upkeep.winddown
        for tasks in dead.values():
            for task in tasks:
                winddown.delete(batch, task.id)
        for slot in surplus:
            for task in slot:
                winddown.set_desired(batch, task.id, TaskState.REMOVE)

    # ── triggers ─────────────────────────────────────────────────────────────────────────────

    def _on_task(self, change: Change, task: Task) -> None:
        if isinstance(change, Deleted):
            self._upkeep.task_gone(task.id)
            if task.desired_state <= TaskState.RUNNING and is_replicated(
                self._store.get(Service, task.service_id)
            ):
                self._upkeep.subjects[Service, task.service_id] = None
            return
        if not isinstance(change, Created):
            self._upkeep.restarts.on_task(task)
            self._upkeep.updates.on_task(task)
        self.fix(task)

    def _on_node(self, node: Node, *, gone: bool) -> None:
        self._upkeep.restarts.on_node(node, gone=gone)
        if gone or not is_valid_node(node):
            for task in self._store.find(Task, ByNode(node.id)):
                if task.desired_state <= TaskState.RUNNING and is_replicated(
                    self._store.get(Service, task.service_id)
                ):
                    self._upkeep.tasks[task.id] = None
