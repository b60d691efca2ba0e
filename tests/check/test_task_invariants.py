"""Invariants of tasks and placement, shown committed changes as a buggy manager would make them."""

from __future__ import annotations

from simswarm.base.values import replace
from simswarm.check.placement import ConstraintsHold, NodeResources, first_unmet
from simswarm.check.tasks import LiveTasksPerSlot, StatesOnlyRise
from simswarm.model.objects import (
    Node,
    NodeDescription,
    NodeState,
    NodeStatus,
    Service,
    Task,
    TaskStatus,
)
from simswarm.model.specs import (
    ContainerSpec,
    NodeSpec,
    Placement,
    Replicated,
    Resources,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
    UpdateOrder,
)
from simswarm.model.taskstate import TaskState
from simswarm.store import Created, Deleted, Updated

SPEC = TaskSpec(ContainerSpec("shop/web:1"))


def clock() -> int:
    return 7


def one_election() -> int:
    return 1


def task(id: str, slot: int = 1, state: TaskState = TaskState.RUNNING, **fields: object) -> Task:
    defaults = {
        "spec": SPEC,
        "service_id": "s1",
        "service_name": "web",
        "status": TaskStatus(state),
        "desired_state": TaskState.RUNNING,
        "slot": slot,
        "node_id": "n1",
        "spec_version": 3,
    }
    return Task(id, **{**defaults, **fields})  # type: ignore[arg-type]


def service(order: UpdateOrder = UpdateOrder.STOP_FIRST) -> Service:
    spec = ServiceSpec("web", SPEC, Replicated(2), update=UpdateConfig(order=order))
    return Service("s1", spec, spec_version=3)


def node(cpus: int = 4, **fields: object) -> Node:
    resources = Resources(cpus * 10**9, 8 * 2**30)
    description = NodeDescription("w1", resources=resources)
    status = NodeStatus(NodeState.READY)
    return Node("n1", NodeSpec(**fields), description=description, status=status)  # type: ignore[arg-type]


def test_a_task_that_rises_is_fine_and_one_that_falls_is_caught():
    watch = StatesOnlyRise(clock)
    low, high = task("t1", state=TaskState.STARTING), task("t1", state=TaskState.RUNNING)
    watch.on_committed([Updated(high, low)], 5)
    assert watch.holds
    watch.on_committed([Updated(low, high)], 6)
    assert [v.at for v in watch.violations] == [7]
    assert "fell from running to starting" in watch.violations[0].message
    assert watch.checked == 2


def test_a_desired_state_that_falls_is_caught():
    watch = StatesOnlyRise(clock)
    stopping = task("t1", desired_state=TaskState.SHUTDOWN)
    watch.on_committed([Updated(task("t1"), stopping)], 5)
    assert "desired state" in watch.violations[0].message


def test_replacing_a_task_in_one_entry_leaves_one_live_task_in_the_slot():
    watch = LiveTasksPerSlot(clock, one_election)
    watch.on_committed([Created(service())], 1)
    watch.on_committed([Created(task("t1"))], 2)
    stopped = task("t1", desired_state=TaskState.SHUTDOWN)
    fresh = task("t2", desired_state=TaskState.READY, state=TaskState.NEW)
    watch.on_committed([Created(fresh), Updated(stopped, task("t1"))], 3)
    assert watch.holds
    assert watch.checked == 2


def test_a_second_live_task_in_a_slot_is_caught():
    watch = LiveTasksPerSlot(clock, one_election)
    watch.on_committed([Created(service()), Created(task("t1"))], 1)
    watch.on_committed([Created(task("t2", spec_version=4))], 2)
    assert "one of 2 live in its slot" in watch.violations[0].message


def test_start_first_lets_a_slot_grow_by_one_task_a_version_and_leader():
    elections = [1]
    watch = LiveTasksPerSlot(clock, lambda: elections[0])
    watch.on_committed([Created(service(UpdateOrder.START_FIRST)), Created(task("t1"))], 1)
    watch.on_committed([Created(task("t2", spec_version=4))], 2)
    watch.on_committed([Created(task("t3", spec_version=5))], 3)
    elections[0] = 2
    watch.on_committed([Created(task("t4", spec_version=5))], 4)
    assert watch.holds
    watch.on_committed([Created(task("t5", spec_version=5))], 5)
    assert "lets its slot grow again, to 5 live tasks" in watch.violations[0].message


def test_an_old_task_that_fails_beside_its_successor_is_replaced_one_for_one():
    watch = LiveTasksPerSlot(clock, one_election)
    watch.on_committed([Created(service(UpdateOrder.START_FIRST)), Created(task("t1"))], 1)
    watch.on_committed([Created(task("t2", spec_version=4))], 2)
    failed = task("t1", state=TaskState.FAILED)
    watch.on_committed([Updated(failed, task("t1"))], 3)
    stopped = task("t1", state=TaskState.FAILED, desired_state=TaskState.SHUTDOWN)
    watch.on_committed([Updated(stopped, failed), Created(task("t3", spec_version=4))], 4)
    assert watch.holds


def test_stopped_and_deleted_tasks_free_their_slot():
    watch = LiveTasksPerSlot(clock, one_election)
    watch.on_committed([Created(service()), Created(task("t1")), Created(task("t2", 2))], 1)
    stopped = task("t1", desired_state=TaskState.SHUTDOWN)
    watch.on_committed([Updated(stopped, task("t1")), Deleted(task("t2", 2))], 2)
    watch.on_committed([Created(task("t3")), Created(task("t4", 2))], 3)
    assert watch.holds


def test_reservations_beyond_a_node_are_caught_in_the_moment_of_assignment():
    watch = NodeResources(clock)
    spec = replace(SPEC, reservations=Resources(3 * 10**9))
    pending = {"spec": spec, "node_id": "", "state": TaskState.PENDING}
    assigned = {"spec": spec, "state": TaskState.ASSIGNED}
    watch.on_committed([Created(node()), Created(task("t1", **pending))], 1)
    watch.on_committed([Updated(task("t1", **assigned), task("t1", **pending))], 2)
    assert watch.holds
    watch.on_committed([Created(task("t2", 2, **assigned))], 3)
    assert watch.violations[0].message.endswith("brings w1 to 6 of 4 CPUs")


def test_an_ended_task_gives_its_reservations_back():
    watch = NodeResources(clock)
    spec = replace(SPEC, reservations=Resources(memory_bytes=6 * 2**30))
    first = task("t1", spec=spec)
    watch.on_committed([Created(node()), Created(first)], 1)
    watch.on_committed([Updated(replace(first, status=TaskStatus(TaskState.FAILED)), first)], 2)
    watch.on_committed([Created(task("t2", 2, spec=spec))], 3)
    assert watch.holds
    watch.on_committed([Created(task("t3", 3, spec=spec))], 4)
    assert "bytes of memory" in watch.violations[0].message


def test_an_assignment_against_a_constraint_is_caught():
    watch = ConstraintsHold(clock)
    spec = replace(SPEC, placement=Placement(constraints=("node.labels.disk == ssd",)))
    watch.on_committed([Created(node(labels=(("disk", "hdd"),)))], 1)
    watch.on_committed([Created(task("t1", spec=spec, state=TaskState.PENDING))], 2)
    assert watch.checked == 0
    watch.on_committed([Created(task("t2", spec=spec, state=TaskState.ASSIGNED))], 3)
    assert watch.violations[0].message.endswith("on w1 violates node.labels.disk == ssd")


def test_a_label_that_was_taken_a_moment_ago_still_counts():
    now = [10**9]
    watch = ConstraintsHold(lambda: now[0])
    spec = replace(SPEC, placement=Placement(constraints=("node.labels.disk==ssd",)))
    labelled, bare = node(labels=(("disk", "ssd"),)), node()
    watch.on_committed([Created(labelled)], 1)
    watch.on_committed([Updated(bare, labelled)], 2)
    watch.on_committed([Created(task("t1", spec=spec, state=TaskState.ASSIGNED))], 3)
    assert watch.holds
    now[0] += 3 * 10**9
    watch.on_committed([Created(task("t2", spec=spec, state=TaskState.ASSIGNED))], 4)
    assert not watch.holds


def test_constraints_are_read_as_documented():
    here = node(labels=(("disk", "ssd"), ("zone", "A")))
    holding = ["node.role==worker", "node.hostname == W1", "node.labels.zone==a", "node.id!=n2"]
    holding += ["node.platform.os==linux", "node.labels.rack!=r1", "engine.labels.x!=y"]
    for expression in holding:
        assert first_unmet([expression], here) is None, expression
    for expression in ["node.labels.rack==r1", "rack==large", "node.role != worker"]:
        assert first_unmet(["node.id==n1", expression], here) == expression
