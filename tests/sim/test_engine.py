"""The simulated container engine: images, lanes, health, ends."""

from __future__ import annotations

import pytest

from simswarm.base.engine import (
    ContainerConfig,
    ContainerDied,
    ContainerUnhealthy,
    CreateContainer,
    Done,
    Failed,
    HealthCheck,
    ListContainers,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import MILLISECOND, SECOND
from simswarm.sim.distributions import Fixed, Uniform
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.machine.engine import CREATE_TIME, LOOKUP_TIME, REMOVE_TIME, Engine
from simswarm.sim.machine.images import (
    CannotStart,
    Exit,
    ImageBehaviour,
    Images,
    Missing,
    NeverHealthy,
)

GRACE = 10 * SECOND


class Bench:
    """An engine, what it told its node, and what it did."""

    def __init__(self, seed=1, **images):
        self.env = SimEnvironment()
        self.images = Images()
        for name, behaviour in images.items():
            self.images.set(name, behaviour)
        self.engine = Engine(self.env, self.images, SeededEntropy(seed), self)
        self.results = {}
        self.when = {}
        self.events = []
        self.order = []
        self.acts = []
        self.last = 0

    def engine_result(self, id, outcome):
        self.results[id] = outcome
        self.when[id] = self.env.now
        self.order.append(outcome)

    def engine_event(self, occurrence):
        self.events.append((self.env.now, occurrence))
        self.order.append(occurrence)

    def engine_acted(self, action, config, exit_code):
        self.acts.append((action, config.task, exit_code))

    def engine_health(self, config, *, healthy):
        self.acts.append(("healthy" if healthy else "unhealthy", config.task, None))

    def run(self, command):
        self.last += 1
        self.engine.run(self.last, command)
        return self.last

    def wait(self, span=1000 * SECOND):
        self.env.run(until=self.env.now + span)

    def done(self, command):
        """The outcome of a command, waited for."""
        id = self.run(command)
        self.wait()
        return self.results[id]

    def created(self, task="t1", image="web", health=None):
        self.done(PullImage(image, task))
        config = ContainerConfig(f"web.1.{task}", image, task, "web", 1, health=health)
        outcome = self.done(CreateContainer(config))
        self.acts.clear()
        return outcome.container

    def started(self, task="t1", image="web", health=None):
        container = self.created(task, image, health)
        assert isinstance(self.done(StartContainer(container, task)), Done)
        self.acts.clear()
        return container


def test_an_unknown_image_takes_two_seconds_to_pull_and_half_a_second_to_start():
    bench = Bench()
    pull = bench.run(PullImage("nginx", "t1"))
    create = bench.run(CreateContainer(ContainerConfig("a", "nginx", "t1", "web", 1)))
    bench.wait()
    container = bench.results[create].container
    start = bench.run(StartContainer(container, "t1"))
    began = bench.env.now
    bench.wait()
    assert bench.when[pull] == 2 * SECOND
    assert bench.when[create] == 2 * SECOND + CREATE_TIME
    assert bench.when[start] == began + 500 * MILLISECOND
    assert bench.acts == [("create", "t1", None), ("start", "t1", None)]


def test_a_second_pull_is_quick_and_one_under_way_is_shared():
    bench = Bench()
    first, second = bench.run(PullImage("web", "t1")), 0
    bench.wait(SECOND)
    second = bench.run(PullImage("web", "t2"))
    bench.wait(2 * SECOND)
    third = bench.run(PullImage("web", "t3"))
    bench.wait(SECOND)
    assert bench.when[first] == bench.when[second] == 2 * SECOND
    assert bench.when[third] == 3 * SECOND + LOOKUP_TIME


def test_a_missing_image_cannot_be_pulled_nor_created():
    bench = Bench(web=ImageBehaviour(pull=Missing()))
    assert bench.done(PullImage("web", "t1")) == Failed("No such image: web", missing=True)
    config = ContainerConfig("a", "web", "t1", "web", 1)
    assert bench.done(CreateContainer(config)) == Failed("No such image: web", missing=True)


def test_an_image_is_known_by_its_name_without_default_tag_and_digest():
    images = Images()
    behaviour = ImageBehaviour(start=Fixed(1))
    images.set("web", behaviour)
    images.set("host:5000/api:latest", behaviour)
    for name in ("web", "web:latest", "web@sha256:00", "host:5000/api"):
        assert images.of(name) == behaviour
    assert images.of("web:2") == ImageBehaviour()


def test_creating_the_same_task_again_gives_its_container():
    bench = Bench()
    container = bench.created()
    config = ContainerConfig("web.1.t1", "web", "t1", "web", 1)
    assert bench.done(CreateContainer(config)) == Done(container=container)
    assert bench.acts == []


def test_commands_of_a_task_run_in_order_and_tasks_do_not_wait_for_each_other():
    bench = Bench()
    one = bench.started("t1")
    other = bench.started("t2")
    ids = [bench.run(StopContainer(one, "t1", GRACE)), bench.run(RemoveContainer(one, "t1"))]
    ids.append(bench.run(StopContainer(other, "t2", GRACE)))
    began = bench.env.now
    bench.wait()
    stopped = began + 100 * MILLISECOND
    assert [bench.when[id] for id in ids] == [stopped, stopped + REMOVE_TIME, stopped]


def test_a_stop_within_the_grace_period_ends_with_0_else_with_sigkill_and_137():
    bench = Bench(slow=ImageBehaviour(stop=Fixed(60 * SECOND)))
    quick, slow = bench.started("t1"), bench.started("t2", "slow")
    began = bench.env.now
    bench.run(StopContainer(quick, "t1", GRACE))
    bench.run(StopContainer(slow, "t2", GRACE))
    bench.wait()
    assert bench.acts == [
        ("die", "t1", 0),
        ("stop", "t1", None),
        ("kill", "t2", None),
        ("die", "t2", 137),
        ("stop", "t2", None),
    ]
    assert bench.events == [
        (began + 100 * MILLISECOND, ContainerDied(quick, "t1", 0)),
        (began + GRACE, ContainerDied(slow, "t2", 137)),
    ]
    assert bench.done(StopContainer(quick, "t1", GRACE)) == Done(container=quick)
    assert len(bench.events) == 2


def test_a_container_that_exits_tells_its_code_once():
    bench = Bench(batch=ImageBehaviour(exit=Exit(Fixed(3 * SECOND), 4)))
    container = bench.started("t1", "batch")
    assert [occurrence for _, occurrence in bench.events] == [ContainerDied(container, "t1", 4)]
    assert bench.engine.containers[container].exit_code == 4


def test_a_container_can_be_made_to_exit():
    bench = Bench()
    container = bench.started()
    assert bench.engine.exit("t1", 7)
    assert not bench.engine.exit("t1", 7)
    assert bench.events == [(bench.env.now, ContainerDied(container, "t1", 7))]


def test_what_cannot_start_fails_with_127_and_does_not_die():
    bench = Bench(bad=ImageBehaviour(start=CannotStart()))
    container = bench.created("t1", "bad")
    outcome = bench.done(StartContainer(container, "t1"))
    assert isinstance(outcome, Failed)
    assert outcome.exit_code == 127
    assert bench.events == bench.acts == []


CHECK = HealthCheck(("CMD", "true"), interval=2 * SECOND, retries=3)


def test_a_start_with_a_health_check_ends_when_it_is_healthy():
    bench = Bench(web=ImageBehaviour(healthy=Fixed(3 * SECOND)))
    container = bench.created(health=CHECK)
    began = bench.env.now
    start = bench.run(StartContainer(container, "t1"))
    bench.wait(2 * SECOND)
    assert bench.engine.containers[container].info().healthy is False
    bench.wait()
    assert bench.when[start] == began + 3500 * MILLISECOND
    assert bench.engine.containers[container].info().healthy
    assert bench.acts == [("start", "t1", None), ("healthy", "t1", None)]


def test_an_image_brings_a_check_of_its_own_unless_the_service_says_none():
    slow = ImageBehaviour(healthy=Fixed(3 * SECOND))
    for health, expected in ((None, 3500), (HealthCheck(("NONE",)), 500)):
        bench = Bench(web=slow)
        container = bench.created(health=health)
        began = bench.env.now
        start = bench.run(StartContainer(container, "t1"))
        bench.wait()
        assert bench.when[start] == began + expected * MILLISECOND


@pytest.mark.parametrize(
    ("check", "after"),
    [
        (None, 90),
        (CHECK, 6),
        (HealthCheck(("CMD", "x"), interval=5 * SECOND, retries=2, start_period=12 * SECOND), 20),
    ],
)
def test_what_never_is_healthy_fails_after_its_retries_and_runs_on(check, after):
    bench = Bench(web=ImageBehaviour(healthy=NeverHealthy()))
    container = bench.created(health=check)
    began = bench.env.now
    start = bench.run(StartContainer(container, "t1"))
    bench.wait()
    assert bench.results[start] == Failed("unhealthy container")
    assert bench.when[start] == began + 500 * MILLISECOND + after * SECOND
    assert bench.engine.containers[container].running
    assert bench.acts[-1] == ("unhealthy", "t1", None)
    assert bench.events == []


def test_without_a_start_waiting_an_unhealthy_container_is_an_event():
    bench = Bench(web=ImageBehaviour(healthy=NeverHealthy()))
    container = bench.created(health=CHECK)
    start = bench.run(StartContainer(container, "t1"))
    bench.wait(SECOND)
    bench.engine.cancel(start)
    bench.wait()
    assert start not in bench.results
    assert [occurrence for _, occurrence in bench.events] == [ContainerUnhealthy(container, "t1")]


def test_a_container_that_dies_while_starting_is_told_after_the_starts_outcome():
    behaviour = ImageBehaviour(healthy=Fixed(5 * SECOND), exit=Exit(Fixed(SECOND), 3))
    bench = Bench(web=behaviour)
    container = bench.created()
    bench.order.clear()
    bench.run(StartContainer(container, "t1"))
    bench.wait()
    assert bench.order == [
        Failed("task: non-zero exit (3)", exit_code=3),
        ContainerDied(container, "t1", 3),
    ]


def test_a_cancelled_pull_frees_its_lane_at_once():
    bench = Bench(web=ImageBehaviour(pull=Fixed(120 * SECOND)))
    pull = bench.run(PullImage("web", "t1"))
    listing = bench.run(RemoveContainer("none", "t1"))
    bench.wait(SECOND)
    bench.engine.cancel(pull)
    bench.engine.cancel(999)
    bench.wait()
    assert pull not in bench.results
    assert bench.when[listing] == SECOND + REMOVE_TIME
    assert bench.results[listing] == Failed("No such container: none", missing=True)


def test_a_cancelled_start_still_takes_effect_before_the_next_command():
    bench = Bench()
    container = bench.created()
    start = bench.run(StartContainer(container, "t1"))
    stop = bench.run(StopContainer(container, "t1", GRACE))
    bench.engine.cancel(start)
    bench.wait()
    assert start not in bench.results
    assert [action for action, _, _ in bench.acts] == ["start", "die", "stop"]
    assert bench.results[stop] == Done(container=container)


def test_a_start_that_was_cancelled_does_not_wait_for_health():
    bench = Bench(web=ImageBehaviour(healthy=Fixed(60 * SECOND)))
    container = bench.created(health=CHECK)
    began = bench.env.now
    start = bench.run(StartContainer(container, "t1"))
    stop = bench.run(StopContainer(container, "t1", GRACE))
    bench.wait(100 * MILLISECOND)
    bench.engine.cancel(start)
    bench.wait()
    assert start not in bench.results
    assert bench.when[stop] == began + 600 * MILLISECOND


def test_a_queued_command_that_is_cancelled_is_never_begun():
    bench = Bench()
    container = bench.started()
    bench.run(StopContainer(container, "t1", GRACE))
    remove = bench.run(RemoveContainer(container, "t1"))
    bench.engine.cancel(remove)
    bench.wait()
    assert remove not in bench.results
    assert container in bench.engine.containers


def test_removing_what_runs_kills_it():
    bench = Bench()
    container = bench.started()
    assert bench.done(RemoveContainer(container, "t1")) == Done(container=container)
    assert bench.acts == [("kill", "t1", None), ("die", "t1", 137), ("remove", "t1", None)]
    missing = Failed(f"No such container: {container}", missing=True)
    for command in (
        RemoveContainer(container, "t1"),
        StartContainer(container, "t1"),
        StopContainer(container, "t1", GRACE),
    ):
        assert bench.done(command) == missing


def test_a_crash_ends_containers_with_255_and_forgets_commands():
    bench = Bench()
    running = bench.started("t1")
    created = bench.created("t2")
    pending = bench.run(PullImage("other", "t3"))
    bench.engine.crash(wipe=False)
    bench.wait()
    assert pending not in bench.results
    assert bench.events == []
    assert bench.acts == [("die", "t1", 255)]
    listed = bench.done(ListContainers()).containers
    assert {(info.container, info.running, info.exit_code) for info in listed} == {
        (running, False, 255),
        (created, False, None),
    }
    pull = bench.run(PullImage("web", "t4"))
    began = bench.env.now
    bench.wait()
    assert bench.when[pull] == began + LOOKUP_TIME  # images survive


def test_a_lost_disk_takes_images_and_containers():
    bench = Bench()
    bench.started()
    bench.engine.crash(wipe=True)
    assert bench.done(ListContainers()) == Done()
    began = bench.env.now
    pull = bench.run(PullImage("web", "t2"))
    bench.wait()
    assert bench.when[pull] == began + 2 * SECOND


def test_durations_are_drawn_for_each_container_by_name_not_by_order():
    behaviour = ImageBehaviour(start=Uniform(SECOND, 9 * SECOND))

    def start_times(tasks):
        bench = Bench(web=behaviour)
        times = {}
        for task in tasks:
            container = bench.created(task)
            began = bench.env.now
            start = bench.run(StartContainer(container, task))
            bench.wait()
            times[task] = bench.when[start] - began
        return times

    one, other = start_times(["t1", "t2", "t3"]), start_times(["t3", "t2", "t4", "t1"])
    assert len(set(one.values())) == 3
    assert all(other[task] == span for task, span in one.items())


def test_a_new_behaviour_holds_for_what_starts_from_now_on():
    bench = Bench()
    first, second = bench.started("t1"), bench.created("t2")
    bench.images.set("web", ImageBehaviour(exit=Exit(Fixed(SECOND), 1)))
    bench.done(StartContainer(second, "t2"))
    assert bench.engine.containers[first].running
    assert not bench.engine.containers[second].running


def test_a_node_that_reacts_to_an_outcome_by_a_command_is_served_once():
    class Eager(Bench):
        def engine_result(self, id, outcome):
            super().engine_result(id, outcome)
            if isinstance(self.order[-1], Done) and len(self.results) < 3:
                self.run(PullImage("web", "t1"))

    bench = Eager()
    bench.run(PullImage("web", "t1"))
    bench.wait()
    assert sorted(bench.results) == [1, 2, 3]
