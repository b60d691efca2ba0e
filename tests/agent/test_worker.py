"""The whole agent on a bench: assignments, the engine's list at boot, reports behind writes, and a
crash at every write."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from simswarm.agent import Agent
from simswarm.base.effects import RunEngine, Send, Write, WriteMode
from simswarm.base.engine import (
    ContainerDied,
    ContainerInfo,
    CreateContainer,
    Done,
    EngineCommand,
    Failed,
    ListContainers,
    Outcome,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from simswarm.base.entropy import SeededEntropy
from simswarm.base.records import frame_file
from simswarm.base.time import SECOND
from simswarm.base.values import replace
from simswarm.model.config import NodeConfig
from simswarm.model.objects import ContainerStatus, Node, NodeDescription, TaskStatus
from simswarm.model.specs import NodeRole, NodeSpec
from simswarm.model.taskstate import TaskState as S
from simswarm.wire.dispatcher import (
    Assignments,
    AssignmentsKind,
    AssignTask,
    OpenAssignments,
    OpenSession,
    RemoveTask,
    SessionMessage,
    TaskStatusAccepted,
    UpdateTaskStatus,
)
from tests.agent.bench import Desk, a_task

COMPLETE, INCREMENTAL = AssignmentsKind.COMPLETE, AssignmentsKind.INCREMENTAL
CONFIG = NodeConfig("w1", "w1", NodeRole.WORKER, ("m1",))


class Rig(Desk):
    """One agent; its disk and engine are the test's."""

    def __init__(
        self,
        disk: Mapping[str, bytes] | None = None,
        containers: dict[str, ContainerInfo] | None = None,
        boot: int = 1,
        config: NodeConfig = CONFIG,
    ) -> None:
        super().__init__()
        self.containers = {} if containers is None else containers
        self.results = 0
        entropy = SeededEntropy(1, f"/{boot}")
        self.agent = Agent(config, "n1", disk or {}, self.out, entropy, managers=("m1",))
        self.agent.boot()
        self.step()

    def step(self) -> None:
        self.drain()
        self.agent.check_invariants()

    def hear(self, message) -> None:
        self.agent.deliver("m1", message)
        self.step()

    def assign(self, kind: AssignmentsKind, *changes) -> None:
        self.results = 1 if kind is COMPLETE else self.results + 1
        applies_to = "" if kind is COMPLETE else str(self.results - 1)
        wrapped = tuple(c if isinstance(c, RemoveTask) else AssignTask(c) for c in changes)
        self.hear(Assignments("s1", kind, applies_to, str(self.results), wrapped))

    def register(self) -> None:
        self.hear(SessionMessage("s1", Node("n1", NodeSpec(name="w1")), (("m1", 10),)))

    def answer(self, outcome: Outcome | None = None) -> EngineCommand:
        """End the oldest command under way."""
        id = min(self.commands)
        command = self.commands.pop(id)
        self.agent.engine_result(id, outcome or self.perform(command))
        self.step()
        return command

    def perform(self, command: EngineCommand) -> Outcome:
        match command:
            case ListContainers():
                return Done(containers=tuple(self.containers.values()))
            case CreateContainer(config):
                self.containers[config.task] = ContainerInfo(f"c-{config.task}", config.task, False)
                return Done(container=f"c-{config.task}")
            case StartContainer(container, task):
                self.containers[task] = ContainerInfo(container, task, True)
                return Done(pid=7)
            case StopContainer(container, task):
                self.containers[task] = ContainerInfo(container, task, False, 0)
            case RemoveContainer(_, task):
                del self.containers[task]
        return Done()

    def work(self) -> None:
        while self.commands:
            self.answer()

    def ready(self) -> Rig:
        """Booted, listed, registered."""
        self.work()
        self.register()
        self.assign(COMPLETE)
        self.accept_all()
        self.take()
        return self

    def durable(self) -> None:
        for write in self.writes:
            self.agent.written(write.token)

    def accept_all(self) -> list[tuple[str, TaskStatus]]:
        """Answer reports until none is under way."""
        seen = []
        while True:
            reports = self.take(UpdateTaskStatus)
            if not reports:
                return seen
            for report in reports:
                seen += report.updates
                self.hear(TaskStatusAccepted("s1", report.request))

    def status(self, id: str = "t1") -> TaskStatus:
        return self.agent._database.tasks[id].status

    def image(self, writes: list[Write] | None = None) -> dict[str, bytes]:
        records: list[bytes] = []
        for write in self.writes if writes is None else writes:
            records = [*([] if write.mode is WriteMode.REPLACE else records), *write.records]
        return {"tasks": frame_file(tuple(records))}


# ── boot ─────────────────────────────────────────────────────────────────────────────────────


def test_boot_lists_containers_first_and_looks_for_a_manager():
    rig = Rig()
    assert list(rig.commands.values()) == [ListContainers()]
    (opened,) = rig.take(OpenSession)
    assert opened.description.hostname == "w1"


def test_assignments_wait_for_the_list():
    rig = Rig()
    rig.register()
    rig.assign(COMPLETE, a_task())
    assert list(rig.commands.values()) == [ListContainers()]
    rig.answer()
    assert list(rig.commands.values()) == [PullImage("web:1", "t1")]


def test_list_that_fails_is_asked_for_again_after_a_second():
    rig = Rig()
    rig.answer(Failed("engine not up"))
    (key,) = [key for key in rig.timers if key.name == "list"]
    assert rig.timers[key] == rig.out.now.mono + 1 * SECOND
    rig.agent.timer(key)
    rig.step()
    assert list(rig.commands.values()) == [ListContainers()]


def test_lost_containers_fail_their_tasks_after_a_reboot():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.work()
    assert rig.status().state == S.RUNNING
    again = Rig(rig.image(), {"t1": ContainerInfo("c-t1", "t1", False, 255)}, boot=2)
    again.work()
    again.register()
    assert again.accept_all() == [("t1", again.status())]
    status = again.status()
    assert (status.state, status.error) == (S.FAILED, "task: non-zero exit (255)")
    assert status.container == ContainerStatus("c-t1", 7, 255)


def test_running_container_goes_on_after_a_reboot():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.work()
    again = Rig(rig.image(), rig.containers, boot=2)
    again.work()
    assert again.status().state == S.RUNNING
    again.agent.engine_event(ContainerDied("c-t1", "t1", 1))
    again.step()
    assert again.status().state == S.FAILED


def test_own_status_wins_over_the_managers_older_one():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.work()
    rig.agent.session.close("test")
    rig.step()
    rig.agent.timer(next(key for key in rig.timers if key.name == "session"))
    rig.step()
    rig.register()
    rig.assign(COMPLETE, a_task(state=S.ASSIGNED))
    assert rig.status().state == S.RUNNING
    assert rig.commands == {}


def test_container_that_no_task_knows_is_removed_with_the_first_complete_set():
    rig = Rig(containers={"t9": ContainerInfo("c9", "t9", True)})
    rig.answer()
    rig.register()
    assert rig.commands == {}
    rig.assign(COMPLETE)
    assert list(rig.commands.values()) == [RemoveContainer("c9", "t9")]
    rig.assign(COMPLETE)
    assert len(rig.commands) == 1


def test_task_whose_database_was_lost_takes_up_its_container_again():
    running = TaskStatus(S.RUNNING, 1, "started", "", ContainerStatus("c1", 7))
    rig = Rig(containers={"t1": ContainerInfo("c1", "t1", True)})
    rig.answer()
    rig.register()
    rig.assign(COMPLETE, a_task(status=running))
    assert rig.commands == {}
    assert rig.status() == running


# ── assignments ──────────────────────────────────────────────────────────────────────────────


def test_complete_set_removes_what_is_not_in_it():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task("t1"), a_task("t2"))
    rig.work()
    rig.assign(COMPLETE, a_task("t2"))
    assert list(rig.commands.values()) == [StopContainer("c-t1", "t1", 10 * SECOND)]
    rig.work()
    assert list(rig.containers) == ["t2"]
    assert list(rig.agent._database.tasks) == ["t2"]


def test_removal_takes_the_container_and_the_record():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.work()
    rig.assign(INCREMENTAL, RemoveTask("t1"))
    rig.work()
    assert rig.containers == {}
    assert Rig(rig.image(), boot=2).agent._database.tasks == {}


def test_changes_of_one_message_are_made_before_its_removals():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task("t1"))
    rig.work()
    rig.assign(INCREMENTAL, RemoveTask("t1"), a_task("t2"))
    kinds = [type(command) for command in rig.commands.values()]
    assert kinds == [PullImage, StopContainer]


def test_task_assigned_again_while_it_is_removed_begins_when_that_is_over():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.work()
    rig.assign(INCREMENTAL, RemoveTask("t1"))
    rig.assign(INCREMENTAL, a_task())
    assert [type(c) for c in rig.commands.values()] == [StopContainer]
    rig.answer()
    rig.answer()
    assert [type(c) for c in rig.commands.values()] == [PullImage]
    rig.work()
    assert rig.status().state == S.RUNNING


def test_task_that_ended_is_remembered_and_left_alone():
    rig = Rig().ready()
    rig.assign(COMPLETE, a_task(state=S.FAILED, desired=S.SHUTDOWN))
    assert rig.commands == {}
    assert rig.status().state == S.FAILED


def test_event_of_another_container_is_ignored():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.work()
    rig.agent.engine_event(ContainerDied("other", "t1", 1))
    rig.agent.engine_event(ContainerDied("c-t9", "t9", 1))
    rig.step()
    assert rig.status().state == S.RUNNING


def test_temporary_failure_is_tried_again_after_a_second():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.answer()
    rig.answer(Failed("busy", temporary=True))
    (key,) = [key for key in rig.timers if key.owner == "task"]
    assert rig.timers[key] == rig.out.now.mono + 1 * SECOND
    rig.agent.timer(key)
    rig.step()
    rig.work()
    assert rig.status().state == S.RUNNING


# ── reports ──────────────────────────────────────────────────────────────────────────────────


def test_report_leaves_behind_the_write_of_its_status():
    rig = Rig().ready()
    rig.agent.deliver("m1", Assignments("s1", INCREMENTAL, "1", "2", (AssignTask(a_task()),)))
    effects = rig.drain()
    kinds = [type(effect) for effect in effects if isinstance(effect, Write | Send | RunEngine)]
    assert kinds == [RunEngine, Write, Send]
    (write,) = [effect for effect in effects if isinstance(effect, Write)]
    (send,) = [effect for effect in effects if isinstance(effect, Send)]
    assert send.after == write.token != 0


def test_every_state_reaches_the_managers_in_order():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    seen = rig.accept_all()
    while rig.commands:
        rig.answer()
        seen += rig.accept_all()
    states = [status.state for _, status in seen]
    assert states == [S.PREPARING, S.STARTING, S.RUNNING]


def test_all_tasks_are_reported_after_each_registration():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task("t1"), a_task("t2"))
    rig.work()
    rig.accept_all()
    rig.agent.session.close("test")
    rig.agent.timer(next(key for key in rig.timers if key.name == "session"))
    rig.step()
    rig.take()
    rig.register()
    assert [id for id, _ in rig.accept_all()] == ["t1", "t2"]


def test_report_without_answer_ends_the_session():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.agent.timer(next(key for key in rig.timers if key.name == "report"))
    rig.step()
    assert rig.agent.session.phase.name == "WAITING"
    assert not [key for key in rig.timers if key.name == "report"]


def test_status_of_a_removed_task_is_not_reported():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.work()
    rig.accept_all()
    rig.assign(INCREMENTAL, RemoveTask("t1"))
    rig.agent.engine_event(ContainerDied("c-t1", "t1", 0))
    rig.step()
    rig.work()
    assert rig.accept_all() == []


# ── managers ─────────────────────────────────────────────────────────────────────────────────


def test_managers_that_are_not_listed_are_forgotten():
    rig = Rig()
    node = Node("n1", NodeSpec(name="w1"))
    rig.hear(SessionMessage("s1", node, (("m2", 10), ("m3", 10))))
    assert [name for name, _ in rig.agent._remotes.weights] == ["m2", "m3"]
    assert rig.agent.node == node


def test_changed_description_is_registered_with_a_new_session():
    rig = Rig().ready()
    rig.agent.describe(NodeDescription("w1", engine_version="24.0"))
    rig.step()
    rig.agent.timer(next(key for key in rig.timers if key.name == "session"))
    rig.step()
    (opened,) = rig.take(OpenSession)
    assert (opened.session_id, opened.description.engine_version) == ("s1", "24.0")


def test_tasks_go_on_without_any_manager():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.agent.session.close("gone")
    rig.step()
    rig.work()
    assert rig.status().state == S.RUNNING


def test_stopped_agent_does_nothing_more():
    rig = Rig().ready()
    rig.assign(INCREMENTAL, a_task())
    rig.agent.shutdown()
    rig.take()
    rig.agent.engine_event(ContainerDied("c-t1", "t1", 1))
    rig.agent.deliver("m1", Assignments("s1", COMPLETE, "", "1", ()))
    rig.agent.timer(next(key for key in rig.timers if key.name == "session"))
    assert rig.drain() == []


# ── a crash at every write ───────────────────────────────────────────────────────────────────


def life(rig: Rig) -> None:
    """Two tasks: one is shut down and removed, one fails."""
    rig.ready()
    rig.assign(INCREMENTAL, a_task("t1"), a_task("t2"))
    rig.work()
    rig.assign(INCREMENTAL, replace(a_task("t1"), desired_state=S.SHUTDOWN))
    rig.work()
    rig.containers["t2"] = ContainerInfo("c-t2", "t2", False, 1)
    rig.agent.engine_event(ContainerDied("c-t2", "t2", 1))
    rig.step()
    rig.assign(INCREMENTAL, RemoveTask("t1"))
    rig.work()


def writes_of_a_life() -> int:
    rig = Rig()
    life(rig)
    return len(rig.writes)


@pytest.mark.parametrize("lost", range(writes_of_a_life() + 1))
@pytest.mark.parametrize("containers", ["kept", "dead", "gone"])
def test_crash_at_any_write_leaves_a_node_that_recovers(lost, containers):
    """The last `lost` writes never became durable; the engine is further on than the database."""
    rig = Rig()
    life(rig)
    durable = rig.writes[: len(rig.writes) - lost]
    left = {
        "kept": dict(rig.containers),
        "dead": {
            task: replace(info, running=False, exit_code=255)
            for task, info in rig.containers.items()
        },
        "gone": {},
    }[containers]
    again = Rig(rig.image(durable), left, boot=2)
    again.work()
    remembered = {id: task.status.state for id, task in again.agent._database.tasks.items()}
    again.register()
    again.take(OpenAssignments)
    again.assign(COMPLETE, replace(a_task("t2"), status=TaskStatus(S.RUNNING)))
    again.work()
    assert list(again.agent._database.tasks) == ["t2"]
    assert set(again.containers) <= {"t2"}
    after = again.status("t2")
    assert after.state >= remembered.get("t2", S.NEW)
    if "t2" in again.containers and again.containers["t2"].running:
        assert after.state == S.RUNNING
    else:
        assert after.state == S.FAILED
