"""What the orchestrators of replicated and of global services do alike: their stages of work.

Marks come from changes and timers; each stage works on what is marked when its turn comes.

    wind-down   tasks that shall end (too many, service gone)       `winddown`
    restart     tasks that have ended, or lost their node           `restart`
    reconcile   services (and nodes) whose tasks may be wrong       the orchestrator's own
    start       replacements whose delay is over                    `restart`
    update      slots and status of rolling updates                 `update`

Of what one commit calls for, restarts come before reconciling: tasks are answered before services.

Source: swarmkit manager/orchestrator/replicated/replicated.go (tick), global/global.go (Run).
Not here: triggers and decisions (`replicated`, `global_services`).
"""

from __future__ import annotations

from typing import Protocol

from simswarm.base.effects import Outbox
from simswarm.base.entropy import Entropy
from simswarm.manager.agenda import Agenda, Batch
from simswarm.manager.orchestrator.restart import DELAY, OLD_TASK, RestartSupervisor
from simswarm.manager.orchestrator.update import UpdateSupervisor
from simswarm.manager.orchestrator.winddown import WindDown
from simswarm.model.objects import Node, Service, Task
from simswarm.model.taskstate import TaskState
from simswarm.store import ByService, Store

WIND_DOWN = "wind-down"
RESTART = "restart"
RECONCILE = "reconcile"
START = "start"
UPDATE = "update"

Subject = tuple[type[Service] | type[Node], str]
"""What is reconciled: the kind and the id."""

RESTART_CHANGES = 2
"""A restart shuts one task down and creates another."""


class Decisions(Protocol):
    """What an orchestrator decides itself."""

    def reconcile(self, batch: Batch, subject: Subject) -> bool:
        """Make the tasks of a service (or on a node) what specs say. False: the batch is full,
        come again."""
        ...

    def restart(self, batch: Batch, task: Task, service: Service) -> None:
        """Restart a task that shall run and does not, or whatever else is right for it."""
        ...


class Upkeep:
    """Marks, stages and supervisors of one orchestrator."""

    __slots__ = (
        "_agenda",
        "_decisions",
        "_removed",
        "_started",
        "owner",
        "restarts",
        "subjects",
        "tasks",
        "updates",
        "winddown",
    )

    def __init__(self, store: Store, out: Outbox, entropy: Entropy, epoch: int, owner: str) -> None:
        self.owner = owner
        self.restarts = RestartSupervisor(out, entropy, owner, epoch)
        self.updates = UpdateSupervisor(out, entropy, self.restarts, owner, epoch)
        self.winddown = WindDown()
        self.subjects: dict[Subject, None] = {}
        """What to reconcile."""
        self.tasks: dict[str, None] = {}
        """Tasks to restart."""
        self._removed: dict[str, None] = {}
        """Services that are gone and whose tasks shall go."""
        self._started: list[str] = []
        self._agenda = Agenda(store, self)
        self._decisions: Decisions | None = None

    def decide(self, decisions: Decisions) -> None:
        """Say who decides."""
        self._decisions = decisions

    def service_gone(self, service: Service) -> None:
        """A service was removed: its tasks shall go."""
        self.subjects.pop((Service, service.id), None)
        self.updates.cancel(service.id)
        self.restarts.history.clear(service.id)
        self._removed[service.id] = None

    def task_gone(self, task_id: str) -> None:
        """A task was deleted: its start will not come."""
        if self.restarts.is_pending(task_id):
            self.restarts.cancel(task_id)
            self.updates.on_started(task_id)

    def on_timer(self, name: str) -> None:
        """A timer of one of the supervisors fired."""
        kind, _, rest = name.partition(":")
        if kind in (DELAY, OLD_TASK):
            self.restarts.on_timer(kind, rest)
        else:
            self.updates.on_timer(kind, rest)
        self.arm()

    def arm(self) -> None:
        """Ask for a turn of every stage that has work."""
        if self._winding_down():
            self._agenda.add(WIND_DOWN)
        if self.tasks:
            self._agenda.add(RESTART)
        if self.subjects:
            self._agenda.add(RECONCILE)
        if self.restarts.due:
            self._agenda.add(START)
        if self.updates.waiting:
            self._agenda.add(UPDATE)

    def stop(self) -> None:
        """Leadership is lost."""
        self._agenda.close()
        self.updates.stop()
        self.restarts.stop()

    def perform(self, stage: str, batch: Batch) -> None:
        """One turn."""
        match stage:
            case "wind-down":
                self._wind_down(batch)
            case "restart" if not self._winding_down():
                self._restart(batch)
            case "reconcile" if not self._winding_down():
                self._reconcile(batch)
            case "restart" | "reconcile":
                pass
            case "start":
                self._started = self.restarts.start_due(batch)
            case _:
                self.updates.work(batch)

    def finished(self, stage: str) -> None:
        """The turn is committed."""
        started, self._started = self._started, []
        for task_id in started:
            if self.restarts.ended(task_id):
                self.tasks[task_id] = None
            self.updates.on_started(task_id)
        self.arm()

    def _winding_down(self) -> bool:
        """Whether earlier decisions are not written yet: the store does not show them, so nothing
        new is decided on it."""
        return self.winddown.waiting or bool(self._removed)

    def _wind_down(self, batch: Batch) -> None:
        for service_id in self._removed:
            for task in batch.tx.find(Task, ByService(service_id)):
                self.winddown.set_desired(batch, task.id, TaskState.REMOVE)
        self._removed.clear()
        self.winddown.work(batch)

    def _restart(self, batch: Batch) -> None:
        assert self._decisions is not None
        while self.tasks and batch.takes(RESTART_CHANGES):
            task_id = next(iter(self.tasks))
            del self.tasks[task_id]
            task = batch.tx.get(Task, task_id)
            if task is None or task.desired_state > TaskState.RUNNING:
                continue
            service = batch.tx.get(Service, task.service_id)
            if service is not None:
                self._decisions.restart(batch, task, service)

    def _reconcile(self, batch: Batch) -> None:
        assert self._decisions is not None
        while self.subjects and batch.room() and not self.winddown.waiting:
            subject = next(iter(self.subjects))
            if self._decisions.reconcile(batch, subject):
                del self.subjects[subject]
