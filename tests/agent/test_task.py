"""One task manager against a hand-driven engine: the life of a task, and every way it can end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.agent.task import TaskManager
from simswarm.base.engine import (
    ContainerInfo,
    CreateContainer,
    Done,
    EngineCommand,
    Failed,
    HealthCheck,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from simswarm.base.time import SECOND
from simswarm.base.values import replace
from simswarm.model.objects import ContainerStatus, TaskStatus
from simswarm.model.specs import ContainerSpec
from simswarm.model.taskstate import TaskState as S
from simswarm.model.taskstate import is_terminal
from tests.agent.bench import a_task


class Shop:
    """The worker as a task manager sees it, and the engine behind it."""

    def __init__(self, task=None, found: ContainerInfo | None = None) -> None:
        self.reported: list[TaskStatus] = []
        self.running: dict[int, EngineCommand] = {}
        self.asked: list[EngineCommand] = []
        self.cancelled: list[EngineCommand] = []
        self.retry = False
        self.gone = False
        self.now = 100
        self.manager = TaskManager(self, task or a_task())
        self.manager.adopt(found)
        self.manager.advance()

    # what the manager asks for
    def report(self, task) -> None:
        self.reported.append(task.status)

    def timestamp(self) -> int:
        return self.now

    def run(self, manager, command) -> int:
        assert not self.running, "two commands at once"
        self.asked.append(command)
        self.running[len(self.asked)] = command
        return len(self.asked)

    def cancel(self, command: int) -> None:
        self.cancelled.append(self.running.pop(command))

    def set_retry(self, manager) -> None:
        assert not self.retry
        self.retry = True

    def cancel_retry(self, manager) -> None:
        assert self.retry
        self.retry = False

    def on_removed(self, manager) -> None:
        assert not self.gone
        self.gone = True

    # what a test does
    @property
    def asks(self) -> EngineCommand | None:
        return next(iter(self.running.values()), None)

    @property
    def status(self) -> TaskStatus:
        return self.manager.task.status

    def answer(self, outcome=None) -> None:
        self.running.popitem()
        self.manager.on_outcome(outcome or Done(container="c1", pid=7))
        self.manager.check_invariants()

    def want(self, desired: S) -> None:
        self.manager.update(replace(self.manager.task, desired_state=desired))
        self.manager.check_invariants()

    def until(self, kind: type[EngineCommand]) -> Shop:
        while not isinstance(self.asks, kind):
            self.answer()
        return self

    def up(self) -> Shop:
        """Run."""
        while self.running:
            self.answer()
        assert self.status.state == S.RUNNING
        return self


def states(shop: Shop) -> list[S]:
    return [status.state for status in shop.reported]


# ── the way up ───────────────────────────────────────────────────────────────────────────────


def test_task_goes_all_the_way_to_running():
    shop = Shop().up()
    assert [type(command) for command in shop.asked] == [PullImage, CreateContainer, StartContainer]
    assert [(s.state, s.message) for s in shop.reported] == [
        (S.ACCEPTED, "accepted"),
        (S.PREPARING, "preparing"),
        (S.READY, "prepared"),
        (S.STARTING, "starting"),
        (S.RUNNING, "started"),
    ]
    assert shop.status == TaskStatus(S.RUNNING, 100, "started", "", ContainerStatus("c1", 7))


def test_container_is_named_after_service_slot_and_task():
    (_, create) = Shop().until(CreateContainer).asked
    assert create.config.name == "web.1.t1"
    (_, create) = Shop(a_task(slot=0)).until(CreateContainer).asked
    assert create.config.name == "web.n1.t1"
    assert create.config.slot is None
    assert ("com.docker.swarm.task.id", "t1") in create.config.labels


def test_task_desired_ready_waits_there_and_then_goes_on():
    shop = Shop(a_task(desired=S.READY))
    shop.answer()
    shop.answer()
    assert shop.status.state == S.READY
    assert shop.asks is None
    shop.want(S.RUNNING)
    assert shop.status.state == S.STARTING
    assert shop.asks == StartContainer("c1", "t1")


def test_desired_state_that_rises_during_the_pull_does_not_pull_again():
    shop = Shop(a_task(desired=S.READY))
    shop.want(S.RUNNING)
    assert shop.cancelled == []
    shop.up()
    assert sum(isinstance(command, PullImage) for command in shop.asked) == 1


def test_lowered_desired_state_is_ignored():
    shop = Shop().up()
    shop.want(S.READY)
    assert shop.manager.task.desired_state == S.RUNNING
    assert shop.asks is None


# ── ends ─────────────────────────────────────────────────────────────────────────────────────


def test_exit_0_completes_the_task():
    shop = Shop().up()
    shop.manager.on_died(0, "")
    assert (shop.status.state, shop.status.message) == (S.COMPLETE, "finished")
    assert shop.status.container.exit_code == 0


def test_other_exit_fails_the_task_and_leaves_the_message():
    shop = Shop().up()
    shop.manager.on_died(1, "")
    assert shop.status == TaskStatus(
        S.FAILED, 100, "started", "task: non-zero exit (1)", ContainerStatus("c1", 7, 1)
    )


def test_cause_of_an_exit_is_told():
    shop = Shop().up()
    shop.manager.on_died(137, "OOM")
    assert shop.status.error == "task: non-zero exit (137): OOM"


def test_missing_image_rejects_the_task_with_docker_text():
    shop = Shop()
    shop.answer(Failed("manifest unknown", missing=True))
    shop.answer(Failed("whatever", missing=True))
    assert (shop.status.state, shop.status.message) == (S.REJECTED, "preparing")
    assert shop.status.error == "No such image: web:1"
    assert shop.asks is None


def test_failed_pull_is_ignored_if_the_image_is_there():
    shop = Shop()
    shop.answer(Failed("registry unreachable", temporary=True))
    assert isinstance(shop.asks, CreateContainer)
    shop.up()


def test_command_that_cannot_start_fails_with_127():
    shop = Shop().until(StartContainer)
    shop.answer(Failed("no such file or directory", exit_code=127))
    assert (shop.status.state, shop.status.message) == (S.FAILED, "starting")
    assert shop.status.error == "starting container failed: no such file or directory"
    assert shop.status.container.exit_code == 127


def test_container_that_ends_while_starting_fails_with_its_code():
    shop = Shop().until(StartContainer)
    shop.answer(Failed("task: non-zero exit (3)", exit_code=3))
    assert (shop.status.state, shop.status.error) == (S.FAILED, "task: non-zero exit (3)")
    shop.manager.on_died(3, "")
    assert shop.status.state == S.FAILED


def test_container_that_ends_well_while_starting_completes():
    shop = Shop().until(StartContainer)
    shop.answer(Failed("task: non-zero exit (0)", exit_code=0))
    assert states(shop)[-2:] == [S.RUNNING, S.COMPLETE]


def test_container_that_died_before_its_start_was_told_ends_after_it():
    shop = Shop().until(StartContainer)
    shop.manager.on_died(2, "")
    assert shop.status.state == S.STARTING
    shop.answer()
    assert states(shop)[-2:] == [S.RUNNING, S.FAILED]


@pytest.mark.parametrize("told_by_start", [True, False])
def test_container_unhealthy_while_starting_is_stopped_and_fails(told_by_start):
    shop = Shop().until(StartContainer)
    if told_by_start:
        shop.answer(Failed("unhealthy container"))
    else:
        shop.manager.on_unhealthy()
        assert [type(c) for c in shop.cancelled] == [StartContainer]
    assert isinstance(shop.asks, StopContainer)
    shop.manager.on_died(137, "")
    shop.answer()
    assert shop.status.state == S.FAILED
    assert shop.status.error == "task: non-zero exit (137): dockerexec: unhealthy container"


def test_running_container_that_turns_unhealthy_is_stopped_and_fails():
    shop = Shop().up()
    shop.manager.on_unhealthy()
    assert isinstance(shop.asks, StopContainer)
    shop.manager.on_died(0, "")
    shop.answer()
    assert (shop.status.state, shop.status.error) == (S.FAILED, "dockerexec: unhealthy container")


# ── shutdown ─────────────────────────────────────────────────────────────────────────────────


def test_shutdown_stops_with_the_grace_period_and_records_the_exit_code():
    shop = Shop(a_task(container=ContainerSpec("web:1", stop_grace=3 * SECOND))).up()
    shop.want(S.SHUTDOWN)
    assert shop.asks == StopContainer("c1", "t1", 3 * SECOND)
    shop.manager.on_died(137, "")
    assert shop.status.state == S.RUNNING
    shop.answer()
    assert (shop.status.state, shop.status.message) == (S.SHUTDOWN, "shutdown")
    assert shop.status.container.exit_code == 137


def test_default_grace_period_is_ten_seconds():
    shop = Shop().up()
    shop.want(S.SHUTDOWN)
    assert shop.asks.grace == 10 * SECOND


def test_exit_code_told_after_the_stop_is_added():
    shop = Shop().up()
    shop.want(S.SHUTDOWN)
    shop.answer()
    assert shop.status.container.exit_code is None
    shop.manager.on_died(0, "")
    assert shop.status.state == S.SHUTDOWN
    assert shop.status.container.exit_code == 0


def test_shutdown_of_a_task_without_container_needs_no_engine():
    shop = Shop(a_task(desired=S.SHUTDOWN))
    assert states(shop) == [S.SHUTDOWN]
    assert shop.asked == []


@pytest.mark.parametrize("kind", [PullImage, StartContainer])
def test_shutdown_gives_up_a_pull_and_a_start(kind):
    shop = Shop().until(kind)
    shop.want(S.SHUTDOWN)
    assert [type(command) for command in shop.cancelled] == [kind]
    while shop.running:
        shop.answer()
    assert shop.status.state == S.SHUTDOWN


def test_shutdown_waits_for_a_creation():
    shop = Shop().until(CreateContainer)
    shop.want(S.SHUTDOWN)
    assert isinstance(shop.asks, CreateContainer)
    shop.answer()
    assert shop.status.state == S.SHUTDOWN
    shop.manager.remove()
    assert shop.asks == RemoveContainer("c1", "t1")


def test_container_that_is_gone_counts_as_stopped():
    shop = Shop().up()
    shop.want(S.SHUTDOWN)
    shop.answer(Failed("No such container: c1", missing=True))
    assert shop.status.state == S.SHUTDOWN


def test_ended_task_is_not_touched_by_shutdown():
    shop = Shop().up()
    shop.manager.on_died(1, "")
    asked = len(shop.asked)
    shop.want(S.SHUTDOWN)
    shop.want(S.REMOVE)
    assert shop.status.state == S.FAILED
    assert len(shop.asked) == asked


# ── trouble for the moment ───────────────────────────────────────────────────────────────────


def test_temporary_failure_is_tried_again():
    shop = Shop().until(StartContainer)
    shop.answer(Failed("engine busy", temporary=True))
    assert shop.retry
    assert shop.status.state == S.STARTING
    shop.retry = False
    shop.manager.on_retry()
    shop.up()


def test_update_ends_the_wait_for_another_try():
    shop = Shop().until(CreateContainer)
    shop.answer(Failed("engine busy", temporary=True))
    shop.want(S.SHUTDOWN)
    assert not shop.retry
    assert shop.status.state == S.SHUTDOWN


# ── removal ──────────────────────────────────────────────────────────────────────────────────


def test_removed_task_is_stopped_and_its_container_removed():
    shop = Shop().up()
    shop.manager.remove()
    assert isinstance(shop.asks, StopContainer)
    shop.answer()
    assert isinstance(shop.asks, RemoveContainer)
    assert not shop.gone
    shop.answer()
    assert shop.gone
    assert states(shop)[-1] == S.RUNNING


def test_removed_task_that_had_ended_is_only_removed():
    shop = Shop().up()
    shop.manager.on_died(1, "")
    shop.manager.remove()
    assert isinstance(shop.asks, RemoveContainer)


def test_removed_task_without_container_is_gone_at_once():
    shop = Shop()
    shop.manager.remove()
    assert [type(command) for command in shop.cancelled] == [PullImage]
    assert shop.gone


# ── after a boot ─────────────────────────────────────────────────────────────────────────────

LOST = (S.FAILED, "task: non-zero exit (255)", 255)


@pytest.mark.parametrize(
    "found",
    [
        None,
        ContainerInfo("c1", "t1", running=False, exit_code=255),
        ContainerInfo("c1", "t1", running=False),
    ],
)
def test_running_task_whose_container_is_lost_has_failed_with_255(found):
    status = TaskStatus(S.RUNNING, 5, "started", "", ContainerStatus("c1", 7))
    shop = Shop(a_task(status=status), found)
    container = shop.status.container
    assert (shop.status.state, shop.status.error, container.exit_code) == LOST
    assert shop.status.message == "started"
    assert shop.asked == []


def test_running_container_is_adopted():
    status = TaskStatus(S.RUNNING, 5, "started", "", ContainerStatus("c1", 7))
    shop = Shop(a_task(status=status), ContainerInfo("c1", "t1", running=True))
    assert shop.reported == []
    shop.want(S.SHUTDOWN)
    assert shop.asks == StopContainer("c1", "t1", 10 * SECOND)


def test_container_that_ended_meanwhile_ends_the_task_with_its_code():
    status = TaskStatus(S.RUNNING, 5, "started", "", ContainerStatus("c1", 7))
    shop = Shop(a_task(status=status), ContainerInfo("c1", "t1", running=False, exit_code=0))
    assert shop.status.state == S.COMPLETE


def test_starting_task_whose_container_runs_is_running():
    shop = Shop(a_task(state=S.STARTING), ContainerInfo("c1", "t1", running=True))
    assert states(shop) == [S.RUNNING]


def test_starting_task_waits_until_its_running_container_is_healthy():
    spec = ContainerSpec("web:1", health=HealthCheck(("CMD", "true")))
    info = ContainerInfo("c1", "t1", running=True, healthy=False)
    shop = Shop(a_task(state=S.STARTING, container=spec), info)
    assert shop.asks == StartContainer("c1", "t1")
    shop.up()


def test_starting_task_whose_container_never_ran_is_started():
    shop = Shop(a_task(state=S.STARTING), ContainerInfo("c1", "t1", running=False))
    assert shop.asks == StartContainer("c1", "t1")


def test_preparing_task_whose_container_is_there_is_ready():
    shop = Shop(
        a_task(state=S.PREPARING, desired=S.READY), ContainerInfo("c1", "t1", running=False)
    )
    assert states(shop) == [S.READY]
    assert shop.asked == []


def test_ready_task_whose_container_is_lost_gets_a_new_one():
    shop = Shop(a_task(state=S.READY, desired=S.READY))
    assert shop.asked == []
    shop.want(S.RUNNING)
    assert isinstance(shop.asks, CreateContainer)
    shop.up()


# ── whatever happens ─────────────────────────────────────────────────────────────────────────

OUTCOMES = st.sampled_from(
    [
        Done(container="c1", pid=7),
        Failed("no"),
        Failed("no", missing=True),
        Failed("no", temporary=True),
        Failed("no", exit_code=127),
        Failed("task: non-zero exit (0)", exit_code=0),
        Failed("task: non-zero exit (1)", exit_code=1),
        Failed("unhealthy container"),
    ]
)
EVENTS = st.one_of(
    st.tuples(st.just("answer"), OUTCOMES),
    st.tuples(st.just("want"), st.sampled_from([S.READY, S.RUNNING, S.SHUTDOWN, S.REMOVE])),
    st.tuples(st.just("died"), st.sampled_from([0, 1, 137])),
    st.tuples(st.just("unhealthy"), st.none()),
    st.tuples(st.just("retry"), st.none()),
    st.tuples(st.just("remove"), st.none()),
)
FOUND = st.one_of(
    st.none(),
    st.builds(
        ContainerInfo,
        st.just("c1"),
        st.just("t1"),
        st.booleans(),
        st.sampled_from([None, 0, 1, 255]),
        st.sampled_from([None, False, True]),
    ),
)


@given(
    state=st.sampled_from([S.ASSIGNED, S.ACCEPTED, S.PREPARING, S.READY, S.STARTING, S.RUNNING]),
    desired=st.sampled_from([S.READY, S.RUNNING, S.SHUTDOWN]),
    found=FOUND,
    events=st.lists(EVENTS, max_size=30),
)
def test_state_never_falls_and_one_command_runs_at_a_time(state, desired, found, events):
    """Any sequence of outcomes, occurrences and wishes; `Shop.run` refuses a second command."""
    shop = Shop(a_task(state=state, desired=desired), found)
    for event, value in events:
        asked = len(shop.asked)
        ended = is_terminal(shop.status.state)
        match event:
            case "answer" if shop.running:
                shop.answer(value)
            case "want":
                shop.want(value)
            case "died":
                shop.manager.on_died(value, "")
            case "unhealthy":
                shop.manager.on_unhealthy()
            case "retry" if shop.retry:
                shop.retry = False
                shop.manager.on_retry()
            case "remove":
                shop.manager.remove()
        shop.manager.check_invariants()
        if ended and not any(name == "remove" for name, _ in events):
            assert len(shop.asked) == asked, "asked of the engine for an ended task"
    path = [state, *states(shop)]
    assert path == sorted(path)
    terminal = [s for s in states(shop) if is_terminal(s)]
    assert len(terminal) <= 1 or terminal[1:] == [S.SHUTDOWN]


@given(state=st.sampled_from([S.ASSIGNED, S.READY, S.RUNNING]), found=FOUND)
def test_every_task_ends_once_it_should(state, found):
    """Liveness: with an engine that does what it is told, SHUTDOWN leads to an end."""
    shop = Shop(a_task(state=state), found)
    shop.want(S.SHUTDOWN)
    for _ in range(5):
        if shop.running:
            shop.answer()
    assert is_terminal(shop.status.state)
    shop.manager.remove()
    for _ in range(5):
        if shop.running:
            shop.answer()
    assert shop.gone
