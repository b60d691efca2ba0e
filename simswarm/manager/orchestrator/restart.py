"""The restart supervisor: is a task that has ended replaced, and when does the replacement start?

A replacement is created at once with desired state READY: its agent may fetch the image meanwhile.
It becomes RUNNING when the delay has passed *and* the old task has stopped:

    begin ──> waits for the delay ──> waits for the old task ──> due ──> turn `start` ──> RUNNING
                    (timer)       (ended, its node down or gone,
                                   or 1 minute since begin)

A task that ends while its own start is still pending is restarted when that start has happened: a
missing image does not make a tight loop.

Invariants:
    I1. A task is replaced at most once: replacing it shuts it down, and who is shut down is not
        replaced (callers re-read the desired state in the same write).
    I2. There is at most one pending start per task; a later one takes its place.
    I3. A start raises the desired state to RUNNING and never lowers one.

Source: swarmkit manager/orchestrator/restart/restart.go (Restart, DelayStart, StartNow,
UpdatableTasksInSlot); orders and delays recorded on Docker 20.10.24.
Not here: counting attempts (`history`), who calls (`replicated`, `global_services`, `update`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Outbox, TimerKey
from simswarm.base.entropy import Entropy
from simswarm.base.time import Duration
from simswarm.base.values import replace
from simswarm.manager.agenda import Batch
from simswarm.manager.orchestrator.history import RestartHistory
from simswarm.manager.orchestrator.slots import Slot, SlotKey
from simswarm.manager.orchestrator.tasks import by_age, is_global, new_task, restart_delay
from simswarm.model.defaults import OLD_TASK_TIMEOUT
from simswarm.model.objects import Node, NodeState, Service, Task, UpdateState
from simswarm.model.specs import Availability
from simswarm.model.taskstate import TaskState
from simswarm.store import Tx

DELAY = "delay"
OLD_TASK = "old-task"


class PendingStart:
    """One task that waits to be started."""

    __slots__ = ("delayed", "node_id", "old_id", "restart_after")

    def __init__(self, old: Task | None) -> None:
        self.delayed = True
        self.old_id = "" if old is None else old.id
        """The task that must stop first; "" when there is none, or it has stopped."""
        self.node_id = "" if old is None else old.node_id
        self.restart_after = False
        """The task has ended already: restart it once it was started."""


class RestartSupervisor:
    """Replacements and delayed starts of one orchestrator."""

    __slots__ = (
        "_by_node",
        "_by_old",
        "_entropy",
        "_epoch",
        "_out",
        "_owner",
        "_pending",
        "due",
        "history",
    )

    def __init__(self, out: Outbox, entropy: Entropy, owner: str, epoch: int) -> None:
        self._out = out
        self._entropy = entropy
        self._owner = owner
        self._epoch = epoch
        self._pending: dict[str, PendingStart] = {}
        self._by_old: dict[str, dict[str, None]] = {}
        self._by_node: dict[str, dict[str, None]] = {}
        self.history = RestartHistory()
        self.due: dict[str, None] = {}
        """Tasks whose start waits for nothing but a turn. One that a new leader finds overdue has
        no pending start: if it has ended it is restarted without waiting."""

    # ── inside a write ───────────────────────────────────────────────────────────────────────

    def restart(self, tx: Tx, service: Service, task: Task) -> None:
        """Shut a task down and replace it, if its policy says so."""
        pending = self._pending.get(task.id)
        if pending is not None:
            pending.restart_after = True
            return
        assert task.desired_state <= TaskState.COMPLETE, "it was replaced already"
        task = tx.update(replace(task, desired_state=TaskState.SHUTDOWN))
        if not self.history.should_restart(slot_key(service, task), task):
            return
        node = tx.get(Node, task.node_id)
        made = new_task(
            service,
            self._entropy,
            tx.now.wall,
            slot=0 if is_global(service) else task.slot,
            node_id=task.node_id if is_global(service) else "",
        )
        made = tx.create(replace(made, desired_state=TaskState.READY))
        self.history.record(slot_key(service, made), made)
        drained = node is not None and node.spec.availability == Availability.DRAIN
        lost = node is not None and node.status.state == NodeState.DOWN
        waits = not lost and task.status.state <= TaskState.RUNNING
        self.begin(task if waits else None, made.id, 0 if drained else restart_delay(task))

    def updatable(self, tasks: Sequence[Task], service: Service) -> Slot:
        """The tasks of a slot that an update is about; none: the slot is dead.

        Those that shall run; else the newest one, if it has ended for good (a completed task keeps
        its slot) and no rollback is under way.
        """
        updatable = tuple(task for task in tasks if task.desired_state <= TaskState.RUNNING)
        if updatable:
            return updatable
        status = service.update_status
        if status is not None and status.state == UpdateState.ROLLBACK_STARTED:
            return ()
        newest = by_age(tasks)[-1]
        if self.history.should_restart(slot_key(service, newest), newest):
            return ()
        return (newest,)

    def start_due(self, batch: Batch) -> list[str]:
        """Start what is due, as far as there is room; returns the tasks."""
        started: list[str] = []
        while self.due and batch.room():
            task_id = next(iter(self.due))
            del self.due[task_id]
            start_now(batch.tx, task_id)
            started.append(task_id)
        return started

    # ── delayed starts ───────────────────────────────────────────────────────────────────────

    def begin(self, old: Task | None, new_id: str, delay: Duration) -> None:
        """Start a task after a delay, and after `old` (if given, and still running) has stopped."""
        if old is not None and old.status.state > TaskState.RUNNING:
            old = None
        earlier = self._forget(new_id)
        pending = self._pending[new_id] = PendingStart(old)
        if earlier is not None:
            pending.restart_after = earlier.restart_after
        if old is not None:
            self._by_old.setdefault(old.id, {})[new_id] = None
            self._by_node.setdefault(old.node_id, {})[new_id] = None
            self._out.set_timer(self._key(OLD_TASK, new_id), OLD_TASK_TIMEOUT)
        if delay > 0:
            self._out.set_timer(self._key(DELAY, new_id), delay)
        else:
            pending.delayed = False
        self._check(new_id)

    def ended(self, task_id: str) -> bool:
        """The start of a task is committed. True: the task is to be restarted now."""
        pending = self._forget(task_id)
        return pending is not None and pending.restart_after

    def cancel(self, task_id: str) -> None:
        """A task is gone: forget its start."""
        self._forget(task_id)

    def is_pending(self, task_id: str) -> bool:
        """Whether a task waits to be started."""
        return task_id in self._pending

    def on_task(self, task: Task) -> None:
        """A task has changed; others may have waited for its end."""
        if task.status.state > TaskState.RUNNING and task.id in self._by_old:
            for new_id in list(self._by_old[task.id]):
                self._stop_waiting(new_id)

    def on_node(self, node: Node, *, gone: bool = False) -> None:
        """A node has changed or is gone; nothing can be awaited of one that is down."""
        if (gone or node.status.state == NodeState.DOWN) and node.id in self._by_node:
            for new_id in list(self._by_node[node.id]):
                self._stop_waiting(new_id)

    def on_timer(self, kind: str, task_id: str) -> None:
        """A delay, or the patience with an old task, is over."""
        pending = self._pending.get(task_id)
        if pending is None:
            return
        if kind == OLD_TASK:
            self._stop_waiting(task_id)
        else:
            pending.delayed = False
            self._check(task_id)

    def stop(self) -> None:
        """Leadership is lost: forget everything."""
        for task_id in list(self._pending):
            self._forget(task_id)

    def _key(self, kind: str, task_id: str) -> TimerKey:
        return TimerKey(self._owner, self._epoch, f"{kind}:{task_id}")

    def _check(self, task_id: str) -> None:
        pending = self._pending[task_id]
        if not pending.delayed and not pending.old_id:
            self.due[task_id] = None

    def _stop_waiting(self, task_id: str) -> None:
        pending = self._pending[task_id]
        if pending.old_id:
            self._unlink(task_id, pending)
            self._check(task_id)

    def _unlink(self, task_id: str, pending: PendingStart) -> None:
        for index, key in ((self._by_old, pending.old_id), (self._by_node, pending.node_id)):
            del index[key][task_id]
            if not index[key]:
                del index[key]
        pending.old_id = ""
        self._out.cancel_timer(self._key(OLD_TASK, task_id))

    def _forget(self, task_id: str) -> PendingStart | None:
        pending = self._pending.pop(task_id, None)
        if pending is not None:
            self.due.pop(task_id, None)
            if pending.old_id:
                self._unlink(task_id, pending)
            if pending.delayed:
                self._out.cancel_timer(self._key(DELAY, task_id))
        return pending


def slot_key(service: Service, task: Task) -> SlotKey:
    """What restarts are counted by: slot number, or for global services the node."""
    if is_global(service):
        return service.id, 0, task.node_id
    return service.id, task.slot, ""


def start_now(tx: Tx, task_id: str) -> None:
    """Raise the desired state of a task to RUNNING, if it is there and lower."""
    task = tx.get(Task, task_id)
    if task is not None and task.desired_state < TaskState.RUNNING:
        tx.update(replace(task, desired_state=TaskState.RUNNING))
