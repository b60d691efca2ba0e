"""What one node is sent: first the complete set of its tasks, then changes in small batches.

    COMPLETE ("" → "1"), INCREMENTAL ("1" → "2"), INCREMENTAL ("2" → "3"), …

The dispatcher waits 100 ms after the latest change (a burst moves the moment on) or until 100
changes have gathered; then everything goes out in one message, one change per task.

Invariants:
    I1. `applies_to` of a message is `results_in` of the one before it in this stream.
    I2. Only tasks at ASSIGNED or beyond are sent. What only the agent itself brought about (a
        status beyond ASSIGNED) is not sent back to it.
    I3. Messages without changes are not sent, save the first.

Source: swarmkit manager/dispatcher/assignments.go, dispatcher.go (Assignments).
Not here: secrets, configs and volumes of tasks.
"""

from __future__ import annotations

from simswarm.model.equality import tasks_equal_stable
from simswarm.model.objects import Task
from simswarm.model.taskstate import TaskState
from simswarm.wire.dispatcher import Assignments, AssignmentsKind, AssignTask, RemoveTask


class AssignmentStream:
    """One node's stream of assignments within one session."""

    __slots__ = ("_changes", "_sequence", "_session_id", "_tasks", "modifications")

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._sequence = 0
        self._tasks: dict[str, Task] = {}
        """What the node has been sent, or is about to be: by task id."""
        self._changes: dict[str, AssignTask | RemoveTask] = {}
        self.modifications = 0
        """Changes since the last message; two of one task count twice, as in swarmkit."""

    def put(self, task: Task) -> bool:
        """A task of this node changed; says whether the node must hear of it."""
        if task.status.state < TaskState.ASSIGNED:
            return False
        known = self._tasks.get(task.id)
        self._tasks[task.id] = task
        if (
            known is not None
            and task.status.state > TaskState.ASSIGNED
            and tasks_equal_stable(known, task)
        ):
            return False
        self._changes[task.id] = AssignTask(task)
        self.modifications += 1
        return True

    def remove(self, task_id: str) -> bool:
        """A task of this node is no more; says whether the node must hear of it."""
        if self._tasks.pop(task_id, None) is None:
            return False
        self._changes[task_id] = RemoveTask(task_id)
        self.modifications += 1
        return True

    def message(self) -> Assignments:
        """The next message: complete if it is the first, else what changed since the last."""
        kind = AssignmentsKind.INCREMENTAL if self._sequence else AssignmentsKind.COMPLETE
        applies_to = str(self._sequence) if self._sequence else ""
        self._sequence += 1
        changes = tuple(self._changes.values())
        self._changes.clear()
        self.modifications = 0
        return Assignments(self._session_id, kind, applies_to, str(self._sequence), changes)

    def check_invariants(self) -> None:
        """Every pending assignment is the newest version of its task."""
        for task_id, change in self._changes.items():
            if isinstance(change, AssignTask):
                assert task_id in self._tasks, "a removed task is still assigned"
            else:
                assert task_id not in self._tasks, "an assigned task is still removed"
