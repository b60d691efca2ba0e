"""Which of the nodes that fit: the emptiest, evenly over the branches of the preference tree.

Nodes are ranked by (recent failures if 5 or more, active tasks of this service, active tasks in
all, id). Placement preferences make a tree: one level a preference, one branch a label value; tasks
are divided so that branches become even in tasks of the service, then nodes inside a branch.

            root                    8 tasks over az=a (1 node), az=b (4 nodes)
           /    \\                   → 4 on the one node of a, 1 on each of b
        az=a    az=b

What Swarm leaves to the order of a map is ordered here: branches by label value, equal nodes by
id, tasks by slot and id.

Invariants:
    I1. Every task is placed at most once, and only on a node that passes the pipeline then.
    I2. The division ends: every pass places a task or finds a branch full. A branch may take more
        than was wanted, as counts are those of the tree's building; then Docker 20.10 goes on for
        ever, and this does not.

Source: swarmkit manager/scheduler/scheduler.go (scheduleTaskGroup, scheduleNTasksOnSubtree,
scheduleNTasksOnNodes), nodeset.go (tree). Not here: filters (`pipeline`), accounting (`nodeinfo`).
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from simswarm.base.time import Instant
from simswarm.manager.scheduler.nodeinfo import (
    FAILURES_MAX,
    NodeInfo,
    ServiceVersion,
    service_version,
)
from simswarm.manager.scheduler.pipeline import Pipeline
from simswarm.model.constraints import Subject, label_key, label_of
from simswarm.model.objects import Task

Rank = tuple[int, int, int]
Ranked = tuple[Rank, str, NodeInfo]
"""A node with its rank when it was last looked at; the id decides between equals."""


class Assigner(Protocol):
    """Who writes a decision down and accounts for it on the node."""

    def assign(self, task: Task, info: NodeInfo) -> None:
        """The task goes to this node."""
        ...


class Branch:
    """A branch of the preference tree: of branches by label value, or of nodes."""

    __slots__ = ("branches", "nodes", "tasks", "visited")

    def __init__(self) -> None:
        self.tasks = 0
        """Active tasks of the service in it when the tree was built."""
        self.branches: dict[str, Branch] = {}
        self.nodes: list[Ranked] = []
        """Best first; no more than there are tasks to place."""
        self.visited = False


class GroupPlacement:
    """Places one group of tasks that share service and spec version."""

    __slots__ = ("_assigner", "_key", "_levels", "_now", "_pipeline", "_service_id", "_tasks")

    def __init__(
        self, pipeline: Pipeline, tasks: Sequence[Task], assigner: Assigner, now: Instant
    ) -> None:
        """`tasks`: at least one; `now` on the clock that failures were recorded by."""
        first = tasks[0]
        self._tasks = deque(tasks)
        self._pipeline = pipeline
        self._assigner = assigner
        self._now = now
        self._service_id = first.service_id
        self._key: ServiceVersion = service_version(first)
        self._levels = preference_levels(first.spec.placement.preferences)
        pipeline.prepare(first)

    def place(self, nodes: Iterable[NodeInfo]) -> list[Task]:
        """Place as many as possible and return the rest; the pipeline explains it."""
        tree = self._tree(nodes)
        self._on_branch(len(self._tasks), tree)
        return list(self._tasks)

    def _rank(self, info: NodeInfo) -> Rank:
        failures = info.recent_failures(self._key, self._now)
        return (
            failures if failures >= FAILURES_MAX else 0,
            info.active_of(self._service_id),
            info.active,
        )

    def _tree(self, nodes: Iterable[NodeInfo]) -> Branch:
        """All nodes in their branches. Once a branch has as many nodes as there are tasks, only
        better ones are asked whether they fit: with one task and a thousand nodes, a handful."""
        root, most = Branch(), len(self._tasks)
        for info in nodes:
            active = info.active_of(self._service_id)
            branch = root
            branch.tasks += active
            for subject, key in self._levels:
                value = label_of(subject, key, info.node)
                next_branch = branch.branches.get(value)
                if next_branch is None:
                    next_branch = branch.branches[value] = Branch()
                branch = next_branch
                branch.tasks += active
            ranked = self._rank(info), info.node.id, info
            if len(branch.nodes) < most:
                if self._pipeline.passes(info):
                    insort(branch.nodes, ranked)
            elif ranked < branch.nodes[-1] and self._pipeline.passes(info):
                branch.nodes.pop()
                insort(branch.nodes, ranked)
        return root

    def _on_branch(self, wanted: int, tree: Branch) -> int:
        """Place up to `wanted` tasks in a branch and return how many it took."""
        if not tree.branches:
            nodes = self._ordered(tree)
            return self._on_nodes(wanted, nodes) if nodes else 0
        branches = [tree.branches[value] for value in sorted(tree.branches)]
        placed, usable = 0, tree.tasks
        full = [False] * len(branches)
        while placed < wanted and not all(full):
            target, odd = divmod(usable + wanted - placed, full.count(False))
            for number, branch in enumerate(branches):
                if full[number] or branch.tasks > target or (branch.tasks == target and not odd):
                    continue
                share = target - branch.tasks + (1 if odd else 0)
                got = self._on_branch(share, branch)
                placed += got
                if got < share:
                    full[number] = True
                    usable -= branch.tasks
                elif odd:
                    odd -= 1
        return placed

    def _ordered(self, leaf: Branch) -> list[NodeInfo]:
        """A leaf's nodes, best first. Seen again they are asked again: they have filled up."""
        if leaf.visited:
            leaf.nodes = sorted(
                (self._rank(info), id, info)
                for _, id, info in leaf.nodes
                if self._pipeline.passes(info)
            )
        leaf.visited = True
        return [info for _, _, info in leaf.nodes]

    def _on_nodes(self, wanted: int, nodes: Sequence[NodeInfo]) -> int:
        """The first pass levels the nodes, later passes go round."""
        placed, at, count = 0, 0, len(nodes)
        full = [False] * count
        while self._tasks:
            info = nodes[at % count]
            self._assigner.assign(self._tasks.popleft(), info)
            placed += 1
            if placed == wanted:
                break
            # in the first pass stay on a node until the next one is emptier
            if at + 1 >= count or self._rank(nodes[at + 1]) < self._rank(info):
                at += 1
            started = at
            while full[at % count] or not self._pipeline.passes(nodes[at % count]):
                full[at % count] = True
                at += 1
                if at - started == count:
                    return placed
        return placed


def preference_levels(preferences: Sequence[str]) -> tuple[tuple[Subject, str], ...]:
    """The levels of the tree; a preference that is no label makes none."""
    levels = (label_key(descriptor) for descriptor in preferences)
    return tuple(level for level in levels if level is not None)
