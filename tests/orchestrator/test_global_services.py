"""Global services: what swarmkit's own tests of its orchestrator assert."""

from __future__ import annotations

import pytest

from simswarm.base.time import MILLISECOND
from simswarm.base.values import replace
from simswarm.manager.orchestrator.global_services import GlobalOrchestrator
from simswarm.model.objects import Node, NodeState, NodeStatus, Service, Task
from simswarm.model.specs import (
    Availability,
    Global,
    Placement,
    RestartCondition,
    RestartPolicy,
    UpdateConfig,
)
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import Bench, cluster, node, service, spec, task

RUNNING, READY, NEW = TaskState.RUNNING, TaskState.READY, TaskState.NEW
SHUTDOWN, REMOVE, FAILED = TaskState.SHUTDOWN, TaskState.REMOVE, TaskState.FAILED


def everywhere(id: str = "web", **fields) -> Service:
    return service(id, mode=Global(), **fields)


def started(*items: object) -> Bench:
    bench = Bench()
    bench.load(cluster(), *items)
    bench.start(GlobalOrchestrator(bench.store, bench.out, bench.entropy, 1))
    return bench


def where(tasks: list[Task]) -> list[tuple[str, str]]:
    return sorted((task.service_id, task.node_id) for task in tasks)


def change(bench: Bench, id: str = "n1", **fields) -> None:
    stored = bench.store.get(Node, id)
    assert stored is not None
    if "availability" in fields:
        fields = {"spec": replace(stored.spec, availability=fields["availability"])}
    bench.put(replace(stored, **fields))


def touch(bench: Bench, id: str = "web") -> None:
    """A change of the service that outdates no task."""
    stored = bench.service(id)
    bench.put(replace(stored, spec=replace(stored.spec, labels=(("touched", "yes"),))))


def only(bench: Bench) -> Task:
    (task,) = bench.tasks()
    return task


def test_every_node_gets_a_task_with_its_id():
    bench = started(node("n1"), node("n2"), everywhere())
    assert where(bench.tasks()) == [("web", "n1"), ("web", "n2")]
    assert {(t.slot, t.status.state, t.desired_state) for t in bench.tasks()} == {(0, NEW, RUNNING)}


def test_a_new_node_gets_its_tasks():
    bench = started(node("n1"), everywhere(), everywhere("log"))
    bench.put(node("n2"))
    assert where(bench.live()) == [("web", "n1"), ("web", "n2")]
    assert where(bench.live("log")) == [("log", "n1"), ("log", "n2")]


def test_tasks_of_a_deleted_node_are_deleted():
    bench = started(node("n1"), node("n2"), everywhere())
    bench.delete(Node, "n1")
    assert where(bench.tasks()) == [("web", "n2")]


def test_a_drained_node_loses_its_task_and_gets_one_back():
    bench = started(node("n1"), everywhere())
    change(bench, availability=Availability.DRAIN)
    assert only(bench).desired_state == SHUTDOWN
    touch(bench)
    assert len(bench.tasks()) == 1
    change(bench, availability=Availability.ACTIVE)
    assert where(bench.live()) == [("web", "n1")]


def test_a_paused_node_keeps_its_task_but_gets_no_other():
    bench = started(node("n1"), everywhere())
    change(bench, availability=Availability.PAUSE)
    touch(bench)
    assert only(bench).desired_state == RUNNING
    bench.set_state(only(bench), FAILED)
    bench.run(10)
    assert only(bench).desired_state == SHUTDOWN


def test_a_node_that_is_down_loses_its_task_and_gets_one_back():
    bench = started(node("n1"), everywhere())
    change(bench, status=NodeStatus(NodeState.DOWN))
    touch(bench)
    assert only(bench).desired_state == SHUTDOWN
    change(bench, status=NodeStatus(NodeState.READY))
    assert len(bench.live()) == 1


@pytest.mark.parametrize("state", [NodeState.UNKNOWN, NodeState.DISCONNECTED])
def test_nodes_of_unknown_fate_count(state):
    bench = started(node("n1", state=state), everywhere())
    assert where(bench.live()) == [("web", "n1")]


def test_tasks_of_a_removed_service_shall_go():
    bench = started(node("n1"), everywhere())
    bench.delete(Service, "web")
    assert only(bench).desired_state == REMOVE


def test_a_deleted_task_comes_back_only_with_a_change_of_its_service():
    bench = started(node("n1"), everywhere())
    bench.delete(Task, only(bench).id)
    bench.run(10)
    assert bench.tasks() == []
    touch(bench)
    assert len(bench.live()) == 1


def test_a_failed_task_is_replaced_on_its_node_after_the_delay():
    bench = started(node("n1"), node("n2"), everywhere())
    (first,) = [t for t in bench.tasks() if t.node_id == "n1"]
    bench.set_state(first, FAILED)
    assert bench.task(first.id).desired_state == SHUTDOWN
    (new,) = [t for t in bench.live() if t.node_id == "n1"]
    assert new.desired_state == READY
    bench.run(5.1)
    assert bench.task(new.id).desired_state == RUNNING


def test_a_failed_task_that_must_not_restart_stays_down():
    policy = RestartPolicy(RestartCondition.NONE)
    bench = started(node("n1"), everywhere(task=spec(restart=policy)))
    bench.set_state(only(bench), FAILED)
    bench.run(10)
    touch(bench)
    assert only(bench).desired_state == SHUTDOWN


def test_nodes_that_do_not_meet_the_constraints_get_none():
    web = everywhere(task=spec(placement=Placement(constraints=("node.labels.disk==ssd",))))
    bench = started(node("n1", labels={"disk": "ssd"}), node("n2"), web)
    assert where(bench.tasks()) == [("web", "n1")]


def test_a_node_that_no_longer_meets_the_constraints_loses_its_task_at_the_next_reconcile():
    web = everywhere(task=spec(placement=Placement(constraints=("node.labels.disk==ssd",))))
    bench = started(node("n1", labels={"disk": "ssd"}), web)
    bench.put(node("n1"))
    assert only(bench).desired_state == RUNNING
    touch(bench)
    assert only(bench).desired_state == SHUTDOWN


def test_a_rolling_update_keeps_tasks_on_their_nodes():
    bench = started(node("n1"), node("n2"), everywhere(update=UpdateConfig(parallelism=1)))
    stored = bench.service()
    newer = replace(stored.spec, task=spec(image="img:2"))
    bench.put(replace(stored, spec=newer, spec_version=2))
    for _ in range(50):
        for one in bench.tasks():
            if one.status.state <= RUNNING < one.desired_state:
                bench.set_state(one, SHUTDOWN)
            elif one.status.state < RUNNING == one.desired_state:
                bench.set_state(one, RUNNING)
        bench.run(0.2)
    assert where(bench.live()) == [("web", "n1"), ("web", "n2")]
    assert {t.spec.container.image for t in bench.live()} == {"img:2"}


def test_an_outdated_task_is_replaced_when_its_node_comes_back_from_a_pause():
    bench = started(node("n1"), everywhere())
    change(bench, availability=Availability.PAUSE)
    stored = bench.service()
    bench.put(replace(stored, spec=replace(stored.spec, task=spec(image="img:2")), spec_version=2))
    change(bench, availability=Availability.ACTIVE)
    assert [t.spec.container.image for t in bench.live()] == ["img:2"]


@pytest.mark.parametrize("state", [TaskState.REJECTED, FAILED])
def test_a_task_that_had_ended_before_the_start_is_replaced(state):
    web = everywhere()
    bench = started(node("n1"), web, task("t1", web, 0, state=state, node_id="n1"))
    assert bench.task("t1").desired_state == SHUTDOWN
    assert where(bench.live()) == [("web", "n1")]


def test_of_two_tasks_on_a_node_one_stays():
    web = everywhere()
    both = [task(f"t{n}", web, 0, state=RUNNING, node_id="n1") for n in (1, 2)]
    bench = started(node("n1"), web, *both)
    assert sorted(t.desired_state for t in bench.tasks()) == [RUNNING, SHUTDOWN]


@pytest.mark.parametrize("nodes", [(), ("drained",)])
def test_a_task_where_it_cannot_stay_is_shut_down_at_the_start(nodes):
    web = everywhere()
    there = [node("n1", availability=Availability.DRAIN) for _ in nodes]
    bench = started(*there, web, task("t1", web, 0, state=RUNNING, node_id="n1"))
    assert only(bench).desired_state == SHUTDOWN


def test_a_task_without_service_is_deleted_at_the_start():
    bench = started(node("n1"), task("t1", everywhere("gone"), 0, node_id="n1"))
    assert bench.tasks() == []


def test_replicated_services_are_left_alone():
    web = service(replicas=2)
    bench = started(node("n1"), web, task("t1", web, state=FAILED, node_id="n1"))
    change(bench, status=NodeStatus(NodeState.DOWN))
    bench.delete(Service, "web")
    assert only(bench).desired_state == RUNNING


def test_rebuilt_history_counts_the_current_version_only():
    policy = RestartPolicy(delay=MILLISECOND, max_attempts=3)
    web = everywhere(task=spec(restart=policy), version=2)
    ended = {"state": FAILED, "desired_state": SHUTDOWN, "node_id": "n1"}
    old = [task(f"a{n}", web, 0, spec_version=1, **ended) for n in range(5)]
    new = [task(f"b{n}", web, 0, **ended) for n in range(2)]
    last = task("b9", web, 0, state=RUNNING, node_id="n1")
    bench = started(node("n1"), web, *old, *new, last)
    bench.set_state(bench.task("b9"), FAILED)
    bench.run(1)
    (again,) = bench.live()
    bench.set_state(again, FAILED)
    bench.run(1)
    assert bench.live() == [], "two restarts before, one after the change of leader: three"


def test_many_nodes_get_their_tasks_in_batches():
    bench = started(*(node(f"n{n:03}") for n in range(450)), everywhere())
    assert len(bench.live()) == 450
    assert max(len(changes) for _, changes in bench.proposer.committed) == 200
