"""One task on its way to its desired state, one engine command at a time.

    ACCEPTED → PREPARING ─pull, create─▶ READY → STARTING ─start─▶ RUNNING ─container ends─▶ end
                   └──fails──▶ REJECTED              └─────fails──────┴──▶ FAILED

Which step comes next says `steps.py`; this module carries it out. A pull that fails is no
failure yet: the image may be there, and else the creation says so. A command that fails for the
moment (`temporary`) is tried again after a second. An update that asks for the end gives up a pull
or a start under way; a creation is waited for, since otherwise nobody would know the container.
A task that is no longer the node's is shut down and its container removed, whatever its state.

Invariants:
    I1. The state never falls, and every change of it is reported.
    I2. At most one engine command is under way.
    I3. Nothing is asked of the engine for a task in a terminal state that is not being removed.

Source: swarmkit agent/task.go, agent/exec/controller.go (Do, fatal); moby
daemon/cluster/executor/container/controller.go (texts of errors).
Here an unhealthy container always makes a FAILED task; moby reports COMPLETE when it ends with
code 0 on being stopped.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from simswarm.agent.container import container_config, stop_grace
from simswarm.agent.steps import Step, next_step
from simswarm.base.engine import (
    ContainerInfo,
    CreateContainer,
    Done,
    EngineCommand,
    Failed,
    Outcome,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from simswarm.base.values import replace
from simswarm.model.equality import tasks_equal_stable
from simswarm.model.objects import ContainerStatus, Task, TaskStatus
from simswarm.model.taskstate import TaskState, is_terminal

LOST_EXIT_CODE = 255
"""What a container ended with that ran when the machine went down."""
UNHEALTHY = "dockerexec: unhealthy container"


class Doing(Enum):
    """What the engine is asked for."""

    NOTHING = 0
    PULL = 1
    CREATE = 2
    START = 3
    STOP = 4
    REMOVE = 5


class Bench(Protocol):
    """What a task needs of its worker."""

    def report(self, task: Task) -> None:
        """The task's status changed."""
        ...

    def timestamp(self) -> int:
        """Now, for the status."""
        ...

    def run(self, manager: TaskManager, command: EngineCommand) -> int:
        """Ask the engine; the outcome goes to the manager."""
        ...

    def cancel(self, command: int) -> None:
        """Give a command up."""
        ...

    def set_retry(self, manager: TaskManager) -> None:
        """Call `on_retry` in a while."""
        ...

    def cancel_retry(self, manager: TaskManager) -> None:
        """Don't."""
        ...

    def on_removed(self, manager: TaskManager) -> None:
        """The task was to go, and nothing is left of it."""
        ...


class TaskManager:
    """Drives one task."""

    __slots__ = (
        "_bench",
        "_command",
        "_container",
        "_doing",
        "_end",
        "_pid",
        "_present",
        "_pulled",
        "_removing",
        "_retrying",
        "_stopped",
        "_unhealthy",
        "removed",
        "task",
    )

    def __init__(self, bench: Bench, task: Task) -> None:
        self._bench = bench
        self.task = task
        """As the managers want it, with the status that is this node's to say."""
        self._container = ""
        """The container's id, also after it is gone."""
        self._present = False
        """Whether the engine has it."""
        self._pid = 0
        self._doing = Doing.NOTHING
        self._command = 0
        self._retrying = False
        self._pulled = False
        self._end: tuple[int, str] | None = None
        """Exit code and cause, once the container has ended."""
        self._unhealthy = False
        self._stopped = True
        """Whether the container runs no more, or not yet."""
        self._removing = False
        self.removed = False
        recorded = task.status.container
        if recorded is not None:
            self._container = recorded.id
            self._pid = recorded.pid

    # ── what the worker tells ────────────────────────────────────────────────────────────────

    def owns(self, container: str) -> bool:
        """Whether this is the task's container, as far as is known."""
        return not self._container or container == self._container

    def adopt(self, found: ContainerInfo | None) -> None:
        """Before the first `advance`: what the engine has of this task, from before a boot.

        A container that ran and is no more ended with 255, as if the machine had killed it.
        """
        state = self.task.status.state
        if found is not None:
            self._present = True
            self._container = found.container
            self._stopped = not found.running
            if not found.running and found.exit_code is not None:
                self._end = (found.exit_code, "")
        if not TaskState.STARTING <= state <= TaskState.RUNNING:
            return
        if found is not None and found.running:
            if state == TaskState.STARTING and found.healthy is not False:
                self._enter(TaskState.RUNNING, "started")
        elif self._end is None and (found is None or state == TaskState.RUNNING):
            self._stopped = True
            self._end = (LOST_EXIT_CODE, "")

    def update(self, task: Task) -> None:
        """The managers' newest version: only what isn't status counts, and only if it is news."""
        if self._removing or task.desired_state < self.task.desired_state:
            return
        if tasks_equal_stable(task, self.task):
            return
        self.task = replace(task, status=self.task.status)
        self._reconsider(ending=task.desired_state >= TaskState.SHUTDOWN)

    def remove(self) -> None:
        """The task is no longer this node's: leave nothing of it."""
        if not self._removing:
            self._removing = True
            self._reconsider(ending=True)

    def on_outcome(self, outcome: Outcome) -> None:
        """The command under way has ended."""
        doing, self._doing, self._command = self._doing, Doing.NOTHING, 0
        if isinstance(outcome, Failed) and outcome.temporary and doing is not Doing.PULL:
            self._retrying = True
            self._bench.set_retry(self)
            return
        match doing:
            case Doing.PULL:
                self._pulled = True
            case Doing.CREATE:
                self._on_created(outcome)
            case Doing.START:
                self._on_started(outcome)
            case Doing.STOP:
                self._on_stopped(outcome)
            case Doing.REMOVE:
                self.removed = True
                self._bench.on_removed(self)
            case Doing.NOTHING:
                raise AssertionError("an outcome without a command")
        self.advance()

    def on_died(self, exit_code: int, cause: str) -> None:
        """The container ended."""
        self._end = (exit_code, cause)
        self._stopped = True
        status = self.task.status
        if status.state == TaskState.SHUTDOWN and not self._removing:
            # an engine may say that it stopped a container before it says how that ended
            if status.container is not None and status.container.exit_code is None:
                self._set_status(status)
            return
        self.advance()

    def on_unhealthy(self) -> None:
        """The container fails its health check: it is stopped, and the task has failed."""
        if self.task.status.state in (TaskState.STARTING, TaskState.RUNNING) and not self._end:
            self._unhealthy = True
            if self._doing is Doing.START:
                self._give_up()
            self.advance()

    def on_retry(self) -> None:
        """Try again what failed for the moment."""
        self._retrying = False
        self.advance()

    def advance(self) -> None:
        """Take steps until one needs the engine, or there is nothing to do."""
        while self._doing is Doing.NOTHING and not self._retrying and not self.removed:
            if self._removing:
                self._run_removal()
            elif not self._take_step():
                return

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    def _take_step(self) -> bool:
        """Take the next step; False if there is none."""
        match next_step(self.task.status.state, self.task.desired_state):
            case Step.NOTHING:
                return False
            case Step.ACCEPT:
                self._enter(TaskState.ACCEPTED, "accepted")
            case Step.BEGIN_PREPARE:
                self._enter(TaskState.PREPARING, "preparing")
            case Step.BEGIN_START:
                self._enter(TaskState.STARTING, "starting")
            case Step.PREPARE:
                self._prepare()
            case Step.START:
                self._start()
            case Step.WATCH:
                return self._watch()
            case Step.SHUT_DOWN:
                self._shut_down()
        return True

    def _prepare(self) -> None:
        if self._present:
            self._enter(TaskState.READY, "prepared")
        elif not self._pulled:
            image = self.task.spec.container.image
            self._run(Doing.PULL, PullImage(image, self.task.id))
        else:
            self._run(Doing.CREATE, CreateContainer(container_config(self.task)))

    def _start(self) -> None:
        if self._end is not None:
            self._finish(*self._end)
        elif self._unhealthy:
            self._stop_unhealthy()
        elif not self._present:
            # prepared, but the engine lost it over a boot
            self._run(Doing.CREATE, CreateContainer(container_config(self.task)))
        else:
            self._stopped = False
            self._run(Doing.START, StartContainer(self._container, self.task.id))

    def _watch(self) -> bool:
        if self._unhealthy and not self._stopped:
            self._stop_unhealthy()
        elif self._end is not None:
            self._finish(*self._end)
        else:
            return False
        return True

    def _stop_unhealthy(self) -> None:
        if self._stopped:
            self._fail(UNHEALTHY)
        else:
            self._stop()

    def _shut_down(self) -> None:
        if self._present and not self._stopped:
            self._stop()
        else:
            self._enter(TaskState.SHUTDOWN, "shutdown")

    def _run_removal(self) -> None:
        if self._present and not self._stopped:
            self._stop()
        elif self._present:
            self._run(Doing.REMOVE, RemoveContainer(self._container, self.task.id))
        else:
            self.removed = True
            self._bench.on_removed(self)

    # ── outcomes ─────────────────────────────────────────────────────────────────────────────

    def _on_created(self, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self._container, self._present, self._stopped = outcome.container, True, True
        elif not self._is_ending():
            missing = f"No such image: {self.task.spec.container.image}"
            self._fail(missing if outcome.missing else outcome.error)

    def _on_started(self, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self._pid = outcome.pid
            if not self._is_ending():
                self._enter(TaskState.RUNNING, "started")
        elif "unhealthy container" in outcome.error:
            self._unhealthy = True
        elif outcome.error.startswith("task: non-zero exit") and outcome.exit_code is not None:
            self._end = (outcome.exit_code, "")
            self._stopped = True
        else:
            self._stopped = True
            if not self._is_ending():
                self._fail(f"starting container failed: {outcome.error}", outcome.exit_code)

    def _on_stopped(self, outcome: Outcome) -> None:
        self._stopped = True
        if self._removing:
            return
        if self._unhealthy and self.task.desired_state < TaskState.SHUTDOWN:
            self._finish_unhealthy()
        elif isinstance(outcome, Failed) and not outcome.missing:
            self._fail(outcome.error, outcome.exit_code)

    def _finish(self, exit_code: int, cause: str) -> None:
        """The container ended by itself."""
        if self._unhealthy:
            self._finish_unhealthy()
        elif exit_code == 0:
            if self.task.status.state == TaskState.STARTING:
                self._enter(TaskState.RUNNING, "started")
            self._enter(TaskState.COMPLETE, "finished")
        else:
            self._fail(_exit_text(exit_code, cause), exit_code)

    def _finish_unhealthy(self) -> None:
        code = self._end[0] if self._end is not None else 0
        self._fail(_exit_text(code, UNHEALTHY) if code else UNHEALTHY, code or None)

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _is_ending(self) -> bool:
        return self._removing or self.task.desired_state >= TaskState.SHUTDOWN

    def _reconsider(self, *, ending: bool) -> None:
        """What is wanted has changed: what waits or can be given up must not stand in the way."""
        if self._retrying:
            self._retrying = False
            self._bench.cancel_retry(self)
        if ending and self._doing in (Doing.PULL, Doing.START):
            self._give_up()
        self.advance()

    def _give_up(self) -> None:
        self._bench.cancel(self._command)
        self._doing, self._command = Doing.NOTHING, 0

    def _stop(self) -> None:
        command = StopContainer(self._container, self.task.id, stop_grace(self.task))
        self._run(Doing.STOP, command)

    def _run(self, doing: Doing, command: EngineCommand) -> None:
        self._doing = doing
        self._command = self._bench.run(self, command)

    def _enter(self, state: TaskState, message: str) -> None:
        assert state > self.task.status.state, "a task's state only rises"
        self._set_status(TaskStatus(state, self._bench.timestamp(), message))

    def _fail(self, error: str, exit_code: int | None = None) -> None:
        """It can't go on. The message stays: it says what was being done."""
        status = self.task.status
        assert not is_terminal(status.state), "a task fails once"
        starting = status.state >= TaskState.STARTING
        state = TaskState.FAILED if starting else TaskState.REJECTED
        self._set_status(
            TaskStatus(state, self._bench.timestamp(), status.message, error), exit_code
        )

    def _set_status(self, status: TaskStatus, exit_code: int | None = None) -> None:
        if exit_code is None and self._end is not None:
            exit_code = self._end[0]
        if self._container or exit_code is not None:
            container = ContainerStatus(self._container, self._pid, exit_code)
            status = replace(status, container=container)
        self.task = replace(self.task, status=status)
        self._bench.report(self.task)

    def check_invariants(self) -> None:
        """What must hold between steps."""
        busy = self._doing is not Doing.NOTHING
        assert busy == bool(self._command), "busy without a command"
        assert not (busy and self._retrying), "busy and waiting to try again"
        assert not self.removed or self._removing, "removed without being asked"
        if busy and is_terminal(self.task.status.state):
            assert self._removing, "the engine works for a task that has ended"


def _exit_text(exit_code: int, cause: str) -> str:
    text = f"task: non-zero exit ({exit_code})"
    return f"{text}: {cause}" if cause else text
