"""The simulated agent and the recorder of recorded updater cases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from simswarm.base.time import SECOND
from simswarm.base.values import replace
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.model.objects import Service, Task
from simswarm.model.taskstate import STATE_NAMES, TaskState
from simswarm.store import Change, Created, Deleted, Tx, Updated
from tests.orchestrator.bench import Bench, cluster
from tests.vectors import objects
from tests.vectors.objects import Json
from tests.vectors.steps import Case

FINAL = ("completed", "paused", "rollback_paused", "rollback_completed")
LINGER = round(0.45 * SECOND)
PATIENCE = round(2.5 * SECOND)


class Recorder:
    """Writes down what the store saw."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.messages: list[str] = []
        self.slots: dict[int, list[str]] = {}
        self.created = 0
        self.most = 0
        self._labels: dict[str, str] = {}
        self._counts: Counter[int] = Counter()
        self._first: dict[int, str] = {}
        self._open: dict[int, None] = {}
        self._last = ("", "")

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        for change in changes:
            if isinstance(change.object, Service) and isinstance(change, Updated):
                self._on_service(change.object)
            elif isinstance(change.object, Task):
                self._on_task(change, change.object)

    def _on_service(self, service: Service) -> None:
        status = service.update_status
        name = status.state.name.lower() if status is not None else ""
        message = re.sub(r"task \S+$", "task <id>", status.message) if status is not None else ""
        if name and name != self._last[0]:
            self.states.append(name)
        if message and message != self._last[1]:
            self.messages.append(message)
        self._last = (name, message)

    def _on_task(self, change: Change, task: Task) -> None:
        said = self.slots.setdefault(task.slot, [])
        desired, observed = STATE_NAMES[task.desired_state], STATE_NAMES[task.status.state]
        if isinstance(change, Created):
            self.created += 1
            self._counts[task.slot] += 1
            label = self._labels[task.id] = f"new{self._counts[task.slot]}"
            said.append(f"create {label} version {task.spec_version} desired {desired}")
            if task.slot not in self._first:
                self._first[task.slot] = task.id
                self._open[task.slot] = None
                self.most = max(self.most, len(self._open))
        elif isinstance(change, Updated):
            label, old = self._labels.get(task.id, "old"), change.old
            assert isinstance(old, Task)
            if task.desired_state != old.desired_state:
                said.append(f"{label} desired {desired}")
            if task.status.state != old.status.state:
                said.append(f"{label} state {observed}")
            if self._first.get(task.slot) == task.id and task.status.state >= TaskState.RUNNING:
                self._open.pop(task.slot, None)

    def outcome(self) -> Json:
        return {
            "messages": self.messages,
            "most_slots_at_once": self.most,
            "slot_sequences": sorted(said for said in self.slots.values() if said),
            "update_states": self.states,
        }


class Agent:
    """Obeys desired states after a while; some tasks fail."""

    def __init__(self, bench: Bench, manner: Json, version: int) -> None:
        self.version = version
        self._bench = bench
        self._manner = manner
        self._told: dict[str, str] = {}
        self._failures = 0
        self.plans: list[tuple[int, int, str, TaskState, bool]] = []

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        for change in changes:
            if isinstance(change.object, Task) and not isinstance(change, Deleted):
                self._obey(change.object)

    def _obey(self, task: Task) -> None:
        if task.status.state > TaskState.RUNNING:
            return
        if task.desired_state > TaskState.RUNNING and self._told.get(task.id) != "stop":
            self._told[task.id] = "stop"
            self._plan(self._manner["stop_seconds"], task.id, TaskState.SHUTDOWN)
        if (
            task.desired_state == TaskState.RUNNING
            and task.status.state < TaskState.RUNNING
            and task.id not in self._told
        ):
            self._told[task.id] = "run"
            mine = task.spec_version == self.version or self._manner["fail_any_version"]
            fails = bool(mine) and self._failures < self._manner["fail_first"]
            self._failures += fails
            early = fails and self._manner["fail_when"] == "before_running"
            reached = objects.state(self._manner["fail_state"]) if early else TaskState.RUNNING
            self._plan(self._manner["start_seconds"], task.id, reached, fails and not early)

    def _plan(self, seconds: float, id: str, state: TaskState, then_fail: bool = False) -> None:
        at = self._bench.out.now.mono + round(seconds * SECOND)
        self.plans.append((at, len(self.plans), id, state, then_fail))

    def act(self) -> None:
        """Everything planned for the next moment, in one transaction."""
        now = min(self.plans)[0]
        due = sorted(plan for plan in self.plans if plan[0] <= now)
        self.plans = [plan for plan in self.plans if plan[0] > now]

        def write(tx: Tx) -> None:
            for _, _, id, state, then_fail in due:
                self._report(tx, id, state, then_fail)

        self._bench.change(write)

    def _report(self, tx: Tx, id: str, state: TaskState, then_fail: bool) -> None:
        task = tx.get(Task, id)
        if task is None or task.status.state >= min(state, TaskState.COMPLETE):
            return
        if state == TaskState.RUNNING and task.desired_state != TaskState.RUNNING:
            return
        if then_fail:
            failed = objects.state(self._manner["fail_state"])
            self._plan(self._manner["fail_after_seconds"], id, failed)
        tx.update(replace(task, status=replace(task.status, state=state, timestamp=tx.now.wall)))


def answer(given: Json) -> Json:
    bench = Bench(states_only_rise=False)
    case = Case(bench)
    bench.load(cluster())
    case.load(given)
    service = objects.service(given["updated_service"])
    assert service.spec_version is not None
    recorder, agent = Recorder(), Agent(bench, given["agent"], service.spec_version)
    bench.store.watch(recorder)
    bench.store.watch(agent)
    bench.start(ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 1))
    _write(bench, service)
    second: Any = given.get("second_update")
    second_at: int | None = None
    changed_at, commits = bench.out.now.mono, len(bench.proposer.committed)
    while True:
        now = bench.out.now.mono
        if len(bench.proposer.committed) > commits:
            changed_at, commits = now, len(bench.proposer.committed)
        if second and recorder.created >= second["after_new_tasks"] and second_at is None:
            second_at = now + round(0.005 * SECOND)
        final = bool(recorder.states) and recorder.states[-1] in FINAL
        end = changed_at + (LINGER if final else PATIENCE)
        moments = [*bench.timers.values(), *(plan[0] for plan in agent.plans)]
        if second and second_at is not None:
            moments.append(second_at)
        if not moments or min(moments) > end:
            return recorder.outcome()
        bench.run((min(moments) - now) / SECOND)
        if second and second_at is not None and second_at <= bench.out.now.mono:
            replacement = objects.service(second["service"])
            assert replacement.spec_version is not None
            agent.version, second = replacement.spec_version, None
            _write(bench, replacement)
        elif agent.plans and min(agent.plans)[0] <= bench.out.now.mono:
            agent.act()


def _write(bench: Bench, new: Service) -> None:
    """As the control API writes an update."""

    def write(tx: Tx) -> None:
        old = tx.get(Service, new.id)
        assert old is not None
        tx.update(
            replace(
                old,
                spec=new.spec,
                spec_version=new.spec_version,
                previous_spec=old.spec,
                previous_spec_version=old.spec_version,
                update_status=None,
            )
        )

    bench.change(write)
