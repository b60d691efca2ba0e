"""All tasks of one node: what is assigned, what was remembered, what the engine has.

At boot the engine is asked for its containers before anything else; what comes meanwhile waits.
Then every remembered task goes on from its recorded status, with its container if there is one.
The managers' complete set replaces the node's, changes change it; a task's status, once the
node has recorded one, is the node's own and is never taken from the managers.

Invariants:
    I1. Every task in the database has a manager, once the engine's list is there.
    I2. A status is recorded, then reported; one of a task that is no longer the node's is not.
    I3. What a task left behind is removed before the task could be taken up again.

Source: swarmkit agent/worker.go. Removing containers of tasks that nobody remembers (after the
first complete set) is our own: it keeps a node clean that lost its database.
"""

from __future__ import annotations

from simswarm.agent.reporter import Reporter
from simswarm.agent.task import TaskManager
from simswarm.agent.taskdb import TaskDatabase
from simswarm.base.effects import Outbox, TimerKey
from simswarm.base.engine import (
    ContainerDied,
    ContainerInfo,
    ContainerUnhealthy,
    Done,
    EngineCommand,
    EngineOccurrence,
    ListContainers,
    Outcome,
    RemoveContainer,
)
from simswarm.base.values import replace
from simswarm.model.defaults import TASK_RETRY_DELAY
from simswarm.model.equality import tasks_equal_stable
from simswarm.model.objects import Task
from simswarm.wire.dispatcher import Assignments, AssignmentsKind, AssignTask, RemoveTask

LIST_TIMER = TimerKey("agent", 0, "list")
RETRY_OWNER = "task"


class Worker:
    """The tasks of one node."""

    __slots__ = (
        "_commands",
        "_database",
        "_early",
        "_found",
        "_leaving",
        "_listing",
        "_managers",
        "_out",
        "_reporter",
        "_returning",
    )

    def __init__(self, out: Outbox, database: TaskDatabase, reporter: Reporter) -> None:
        self._out = out
        self._database = database
        self._reporter = reporter
        self._managers: dict[str, TaskManager] = {}
        """By task id: what the node should run, or ran."""
        self._leaving: dict[str, TaskManager] = {}
        """By task id: what is being removed."""
        self._returning: dict[str, Task] = {}
        """Assigned again while the old one was being removed."""
        self._commands: dict[int, TaskManager] = {}
        self._listing = 0
        """The list command; 0 between tries; -1 once the list is there."""
        self._early: list[Assignments] = []
        """Assignments that came before the list."""
        self._found: dict[str, ContainerInfo] = {}
        """Containers from before the boot that no task has taken up yet, by task id."""

    # ── what the agent tells ─────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Ask the engine what there is."""
        self._listing = self._out.run_engine(ListContainers())

    def report_all(self) -> None:
        """A session is open: report every task again."""
        for task in self._database.tasks.values():
            self._reporter.put(task.id, task.status)

    def assign(self, message: Assignments) -> None:
        """The managers' complete set, or changes to it."""
        if self._listing >= 0:
            self._early.append(message)
            return
        assigned = [change.task for change in message.changes if isinstance(change, AssignTask)]
        for task in assigned:
            self._put(task)
        if message.kind is AssignmentsKind.COMPLETE:
            wanted = {task.id: True for task in assigned}
            for task_id in tuple(self._managers):
                if task_id not in wanted:
                    self._drop(task_id)
            for task_id in tuple(self._returning):
                if task_id not in wanted:
                    self._drop(task_id)
            self._sweep()
        else:
            for change in message.changes:
                if isinstance(change, RemoveTask):
                    self._drop(change.task_id)

    def on_result(self, id: int, outcome: Outcome) -> None:
        """An engine command ended."""
        if id == self._listing:
            self._on_list(outcome)
            return
        manager = self._commands.pop(id, None)
        if manager is not None:
            manager.on_outcome(outcome)

    def on_event(self, occurrence: EngineOccurrence) -> None:
        """Something happened to a container."""
        manager = self._managers.get(occurrence.task) or self._leaving.get(occurrence.task)
        if manager is None or not manager.owns(occurrence.container):
            return
        match occurrence:
            case ContainerDied(exit_code=code, error=error):
                manager.on_died(code, error)
            case ContainerUnhealthy():
                manager.on_unhealthy()

    def on_timer(self, key: TimerKey) -> None:
        """A second try: of the list, or of a task's step."""
        if key == LIST_TIMER:
            self.start()
            return
        manager = self._managers.get(key.name) or self._leaving.get(key.name)
        if manager is not None:
            manager.on_retry()

    # ── what task managers ask for ───────────────────────────────────────────────────────────

    def report(self, task: Task) -> None:
        """A task's status changed: record it, then report it."""
        if task.id in self._managers and self._database.put_status(task.id, task.status):
            self._reporter.put(task.id, task.status)

    def timestamp(self) -> int:
        """Now, for a status."""
        return self._out.now.wall

    def run(self, manager: TaskManager, command: EngineCommand) -> int:
        """Ask the engine for a task manager."""
        id = self._out.run_engine(command)
        self._commands[id] = manager
        return id

    def cancel(self, command: int) -> None:
        """Give a command up."""
        del self._commands[command]
        self._out.cancel_engine(command)

    def set_retry(self, manager: TaskManager) -> None:
        """Let a task manager try again in a second."""
        self._out.set_timer(TimerKey(RETRY_OWNER, 0, manager.task.id), TASK_RETRY_DELAY)

    def cancel_retry(self, manager: TaskManager) -> None:
        """It need not."""
        self._out.cancel_timer(TimerKey(RETRY_OWNER, 0, manager.task.id))

    def on_removed(self, manager: TaskManager) -> None:
        """Nothing is left of a task that went; if it was assigned again, it may begin."""
        task_id = manager.task.id
        del self._leaving[task_id]
        returning = self._returning.pop(task_id, None)
        if returning is not None:
            self._begin(returning, None)

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _on_list(self, outcome: Outcome) -> None:
        if not isinstance(outcome, Done):
            self._listing = 0
            self._out.set_timer(LIST_TIMER, TASK_RETRY_DELAY)
            return
        self._listing = -1
        for info in outcome.containers:
            known = self._found.get(info.task)
            if known is None or (info.running and not known.running):
                self._found[info.task] = info
        for task in tuple(self._database.tasks.values()):
            self._begin(task, self._found.pop(task.id, None))
        early, self._early = self._early, []
        for message in early:
            self.assign(message)

    def _put(self, task: Task) -> None:
        known = self._database.tasks.get(task.id)
        if known is not None:
            task = replace(task, status=known.status)
        if known is None or not tasks_equal_stable(known, task):
            self._database.put(task)
        if task.id in self._managers:
            self._managers[task.id].update(task)
        elif task.id in self._leaving:
            self._returning[task.id] = task
        else:
            self._begin(task, self._found.pop(task.id, None))

    def _begin(self, task: Task, found: ContainerInfo | None) -> None:
        manager = TaskManager(self, task)
        self._managers[task.id] = manager
        manager.adopt(found)
        manager.advance()

    def _drop(self, task_id: str) -> None:
        self._database.drop(task_id)
        self._reporter.forget(task_id)
        self._returning.pop(task_id, None)
        manager = self._managers.pop(task_id, None)
        if manager is not None:
            self._leaving[task_id] = manager
            manager.remove()

    def _sweep(self) -> None:
        """Remove containers that belong to no task: their results don't matter."""
        found, self._found = self._found, {}
        for info in found.values():
            self._out.run_engine(RemoveContainer(info.container, info.task))

    def check_invariants(self) -> None:
        """What must hold between steps."""
        for task_id, manager in self._managers.items():
            manager.check_invariants()
            assert task_id in self._database.tasks, "a task that would be forgotten"
            recorded = self._database.tasks[task_id].status
            assert recorded == manager.task.status, "a status that is not recorded"
        for manager in self._leaving.values():
            manager.check_invariants()
        if self._listing < 0:
            for task_id in self._database.tasks:
                assert task_id in self._managers or task_id in self._returning, "an idle task"
