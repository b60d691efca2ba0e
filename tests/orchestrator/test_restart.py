"""When a replacement may start, and how often there is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.time import MILLISECOND, SECOND
from simswarm.base.values import replace
from simswarm.manager.orchestrator.history import RestartHistory
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.model.objects import Meta, Node, NodeState, NodeStatus, Task
from simswarm.model.specs import Availability, RestartCondition, RestartPolicy
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import START, Bench, cluster, node, service, spec, task

RUNNING, READY, FAILED = TaskState.RUNNING, TaskState.READY, TaskState.FAILED
SHUTDOWN = TaskState.SHUTDOWN
ANY = RestartCondition.ANY


def running(policy: RestartPolicy | None, replicas: int = 1) -> Bench:
    """A service all of whose tasks run on n1."""
    bench = Bench()
    web = service(replicas=replicas, task=spec(restart=policy))
    bench.load(cluster(), node("n1"), web)
    bench.load(
        *(task(f"t{n}", web, n, state=RUNNING, node_id="n1") for n in range(1, replicas + 1))
    )
    bench.start(ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 1))
    return bench


def the_live_one(bench: Bench, slot: int = 1) -> Task:
    (found,) = [task for task in bench.live() if task.slot == slot]
    return found


def fail(bench: Bench, slot: int = 1, state: TaskState = FAILED) -> None:
    """Start the slot's task, if it has not been, and let it end."""
    live = the_live_one(bench, slot)
    bench.set_state(live, RUNNING)
    bench.set_state(live, state)


def change_node(bench: Bench, **fields) -> None:
    stored = bench.store.get(Node, "n1")
    assert stored is not None
    bench.put(replace(stored, **fields))


def drain(bench: Bench) -> None:
    stored = bench.store.get(Node, "n1")
    assert stored is not None
    change_node(bench, spec=replace(stored.spec, availability=Availability.DRAIN))


def test_a_drained_task_is_replaced_without_delay_once_it_has_stopped():
    bench = running(None)
    drain(bench)
    new = the_live_one(bench)
    assert (new.desired_state, bench.task("t1").desired_state) == (READY, SHUTDOWN)
    bench.run(10)
    assert bench.task(new.id).desired_state == READY
    bench.set_state(bench.task("t1"), SHUTDOWN)
    assert bench.task(new.id).desired_state == RUNNING


def test_an_old_task_that_does_not_stop_is_awaited_for_one_minute():
    bench = running(None)
    drain(bench)
    new = the_live_one(bench)
    bench.run(59.9)
    assert bench.task(new.id).desired_state == READY
    bench.run(0.2)
    assert bench.task(new.id).desired_state == RUNNING


def test_a_task_on_a_node_that_is_down_is_not_awaited_but_the_delay_is():
    bench = running(None)
    change_node(bench, status=NodeStatus(NodeState.DOWN))
    new = the_live_one(bench)
    bench.run(4.9)
    assert bench.task(new.id).desired_state == READY
    bench.run(0.2)
    assert bench.task(new.id).desired_state == RUNNING
    assert bench.task("t1").status.state == RUNNING


@pytest.mark.parametrize("loss", ["down", "deleted"])
def test_waiting_ends_when_the_old_tasks_node_is_lost(loss):
    bench = running(None)
    drain(bench)
    new = the_live_one(bench)
    if loss == "down":
        change_node(bench, status=NodeStatus(NodeState.DOWN))
    else:
        bench.delete(Node, "n1")
    assert bench.task(new.id).desired_state == RUNNING


def test_the_old_task_may_stop_before_the_delay_is_over():
    bench = running(RestartPolicy(delay=3 * SECOND))
    bench.set_state(bench.task("t1"), FAILED)
    new = the_live_one(bench)
    bench.run(3.01)
    assert bench.task(new.id).desired_state == RUNNING


def test_a_replacement_that_fails_while_it_waits_is_replaced_when_its_delay_is_over():
    """A missing image: the first replacement is made at once, the next one only after the delay."""
    bench = running(RestartPolicy(delay=3 * SECOND))
    bench.set_state(bench.task("t1"), FAILED)
    first = the_live_one(bench)
    bench.set_state(first, TaskState.REJECTED)
    bench.run(2.9)
    assert [t.id for t in bench.live()] == [first.id]
    bench.run(0.2)
    second = the_live_one(bench)
    assert bench.task(first.id).desired_state == SHUTDOWN
    assert (second.id != first.id, second.desired_state) == (True, READY)
    bench.run(3)
    assert bench.task(second.id).desired_state == RUNNING


@pytest.mark.parametrize("begun_again", [False, True])
def test_a_task_that_ended_while_it_waited_is_replaced_though_it_was_started_otherwise(
    begun_again,
):
    """Its start changes nothing, so no change tells of it: the supervisor has to remember."""
    bench = running(RestartPolicy(delay=0))
    loop = bench.loops["replicated"]
    assert isinstance(loop, ReplicatedOrchestrator)
    loop._upkeep.restarts.begin(None, "t1", 1 * SECOND)
    bench.set_state(bench.task("t1"), FAILED)
    if begun_again:
        loop._upkeep.restarts.begin(None, "t1", 1 * SECOND)
    bench._take_timers()
    assert bench.task("t1").desired_state == RUNNING
    bench.run(1.1)
    assert bench.task("t1").desired_state == SHUTDOWN
    assert the_live_one(bench).desired_state == RUNNING


def test_the_start_of_a_deleted_task_is_forgotten():
    bench = running(RestartPolicy(delay=3 * SECOND))
    bench.set_state(bench.task("t1"), FAILED)
    new = the_live_one(bench)
    bench.delete(Task, new.id)
    again = the_live_one(bench)
    assert again.id != new.id
    assert not [key for key in bench.timers if new.id in key.name]


def test_attempts_are_counted_per_slot():
    bench = running(RestartPolicy(ANY, delay=100 * MILLISECOND, max_attempts=1), replicas=2)
    for slot in (1, 2):
        fail(bench, slot)
        bench.run(0.2)
    assert len(bench.live()) == 2
    for slot in (1, 2):
        fail(bench, slot)
    assert bench.live() == []
    assert len(bench.tasks()) == 4


def test_a_new_spec_version_starts_counting_afresh():
    bench = running(RestartPolicy(ANY, delay=0, max_attempts=1))
    fail(bench)
    fail(bench)
    assert bench.live() == []
    stored = bench.service()
    newer = replace(stored.spec.task, force_update=1)
    bench.put(replace(stored, spec=replace(stored.spec, task=newer), spec_version=2))
    bench.run(1)
    fail(bench)
    assert len(bench.live()) == 1
    fail(bench)
    assert bench.live() == []


def test_with_a_window_only_recent_restarts_count():
    policy = RestartPolicy(ANY, delay=0, max_attempts=1, window=500 * MILLISECOND)
    bench = running(policy)
    fail(bench)
    bench.run(0.1)
    assert len(bench.live()) == 1
    bench.run(1)
    fail(bench)
    bench.run(0.1)
    assert len(bench.live()) == 1, "the first restart lies before the window"
    fail(bench)
    assert bench.live() == []


def test_attempts_survive_a_change_of_leader():
    bench = running(RestartPolicy(ANY, delay=0, max_attempts=2))
    fail(bench)
    bench.run(1)
    bench.stop()
    bench.start(ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 2))
    fail(bench)
    bench.run(1)
    assert len(bench.live()) == 1
    fail(bench)
    assert bench.live() == []


def test_completed_tasks_keep_their_slot_when_nothing_restarts_them():
    bench = running(RestartPolicy(RestartCondition.NONE), replicas=2)
    bench.set_state(bench.task("t1"), TaskState.COMPLETE)
    stored = bench.service()
    bench.put(replace(stored, spec=replace(stored.spec, labels=(("a", "b"),))))
    bench.run(5)
    assert len(bench.tasks()) == 2


@given(
    restarts=st.lists(st.integers(1, 12), max_size=8),
    ended=st.integers(1, 14),
    window=st.integers(1, 6),
    attempts=st.integers(1, 3),
)
def test_an_attempt_is_left_while_fewer_restarts_lie_in_the_window(
    restarts, ended, window, attempts
):
    """Against the sentence: restarts strictly within (end - window, end) are counted."""
    policy = RestartPolicy(ANY, max_attempts=attempts, window=window)
    web = service(task=spec(restart=policy))
    history = RestartHistory()
    key = ("web", 1, "")
    for number, at in enumerate(sorted(restarts)):
        made = replace(task(f"r{number}", web), meta=Meta(created_at=at))
        history.record(key, made)
    last = task("last", web, state=FAILED, at=ended)
    counted = sum(1 for at in restarts if ended - window < at < ended)
    assert history.should_restart(key, last) == (not restarts or counted < attempts)


def test_the_clock_of_the_bench_starts_late_enough_for_a_window():
    assert START.wall > 100 * SECOND
