"""The scheduler: gives every pending task a node, or says why there is none.

Any commit arms a debounce of 50 ms that further commits prolong, up to 1 s in all. Then tasks
that came with a node are checked against it, and, if something relevant has changed, waiting tasks
are placed group by group (same service and spec version). A task without a place stays PENDING,
with the reason in its status, and is tried again.

    commit → [debounce 50 ms, at most 1 s] → turn `place` (≤ 200 tasks) → turn `place` → …

Invariants:
    I1. A decision is taken in the write that carries it, on bookkeeping as new as the tables.
    I2. A reason that is in the task's status already is not written again.
    I3. A preassigned task is confirmed on its node or waits there; it never moves.

Source: swarmkit manager/scheduler/scheduler.go (Run, tick, processPreassignedTasks, noSuitableNode,
applySchedulingDecisions). Where Docker 20.10 plans a whole tick and then writes it in batches, each
batch is planned when it is written; so no decision can be out of date.
Not here: filters and ranking (`pipeline`, `spread`), bookkeeping (`tracker`).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest

from simswarm.base.effects import Outbox, TimerKey
from simswarm.base.entropy import Entropy
from simswarm.base.time import Instant
from simswarm.base.values import replace
from simswarm.manager.agenda import Agenda, Batch
from simswarm.manager.scheduler.nodeinfo import NodeInfo
from simswarm.manager.scheduler.pipeline import Pipeline
from simswarm.manager.scheduler.spread import GroupPlacement
from simswarm.manager.scheduler.tracker import GroupKey, Tracker
from simswarm.model.defaults import SCHEDULER_DEBOUNCE, SCHEDULER_MAX_LATENCY
from simswarm.model.objects import Service, Task, TaskStatus
from simswarm.model.taskstate import TaskState
from simswarm.store import Change, Store, Tx

ASSIGNED = "scheduler assigned task to node"
CONFIRMED = "scheduler confirmed task can run on preassigned node"
PLACE = "place"
DEBOUNCE = "debounce"


class Scheduler:
    """The control loop."""

    __slots__ = (
        "_agenda",
        "_armed_at",
        "_deadline",
        "_epoch",
        "_out",
        "_pipeline",
        "_preassigned",
        "_store",
        "_tick",
        "_tick_due",
        "_tick_required",
        "_tracker",
        "_tx",
    )

    owner = "scheduler"

    def __init__(self, store: Store, out: Outbox, entropy: Entropy, epoch: int) -> None:
        """`entropy` is not drawn from: what is chance in Swarm is ordered by id here."""
        self._store = store
        self._out = out
        self._epoch = epoch
        self._agenda = Agenda(store, self)
        self._tracker = Tracker()
        self._pipeline = Pipeline()
        self._tick_required = False
        """Something has changed that may give waiting tasks a place."""
        self._tick_due = False
        """This round shall place waiting tasks."""
        self._tick: dict[GroupKey, None] = {}
        """Groups still to be placed in the tick that is under way."""
        self._preassigned: dict[str, None] = {}
        """Preassigned tasks still to be checked in this round."""
        self._armed_at: Instant | None = None
        self._deadline: Instant = 0
        self._tx: Tx | None = None

    def start(self) -> None:
        """Take stock, then place what waits."""
        self._tracker.load(self._store, self._out.now.mono)
        self._tick_required = True
        self._schedule()

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """Follow the changes; the commit itself arms or prolongs the debounce."""
        now = self._out.now.mono
        for change in changes:
            if self._tracker.on_change(change, now):
                self._tick_required = True
        self._on_commit(now)

    def on_timer(self, name: str) -> None:
        """The debounce is over."""
        assert name == DEBOUNCE
        self._armed_at = None
        self._schedule()

    def stop(self) -> None:
        """Leadership is lost."""
        self._agenda.close()
        self._out.cancel_timer(self._key())

    def perform(self, stage: str, batch: Batch) -> None:
        """Confirm preassigned tasks, then place groups, until the batch is full."""
        self._tx = batch.tx
        while self._preassigned and batch.room():
            id = next(iter(self._preassigned))
            del self._preassigned[id]
            task = self._tracker.pending.get(id)
            if task is not None:
                self._confirm(task)
        if self._tick_due and not self._preassigned:
            self._tick_due = False
            self._tick = dict.fromkeys(sorted(self._tracker.groups))
        while self._tick and batch.room():
            key = next(iter(self._tick))
            if self._place_group(key, batch):
                del self._tick[key]
        self._tx = None

    def finished(self, stage: str) -> None:
        """A batch is committed; go on while this round has work left."""
        if self._preassigned or self._tick or self._tick_due:
            self._agenda.add(PLACE)

    def assign(self, task: Task, info: NodeInfo) -> None:
        """Write a placement down (called by `spread`)."""
        assert self._tx is not None
        now = self._tx.now.wall
        status = TaskStatus(TaskState.ASSIGNED, now, ASSIGNED)
        assigned = replace(task, node_id=info.node.id, status=status)
        self._tx.update(self._tracker.put_on_node(assigned, info))

    def check_invariants(self) -> None:
        """The bookkeeping of every node adds up."""
        for info in self._tracker.nodes():
            info.check_invariants()

    def _key(self) -> TimerKey:
        return TimerKey(self.owner, self._epoch, DEBOUNCE)

    def _on_commit(self, now: Instant) -> None:
        """The debounce timer of Swarm, but set only while there is something to do: its state is
        kept in two instants, so that an idle scheduler costs no timer per commit."""
        if self._armed_at is not None and now >= self._deadline and not self._due():
            self._armed_at = None  # it has run off in the meantime, with nothing to do
        if self._armed_at is None:
            self._armed_at = now
        elif now - self._armed_at > SCHEDULER_MAX_LATENCY:
            self._armed_at = None
            self._out.cancel_timer(self._key())
            self._schedule()
            return
        self._deadline = now + SCHEDULER_DEBOUNCE
        if self._due():
            self._out.set_timer(self._key(), SCHEDULER_DEBOUNCE)

    def _due(self) -> bool:
        return self._tick_required or bool(self._tracker.pending)

    def _schedule(self) -> None:
        self._preassigned = dict.fromkeys(self._tracker.pending)
        self._tick_due = self._tick_due or self._tick_required
        self._tick_required = False
        if self._preassigned or self._tick_due:
            self._agenda.add(PLACE)

    def _confirm(self, task: Task) -> None:
        """May a task run on the node that it came with?"""
        assert self._tx is not None
        info = self._tracker.node(task.node_id)
        if info is None:
            return
        now = self._tx.now.wall
        self._pipeline.prepare(task)
        if self._pipeline.passes(info):
            status = TaskStatus(TaskState.ASSIGNED, now, CONFIRMED)
            self._tx.update(self._tracker.put_on_node(replace(task, status=status), info))
        else:
            self._explain(task, self._pipeline.explain())

    def _place_group(self, key: GroupKey, batch: Batch) -> bool:
        """Place a group as far as the batch has room. True: the group is done with."""
        group = self._tracker.groups.get(key)
        if group is None:
            return True
        room = batch.room_for(next(iter(group.values())))
        chosen = nsmallest(room, group.values(), key=_by_slot)
        placement = GroupPlacement(self._pipeline, chosen, self, self._out.now.mono)
        rest = placement.place(self._tracker.nodes())
        if not rest:
            return key not in self._tracker.groups
        explanation = self._pipeline.explain()
        for task in sorted(group.values(), key=_by_slot):
            if not batch.room():
                return False
            self._no_suitable_node(task, explanation)
        return True

    def _no_suitable_node(self, task: Task, explanation: str) -> None:
        """No node for this task: say so, or let go of a task that nobody wants any more."""
        assert self._tx is not None
        service = self._tx.get(Service, task.service_id)
        if service is None:
            self._tracker.drop(task)
            return
        current, own = service.spec_version, task.spec_version
        if current is not None and own is not None and current > own:
            self._tracker.drop(task)
            if task.status.state == TaskState.PENDING and task.desired_state >= TaskState.SHUTDOWN:
                now = self._tx.now.wall
                status = replace(task.status, state=TaskState.SHUTDOWN, error="", timestamp=now)
                self._tx.update(replace(task, status=status))
            return
        reason = f"no suitable node ({explanation})" if explanation else "no suitable node"
        self._explain(task, reason)

    def _explain(self, task: Task, reason: str) -> None:
        assert self._tx is not None
        if task.status.error != reason:
            status = replace(task.status, error=reason, timestamp=self._tx.now.wall)
            self._tx.update(replace(task, status=status))


def _by_slot(task: Task) -> tuple[int, str]:
    return task.slot, task.id
