"""The constraint enforcer: what swarmkit's own tests assert, as of Docker 20.10."""

from __future__ import annotations

from simswarm.base.values import replace
from simswarm.manager.orchestrator.enforcer import ConstraintEnforcer
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.model.objects import Task
from simswarm.model.specs import Availability, GenericResource, NodeRole, Placement, Resources
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import Bench, cluster, node, service, spec, task

RUNNING, REJECTED = TaskState.RUNNING, TaskState.REJECTED


def started(*items: object) -> Bench:
    bench = Bench()
    bench.load(cluster(), *items)
    bench.start(ConstraintEnforcer(bench.store, bench.out, 1))
    return bench


def rejected(bench: Bench) -> list[str]:
    return [task.id for task in bench.tasks() if task.status.state == REJECTED]


def on_n1(id: str, of, **fields) -> Task:
    fields.setdefault("state", RUNNING)
    return task(id, of, node_id="n1", **fields)


def test_a_task_whose_node_no_longer_matches_is_rejected_at_the_start():
    web = service(task=spec(placement=Placement(constraints=("node.role==manager",))))
    bench = started(node("n1"), node("n2", role=NodeRole.MANAGER), web, on_n1("t1", web))
    assert rejected(bench) == ["t1"]
    status = bench.task("t1").status
    assert status.message == "task rejected by constraint enforcer"
    assert status.error == "assigned node no longer meets constraints"
    assert bench.task("t1").desired_state == RUNNING


def test_when_memory_shrinks_the_task_that_no_longer_fits_is_rejected():
    web = service(task=spec(reservations=Resources(memory_bytes=500)))
    small = service("small", task=spec(reservations=Resources(memory_bytes=100)))
    bench = started(
        node("n1", resources=Resources(memory_bytes=1100)),
        web, small, on_n1("t1", web), on_n1("t2", web), on_n1("t3", small),
    )  # fmt: skip
    assert rejected(bench) == []
    bench.put(node("n1", resources=Resources(memory_bytes=800)))
    assert rejected(bench) == ["t2"], "what is rejected takes nothing from what is left"


def test_tasks_that_shall_stop_use_nothing():
    web = service(task=spec(reservations=Resources(nano_cpus=6)))
    bench = started(
        node("n1", resources=Resources(nano_cpus=10)),
        web, on_n1("t1", web, desired_state=TaskState.SHUTDOWN), on_n1("t2", web),
    )  # fmt: skip
    assert rejected(bench) == []


def test_the_services_constraints_count_not_the_tasks_old_ones():
    web = service(task=spec(placement=Placement(constraints=("node.labels.a==1",))))
    old = spec(placement=Placement(constraints=("node.labels.a==2",)))
    bench = started(node("n1", labels={"a": "1"}), web, on_n1("t1", web, spec=old))
    assert rejected(bench) == []


def test_a_task_of_no_service_keeps_its_own_constraints():
    gone = service("gone", task=spec(placement=Placement(constraints=("node.labels.a==2",))))
    bench = started(node("n1"), on_n1("t1", gone))
    assert rejected(bench) == ["t1"]


def test_paused_and_drained_nodes_are_left_alone():
    web = service(task=spec(placement=Placement(constraints=("node.id==n2",))))
    for availability in (Availability.PAUSE, Availability.DRAIN):
        bench = started(node("n1", availability=availability), web, on_n1("t1", web))
        assert rejected(bench) == []


def test_docker_20_10_rejects_a_task_whose_named_piece_is_still_there():
    """The test is the wrong way round there, and ends the pass over the node."""
    gpus = (GenericResource("gpu", value="a"), GenericResource("gpu", value="b"))
    wanted = Resources(generic=(GenericResource("gpu", 1),))
    web = service(task=spec(reservations=wanted))
    bench = started(
        node("n1", resources=Resources(generic=gpus)),
        web, on_n1("t1", web, generic=gpus[:1]), on_n1("t2", web, generic=gpus[1:]),
    )  # fmt: skip
    assert rejected(bench) == ["t1"]
    bench = started(
        node("n1", resources=Resources(generic=gpus[1:])), web, on_n1("t1", web, generic=gpus[:1])
    )
    assert rejected(bench) == []


def test_a_rejected_task_is_replaced_by_its_orchestrator():
    web = service(task=spec(placement=Placement(constraints=("node.labels.a==1",))))
    bench = started(node("n1", labels={"a": "1"}), web, on_n1("t1", web))
    bench.start(ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 1))
    bench.put(node("n1"))
    assert rejected(bench) == ["t1"]
    assert [t.slot for t in bench.live()] == [1]
    assert bench.task("t1").desired_state == TaskState.SHUTDOWN


def test_rejections_are_written_in_batches():
    web = service(task=spec(placement=Placement(constraints=("node.labels.a==1",))))
    tasks = [on_n1(f"t{n:03}", web, slot=n) for n in range(1, 251)]
    bench = started(node("n1", labels={"a": "1"}), web, *tasks)
    bench.put(replace(node("n1")))
    assert len(rejected(bench)) == 250
    assert max(len(changes) for _, changes in bench.proposer.committed) <= 200
