"""The filters in a row: does a node pass them all, and what stopped those that did not.

Invariant:
    I1. A node counts only under the first filter it fails, and a node that passes resets all
        counts: the explanation speaks of the nodes seen since the last one that fitted. (So it
        is in Swarm, and its users read these texts.)

Source: swarmkit manager/scheduler/pipeline.go.
"""

from __future__ import annotations

from simswarm.manager.scheduler.filters import Filter, all_filters
from simswarm.manager.scheduler.nodeinfo import NodeInfo
from simswarm.model.objects import Task


class Pipeline:
    """All filters, prepared for one task."""

    __slots__ = ("_active", "_counted", "_failures", "_filters")

    def __init__(self) -> None:
        self._filters = all_filters()
        self._active: list[tuple[int, Filter]] = []
        self._failures = [0] * len(self._filters)
        self._counted = False

    def prepare(self, task: Task) -> None:
        """From now on ask about this task."""
        self._active = [
            (number, filter) for number, filter in enumerate(self._filters) if filter.prepare(task)
        ]
        self._reset()

    def passes(self, info: NodeInfo) -> bool:
        """Whether a node passes all filters; counted for the explanation."""
        for number, filter in self._active:
            if not filter.passes(info):
                self._failures[number] += 1
                self._counted = True
                return False
        if self._counted:
            self._reset()
        return True

    def explain(self) -> str:
        """What stopped the nodes, most frequent first; "" if none was stopped."""
        failed = [(count, number) for number, count in enumerate(self._failures) if count]
        failed.sort(key=_most_first)
        return "; ".join(self._filters[number].explain(count) for count, number in failed)

    def _reset(self) -> None:
        self._failures = [0] * len(self._filters)
        self._counted = False


def _most_first(failed: tuple[int, int]) -> tuple[int, int]:
    count, number = failed
    return -count, number
