"""One rolling update (or rollback) of one service: its slots, its workers, its count of failures.

    FEEDING ──> DRAINING ──> MONITORING ──> OVER      a worker:
    slots wait   the last     all slots are           IDLE ──> WRITING ──> STARTING ──> WATCHING
    for workers  slots are    done; failures            └── DELAYING <── (RETIRING) <──────┘
                 worked on    still count

A worker takes a slot, waits without time-out until the new task has reached RUNNING or beyond,
then waits the delay. Failures are looked at while slots wait for a worker and while monitoring;
those seen in between are kept for the monitoring phase, and judged by the time it is then.

Invariants:
    I1. No slot is worked on twice, and at most `parallelism` slots at once.
    I2. A task counts as one failure at most, and only if this run made it.

Source: swarmkit manager/orchestrator/update/updater.go (Run, worker). Not here: writes and timers
(`supervisor`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum

from simswarm.base.time import SECOND, Duration, Instant
from simswarm.manager.orchestrator.slots import Slot
from simswarm.manager.orchestrator.update.status import is_rolling_back
from simswarm.model.defaults import UPDATE_MONITOR
from simswarm.model.objects import Service
from simswarm.model.specs import FailureAction, UpdateConfig
from simswarm.model.taskstate import TaskState

DEFAULT_CONFIG = UpdateConfig(parallelism=1, monitor=UPDATE_MONITOR)
"""Used where a service has no configuration at all; in a given one, parallelism 0 is no limit.
Source: swarmkit api/defaults/service.go."""

_FLOAT = struct.Struct("<f")


class Phase(IntEnum):
    """How far a run has come."""

    FEEDING = 0
    DRAINING = 1
    MONITORING = 2
    ENDING = 3
    """A failure while monitoring: its status is to be written, then the run is over."""
    OVER = 4


class Step(IntEnum):
    """What a worker waits for."""

    IDLE = 0
    """A slot."""
    WRITING = 1
    """The turn in which its slot is written."""
    STARTING = 2
    """The start of its task: the old one has to stop first."""
    WATCHING = 3
    """Its task, to run."""
    RETIRING = 4
    """The turn in which the old tasks are shut down (start-first)."""
    DELAYING = 5
    """The delay between slots."""


class Verdict(IntEnum):
    """What a failure leads to."""

    GO_ON = 0
    PAUSE = 1
    ROLL_BACK = 2
    PAUSE_ROLLBACK = 3
    """As in Swarm this one does not stop the run: it monitors on and then completes."""


class Worker:
    """Works on one slot after the other."""

    __slots__ = ("number", "seen", "slot", "step", "task_id")

    def __init__(self, number: int) -> None:
        self.number = number
        self.step = Step.IDLE
        self.slot: Slot = ()
        self.task_id = ""
        """The task it waits for."""
        self.seen: TaskState | None = None
        """The first state >= RUNNING that the task was seen in, before it was waited for."""


class UpdateRun:
    """The state of one run. `service` is as it was when the run began."""

    __slots__ = (
        "_failed",
        "_given",
        "_made",
        "config",
        "failures",
        "monitor",
        "number",
        "phase",
        "service",
        "settling",
        "slots",
        "stopped",
        "workers",
    )

    def __init__(self, number: int, service: Service, slots: Sequence[Slot]) -> None:
        """`number` tells runs of one service apart; `slots`: the dirty ones, at least one."""
        assert slots
        self.number = number
        given = service.spec.rollback if is_rolling_back(service) else service.spec.update
        self.service = service
        self.config = given or DEFAULT_CONFIG
        self.monitor: Duration = (
            UPDATE_MONITOR if self.config.monitor is None else self.config.monitor
        )
        self.slots = tuple(slots)
        self.phase = Phase.FEEDING
        self.stopped = False
        """A failure has stopped the run: the slots in hand are finished, nothing more."""
        self.settling = False
        """A status is to be written before anything else is decided."""
        self.failures: list[str] = []
        """Tasks of this run seen to have failed, not looked at yet."""
        size = min(self.config.parallelism or len(slots), len(slots))
        self.workers = [Worker(number) for number in range(size)]
        self._given = 0
        self._made: dict[str, Instant | None] = {}
        self._failed: dict[str, None] = {}

    def hand_out(self) -> list[Worker]:
        """Give slots to idle workers and return them; the last slot ends FEEDING."""
        busy: list[Worker] = []
        for worker in self.workers:
            if self.phase == Phase.FEEDING and worker.step == Step.IDLE:
                worker.slot = self.slots[self._given]
                worker.step = Step.WRITING
                worker.task_id, worker.seen = "", None
                busy.append(worker)
                self._given += 1
                if self._given == len(self.slots):
                    self.phase = Phase.DRAINING
        return busy

    def is_idle(self) -> bool:
        """Whether no worker has a slot in hand."""
        return all(worker.step == Step.IDLE for worker in self.workers)

    def has_made(self, task_id: str) -> bool:
        """Whether this run has made a task."""
        return task_id in self._made

    def made(self, task_id: str) -> None:
        """This run has made a task; until it is seen running, its failure counts at any time."""
        self._made[task_id] = None

    def reached(self, task_id: str, now: Instant) -> None:
        """A task of this run is running, or past it."""
        if task_id in self._made:
            self._made[task_id] = now

    def begin_monitoring(self) -> Duration:
        """All slots are done. How long failures are still looked at, and how old a start may be
        to count: more than the delay, or the last slot's failure would be missed."""
        self.phase = Phase.MONITORING
        if self.config.delay >= self.monitor:
            self.monitor = self.config.delay + 1 * SECOND
        return self.monitor

    def judge(self, task_id: str, now: Instant) -> Verdict:
        """A task has failed: is that one failure too many?"""
        if task_id in self._failed or task_id not in self._made:
            return Verdict.GO_ON
        since = self._made[task_id]
        if since is not None and now - since > self.monitor:
            return Verdict.GO_ON
        self._failed[task_id] = None
        ratio = _float32(len(self._failed) / len(self.slots))
        if ratio <= _float32(self.config.max_failure_ratio):
            return Verdict.GO_ON
        if self.config.failure_action == FailureAction.PAUSE:
            return Verdict.PAUSE
        if is_rolling_back(self.service):
            return Verdict.PAUSE_ROLLBACK
        return Verdict.ROLL_BACK


def _float32(number: float) -> float:
    """As Swarm compares ratios: in single precision."""
    rounded: float = _FLOAT.unpack(_FLOAT.pack(number))[0]
    return rounded
