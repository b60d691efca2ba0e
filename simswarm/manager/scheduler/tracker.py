"""What the scheduler knows: nodes with their tasks, and tasks that wait; kept up with the store.

    task created or updated          no node              → waits for a place (grouped by spec)
      state PENDING .. RUNNING       node, still PENDING  → waits for confirmation (preassigned)
                                     node, further        → tracked on its node
    state passes RUNNING, or deleted                      → forgotten, its resources are free

Invariants:
    I1. After an entry's changes the tracker equals what a fresh one would load from the tables,
        but for failures seen since, and for nodes that were deleted while they had tasks.
    I2. A task waits in at most one place.

Source: swarmkit manager/scheduler/scheduler.go (setupTasksList, createTask, updateTask, deleteTask,
createOrUpdateNode). Not here: decisions (`scheduler`).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator

from simswarm.base.time import Instant
from simswarm.manager.scheduler.nodeinfo import NodeInfo
from simswarm.model.objects import Node, Task
from simswarm.model.taskstate import TaskState
from simswarm.store import Change, Created, Deleted, Store

GroupKey = tuple[bool, str, int, str]
"""(one-off, service, spec version, task): a task without a spec version is a group of its own,
and one-offs come last."""


def group_key(task: Task) -> GroupKey:
    """The group in which a task is placed."""
    if task.spec_version is None:
        return True, task.service_id, 0, task.id
    return False, task.service_id, task.spec_version, ""


class Tracker:
    """Nodes, tracked tasks and waiting tasks."""

    __slots__ = ("_node_ids", "_nodes", "_preassigned", "groups", "pending", "tasks")

    def __init__(self) -> None:
        self._nodes: dict[str, NodeInfo] = {}
        self._node_ids: list[str] = []
        self._preassigned: dict[str, None] = {}
        self.tasks: dict[str, Task] = {}
        """Every task known, waiting or on a node."""
        self.groups: dict[GroupKey, dict[str, Task]] = {}
        """Tasks that wait for a place."""
        self.pending: dict[str, Task] = {}
        """Tasks that came with a node and wait for confirmation that they fit."""

    def nodes(self) -> Iterator[NodeInfo]:
        """All nodes in order of id."""
        nodes = self._nodes
        return (nodes[id] for id in self._node_ids)

    def node(self, id: str) -> NodeInfo | None:
        """A node that is known."""
        return self._nodes.get(id)

    def load(self, store: Store, now: Instant) -> None:
        """Take everything from the tables."""
        for node in store.find(Node):
            self._add_node(NodeInfo(node, now))
        for task in store.find(Task):
            if not TaskState.PENDING <= task.status.state <= TaskState.RUNNING:
                continue
            waits = task.status.state == TaskState.PENDING
            if waits and task.desired_state > TaskState.COMPLETE:
                # nobody wants it any more: scaled down or replaced before it was placed
                continue
            self._track(task)

    def on_change(self, change: Change, now: Instant) -> bool:
        """Follow one committed change. True: waiting tasks should be tried again."""
        item = change.object
        if isinstance(item, Task):
            if isinstance(change, Deleted):
                return self.forget(item)
            return self._on_task(item, created=isinstance(change, Created), now=now)
        if isinstance(item, Node):
            if isinstance(change, Deleted):
                self._remove_node(item.id)
                return False
            info = self._nodes.get(item.id)
            if info is None:
                self._add_node(NodeInfo(item, now))
            else:
                info.update(item)
            return True
        return False

    def put_on_node(self, task: Task, info: NodeInfo) -> Task:
        """A decision: the task is on this node, and waits no longer."""
        self._unwait(task)
        placed = info.add(task)
        self.tasks[task.id] = placed
        return placed

    def drop(self, task: Task) -> None:
        """Stop trying to place a task; it stays known."""
        self._unwait(task)

    def forget(self, task: Task) -> bool:
        """Forget a task. True: it had resources of a node."""
        known = self.tasks.pop(task.id, task)
        self._preassigned.pop(task.id, None)
        self._unwait(known)
        info = self._nodes.get(known.node_id)
        return info is not None and info.remove(known)

    def _on_task(self, task: Task, *, created: bool, now: Instant) -> bool:
        state = task.status.state
        if state < TaskState.PENDING:
            return False
        known = self.tasks.get(task.id)
        if state > TaskState.RUNNING:
            if known is None or created:
                return False
            self._note_failure(task, known, now)
            self.forget(known)
            return True
        if known is not None and (task.node_id == "" or state == TaskState.PENDING):
            self.forget(known)
        return self._track(task)

    def _track(self, task: Task) -> bool:
        """Put a live task where it belongs. True: it waits for a place."""
        self.tasks[task.id] = task
        if task.node_id == "":
            self.groups.setdefault(group_key(task), {})[task.id] = task
            return True
        if task.status.state == TaskState.PENDING:
            self._preassigned[task.id] = None
            self.pending[task.id] = task
            return False
        self._unwait(task)
        info = self._nodes.get(task.node_id)
        if info is not None:
            self.tasks[task.id] = info.add(task)
        return False

    def _note_failure(self, task: Task, known: Task, now: Instant) -> None:
        """Remember a failure on the node, unless the scheduler did not choose that node."""
        failed = task.status.state in (TaskState.FAILED, TaskState.REJECTED)
        if not failed or task.status.state == known.status.state or task.id in self._preassigned:
            return
        info = self._nodes.get(task.node_id)
        if info is not None:
            info.record_failure(task, now)

    def _unwait(self, task: Task) -> None:
        self.pending.pop(task.id, None)
        key = group_key(task)
        group = self.groups.get(key)
        if group is not None and group.pop(task.id, None) is not None and not group:
            del self.groups[key]

    def _add_node(self, info: NodeInfo) -> None:
        self._nodes[info.node.id] = info
        insort(self._node_ids, info.node.id)

    def _remove_node(self, id: str) -> None:
        if self._nodes.pop(id, None) is not None:
            self._node_ids.remove(id)
