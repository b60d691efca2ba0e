"""When two versions of a task are the same for the node that runs it.

Managers change a task's meta and take over its status from the node all the time; neither is
news to the node. Source: swarmkit api/equality/equality.go (TasksEqualStable).
"""

from __future__ import annotations

from simswarm.base.values import replace
from simswarm.model.objects import Task


def tasks_equal_stable(one: Task, other: Task) -> bool:
    """Whether two versions of a task differ in nothing but meta and status."""
    if one.desired_state != other.desired_state:
        return False
    return replace(one, meta=other.meta, status=other.status) == other
