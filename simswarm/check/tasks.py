"""Two sentences about tasks: their states only rise; a slot has at most the live tasks it may.

Live = desired and observed state both at most `running`. One live task a slot, unless an update
starts the new task before it stops the old one (order `start-first`): then one of each version of
the spec, and one more, as an old task that fails meanwhile is replaced although its successor is
on its way (the restart supervisor doesn't ask the updater).

Invariants:
    I1. Work is O(changed): each change carries the old object, so nothing is searched.

Source: swarmkit design/task_model.md; manager/orchestrator/update/updater.go (updateTask puts
the creation and the shutdowns of a stop-first update into one transaction),
manager/orchestrator/restart/restart.go (Restart).
Not here: what an orchestrator does about it (`manager/orchestrator`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simswarm.base.time import Instant
from simswarm.check.invariant import Invariant
from simswarm.model.objects import Service, Task
from simswarm.model.specs import UpdateOrder
from simswarm.model.taskstate import STATE_NAMES, TaskState
from simswarm.store import Change, Created, Deleted, Updated

SlotKey = tuple[str, int, str]
"""Service id, slot, and for tasks of global services the node id."""


def slot_of(task: Task) -> SlotKey:
    """The slot that a task stands in."""
    return task.service_id, task.slot, "" if task.slot else task.node_id


def is_live(task: Task) -> bool:
    """Whether a task runs or is meant to."""
    return task.desired_state <= TaskState.RUNNING and task.status.state <= TaskState.RUNNING


def describe(task: Task) -> str:
    """How messages name a task."""
    place = f".{task.slot}" if task.slot else ""
    return f"task {task.service_name}{place} ({task.id[:12]})"


class StatesOnlyRise(Invariant):
    """A task's observed and desired state never go back."""

    __slots__ = ("_clock",)

    def __init__(self, clock: Callable[[], Instant]) -> None:
        super().__init__("task states only rise")
        self._clock = clock

    def on_committed(self, changes: Sequence[Change], index: int) -> None:
        """Compare every changed task with what it was."""
        for change in changes:
            if not isinstance(change, Updated):
                continue
            new, old = change.object, change.old
            if not isinstance(new, Task) or not isinstance(old, Task):
                continue
            self.checked += 1
            if new.status.state < old.status.state:
                self._fell(new, "state", old.status.state, new.status.state)
            if new.desired_state < old.desired_state:
                self._fell(new, "desired state", old.desired_state, new.desired_state)

    def _fell(self, task: Task, what: str, old: TaskState, new: TaskState) -> None:
        message = f"{what} of {describe(task)} fell from {STATE_NAMES[old]} to {STATE_NAMES[new]}"
        self.broken(self._clock(), message)


class LiveTasksPerSlot(Invariant):
    """No slot gets a live task beside one that the service's update order does not allow."""

    __slots__ = ("_clock", "_live", "_services")

    def __init__(self, clock: Callable[[], Instant]) -> None:
        super().__init__("live tasks of a slot")
        self._clock = clock
        self._live: dict[SlotKey, dict[str, int | None]] = {}
        self._services: dict[str, Service] = {}

    def on_committed(self, changes: Sequence[Change], index: int) -> None:
        """Follow all live tasks; judge the slots that got one."""
        grown: dict[SlotKey, Task] = {}
        for change in changes:
            item = change.object
            if isinstance(item, Service):
                self._follow_service(change, item)
            elif isinstance(item, Task):
                self._follow_task(change, item, grown)
        for key, task in grown.items():
            self.checked += 1
            self._judge(key, task)

    def _follow_service(self, change: Change, service: Service) -> None:
        if isinstance(change, Deleted):
            self._services.pop(service.id, None)
        else:
            self._services[service.id] = service

    def _follow_task(self, change: Change, task: Task, grown: dict[SlotKey, Task]) -> None:
        key = slot_of(task)
        if isinstance(change, Created) and is_live(task):
            self._live.setdefault(key, {})[task.id] = task.spec_version
            grown[key] = task
        elif isinstance(change, Deleted) or not is_live(task):
            live = self._live.get(key, {})
            if task.id in live:
                del live[task.id]
                if not live:
                    del self._live[key]

    def _judge(self, key: SlotKey, task: Task) -> None:
        live = self._live.get(key, {})
        if len(live) < 2:
            return
        service = self._services.get(task.service_id)
        if service is None or not _may_start_first(service):
            self.broken(self._clock(), f"{describe(task)} is one of {len(live)} live in its slot")
            return
        allowed = len(frozenset(live.values())) + 1
        if len(live) > allowed:
            message = f"{describe(task)} is one of {len(live)} live in its slot, not {allowed}"
            self.broken(self._clock(), message)


def _may_start_first(service: Service) -> bool:
    """Whether any configuration that may be at work starts new tasks first.

    An updater that has just been replaced, or a rollback, works by the previous spec.
    """
    specs = (
        [service.spec] if service.previous_spec is None else [service.spec, service.previous_spec]
    )
    return any(
        config is not None and config.order == UpdateOrder.START_FIRST
        for spec in specs
        for config in (spec.update, spec.rollback)
    )
