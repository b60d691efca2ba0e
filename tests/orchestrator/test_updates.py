"""Rolling updates: what swarmkit's own tests of its updater assert, and a real swarm's order."""

from __future__ import annotations

import pytest

from simswarm.base.time import MILLISECOND, SECOND
from simswarm.base.values import replace
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.manager.orchestrator.tasks import is_dirty
from simswarm.model.objects import Service, Task, UpdateState
from simswarm.model.specs import (
    EndpointSpec,
    FailureAction,
    Placement,
    Port,
    Replicated,
    Resources,
    RestartCondition,
    RestartPolicy,
    UpdateConfig,
    UpdateOrder,
)
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import Bench, cluster, node, service, spec, task

RUNNING, READY, FAILED = TaskState.RUNNING, TaskState.READY, TaskState.FAILED
SHUTDOWN = TaskState.SHUTDOWN
NEVER = RestartPolicy(RestartCondition.NONE)


def running(replicas: int = 4, restart: RestartPolicy = NEVER, **fields) -> Bench:
    """A service `web` of image img:1 all of whose tasks run, one on each node."""
    bench = Bench()
    web = service(replicas=replicas, task=spec(restart=restart), **fields)
    bench.load(cluster(), *(node(f"n{n}") for n in range(1, replicas + 1)), web)
    bench.load(
        *(task(f"t{n}", web, n, state=RUNNING, node_id=f"n{n}") for n in range(1, replicas + 1))
    )
    bench.start(ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 1))
    return bench


def update(bench: Bench, image: str, **fields) -> None:
    """As the control API writes an update."""
    old = bench.service()
    new = replace(old.spec, task=replace(old.spec.task, container=spec(image=image).container))
    bench.put(
        replace(
            old,
            spec=replace(new, **fields),
            spec_version=(old.spec_version or 0) + 1,
            previous_spec=old.spec,
            previous_spec_version=old.spec_version,
            update_status=None,
        )
    )


def image(task: Task) -> str:
    return task.spec.container.image


def images(bench: Bench) -> list[str]:
    return sorted(image(task) for task in bench.live())


def obey(bench: Bench, failing: str = "", step: float = 0.1, steps: int = 100) -> None:
    """Agents: what shall run runs, what shall stop stops; one image fails right after starting."""
    for _ in range(steps):
        for one in bench.tasks():
            if one.status.state > RUNNING:
                continue
            if one.desired_state > RUNNING:
                bench.set_state(one, SHUTDOWN)
            elif one.desired_state == RUNNING and one.status.state < RUNNING:
                bench.set_state(one, RUNNING)
            elif image(one) == failing and one.status.state == RUNNING:
                bench.set_state(one, FAILED)
        bench.run(step)


def status(bench: Bench) -> tuple[UpdateState, str]:
    found = bench.service().update_status
    assert found is not None
    return found.state, found.message


def test_an_update_ends_with_all_slots_on_the_new_image():
    bench = running()
    update(bench, "img:2")
    assert status(bench) == (UpdateState.UPDATING, "update in progress")
    obey(bench)
    assert images(bench) == ["img:2"] * 4
    assert status(bench) == (UpdateState.COMPLETED, "update completed")
    found = bench.service().update_status
    assert found is not None
    assert found.started_at is not None
    assert found.completed_at is not None
    assert found.completed_at > found.started_at


def test_stop_first_prepares_the_new_task_while_the_old_one_stops():
    bench = running(update=UpdateConfig(parallelism=1))
    update(bench, "img:2")
    (new,) = [t for t in bench.tasks() if image(t) == "img:2"]
    old = bench.task("t1")
    assert (new.slot, new.desired_state, old.desired_state) == (1, READY, SHUTDOWN)
    bench.set_state(old, SHUTDOWN)
    assert bench.task(new.id).desired_state == RUNNING


def test_creating_and_shutting_down_is_one_write():
    bench = running(replicas=1)
    before = len(bench.proposer.committed)
    update(bench, "img:2")
    updates = [c for n, c in bench.proposer.committed[before:] if n == "replicated.update"]
    assert [len(changes) for changes in updates] == [2]


def test_start_first_stops_the_old_task_when_the_new_one_runs():
    bench = running(update=UpdateConfig(parallelism=1, order=UpdateOrder.START_FIRST))
    update(bench, "img:2")
    (new,) = [t for t in bench.tasks() if image(t) == "img:2"]
    assert (new.desired_state, bench.task("t1").desired_state) == (RUNNING, RUNNING)
    bench.set_state(new, RUNNING)
    assert bench.task("t1").desired_state == SHUTDOWN
    obey(bench)
    assert images(bench) == ["img:2"] * 4
    assert len(bench.tasks()) == 8, "exactly one new task a slot"


def test_start_first_keeps_the_old_task_when_the_new_one_fails():
    bench = running(replicas=1, update=UpdateConfig(order=UpdateOrder.START_FIRST))
    update(bench, "img:2")
    (new,) = [t for t in bench.tasks() if image(t) == "img:2"]
    bench.set_state(new, FAILED)
    assert bench.task("t1").desired_state == RUNNING


@pytest.mark.parametrize(("parallelism", "at_once"), [(1, 1), (2, 2), (0, 4), (9, 4)])
def test_no_more_slots_than_allowed_are_worked_on(parallelism, at_once):
    bench = running(update=UpdateConfig(parallelism=parallelism))
    update(bench, "img:2")
    assert images(bench).count("img:2") == at_once
    assert sum(1 for t in bench.tasks() if t.desired_state == SHUTDOWN) == at_once


def test_without_configuration_one_slot_at_a_time():
    bench = running()
    update(bench, "img:2")
    assert images(bench).count("img:2") == 1


def test_the_delay_passes_between_slots():
    bench = running(replicas=2, update=UpdateConfig(parallelism=1, delay=2 * SECOND))
    update(bench, "img:2")
    obey(bench, steps=10)
    assert images(bench) == ["img:1", "img:2"]
    obey(bench, steps=15)
    assert images(bench) == ["img:2", "img:2"]


def test_old_tasks_that_never_stop_hold_an_update_up_for_a_minute_each():
    bench = running(replicas=2)
    update(bench, "img:2")
    bench.run(59)
    assert images(bench).count("img:2") == 1
    for _ in range(3):
        for one in bench.live():
            if one.desired_state == RUNNING and one.status.state < RUNNING:
                bench.set_state(one, RUNNING)
        bench.run(60)
    assert images(bench) == ["img:2"] * 2


def test_an_update_pauses_at_the_first_failure():
    bench = running(update=UpdateConfig(parallelism=1, monitor=500 * MILLISECOND))
    update(bench, "img:bad")
    obey(bench, failing="img:bad")
    state, message = status(bench)
    failed = [t.id for t in bench.tasks() if t.status.state == FAILED]
    assert state == UpdateState.PAUSED
    words, _, culprit = message.rpartition(" ")
    assert words == "update paused due to failure or early termination of task"
    assert culprit in failed
    assert len(failed) < 4, "the slots that were not reached keep the old image"
    before = bench.tasks()
    stored = bench.service()
    bench.put(replace(stored, spec=replace(stored.spec, labels=(("a", "b"),))))
    bench.run(60)
    assert bench.tasks() == before, "a paused service is left alone"


def test_a_new_update_ends_a_pause():
    bench = running(update=UpdateConfig(parallelism=1))
    update(bench, "img:bad")
    obey(bench, failing="img:bad")
    update(
        bench, "img:3", update=UpdateConfig(parallelism=1, failure_action=FailureAction.CONTINUE)
    )
    obey(bench, steps=200)
    assert images(bench) == ["img:3"] * 4
    assert status(bench)[0] == UpdateState.COMPLETED


def test_continue_ignores_failures():
    bench = running(update=UpdateConfig(parallelism=1, failure_action=FailureAction.CONTINUE))
    update(bench, "img:bad")
    obey(bench, failing="img:bad")
    assert status(bench) == (UpdateState.COMPLETED, "update completed")
    assert {image(t) for t in bench.tasks() if t.status.state == FAILED} == {"img:bad"}


@pytest.mark.parametrize(("ratio", "pauses"), [(0.24, True), (0.25, False), (0.3, False)])
def test_a_ratio_of_failures_must_be_exceeded(ratio, pauses):
    config = UpdateConfig(parallelism=1, max_failure_ratio=ratio, monitor=5 * SECOND)
    bench = running(update=config)
    update(bench, "img:2")
    (first,) = [t for t in bench.live() if image(t) == "img:2"]
    bench.set_state(bench.task("t1"), SHUTDOWN)
    bench.set_state(first, FAILED)
    obey(bench)
    assert (status(bench)[0] == UpdateState.PAUSED) == pauses


def test_a_failure_after_the_monitoring_period_does_not_count():
    bench = running(replicas=1, update=UpdateConfig(parallelism=1, monitor=1 * SECOND))
    update(bench, "img:2")
    obey(bench, steps=9)
    assert status(bench)[0] == UpdateState.UPDATING
    obey(bench, steps=4)
    assert status(bench)[0] == UpdateState.COMPLETED
    (new,) = bench.live()
    bench.set_state(new, FAILED)
    bench.run(10)
    assert status(bench)[0] == UpdateState.COMPLETED


def test_with_a_long_delay_the_last_slots_failure_is_not_missed():
    """The worker waits the delay before anyone looks: the period becomes longer than that."""
    bench = running(
        replicas=1, update=UpdateConfig(parallelism=1, delay=4 * SECOND, monitor=1 * SECOND)
    )
    update(bench, "img:2")
    obey(bench, steps=3)
    (new,) = bench.live()
    bench.set_state(new, FAILED)
    bench.run(3)
    assert status(bench)[0] == UpdateState.UPDATING
    bench.run(1)
    assert status(bench)[0] == UpdateState.PAUSED


def test_a_slot_that_was_restarted_meanwhile_is_not_replaced_again():
    """Slot 2 fails and comes back with the new spec before the updater gets to it."""
    config = UpdateConfig(parallelism=1)
    bench = running(replicas=2, restart=RestartPolicy(delay=0), update=config)
    update(bench, "img:2")
    bench.set_state(bench.task("t2"), FAILED)
    obey(bench)
    assert sorted(t.slot for t in bench.tasks()) == [1, 1, 2, 2]
    assert status(bench)[0] == UpdateState.COMPLETED


def test_a_task_that_fails_before_it_is_started_frees_its_worker():
    bench = running(
        replicas=2, update=UpdateConfig(parallelism=1, failure_action=FailureAction.CONTINUE)
    )
    update(bench, "img:2")
    (new,) = [t for t in bench.tasks() if image(t) == "img:2"]
    bench.set_state(new, TaskState.REJECTED)
    bench.put(replace(bench.task(new.id), desired_state=TaskState.REMOVE))
    bench.set_state(bench.task("t1"), SHUTDOWN)
    bench.run(1)
    assert [t.slot for t in bench.live() if image(t) == "img:2"] == [2]


def rolling_back(rollback_action: FailureAction) -> Bench:
    """Two slots are updated at once; when the first fails the second has to be rolled back."""
    bench = running(
        update=UpdateConfig(parallelism=2, failure_action=FailureAction.ROLLBACK),
        rollback=UpdateConfig(parallelism=1, failure_action=rollback_action),
    )
    update(bench, "img:bad")
    return bench


def test_a_failing_update_is_rolled_back():
    bench = rolling_back(FailureAction.PAUSE)
    version = bench.service().previous_spec_version
    for _ in range(100):
        obey(bench, failing="img:bad", steps=1)
        if status(bench)[0] != UpdateState.UPDATING:
            break
    state, message = status(bench)
    assert state == UpdateState.ROLLBACK_STARTED
    assert message.startswith("update rolled back due to failure or early termination of task ")
    rolled = bench.service()
    assert (rolled.spec_version, rolled.previous_spec) == (version, None)
    obey(bench)
    assert status(bench) == (UpdateState.ROLLBACK_COMPLETED, "rollback completed")
    assert images(bench) == ["img:1"] * 4


def fail_everything(bench: Bench) -> None:
    """Every task that comes up from now on fails, whatever its image, one after the other."""
    for _ in range(300):
        for one in bench.tasks():
            if one.status.state <= RUNNING < one.desired_state:
                bench.set_state(one, SHUTDOWN)
        up = [t for t in bench.tasks() if t.status.state < RUNNING == t.desired_state]
        if up:
            bench.set_state(up[0], FAILED)
        bench.run(0.1)


def test_a_rollback_that_fails_is_paused():
    bench = rolling_back(FailureAction.PAUSE)
    fail_everything(bench)
    state, message = status(bench)
    assert state == UpdateState.ROLLBACK_PAUSED
    assert message.startswith("update paused due to failure or early termination of task ")


def test_a_rollback_may_ignore_failures():
    bench = rolling_back(FailureAction.CONTINUE)
    fail_everything(bench)
    assert status(bench)[0] == UpdateState.ROLLBACK_COMPLETED


def test_a_rollback_that_would_roll_back_is_paused_and_then_completes():
    """As in Swarm: the run does not notice that it was paused."""
    bench = rolling_back(FailureAction.ROLLBACK)
    fail_everything(bench)
    assert status(bench)[0] == UpdateState.COMPLETED


def test_an_update_during_an_update_replaces_what_is_in_between():
    bench = running(update=UpdateConfig(parallelism=1, delay=1 * SECOND))
    update(bench, "img:2")
    obey(bench, steps=15)
    assert {"img:1", "img:2"} == set(images(bench))
    update(bench, "img:3")
    obey(bench, steps=200)
    assert images(bench) == ["img:3"] * 4


def test_scaling_during_an_update_goes_on_with_it():
    bench = running(update=UpdateConfig(parallelism=1, delay=1 * SECOND))
    update(bench, "img:2")
    obey(bench, steps=5)
    stored = bench.service()
    bench.put(replace(stored, spec=replace(stored.spec, mode=Replicated(6))))
    obey(bench, steps=200)
    assert images(bench) == ["img:2"] * 6


def test_a_new_leader_goes_on_with_an_update():
    bench = running(update=UpdateConfig(parallelism=1, delay=1 * SECOND))
    update(bench, "img:2")
    obey(bench, steps=15)
    bench.stop()
    bench.start(ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 2))
    obey(bench, steps=200)
    assert images(bench) == ["img:2"] * 4
    assert status(bench)[0] == UpdateState.COMPLETED


def test_removing_the_service_ends_its_update():
    bench = running(update=UpdateConfig(parallelism=1, delay=1 * SECOND))
    update(bench, "img:2")
    bench.delete(Service, "web")
    obey(bench, steps=200)
    assert bench.timers == {}
    assert bench.live() == []


def test_a_large_update_is_written_in_batches():
    bench = running(replicas=150, update=UpdateConfig(parallelism=0))
    before = len(bench.proposer.committed)
    update(bench, "img:2")
    sizes = [len(c) for n, c in bench.proposer.committed[before:] if n == "replicated.update"]
    assert sum(sizes) == 300
    assert max(sizes) <= 200
    obey(bench, steps=80)
    assert images(bench) == ["img:2"] * 150


def dirty(change: dict[str, object], of_service: bool = False, at: str | None = "n1") -> bool:
    """Whether a change of the spec makes a task outdated that runs on n1."""
    web = service(task=spec(placement=Placement(constraints=("node.id==n1",))))
    old = task("t1", web, state=RUNNING, node_id=at or "")
    if of_service:
        new = replace(web.spec, **change)
    else:
        new = replace(web.spec, task=replace(web.spec.task, **change))
    return is_dirty(replace(web, spec=new, spec_version=2), old, node(at) if at else None)


def test_a_task_is_outdated_when_its_spec_differs():
    assert not dirty({})
    assert dirty({"container": spec(image="other").container})
    assert dirty({"reservations": Resources(1)})
    assert dirty({"force_update": 1})
    assert dirty({"endpoint": EndpointSpec(ports=(Port(80),))}, of_service=True)
    assert not dirty({"labels": (("a", "b"),)}, of_service=True)


def test_placement_alone_matters_only_where_the_node_does_not_satisfy_it():
    assert not dirty({"placement": Placement(constraints=("node.id!=n2",))})
    assert not dirty({"placement": Placement(max_replicas=1)})
    assert dirty({"placement": Placement(constraints=("node.id==n2",))})
    assert dirty({"placement": Placement(constraints=("node.id!=n2",))}, at=None)
    both = {"placement": Placement(max_replicas=1), "force_update": 1}
    assert dirty(both)


def test_the_same_spec_version_is_clean_whatever_it_says():
    web = service()
    old = task("t1", web)
    other = replace(web, spec=replace(web.spec, task=spec(image="other")))
    assert not is_dirty(other, old, None)
