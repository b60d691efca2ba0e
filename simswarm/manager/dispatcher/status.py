"""What the dispatcher writes, and the batching of it: statuses of tasks and nodes.

Reports and node changes wait in two maps (the last of a kind wins) and are written together: on
a beat of 100 ms that runs from the end of the last flush, or when 10,000 have gathered. The
beat is only armed while something waits; its phase is kept, so a report waits 0 to 100 ms.

Invariants:
    I1. A task's state never falls: a report lower than what is stored is dropped.
    I2. One flush is in the store's queue at a time; it is split into writes of at most 200.

Source: swarmkit manager/dispatcher/dispatcher.go (processUpdates, markNodesUnknown,
moveTasksToOrphaned).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from simswarm.base.effects import Outbox, TimerKey
from simswarm.base.time import Instant
from simswarm.base.values import Value, replace
from simswarm.manager.dispatcher.sessions import OWNER
from simswarm.model.defaults import (
    MAX_CHANGES_PER_TRANSACTION,
    STATUS_BATCH_INTERVAL,
    STATUS_BATCH_ITEMS,
)
from simswarm.model.objects import Node, NodeDescription, NodeState, NodeStatus, Task, TaskStatus
from simswarm.model.taskstate import TaskState
from simswarm.store import ByName, Outcome, Store, Tx, Write

UNKNOWN_MESSAGE = 'Node moved to "unknown" state due to leadership change in cluster'

Item = TypeVar("Item")


def chunks(
    items: Sequence[Item], size: int = MAX_CHANGES_PER_TRANSACTION
) -> Iterator[tuple[Item, ...]]:
    """The items in runs that fit one transaction."""
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])


class NodeUpdate(Value, frozen=True):
    """What is to change on a node. An empty address or no description: leave it."""

    node_id: str
    status: NodeStatus
    description: NodeDescription | None = None


class ApplyUpdates(Value, frozen=True):
    """Write reported task statuses and node changes."""

    statuses: tuple[tuple[str, TaskStatus], ...]
    nodes: tuple[NodeUpdate, ...]
    applied_by: str

    @property
    def name(self) -> str:
        """As the trace shows it."""
        return "dispatcher.update"

    def __call__(self, tx: Tx) -> None:
        """Drop what is gone, unchanged or lower than stored; write the rest."""
        for task_id, status in self.statuses:
            self._put_status(tx, task_id, status)
        for update in self.nodes:
            self._put_node(tx, update)

    def _put_node(self, tx: Tx, update: NodeUpdate) -> None:
        node = tx.get(Node, update.node_id)
        if node is None:
            return
        status = update.status
        if not status.address:
            status = replace(status, address=node.status.address)
        description = update.description or node.description
        tx.update(replace(node, status=status, description=description))

    def _put_status(self, tx: Tx, task_id: str, status: TaskStatus) -> None:
        task = tx.get(Task, task_id)
        if task is None or task.status.state > status.state:
            return
        stored = task.status
        same = replace(status, applied_by=stored.applied_by, applied_at=stored.applied_at)
        if same == stored:
            return
        applied = replace(status, applied_by=self.applied_by, applied_at=tx.now.wall)
        tx.update(replace(task, status=applied))


class MarkUnknown(Value, frozen=True):
    """A new leader doesn't know who is alive: nodes that aren't DOWN become UNKNOWN."""

    node_ids: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the trace shows it."""
        return "dispatcher.unknown"

    def __call__(self, tx: Tx) -> None:
        """Set the status; a node that is gone or down stays as it is."""
        for node_id in self.node_ids:
            node = tx.get(Node, node_id)
            if node is None or node.status.state == NodeState.DOWN:
                continue
            status = replace(node.status, state=NodeState.UNKNOWN, message=UNKNOWN_MESSAGE)
            tx.update(replace(node, status=status))


class Orphan(Value, frozen=True):
    """A node has been down for a day: nobody knows what became of these tasks of it."""

    task_ids: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the trace shows it."""
        return "dispatcher.orphan"

    def __call__(self, tx: Tx) -> None:
        """Only a task that may have made progress meanwhile is orphaned."""
        for task_id in self.task_ids:
            task = tx.get(Task, task_id)
            if task is not None and TaskState.ASSIGNED <= task.status.state <= TaskState.RUNNING:
                status = replace(task.status, state=TaskState.ORPHANED)
                tx.update(replace(task, status=status))


class NodesWritten(Protocol):
    """Who waits for node changes to be committed."""

    def on_nodes_written(self, updates: tuple[NodeUpdate, ...]) -> None:
        """These changes are committed and applied."""
        ...


class Updates:
    """What waits to be written, and the beat on which it is."""

    __slots__ = (
        "_armed",
        "_beat_start",
        "_key",
        "_node_name",
        "_nodes",
        "_out",
        "_outstanding",
        "_statuses",
        "_store",
        "_waiter",
    )

    def __init__(
        self, store: Store, out: Outbox, epoch: int, *, node_name: str, waiter: NodesWritten
    ) -> None:
        self._store = store
        self._out = out
        self._key = TimerKey(OWNER, epoch, "updates")
        self._node_name = node_name
        self._waiter = waiter
        self._statuses: dict[str, TaskStatus] = {}
        self._nodes: dict[str, NodeUpdate] = {}
        self._beat_start: Instant = out.now.mono
        self._armed = False
        self._outstanding = 0
        """Writes of the last flush whose outcome isn't known yet."""

    def put_statuses(self, statuses: Sequence[tuple[str, TaskStatus]]) -> None:
        """Reports to be written with the next flush."""
        self._statuses.update(statuses)
        self._arm()

    def put_node(self, update: NodeUpdate) -> None:
        """A node change to be written with the next flush; a waiting description is kept."""
        waiting = self._nodes.get(update.node_id)
        if update.description is None and waiting is not None:
            update = replace(update, description=waiting.description)
        self._nodes[update.node_id] = update
        self._arm()

    def flush(self) -> None:
        """The beat: write all that waits, unless the last flush is still under way."""
        self._armed = False
        if self._outstanding or not (self._statuses or self._nodes):
            return
        applied_by = self._applied_by()
        writes = [ApplyUpdates(run, (), applied_by) for run in chunks([*self._statuses.items()])]
        writes += [ApplyUpdates((), run, applied_by) for run in chunks([*self._nodes.values()])]
        self._statuses.clear()
        self._nodes.clear()
        self._outstanding = len(writes)
        for write in writes:
            self._store.update(write, self)

    def on_outcome(self, write: Write, outcome: Outcome) -> None:
        """A write of the flush is committed, or refused because leadership is lost."""
        self._outstanding -= 1
        if outcome.error is None:
            assert isinstance(write, ApplyUpdates)
            if write.nodes:
                self._waiter.on_nodes_written(write.nodes)
        if not self._outstanding:
            self._beat_start = self._out.now.mono
            if self._statuses or self._nodes:
                self._arm()

    def stop(self) -> None:
        """Forget what waits."""
        self._statuses.clear()
        self._nodes.clear()
        if self._armed:
            self._armed = False
            self._out.cancel_timer(self._key)

    def _arm(self) -> None:
        if self._outstanding:
            return
        if len(self._statuses) >= STATUS_BATCH_ITEMS or len(self._nodes) >= STATUS_BATCH_ITEMS:
            self.flush()
        elif not self._armed:
            self._armed = True
            since = (self._out.now.mono - self._beat_start) % STATUS_BATCH_INTERVAL
            self._out.set_timer(self._key, STATUS_BATCH_INTERVAL - since)

    def _applied_by(self) -> str:
        nodes = self._store.find(Node, ByName(self._node_name))
        return nodes[0].id if nodes else ""
