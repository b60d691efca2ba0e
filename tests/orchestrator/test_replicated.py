"""Replicated services: what swarmkit's own tests of its orchestrator assert, and order of slots."""

from __future__ import annotations

import pytest

from simswarm.base.time import MILLISECOND, SECOND
from simswarm.base.values import replace
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.model.objects import Node, NodeState, NodeStatus, Service, Task
from simswarm.model.specs import (
    Availability,
    Placement,
    Replicated,
    RestartCondition,
    RestartPolicy,
)
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import START, Bench, cluster, node, service, spec, task

RUNNING, READY, NEW = TaskState.RUNNING, TaskState.READY, TaskState.NEW
SHUTDOWN, REMOVE, FAILED = TaskState.SHUTDOWN, TaskState.REMOVE, TaskState.FAILED


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.load(cluster())
    return bench


def start(bench: Bench) -> None:
    bench.start(ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 1))


def scale(bench: Bench, replicas: int, id: str = "web") -> None:
    stored = bench.service(id)
    bench.put(replace(stored, spec=replace(stored.spec, mode=Replicated(replicas))))


def slots(tasks: list[Task]) -> list[int]:
    return sorted(task.slot for task in tasks)


def test_services_present_at_the_start_get_their_tasks(bench):
    bench.load(service(replicas=2))
    start(bench)
    assert [(t.status.state, t.desired_state) for t in bench.tasks()] == [(NEW, RUNNING)] * 2
    assert slots(bench.tasks()) == [1, 2]


def test_a_new_task_is_a_copy_of_its_service(bench):
    bench.load(service(version=7, labels=(("a", "b"),)))
    start(bench)
    (made,) = bench.tasks()
    assert made.spec == bench.service().spec.task
    assert (made.service_id, made.service_name, made.spec_version) == ("web", "web", 7)
    assert (made.status.message, made.status.timestamp) == ("created", START.wall)
    assert made.service_labels == (("a", "b"),)
    assert made.node_id == ""
    assert len(made.id) == 25


def test_scaling_up_adds_tasks_and_leaves_the_others(bench):
    bench.load(service(replicas=2))
    start(bench)
    before = bench.tasks()
    scale(bench, 3)
    assert slots(bench.tasks()) == [1, 2, 3]
    assert all(bench.task(t.id) == t for t in before)


def test_scaling_down_removes_the_surplus(bench):
    bench.load(service(replicas=3))
    start(bench)
    scale(bench, 1)
    assert slots([t for t in bench.tasks() if t.desired_state == REMOVE]) == [2, 3]
    assert slots(bench.live()) == [1]


def test_a_deleted_task_is_made_again(bench):
    bench.load(service(replicas=1))
    start(bench)
    bench.delete(Task, bench.tasks()[0].id)
    assert slots(bench.live()) == [1]


def test_tasks_of_a_removed_service_shall_go(bench):
    bench.load(service(replicas=3))
    start(bench)
    bench.delete(Service, "web")
    assert {t.desired_state for t in bench.tasks()} == {REMOVE}


def scaled_down(bench: Bench) -> Service:
    """Seven slots: one STARTING on n1, two RUNNING on n2, three on n3, one without a node."""
    web = service(replicas=6)
    places = [("n1", TaskState.STARTING), ("n2", RUNNING), ("n2", RUNNING), ("n3", RUNNING),
              ("n3", RUNNING), ("n3", RUNNING), ("", NEW)]  # fmt: skip
    bench.load(*(node(f"n{n}") for n in (1, 2, 3)), web)
    bench.load(
        *(
            task(f"t{slot}", web, slot, node_id=where, state=state)
            for slot, (where, state) in enumerate(places, 1)
        )
    )
    start(bench)
    return web


def removed(bench: Bench) -> list[str]:
    return sorted(t.id for t in bench.tasks() if t.desired_state == REMOVE)


def test_scaling_down_takes_unassigned_then_crowded_then_not_running_slots(bench):
    scaled_down(bench)
    assert removed(bench) == ["t7"]
    scale(bench, 4)
    assert removed(bench) == ["t5", "t6"]
    scale(bench, 2)
    assert removed(bench) == ["t1", "t3"]
    assert [t.id for t in bench.live()] == ["t2", "t4"]


def test_freed_slot_numbers_are_used_again_lowest_first(bench):
    bench.load(service(replicas=4))
    start(bench)
    scale(bench, 2)
    scale(bench, 5)
    assert slots(bench.live()) == [1, 2, 3, 4, 5]


def test_a_dead_slot_is_deleted_unless_its_number_is_used_again(bench):
    web = service(replicas=1)
    ended = [
        task(f"t{slot}", web, slot, state=FAILED, desired_state=SHUTDOWN, node_id="n1")
        for slot in (1, 2, 3)
    ]
    bench.load(node("n1"), web, *ended)
    start(bench)
    assert [t.id for t in bench.tasks() if t.id.startswith("t") and len(t.id) == 2] == ["t1"]
    assert slots(bench.live()) == [1]


@pytest.mark.parametrize("state", [TaskState.REJECTED, FAILED])
def test_a_task_that_had_ended_before_the_start_is_replaced(bench, state):
    web = service(replicas=2)
    bench.load(node("n1"), web)
    bench.load(task("t1", web, 1, state=state, node_id="n1"))
    bench.load(task("t2", web, 2, state=RUNNING, node_id="n1"))
    start(bench)
    assert bench.task("t1").desired_state == SHUTDOWN
    (new,) = [t for t in bench.live() if t.slot == 1]
    assert (new.status.state, new.desired_state) == (NEW, READY)
    bench.run(5)
    assert bench.task(new.id).desired_state == RUNNING
    assert bench.task("t2").desired_state == RUNNING


def test_a_task_on_a_node_that_is_down_at_the_start_is_replaced(bench):
    web = service()
    bench.load(node("n1", state=NodeState.DOWN), web)
    bench.load(task("t1", web, state=RUNNING, node_id="n1"))
    start(bench)
    assert bench.task("t1").desired_state == SHUTDOWN
    assert [t.desired_state for t in bench.live()] == [READY]


def test_a_delayed_start_goes_on_under_a_new_leader(bench):
    web = service(task=spec(restart=RestartPolicy(delay=100 * MILLISECOND)))
    bench.load(node("n1"), web, task("t1", web, desired_state=READY, at=START.wall))
    start(bench)
    bench.run(0.099)
    assert bench.task("t1").desired_state == READY
    bench.run(0.002)
    assert bench.task("t1").desired_state == RUNNING


def test_a_delayed_start_that_is_overdue_happens_at_once(bench):
    web = service()
    bench.load(node("n1"), web, task("t1", web, desired_state=READY, at=START.wall - 9 * SECOND))
    start(bench)
    assert bench.task("t1").desired_state == RUNNING


def test_only_tasks_on_nodes_that_are_down_or_drained_are_moved(bench):
    web = service(replicas=6)
    bench.load(
        node("n1"),
        node("n2", state=NodeState.DOWN),
        node("n3", state=NodeState.UNKNOWN),
        node("n4", availability=Availability.PAUSE),
        node("n5", availability=Availability.DRAIN),
        web,
    )
    bench.load(*(task(f"t{n}", web, n, node_id=f"n{n}" if n < 6 else "") for n in range(1, 7)))
    start(bench)
    moved = [t.id for t in bench.tasks() if t.desired_state == SHUTDOWN]
    assert moved == ["t2", "t5"]
    assert slots(bench.live()) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("change", ["down", "drained", "deleted"])
def test_a_task_moves_when_its_node_is(bench, change):
    web = service()
    bench.load(node("n1"), web, task("t1", web, state=RUNNING, node_id="n1"))
    start(bench)
    n1 = bench.store.get(Node, "n1")
    assert n1 is not None
    if change == "deleted":
        bench.delete(Node, "n1")
    elif change == "down":
        bench.put(replace(n1, status=NodeStatus(NodeState.DOWN)))
    else:
        bench.put(replace(n1, spec=replace(n1.spec, availability=Availability.DRAIN)))
    assert bench.task("t1").desired_state == SHUTDOWN
    assert [t.slot for t in bench.live()] == [1]


def test_a_task_that_appears_on_a_lost_node_is_shut_down(bench):
    web = service()
    bench.load(node("n1", state=NodeState.DOWN), web)
    start(bench)
    bench.put(task("t1", web, 1, node_id="n1"))
    assert bench.task("t1").desired_state == SHUTDOWN


def test_tasks_of_services_that_are_gone_are_deleted_at_the_start(bench):
    gone = service("gone")
    bench.load(service(replicas=1), task("t1", gone), task("t2", gone, state=RUNNING))
    start(bench)
    assert [t.service_id for t in bench.tasks()] == ["web"]


def test_many_tasks_are_made_two_hundred_a_write(bench):
    bench.load(service(replicas=450))
    start(bench)
    sizes = [len(changes) for name, changes in bench.proposer.committed if "reconcile" in name]
    assert sizes == [200, 200, 50]
    assert slots(bench.live()) == list(range(1, 451))


def test_a_large_scale_down_keeps_its_first_choice(bench):
    """What one batch can't hold follows in the next ones; chosen slots are not deleted outright."""
    web = service(replicas=500)
    bench.load(node("n1"), web)
    bench.load(*(task(f"t{n:03}", web, n, state=RUNNING, node_id="n1") for n in range(1, 501)))
    start(bench)
    scale(bench, 10)
    assert slots(bench.live()) == list(range(1, 11))
    assert len(bench.tasks()) == 500
    assert max(len(changes) for _, changes in bench.proposer.committed) == 200


def test_scaling_up_during_a_large_scale_down_ends_with_all_replicas(bench):
    web = service(replicas=900)
    bench.load(node("n1"), web)
    bench.load(*(task(f"t{n:03}", web, n, state=RUNNING, node_id="n1") for n in range(1, 901)))
    start(bench)
    stored = bench.service()

    def down_then_up(tx) -> None:
        tx.update(replace(stored, spec=replace(stored.spec, mode=Replicated(10))))

    bench.change(down_then_up)
    scale(bench, 900)
    assert slots(bench.live()) == list(range(1, 901))


def test_nothing_is_written_after_leadership_is_lost(bench):
    bench.load(service(replicas=1))
    start(bench)
    loop = next(iter(bench.loops.values()))
    commits = len(bench.proposer.committed)
    bench.stop()
    scale(bench, 5)
    loop.on_changes([], 99)
    assert len(bench.proposer.committed) == commits + 1
    assert bench.timers == {}


def policy(condition: RestartCondition, **fields) -> RestartPolicy:
    fields.setdefault("delay", 100 * MILLISECOND)
    return RestartPolicy(condition, **fields)


def running(bench: Bench, replicas: int, restart: RestartPolicy | None, **fields) -> None:
    """A service all of whose tasks run."""
    web = service(replicas=replicas, task=spec(restart=restart), **fields)
    bench.load(node("n1"), web)
    bench.load(
        *(task(f"t{n}", web, n, state=RUNNING, node_id="n1") for n in range(1, replicas + 1))
    )
    start(bench)


@pytest.mark.parametrize(
    ("condition", "after_failure", "after_success"),
    [
        (RestartCondition.ANY, [1], [2]),
        (RestartCondition.ON_FAILURE, [1], []),
        (RestartCondition.NONE, [], []),
    ],
)
def test_the_condition_says_which_ended_tasks_are_replaced(
    bench, condition, after_failure, after_success
):
    running(bench, 2, policy(condition))
    bench.set_state(bench.task("t1"), FAILED)
    assert bench.task("t1").desired_state == SHUTDOWN
    assert [t.slot for t in bench.live() if t.slot == 1] == after_failure
    bench.set_state(bench.task("t2"), TaskState.COMPLETE)
    assert bench.task("t2").desired_state == SHUTDOWN
    assert [t.slot for t in bench.live() if t.slot == 2] == after_success
    assert all(t.desired_state == READY for t in bench.live())
    bench.run(0.2)
    assert all(t.desired_state == RUNNING for t in bench.live())


def test_a_replacement_waits_for_the_delay(bench):
    running(bench, 1, policy(RestartCondition.ANY, delay=3 * SECOND))
    bench.set_state(bench.task("t1"), FAILED)
    (new,) = bench.live()
    bench.run(2.9)
    assert bench.task(new.id).desired_state == READY
    bench.run(0.2)
    assert bench.task(new.id).desired_state == RUNNING


def test_the_default_delay_is_five_seconds(bench):
    running(bench, 1, None)
    bench.set_state(bench.task("t1"), FAILED)
    (new,) = bench.live()
    bench.run(4.99)
    assert bench.task(new.id).desired_state == READY
    bench.run(0.02)
    assert bench.task(new.id).desired_state == RUNNING


def test_placement_of_a_running_task_survives_a_change_that_its_node_satisfies(bench):
    running(bench, 1, None)
    stored = bench.service()
    moved = replace(stored.spec.task, placement=Placement(constraints=("node.id==n1",)))
    bench.put(replace(stored, spec=replace(stored.spec, task=moved), spec_version=2))
    bench.run(60)
    assert [t.id for t in bench.live()] == ["t1"]
