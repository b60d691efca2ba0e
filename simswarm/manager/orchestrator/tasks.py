"""Making one task of a service, and judging it: is it outdated, how old, is its node any good.

Source: swarmkit manager/orchestrator/task.go (NewTask, IsTaskDirty, InvalidNode, TasksByTimestamp),
service.go. Not here: which tasks belong together (`slots`), whether one is replaced (`restart`).
"""

from __future__ import annotations

from collections.abc import Iterable

from simswarm.base.entropy import Entropy
from simswarm.base.ids import new_id
from simswarm.base.time import Duration, Instant
from simswarm.base.values import replace
from simswarm.model.constraints import satisfies
from simswarm.model.defaults import RESTART_DELAY
from simswarm.model.objects import Node, NodeState, Service, Task, TaskStatus
from simswarm.model.specs import Availability, Global, Replicated, TaskSpec
from simswarm.model.taskstate import TaskState


def new_task(
    service: Service, entropy: Entropy, now: Instant, *, slot: int = 0, node_id: str = ""
) -> Task:
    """A NEW task made from a service as it is; `now` in wall-clock nanoseconds."""
    return Task(
        id=new_id(entropy),
        spec=service.spec.task,
        service_id=service.id,
        service_name=service.spec.name,
        status=TaskStatus(TaskState.NEW, now, "created"),
        desired_state=TaskState.RUNNING,
        slot=slot,
        node_id=node_id,
        spec_version=service.spec_version,
        endpoint=service.spec.endpoint,
        service_labels=service.spec.labels,
    )


def is_replicated(service: Service | None) -> bool:
    """Whether it is there and wants so many tasks anywhere."""
    return service is not None and isinstance(service.spec.mode, Replicated)


def is_global(service: Service | None) -> bool:
    """Whether it is there and wants one task on every node."""
    return service is not None and isinstance(service.spec.mode, Global)


def is_valid_node(node: Node | None) -> bool:
    """Whether tasks may stay on a node: it exists and is neither DOWN nor drained. (UNKNOWN,
    DISCONNECTED and paused nodes keep theirs.)"""
    return (
        node is not None
        and node.status.state != NodeState.DOWN
        and node.spec.availability != Availability.DRAIN
    )


def is_ended_or_lost(task: Task, node: Node | None) -> bool:
    """Whether a task that shall run does not: it has ended, or its node is no good any more.
    `node`: the task's, None also where it has no node yet."""
    ended = task.status.state > TaskState.RUNNING
    return ended or (task.node_id != "" and not is_valid_node(node))


def restart_delay(task: Task) -> Duration:
    """How long the replacement of a task waits, as its own spec says."""
    policy = task.spec.restart
    if policy is None or policy.delay is None:
        return RESTART_DELAY
    return policy.delay


def stamped_at(task: Task) -> Instant:
    """When a task's status was applied by a manager, else when it was set; 0: never."""
    if task.status.applied_at is not None:
        return task.status.applied_at
    return task.status.timestamp


def by_age(tasks: Iterable[Task]) -> list[Task]:
    """Tasks, oldest status first; equally old ones in order of id."""
    return sorted(tasks, key=_age)


def has_version_of(service: Service, task: Task) -> bool:
    """Whether a task was made from the very spec version that the service has."""
    return task.spec_version is not None and task.spec_version == service.spec_version


def is_dirty(service: Service, task: Task, node: Node | None) -> bool:
    """Whether a task is outdated: made from another spec than the service has now.

    A task whose node satisfies the new placement is clean if nothing else has changed.
    """
    if has_version_of(service, task):
        return False
    wanted = service.spec.task
    if (
        node is not None
        and _differs_in_placement_only(wanted, task.spec)
        and satisfies(wanted.placement.constraints, node)
    ):
        return False
    return wanted != task.spec or service.spec.endpoint != task.endpoint


def _differs_in_placement_only(wanted: TaskSpec, actual: TaskSpec) -> bool:
    if wanted.placement == actual.placement:
        return False
    return replace(wanted, placement=actual.placement) == actual


def _age(task: Task) -> tuple[Instant, str]:
    return stamped_at(task), task.id
