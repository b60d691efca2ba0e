"""The allocator: lets NEW tasks become PENDING once everything they need is allocated.

    task NEW → turn `allocate` → PENDING "pending task scheduling"

There is nothing to allocate yet: networks, addresses and ingress ports come with the overlay
layer. So every NEW task is ready at once, also one whose service publishes a port; a task's
endpoint stays the copy of its service's spec that it was created with. What is as in Swarm: only
the *state* decides, so a task that is already to be shut down still becomes PENDING, and a task
waits one commit here on its way.

Invariants:
    I1. Only NEW tasks are written, and each once.

Source: swarmkit manager/allocator/allocator.go, network.go (procTasksNetwork, taskAllocateVote).
Not here: ports, virtual addresses, VXLAN ids, attachments (not built).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Outbox
from simswarm.base.values import replace
from simswarm.manager.agenda import Agenda, Batch
from simswarm.model.objects import Task
from simswarm.model.taskstate import TaskState
from simswarm.store import ByState, Change, Deleted, Store

ALLOCATE = "allocate"
MESSAGE = "pending task scheduling"


class Allocator:
    """The control loop."""

    __slots__ = ("_agenda", "_new", "_store")

    owner = "allocator"

    def __init__(self, store: Store, out: Outbox, epoch: int) -> None:
        """`out` and `epoch` are for timers; there is nothing to retry yet."""
        self._store = store
        self._agenda = Agenda(store, self)
        self._new: dict[str, None] = {}
        """Tasks that have not been allocated, in the order of their creation."""

    def start(self) -> None:
        """Allocate what the last leader left."""
        for task in self._store.find(Task, ByState(TaskState.NEW)):
            self._new[task.id] = None
        if self._new:
            self._agenda.add(ALLOCATE)

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """Mark new tasks."""
        for change in changes:
            item = change.object
            if isinstance(item, Task) and item.status.state == TaskState.NEW:
                if isinstance(change, Deleted):
                    self._new.pop(item.id, None)
                else:
                    self._new[item.id] = None
        if self._new:
            self._agenda.add(ALLOCATE)

    def on_timer(self, name: str) -> None:
        """There are no timers yet."""
        raise AssertionError(f"unknown timer {name}")

    def stop(self) -> None:
        """Leadership is lost."""
        self._agenda.close()
        self._new.clear()

    def perform(self, stage: str, batch: Batch) -> None:
        """Make marked tasks PENDING."""
        tx = batch.tx
        while self._new and batch.room():
            id = next(iter(self._new))
            del self._new[id]
            task = tx.get(Task, id)
            if task is not None and task.status.state == TaskState.NEW:
                status = replace(
                    task.status,
                    state=TaskState.PENDING,
                    message=MESSAGE,
                    timestamp=tx.now.wall,
                )
                tx.update(replace(task, status=status))

    def finished(self, stage: str) -> None:
        """Go on with what did not fit."""
        if self._new:
            self._agenda.add(ALLOCATE)
