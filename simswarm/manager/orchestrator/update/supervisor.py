"""Rolling updates and rollbacks: slot by slot, as fast as the service's configuration lets it.

Per service there is at most one run (`run`). It begins when the orchestrator reconciles a
service some of whose slots are outdated, goes on in turns `update`, and ends by itself or when the
service is given another spec.

What a worker does with its slot, on what the slot held when the run began:

    a clean task shall run already     shut the others down
    a clean task waits to be started   shut the others down, start it when one of them has stopped
    stop-first                         make a task (READY), shut the others down, start it when …
    start-first                        make a task, start it; once RUNNING shut the others down

Invariants:
    I1. Creating a task and shutting down what it replaces (stop-first) is one write.
    I2. A cancelled run writes nothing more; tasks it has made stay.

Source: swarmkit manager/orchestrator/update/updater.go (Supervisor.Update, worker, updateTask,
useExistingTask, removeOldTasks); orders recorded on Docker 20.10.24. Not here: the words of the
status (`status`), delayed starts (`restart`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from simswarm.base.effects import Outbox, TimerKey
from simswarm.base.entropy import Entropy
from simswarm.base.values import replace
from simswarm.manager.agenda import Batch
from simswarm.manager.orchestrator.restart import RestartSupervisor
from simswarm.manager.orchestrator.slots import Slot
from simswarm.manager.orchestrator.tasks import has_version_of, is_dirty, is_global, new_task
from simswarm.manager.orchestrator.update import status
from simswarm.manager.orchestrator.update.run import Phase, Step, UpdateRun, Verdict, Worker
from simswarm.model.objects import Node, Service, Task
from simswarm.model.specs import FailureAction, UpdateOrder
from simswarm.model.taskstate import TaskState
from simswarm.store import Tx

UPDATE = "update"
MONITOR = "monitor"

_FAILURE = "due to failure or early termination of task"
_MESSAGES = {
    Verdict.PAUSE: f"update paused {_FAILURE}",
    Verdict.ROLL_BACK: f"update rolled back {_FAILURE}",
    Verdict.PAUSE_ROLLBACK: f"rollback paused {_FAILURE}",
}


@dataclass(frozen=True, slots=True)
class Action:
    """Something a run wants written: a worker's slot, or (without worker) the service's status."""

    run: UpdateRun
    worker: Worker | None = None
    verdict: Verdict = Verdict.GO_ON
    message: str = ""

    def size(self) -> int:
        """The most changes it makes."""
        return 1 if self.worker is None else 1 + len(self.worker.slot)


class UpdateSupervisor:
    """All runs of one orchestrator."""

    __slots__ = (
        "_actions", "_by_task", "_count", "_entropy", "_epoch", "_out", "_owner", "_restarts",
        "_runs",
    )  # fmt: skip

    def __init__(
        self,
        out: Outbox,
        entropy: Entropy,
        restarts: RestartSupervisor,
        owner: str,
        epoch: int,
    ) -> None:
        self._out = out
        self._entropy = entropy
        self._restarts = restarts
        self._owner = owner
        self._epoch = epoch
        self._runs: dict[str, UpdateRun] = {}
        self._by_task: dict[str, tuple[UpdateRun, Worker]] = {}
        self._actions: deque[Action] = deque()
        self._count = 0

    @property
    def waiting(self) -> bool:
        """Whether a run wants something written."""
        return bool(self._actions)

    # ── inside a write ───────────────────────────────────────────────────────────────────────

    def update(self, tx: Tx, service: Service, slots: Sequence[Slot]) -> None:
        """A service was reconciled: see that its slots become what its spec says."""
        run = self._runs.get(service.id)
        if run is not None:
            if run.service.spec == service.spec:
                return
            self.cancel(service.id)
        if status.is_paused(service):
            return
        dirty = [slot for slot in slots if len(slot) > 1 or _is_dirty(tx, service, slot[0])]
        if not dirty:
            if status.is_under_way(service):
                status.complete(tx, service.id)
            return
        status.begin(tx, service.id)
        self._count += 1
        run = self._runs[service.id] = UpdateRun(self._count, service, dirty)
        self._advance(run)

    def work(self, batch: Batch) -> None:
        """Write what runs want, as far as there is room."""
        while self._actions and batch.takes(self._actions[0].size()):
            action = self._actions.popleft()
            if action.run.phase == Phase.OVER:
                continue
            if action.worker is None:
                self._write_status(batch.tx, action)
            elif action.worker.step == Step.RETIRING:
                _shut_down(batch.tx, action.worker.slot)
                self._delay(action.run, action.worker)
            else:
                self._write_slot(batch.tx, action.run, action.worker)

    def _write_status(self, tx: Tx, action: Action) -> None:
        run, service_id = action.run, action.run.service.id
        if action.verdict == Verdict.GO_ON:
            status.complete(tx, service_id)
            self._end(run)
            return
        if action.verdict == Verdict.ROLL_BACK:
            status.roll_back(tx, service_id, action.message)
        else:
            status.pause(tx, service_id, action.message)
        run.settling = False
        if run.phase != Phase.ENDING:
            self._advance(run)
        elif run.stopped:
            self._end(run)
        else:
            self._actions.append(Action(run))

    def _write_slot(self, tx: Tx, run: UpdateRun, worker: Worker) -> None:
        """Do with a slot what its tasks call for (see the table at the top)."""
        existing = _usable(tx, run.service, worker.slot)
        if existing is None:
            self._replace_slot(tx, run, worker)
            return
        others = tuple(task for task in worker.slot if task.id != existing.id)
        stopped, failed = _shut_down(tx, others)
        if existing.desired_state != TaskState.RUNNING and not failed:
            self._wait_for(run, worker, existing.id)
            self._restarts.begin(stopped, existing.id, 0)
        else:
            self._delay(run, worker)

    def _replace_slot(self, tx: Tx, run: UpdateRun, worker: Worker) -> None:
        first = worker.slot[0]
        stop_first = run.config.order == UpdateOrder.STOP_FIRST
        gone = tx.get(Service, run.service.id) is None
        # Nothing left to shut down: someone else has taken care of the slot in the meantime.
        overtaken = stop_first and _is_overtaken(tx, worker.slot)
        if gone or overtaken:
            self._delay(run, worker)
            return
        made = new_task(
            run.service,
            self._entropy,
            tx.now.wall,
            slot=first.slot,
            node_id=first.node_id if is_global(run.service) else "",
        )
        made = tx.create(replace(made, desired_state=TaskState.READY))
        run.made(made.id)
        self._wait_for(run, worker, made.id)
        stopped = _shut_down(tx, worker.slot)[0] if stop_first else None
        self._restarts.begin(stopped, made.id, 0)

    def _wait_for(self, run: UpdateRun, worker: Worker, task_id: str) -> None:
        worker.step = Step.STARTING
        worker.task_id = task_id
        self._by_task[task_id] = run, worker

    # ── what happens meanwhile ───────────────────────────────────────────────────────────────

    def on_task(self, task: Task) -> None:
        """A task has changed: a failure, or what a worker waits for."""
        if task.status.state < TaskState.RUNNING:
            return
        run = self._runs.get(task.service_id)
        if run is None:
            return
        watches = run.config.failure_action != FailureAction.CONTINUE
        if watches and task.status.state > TaskState.RUNNING and run.has_made(task.id):
            run.failures.append(task.id)
            self._look_at_failures(run)
        _, worker = self._by_task.get(task.id, (run, None))
        if worker is None:
            return
        if worker.step == Step.WATCHING:
            self._reached(run, worker, task.status.state)
        elif worker.seen is None:
            worker.seen = task.status.state

    def on_started(self, task_id: str) -> None:
        """The pending start of a task has happened (or the task is gone)."""
        run, worker = self._by_task.get(task_id, (None, None))
        if run is None or worker is None or worker.step != Step.STARTING:
            return
        if any(task.id == task_id for task in worker.slot):
            self._delay(run, worker)
            return
        worker.step = Step.WATCHING
        if worker.seen is not None:
            self._reached(run, worker, worker.seen)

    def on_timer(self, kind: str, rest: str) -> None:
        """A worker's delay or a monitoring period is over."""
        service_id, run_number, worker_number = rest.split(":")
        run = self._runs.get(service_id)
        if run is None or run.number != int(run_number):
            return
        if kind == MONITOR:
            if run.phase == Phase.MONITORING:
                self._actions.append(Action(run))
        else:
            worker = run.workers[int(worker_number)]
            assert worker.step == Step.DELAYING
            worker.step = Step.IDLE
            self._advance(run)

    def cancel(self, service_id: str) -> None:
        """The service has another spec, or is gone: its run ends where it is."""
        run = self._runs.get(service_id)
        if run is not None:
            for worker in run.workers:
                if worker.step == Step.DELAYING:
                    self._out.cancel_timer(self._key(UPDATE, run, worker.number))
            if run.phase == Phase.MONITORING:
                self._out.cancel_timer(self._key(MONITOR, run))
            self._end(run)

    def stop(self) -> None:
        """Leadership is lost: forget everything."""
        for service_id in list(self._runs):
            self.cancel(service_id)

    def _reached(self, run: UpdateRun, worker: Worker, state: TaskState) -> None:
        """The worker's task is running, or past it."""
        run.reached(worker.task_id, self._out.now.mono)
        if run.config.order == UpdateOrder.START_FIRST and state == TaskState.RUNNING:
            worker.step = Step.RETIRING
            self._actions.append(Action(run, worker))
        else:
            self._delay(run, worker)

    def _delay(self, run: UpdateRun, worker: Worker) -> None:
        self._by_task.pop(worker.task_id, None)
        if run.config.delay:
            worker.step = Step.DELAYING
            self._out.set_timer(self._key(UPDATE, run, worker.number), run.config.delay)
        else:
            worker.step = Step.IDLE
            self._advance(run)

    def _advance(self, run: UpdateRun) -> None:
        """A worker is free, or the run has just begun."""
        for worker in run.hand_out():
            self._actions.append(Action(run, worker))
        if run.phase != Phase.DRAINING or run.settling or not run.is_idle():
            return
        if run.stopped:
            self._end(run)
            return
        self._out.set_timer(self._key(MONITOR, run), run.begin_monitoring())
        self._look_at_failures(run)

    def _look_at_failures(self, run: UpdateRun) -> None:
        """Judge failures, if this is a phase in which anyone looks."""
        while run.failures and run.phase in (Phase.FEEDING, Phase.MONITORING):
            task_id = run.failures.pop(0)
            verdict = run.judge(task_id, self._out.now.mono)
            if verdict == Verdict.GO_ON:
                continue
            self._actions.append(Action(run, None, verdict, f"{_MESSAGES[verdict]} {task_id}"))
            run.stopped = verdict != Verdict.PAUSE_ROLLBACK
            run.settling = True
            if run.phase == Phase.FEEDING:
                run.phase = Phase.DRAINING
            else:
                self._out.cancel_timer(self._key(MONITOR, run))
                run.phase = Phase.ENDING

    def _end(self, run: UpdateRun) -> None:
        run.phase = Phase.OVER
        for worker in run.workers:
            self._by_task.pop(worker.task_id, None)
        del self._runs[run.service.id]

    def _key(self, kind: str, run: UpdateRun, worker: int = 0) -> TimerKey:
        return TimerKey(self._owner, self._epoch, f"{kind}:{run.service.id}:{run.number}:{worker}")


def _is_dirty(tx: Tx, service: Service, task: Task) -> bool:
    return not has_version_of(service, task) and is_dirty(service, task, tx.get(Node, task.node_id))


def _usable(tx: Tx, service: Service, slot: Slot) -> Task | None:
    """A clean task of the slot that runs or is about to, if there is one."""
    waiting: Task | None = None
    for task in slot:
        if task.desired_state <= TaskState.RUNNING and not _is_dirty(tx, service, task):
            if task.desired_state == TaskState.RUNNING:
                return task
            waiting = task
    return waiting


def _is_overtaken(tx: Tx, slot: Slot) -> bool:
    """Whether all tasks that were to be shut down are gone or shut down already."""
    meant = [task for task in slot if task.desired_state <= TaskState.RUNNING]
    stored = [tx.get(Task, task.id) for task in meant]
    return bool(meant) and all(
        task is None or task.desired_state > TaskState.RUNNING for task in stored
    )


def _shut_down(tx: Tx, slot: Slot) -> tuple[Task | None, bool]:
    """Shut tasks down that still shall run: (the last of them, whether there was none left)."""
    stopped: Task | None = None
    failed = False
    for task in slot:
        if task.desired_state > TaskState.RUNNING:
            continue
        stored = tx.get(Task, task.id)
        if stored is None or stored.desired_state > TaskState.RUNNING:
            failed = True
            continue
        tx.update(replace(stored, desired_state=TaskState.SHUTDOWN))
        stopped = task
    return stopped, failed and stopped is None
