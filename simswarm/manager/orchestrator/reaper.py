"""The task reaper: takes tasks out of the store that nobody will ask about any more.

    desired REMOVE, and not on a node yet or ended    → deleted (scaled down, service removed)
    orphaned, and of no service                       → deleted
    more tasks in a slot than the history limit       → the oldest ended ones are deleted

A new task makes its slot dirty; 250 ms later (at once when over 1000 marks wait) dirty slots are
looked at. The limit is the cluster's, but a service with a limit of attempts keeps one task more
than that, so that a new leader can count them.

Invariants:
    I1. Only tasks are deleted that have ended, or that will never be on a node.
    I2. A slot stays dirty only while more than one of its tasks is alive.

Source: swarmkit manager/orchestrator/taskreaper/task_reaper.go; without a cluster object Docker
20.10 keeps no history at all. Not here: tasks whose service is gone at a leader's start
(`taskinit`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Outbox, TimerKey
from simswarm.manager.agenda import Agenda, Batch
from simswarm.manager.orchestrator.slots import SlotKey
from simswarm.manager.orchestrator.tasks import by_age
from simswarm.manager.orchestrator.winddown import delete
from simswarm.model.defaults import REAPER_BATCH_INTERVAL, REAPER_MAX_DIRTY
from simswarm.model.objects import Cluster, Service, Task
from simswarm.model.specs import Global
from simswarm.model.taskstate import TaskState, is_terminal
from simswarm.store import (
    ByDesiredState,
    ByNode,
    BySlot,
    ByState,
    Change,
    Created,
    Deleted,
    Store,
    Tx,
    Updated,
)

REAP = "reap"
TICK = "tick"


class TaskReaper:
    """The control loop."""

    __slots__ = (
        "_agenda", "_cleanup", "_dirty", "_epoch", "_limit", "_look", "_out", "_store", "_ticking"
    )  # fmt: skip

    owner = "reaper"

    def __init__(self, store: Store, out: Outbox, epoch: int) -> None:
        self._store = store
        self._out = out
        self._epoch = epoch
        self._agenda = Agenda(store, self)
        self._limit = 0
        self._dirty: dict[SlotKey, None] = {}
        """Slots whose history may have become too long."""
        self._cleanup: dict[str, None] = {}
        """Tasks to delete."""
        self._look: dict[SlotKey, None] = {}
        """Dirty slots still to be looked at in the tick under way."""
        self._ticking = False
        """The timer is set."""

    def start(self) -> None:
        """Delete at once what the last leader left."""
        for cluster in self._store.find(Cluster):
            self._limit = cluster.spec.task_history_limit
        for task in self._store.find(Task, ByState(TaskState.ORPHANED)):
            self._mark(task)
        for task in self._store.find(Task, ByDesiredState(TaskState.REMOVE)):
            self._mark(task)
        if self._cleanup:
            self._agenda.add(REAP)

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """Mark slots with new tasks, and tasks that may go."""
        marked = False
        for change in changes:
            item = change.object
            if isinstance(item, Cluster) and isinstance(change, Updated | Created):
                self._limit = item.spec.task_history_limit
                marked = marked or isinstance(change, Updated)
            elif isinstance(item, Task) and not isinstance(change, Deleted):
                if isinstance(change, Created):
                    self._dirty[item.service_id, item.slot, item.node_id] = None
                else:
                    self._mark(item)
                marked = True
        if marked:
            self._wait_or_tick()

    def on_timer(self, name: str) -> None:
        """The interval is over."""
        assert name == TICK
        self._ticking = False
        self._tick()

    def stop(self) -> None:
        """Leadership is lost."""
        self._agenda.close()
        self._out.cancel_timer(self._key())

    def perform(self, stage: str, batch: Batch) -> None:
        """Look at dirty slots, then delete marked tasks, until the batch is full. In this order:
        a task that is to be deleted anyway still counts as history of its slot."""
        while self._look and batch.room():
            key = next(iter(self._look))
            if self._clean_slot(batch, key):
                del self._look[key]
        while self._cleanup and batch.room():
            task_id = next(iter(self._cleanup))
            del self._cleanup[task_id]
            delete(batch, task_id)

    def finished(self, stage: str) -> None:
        """Go on with what did not fit."""
        if self._cleanup or self._look:
            self._agenda.add(REAP)

    def _key(self) -> TimerKey:
        return TimerKey(self.owner, self._epoch, TICK)

    def _mark(self, task: Task) -> None:
        state = task.status.state
        serviceless = state >= TaskState.ORPHANED and not task.service_id
        removed = task.desired_state == TaskState.REMOVE and (
            state < TaskState.ASSIGNED or state >= TaskState.COMPLETE
        )
        if serviceless or removed:
            self._cleanup[task.id] = None

    def _wait_or_tick(self) -> None:
        if len(self._dirty) + len(self._cleanup) > REAPER_MAX_DIRTY:
            self._out.cancel_timer(self._key())
            self._ticking = False
            self._tick()
        elif not self._ticking:
            self._ticking = True
            self._out.set_timer(self._key(), REAPER_BATCH_INTERVAL)

    def _tick(self) -> None:
        self._look.update(self._dirty)
        if self._cleanup or self._look:
            self._agenda.add(REAP)

    def _clean_slot(self, batch: Batch, key: SlotKey) -> bool:
        """Delete what is too much in a slot. False: the batch is full, come again."""
        service = batch.tx.get(Service, key[0])
        limit = -1 if service is None else self._history_limit(service)
        tasks = [] if service is None or limit < 0 else _history(batch.tx, service, key)
        if len(tasks) <= limit or limit < 0:
            self._dirty.pop(key, None)
            return True
        surplus, alive = len(tasks) - limit, 0
        for task in by_age(tasks):
            if not _may_go(task):
                alive += 1
                continue
            if not batch.room():
                return False
            batch.tx.delete(Task, task.id)
            surplus -= 1
            if surplus == 0:
                break
        if alive <= 1:
            self._dirty.pop(key, None)
        return True

    def _history_limit(self, service: Service) -> int:
        policy = service.spec.task.restart
        if policy is not None and policy.max_attempts > 0:
            return policy.max_attempts + 1
        return self._limit


def _history(tx: Tx, service: Service, key: SlotKey) -> list[Task]:
    """All tasks of a slot: of the number, or of the service on the node."""
    service_id, number, node_id = key
    if isinstance(service.spec.mode, Global):
        return [task for task in tx.find(Task, ByNode(node_id)) if task.service_id == service_id]
    return tx.find(Task, BySlot(service_id, number))


def _may_go(task: Task) -> bool:
    ended = is_terminal(task.status.state)
    never_ran = task.status.state < TaskState.ASSIGNED and task.desired_state > TaskState.RUNNING
    return ended or never_ran
