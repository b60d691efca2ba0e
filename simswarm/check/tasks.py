"""Two sentences about tasks: their states only rise; a slot has at most the live tasks it may.

Live = wanted: the desired state is at most `running`. A slot has one live task, and a replacement
takes its predecessor's place in the same entry. Only an update that starts new tasks first (order
`start-first`) makes a slot grow: by one task a version, and again under another leader, who begins
the update anew. An interrupted update leaves what it made, and the restart supervisor, which
doesn't ask the updater, replaces what fails meanwhile one for one.

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


def is_wanted(task: Task) -> bool:
    """Whether a task is meant to run."""
    return task.desired_state <= TaskState.RUNNING


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
    """A slot gets a second task only where an update starts new tasks first, one a version."""

    __slots__ = ("_clock", "_elections", "_grown", "_services", "_wanted")

    def __init__(self, clock: Callable[[], Instant], elections: Callable[[], int]) -> None:
        """`elections` gives how many were won so far."""
        super().__init__("live tasks of a slot")
        self._clock = clock
        self._elections = elections
        self._grown: dict[tuple[SlotKey, int | None], int] = {}
        """(Slot, version) → how many elections had been won when it last grew."""
        self._wanted: dict[SlotKey, dict[str, int | None]] = {}
        """Slot → its wanted tasks, each with its version of the spec."""
        self._services: dict[str, Service] = {}

    def on_committed(self, changes: Sequence[Change], index: int) -> None:
        """Follow all wanted tasks; judge the slots that got one."""
        before: dict[SlotKey, int] = {}
        grown: dict[SlotKey, Task] = {}
        for change in changes:
            item = change.object
            if isinstance(item, Service):
                self._follow_service(change, item)
            elif isinstance(item, Task):
                key = slot_of(item)
                before.setdefault(key, len(self._wanted.get(key, ())))
                if self._follow_task(change, item, key):
                    grown[key] = item
        for key, task in grown.items():
            self.checked += 1
            self._judge(key, task, before[key])

    def _follow_service(self, change: Change, service: Service) -> None:
        if isinstance(change, Deleted):
            self._services.pop(service.id, None)
        else:
            self._services[service.id] = service

    def _follow_task(self, change: Change, task: Task, key: SlotKey) -> bool:
        """Whether the task is new and wanted."""
        if isinstance(change, Created) and is_wanted(task):
            self._wanted.setdefault(key, {})[task.id] = task.spec_version
            return True
        if isinstance(change, Deleted) or not is_wanted(task):
            wanted = self._wanted.get(key, {})
            if task.id in wanted:
                del wanted[task.id]
                if not wanted:
                    del self._wanted[key]
        return False

    def _judge(self, key: SlotKey, task: Task, before: int) -> None:
        wanted = self._wanted.get(key, {})
        count = len(wanted)
        if count <= max(before, 1):
            return
        service, elections = self._services.get(task.service_id), self._elections()
        last = self._grown.get((key, task.spec_version))
        if service is None or not _may_start_first(service):
            self.broken(self._clock(), f"{describe(task)} is one of {count} live in its slot")
        elif count > before + 1 or last == elections:
            message = f"{describe(task)} lets its slot grow again, to {count} live tasks"
            self.broken(self._clock(), message)
        self._grown[key, task.spec_version] = elections


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
