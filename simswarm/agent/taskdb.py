"""What a node remembers over a reboot: its tasks, and the last status of each.

The file `tasks` is a log of records. Everything recorded within one step is appended as one
write; when most of the file is out of date it is replaced by one record per task.

Invariants:
    I1. After recovery a task has the last status that was recorded, never an older one.
    I2. A status is recorded before it is reported: a report waits for `token`.
    I3. Whatever prefix of the writes a crash leaves, it is a state this node once was in.

Source: swarmkit agent/storage.go (a bolt file there; `assigned` there is presence here).
"""

from __future__ import annotations

import msgspec

from simswarm.base.effects import Outbox, Token, WriteMode
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import recover
from simswarm.base.values import Value, replace
from simswarm.model.objects import Task, TaskStatus

TASKS_FILE = "tasks"
_GARBAGE_ALLOWED = 256
"""Records beyond three per task before the file is replaced."""


class TaskAssigned(Value, frozen=True, tag=1):
    """This task is the node's, and is so, with the status it had by then."""

    task: Task


class StatusChanged(Value, frozen=True, tag=2):
    """The status of a task of the node."""

    task_id: str
    status: TaskStatus


class TaskDropped(Value, frozen=True, tag=3):
    """This task is no longer the node's."""

    task_id: str


DatabaseRecord = TaskAssigned | StatusChanged | TaskDropped

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(DatabaseRecord)


class TaskDatabase:
    """The node's tasks, in memory and in the file."""

    __slots__ = ("_out", "_pending", "_recorded", "tasks", "token")

    def __init__(self, out: Outbox, image: bytes) -> None:
        """`image`: the file as the disk has it.

        Raises:
            StorageCorrupt: the file holds what no crash explains.
        """
        self._out = out
        self.tasks: dict[str, Task] = {}
        """By id, each with its last recorded status."""
        self.token: Token = 0
        """The newest write that isn't known to be durable yet; 0 if all is."""
        self._pending: dict[tuple[str, str], DatabaseRecord] = {}
        """Records of this step, by kind and task: a later one of both replaces an earlier."""
        self._recorded = 0
        """Records in the file."""
        for payload in recover(image, TASKS_FILE).records:
            self._replay(payload)

    def put(self, task: Task) -> None:
        """Remember a task and its status."""
        self.tasks[task.id] = task
        self._pending.pop(("status", task.id), None)
        self._pending.pop(("task", task.id), None)
        self._pending["task", task.id] = TaskAssigned(task)

    def put_status(self, task_id: str, status: TaskStatus) -> bool:
        """Remember a status; False if the task isn't the node's (any more)."""
        task = self.tasks.get(task_id)
        if task is None:
            return False
        self.tasks[task_id] = replace(task, status=status)
        self._pending["status", task_id] = StatusChanged(task_id, status)
        return True

    def drop(self, task_id: str) -> None:
        """Forget a task."""
        if self.tasks.pop(task_id, None) is not None:
            self._pending.pop(("status", task_id), None)
            self._pending.pop(("task", task_id), None)
            self._pending["drop", task_id] = TaskDropped(task_id)

    def flush(self) -> None:
        """The step is over: make durable what was recorded in it."""
        if not self._pending:
            return
        self._recorded += len(self._pending)
        if self._recorded > 3 * len(self.tasks) + _GARBAGE_ALLOWED:
            mode = WriteMode.REPLACE
            records = tuple(_encode(TaskAssigned(task)) for task in self.tasks.values())
            self._recorded = len(records)
        else:
            mode = WriteMode.APPEND
            records = tuple(_encode(record) for record in self._pending.values())
        self._pending.clear()
        self.token = self._out.write(TASKS_FILE, mode, records)

    def written(self, token: Token) -> None:
        """A write is durable. Writes to one file become so in order."""
        if token == self.token:
            self.token = 0

    def _replay(self, payload: bytes) -> None:
        try:
            record = _decoder.decode(payload)
        except (msgspec.DecodeError, ValueError) as error:
            raise StorageCorrupt(f"{TASKS_FILE}: record of an unknown kind: {error}") from None
        self._recorded += 1
        match record:
            case TaskAssigned(task):
                self.tasks[task.id] = task
            case StatusChanged(task_id, status):
                if task_id in self.tasks:
                    self.tasks[task_id] = replace(self.tasks[task_id], status=status)
            case TaskDropped(task_id):
                self.tasks.pop(task_id, None)
