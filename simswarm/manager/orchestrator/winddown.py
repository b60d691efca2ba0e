"""Tasks that shall end: their desired state is raised, or they are taken out of the store.

An orchestrator decides for many tasks at once; a batch takes 200 changes. What does not fit waits
here for a later turn. A decision is never asked again: after a partial scale-down the slots that
were chosen are no longer live, and a new look at the service would take them for dead ones.

Invariants:
    I1. A desired state is only ever raised.
    I2. Every task given here is written or found to need nothing, even if the service is gone.

Source: swarmkit manager/orchestrator/service.go (SetServiceTasksRemove), replicated/services.go
(setTasksDesiredState, deleteTasksMap): batches that go on after 200 changes.
"""

from __future__ import annotations

from simswarm.base.values import replace
from simswarm.manager.agenda import Batch
from simswarm.model.objects import Task
from simswarm.model.taskstate import TaskState


class WindDown:
    """What is left of decisions that were larger than a batch."""

    __slots__ = ("_delete", "_desired")

    def __init__(self) -> None:
        self._desired: dict[str, TaskState] = {}
        self._delete: dict[str, None] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything is left to be written."""
        return bool(self._desired or self._delete)

    def set_desired(self, batch: Batch, task_id: str, state: TaskState) -> None:
        """Raise a task's desired state now, or as soon as there is room."""
        if self.waiting or not batch.room():
            self.set_desired_later(task_id, state)
        else:
            set_desired(batch, task_id, state)

    def delete(self, batch: Batch, task_id: str) -> None:
        """Take a task out of the store now, or as soon as there is room."""
        if self.waiting or not batch.room():
            self.delete_later(task_id)
        else:
            delete(batch, task_id)

    def set_desired_later(self, task_id: str, state: TaskState) -> None:
        """Raise a task's desired state in a later turn."""
        self._desired[task_id] = max(state, self._desired.get(task_id, state))

    def delete_later(self, task_id: str) -> None:
        """Take a task out of the store in a later turn."""
        self._desired.pop(task_id, None)
        self._delete[task_id] = None

    def work(self, batch: Batch) -> None:
        """Write what waits, as far as there is room."""
        while self._delete and batch.room():
            task_id = next(iter(self._delete))
            del self._delete[task_id]
            delete(batch, task_id)
        while self._desired and batch.room():
            task_id, state = next(iter(self._desired.items()))
            del self._desired[task_id]
            set_desired(batch, task_id, state)


def set_desired(batch: Batch, task_id: str, state: TaskState) -> None:
    """Raise a task's desired state, if it is there and lower."""
    task = batch.tx.get(Task, task_id)
    if task is not None and task.desired_state < state:
        batch.tx.update(replace(task, desired_state=state))


def delete(batch: Batch, task_id: str) -> None:
    """Take a task out of the store, if it is there."""
    if batch.tx.get(Task, task_id) is not None:
        batch.tx.delete(Task, task_id)
