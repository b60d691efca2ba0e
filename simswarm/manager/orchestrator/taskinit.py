"""What a new leader makes of the tasks it finds: the last one may have been in the middle of it.

For every task of a service kind that the orchestrator owns: a task without its service goes; a
start that was delayed goes on for the rest of its delay (or happens at once); the history of
restarts is rebuilt from the tasks of the newest spec version, all but the first counted.

Source: swarmkit manager/orchestrator/taskinit/init.go (CheckTasks).
Not here: tasks that ended or lost their node meanwhile (each orchestrator's own rule).
"""

from __future__ import annotations

from typing import Protocol

from simswarm.base.time import Instant
from simswarm.manager.orchestrator.restart import RestartSupervisor, slot_key
from simswarm.manager.orchestrator.slots import SlotKey
from simswarm.manager.orchestrator.tasks import restart_delay, stamped_at
from simswarm.manager.orchestrator.winddown import WindDown
from simswarm.model.objects import Service, Task
from simswarm.model.taskstate import TaskState
from simswarm.store import Store


class Fixer(Protocol):
    """An orchestrator that has taken office."""

    def owns(self, service: Service) -> bool:
        """Whether the service is of its kind."""
        ...

    def fix(self, task: Task) -> None:
        """Mark a task that is not as it should be."""
        ...


def check_tasks(
    store: Store, fixer: Fixer, restarts: RestartSupervisor, winddown: WindDown, now: Instant
) -> None:
    """Look at every task once. `now` in wall-clock nanoseconds."""
    slots: dict[SlotKey, list[Task]] = {}
    services: dict[str, Service | None] = {}
    for task in store.find(Task):
        if not task.service_id:
            continue
        if task.service_id not in services:
            services[task.service_id] = store.get(Service, task.service_id)
        service = services[task.service_id]
        if service is None:
            winddown.delete_later(task.id)
        elif fixer.owns(service):
            slots.setdefault(slot_key(service, task), []).append(task)
            fixer.fix(task)
            _resume_start(task, restarts, now)
    for key, tasks in slots.items():
        _rebuild_history(key, tasks, restarts)


def _resume_start(task: Task, restarts: RestartSupervisor, now: Instant) -> None:
    if task.desired_state != TaskState.READY or task.status.state > TaskState.COMPLETE:
        return
    delay = restart_delay(task)
    left = min(delay, stamped_at(task) + delay - now)
    if left > 0:
        restarts.begin(None, task.id, left)
    else:
        restarts.due[task.id] = None


def _rebuild_history(key: SlotKey, tasks: list[Task], restarts: RestartSupervisor) -> None:
    versions = [task.spec_version for task in tasks if task.spec_version is not None]
    if not versions:
        return
    newest = max(versions)
    current = sorted((task for task in tasks if task.spec_version == newest), key=_by_creation)
    for task in current[1:]:
        restarts.history.record(key, task)


def _by_creation(task: Task) -> tuple[Instant, str]:
    return task.meta.created_at, task.id
