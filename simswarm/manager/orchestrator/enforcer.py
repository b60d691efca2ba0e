"""The constraint enforcer: a node that has changed may no longer hold the tasks it has.

At the start and whenever a node changes, its tasks are asked in order of id: do the constraints of
the service (as it is now) still hold, does the reservation still fit into what the node describes?
A task that fails becomes REJECTED - its observed state, so that the orchestrator restarts it
elsewhere.

Quirks of Docker 20.10 that are kept: a task that has finished is asked like the others; the
question about assigned generic resources is the wrong way round (a task is rejected whose pieces
the node *still* has), and ends the pass over the node.

Invariants:
    I1. Only nodes with availability ACTIVE are looked at.
    I2. A rejected task takes nothing from what is left for the others.

Source: swarmkit manager/orchestrator/constraintenforcer/constraint_enforcer.go. Not here: restarts.
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Outbox
from simswarm.base.values import replace
from simswarm.manager.agenda import Agenda, Batch
from simswarm.model.constraints import satisfies
from simswarm.model.objects import Node, Service, Task
from simswarm.model.resources import consume, has_resource, reserves_nothing
from simswarm.model.specs import Availability, Resources
from simswarm.model.taskstate import TaskState
from simswarm.store import ByNode, Change, Store, Tx, Updated

ENFORCE = "enforce"
MESSAGE = "task rejected by constraint enforcer"
ERROR = "assigned node no longer meets constraints"


class ConstraintEnforcer:
    """The control loop."""

    __slots__ = ("_agenda", "_nodes", "_store", "_tasks")

    owner = "enforcer"

    def __init__(self, store: Store, out: Outbox, epoch: int) -> None:
        """`out` and `epoch` are for timers; there are none."""
        self._store = store
        self._agenda = Agenda(store, self)
        self._nodes: dict[str, None] = {}
        """Nodes to look at."""
        self._tasks: dict[str, None] = {}
        """Tasks to reject that did not fit into the batch."""

    def start(self) -> None:
        """Look at all nodes."""
        for node in self._store.find(Node):
            self._nodes[node.id] = None
        self._arm()

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """Mark nodes that changed."""
        for change in changes:
            if isinstance(change, Updated) and isinstance(change.object, Node):
                self._nodes[change.object.id] = None
        self._arm()

    def on_timer(self, name: str) -> None:
        """There are no timers."""
        raise AssertionError(f"unknown timer {name}")

    def stop(self) -> None:
        """Leadership is lost."""
        self._agenda.close()

    def perform(self, stage: str, batch: Batch) -> None:
        """Reject tasks, node by node."""
        self._reject(batch)
        while self._nodes and batch.room():
            node_id = next(iter(self._nodes))
            del self._nodes[node_id]
            node = batch.tx.get(Node, node_id)
            if node is not None and node.spec.availability == Availability.ACTIVE:
                self._tasks.update(dict.fromkeys(misfits(batch.tx, node)))
                self._reject(batch)

    def finished(self, stage: str) -> None:
        """Go on with what did not fit."""
        self._arm()

    def _arm(self) -> None:
        if self._nodes or self._tasks:
            self._agenda.add(ENFORCE)

    def _reject(self, batch: Batch) -> None:
        while self._tasks and batch.room():
            task_id = next(iter(self._tasks))
            del self._tasks[task_id]
            task = batch.tx.get(Task, task_id)
            if task is None or task.desired_state > TaskState.COMPLETE:
                continue
            status = replace(
                task.status,
                state=max(task.status.state, TaskState.REJECTED),
                message=MESSAGE,
                error=ERROR,
                timestamp=batch.tx.now.wall,
            )
            batch.tx.update(replace(task, status=status))


def misfits(tx: Tx, node: Node) -> list[str]:
    """Ids of the tasks that a node may no longer hold."""
    found: list[str] = []
    left = Resources() if node.description is None else node.description.resources
    for task in tx.find(Task, ByNode(node.id)):
        if not TaskState.ASSIGNED <= task.desired_state <= TaskState.COMPLETE:
            continue
        service = tx.get(Service, task.service_id)
        placement = task.spec.placement if service is None else service.spec.task.placement
        if not satisfies(placement.constraints, node):
            found.append(task.id)
            continue
        if reserves_nothing(task.spec):
            continue
        wanted = task.spec.reservations
        if wanted.memory_bytes > left.memory_bytes or wanted.nano_cpus > left.nano_cpus:
            found.append(task.id)
            continue
        if any(has_resource(piece, left.generic) for piece in task.generic):
            found.append(task.id)
            break
        left = Resources(
            left.nano_cpus - wanted.nano_cpus,
            left.memory_bytes - wanted.memory_bytes,
            consume(left.generic, task.generic),
        )
    return found
