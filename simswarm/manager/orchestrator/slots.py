"""Which tasks of a service belong together, and which slots go first when there are too many.

A slot is all tasks with one slot number (replicated) or on one node (global). It is *live* if it
holds tasks to be kept or updated, else *dead*: only history, whose number may be used again.

    scale down 6 → 4:   node A: 1 4     each slot is the nth of its node: 1 2 3 → 1st, 4 5 6 → 2nd
                        node B: 2 5     kept in that order, lowest number first: 1 2 3 4
                        node C: 3 6     unassigned and crowded slots come last and go first

Invariants:
    I1. Scaling down to n keeps the first n of `keep_order`; which they are depends on the tasks
        only, not on the order in which they are listed.

Source: swarmkit manager/orchestrator/replicated/services.go (reconcile), slot.go
(slotsByRunningState, slotsByIndex); Go's sort is not stable beyond 12 slots, this one always is.
Not here: when a finished task keeps its slot (`restart.updatable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from simswarm.model.objects import Task
from simswarm.model.taskstate import TaskState

Slot: TypeAlias = tuple[Task, ...]
"""The tasks of a slot that count, in order of id. Never empty."""

SlotKey: TypeAlias = tuple[str, int, str]
"""(service, slot number, node): for replicated services the node is empty, for global ones the
number is 0."""


def by_number(tasks: Iterable[Task]) -> dict[int, list[Task]]:
    """Tasks of a replicated service by slot number, lowest first."""
    slots: dict[int, list[Task]] = {}
    for task in tasks:
        slots.setdefault(task.slot, []).append(task)
    return dict(sorted(slots.items()))


def by_node(tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """Tasks of a global service by node id, in order of it."""
    slots: dict[str, list[Task]] = {}
    for task in tasks:
        slots.setdefault(task.node_id, []).append(task)
    return dict(sorted(slots.items()))


def keep_order(slots: Sequence[Slot]) -> list[Slot]:
    """Live slots in the order in which they are kept when scaling down."""
    on_node: dict[str, int] = {}
    ranked: list[tuple[bool, int, bool, int, Slot]] = []
    for slot in sorted(slots, key=_running_first):
        node_id = slot[0].node_id
        if len(slot) == 1 and node_id:
            nth = on_node[node_id] = on_node.get(node_id, 0) + 1
            ranked.append((False, nth, *_running_first(slot), slot))
        else:
            ranked.append((True, 0, *_running_first(slot), slot))
    ranked.sort(key=_rank)
    return [entry[-1] for entry in ranked]


def free_numbers(live: Iterable[int], count: int) -> list[int]:
    """The lowest `count` slot numbers from 1 that are not live."""
    taken = dict.fromkeys(live)
    free: list[int] = []
    number = 0
    while len(free) < count:
        number += 1
        if number not in taken:
            free.append(number)
    return free


def _running_first(slot: Slot) -> tuple[bool, int]:
    running = any(task.status.state == TaskState.RUNNING for task in slot)
    return not running, slot[0].slot


def _rank(entry: tuple[bool, int, bool, int, Slot]) -> tuple[bool, int, bool, int]:
    return entry[:4]
