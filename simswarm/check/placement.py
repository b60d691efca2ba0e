"""Two sentences about assignment: no node beyond its resources, and every constraint holds.

Both are judged in the moment a task becomes assigned, as swarmkit's scheduler promises no more:
a node may shrink or lose a label later (the enforcer's business).

Constraints are read and matched here a second time, from the documented grammar, on purpose: an
oracle that calls the scheduler's own matcher would agree with its mistakes.

Source: swarmkit manager/constraint/constraint.go, manager/scheduler/nodeinfo.go.
Not here: generic resources (claimed by name, not summed).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simswarm.base.time import SECOND, Instant
from simswarm.base.values import Labels, label
from simswarm.check.invariant import Invariant
from simswarm.check.tasks import describe
from simswarm.model.objects import Node, Task
from simswarm.model.specs import NodeRole
from simswarm.model.taskstate import TaskState
from simswarm.store import Change, Deleted, Updated

RACE_WINDOW = 2 * SECOND
"""A decision may rest on the node as it was a moment ago: swarmkit does not look at the node
again when it writes the assignment of a pending task (scheduler.go:applySchedulingDecisions)."""


def occupies(task: Task) -> bool:
    """Whether a task's reservations are taken on its node."""
    return bool(task.node_id) and TaskState.ASSIGNED <= task.status.state <= TaskState.RUNNING


def newly_assigned(change: Change) -> Task | None:
    """The task that this change assigns to a node, if it is one."""
    task = change.object
    if not isinstance(task, Task) or isinstance(change, Deleted) or not occupies(task):
        return None
    if isinstance(change, Updated) and isinstance(change.old, Task) and occupies(change.old):
        return None
    return task


class NodeResources(Invariant):
    """The reservations of a node's tasks fit into what the node has."""

    __slots__ = ("_clock", "_nodes", "_taken")

    def __init__(self, clock: Callable[[], Instant]) -> None:
        super().__init__("node resources")
        self._clock = clock
        self._nodes: dict[str, Node] = {}
        self._taken: dict[str, tuple[int, int]] = {}
        """Node id → (billionths of a CPU, bytes of memory) reserved."""

    def on_committed(self, changes: Sequence[Change], index: int) -> None:
        """Keep the sums; judge the nodes that got a task."""
        assigned: list[Task] = []
        for change in changes:
            item = change.object
            if isinstance(item, Node):
                self._nodes[item.id] = item
            elif isinstance(item, Task):
                if isinstance(change, Deleted):
                    self._add(item, -1)
                    continue
                if isinstance(change, Updated) and isinstance(change.old, Task):
                    self._add(change.old, -1)
                self._add(item, 1)
                if newly_assigned(change) is not None:
                    assigned.append(item)
        for task in assigned:
            self.checked += 1
            self._judge(task)

    def _add(self, task: Task, sign: int) -> None:
        wanted = task.spec.reservations
        if (wanted.nano_cpus or wanted.memory_bytes) and occupies(task):
            cpus, memory = self._taken.get(task.node_id, (0, 0))
            self._taken[task.node_id] = (
                cpus + sign * wanted.nano_cpus,
                memory + sign * wanted.memory_bytes,
            )

    def _judge(self, task: Task) -> None:
        node = self._nodes.get(task.node_id)
        if node is None or node.description is None:
            return
        has, wanted = node.description.resources, task.spec.reservations
        cpus, memory = self._taken.get(task.node_id, (0, 0))
        if wanted.nano_cpus and cpus > has.nano_cpus:
            over = f"{cpus / 1e9:g} of {has.nano_cpus / 1e9:g} CPUs"
            self.broken(self._clock(), f"{describe(task)} brings {node.name} to {over}")
        if wanted.memory_bytes and memory > has.memory_bytes:
            over = f"{memory} of {has.memory_bytes} bytes of memory"
            self.broken(self._clock(), f"{describe(task)} brings {node.name} to {over}")


class ConstraintsHold(Invariant):
    """A task is assigned only to a node that satisfies its placement constraints."""

    __slots__ = ("_clock", "_nodes")

    def __init__(self, clock: Callable[[], Instant]) -> None:
        super().__init__("placement constraints")
        self._clock = clock
        self._nodes: dict[str, tuple[Node, Node | None, Instant]] = {}
        """Node id → the node, the one before, and when it changed."""

    def on_committed(self, changes: Sequence[Change], index: int) -> None:
        """Follow the nodes; judge every assignment."""
        for change in changes:
            if isinstance(change.object, Node):
                self._follow(change, change.object)
        for change in changes:
            task = newly_assigned(change)
            if task is not None and task.spec.placement.constraints:
                self.checked += 1
                self._judge(task)

    def _follow(self, change: Change, node: Node) -> None:
        if isinstance(change, Deleted):
            self._nodes.pop(node.id, None)
            return
        known = self._nodes.get(node.id)
        before = known[0] if known is not None else None
        self._nodes[node.id] = (node, before, self._clock())

    def _judge(self, task: Task) -> None:
        entry = self._nodes.get(task.node_id)
        if entry is None:
            self.broken(self._clock(), f"{describe(task)} is assigned to a node that is not there")
            return
        node, before, changed_at = entry
        failed = first_unmet(task.spec.placement.constraints, node)
        if failed is None:
            return
        recent = before is not None and self._clock() - changed_at <= RACE_WINDOW
        if recent and before is not None:
            failed = first_unmet(task.spec.placement.constraints, before)
        if failed is not None:
            self.broken(self._clock(), f"{describe(task)} on {node.name} violates {failed}")


def first_unmet(constraints: Sequence[str], node: Node) -> str | None:
    """The first constraint that a node does not satisfy, or None."""
    for expression in constraints:
        equal = "==" in expression
        key, _, value = expression.partition("==" if equal else "!=")
        holds = _holds(key.strip(), value.strip(), equal, node)
        if not holds:
            return expression
    return None


def _holds(key: str, value: str, equal: bool, node: Node) -> bool:
    actual = _attribute(key, node)
    if actual is None:
        return False
    return (actual.lower() == value.lower()) == equal


def _attribute(key: str, node: Node) -> str | None:
    """What a key stands for on this node; "" where the node lacks it, None for unknown keys."""
    said = node.description
    match key.lower():
        case "node.id":
            return node.id
        case "node.hostname":
            return said.hostname if said else ""
        case "node.ip":
            return node.status.address
        case "node.role":
            return "manager" if node.role == NodeRole.MANAGER else "worker"
        case "node.platform.os":
            return said.os if said else ""
        case "node.platform.arch":
            return said.architecture if said else ""
    if key.lower().startswith("node.labels."):
        return _label(node.spec.labels, key[len("node.labels.") :])
    if key.lower().startswith("engine.labels."):
        return _label(said.engine_labels if said else (), key[len("engine.labels.") :])
    return None


def _label(pairs: Labels, key: str) -> str:
    return label(pairs, key) or ""
