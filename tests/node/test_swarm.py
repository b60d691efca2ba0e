"""Whole nodes together: forming a swarm, running a service, surviving crashes, as recorded.

Times are those of the recordings of a real swarm: a crashed worker is down 9 to 16.6 s after its
crash, a crashed leader's node about 30 s after the election.
"""

from __future__ import annotations

import pytest

from simswarm.base.time import SECOND
from simswarm.model.objects import Node, NodeState, Service, Task
from simswarm.model.specs import (
    ContainerSpec,
    NodeRole,
    Replicated,
    RestartPolicy,
    ServiceSpec,
    TaskSpec,
)
from simswarm.model.taskstate import TaskState as S
from simswarm.wire.control import (
    CreateService,
    RemoveService,
    ServiceResult,
    UpdateService,
)
from tests.node.swarm import Swarm


def web(replicas: int = 5, restart: RestartPolicy | None = None) -> ServiceSpec:
    return ServiceSpec(
        "web", TaskSpec(ContainerSpec("web:1"), restart=restart), Replicated(replicas)
    )


def leader(swarm: Swarm) -> str:
    (name,) = [
        machine.name
        for machine in swarm.machines.values()
        if machine.node is not None
        and machine.node.manager is not None
        and machine.node.manager.is_leader
    ]
    return name


def tasks(swarm: Swarm, via: str = "") -> list[Task]:
    return swarm.node(via or leader(swarm)).manager.store.find(Task)


def running(swarm: Swarm) -> list[Task]:
    wanted = [task for task in tasks(swarm) if task.desired_state == S.RUNNING]
    return [task for task in wanted if task.status.state == S.RUNNING]


def node_states(swarm: Swarm) -> dict[str, NodeState]:
    nodes = swarm.node(leader(swarm)).manager.store.find(Node)
    return {node.name: node.status.state for node in nodes}


def containers(swarm: Swarm, name: str) -> list[bool]:
    return [info.running for info in swarm[name].containers.values()]


@pytest.fixture
def swarm() -> Swarm:
    swarm = Swarm()
    swarm.run_until(lambda: all_ready(swarm))
    return swarm


def all_ready(swarm: Swarm) -> bool:
    if not swarm.node("m1").manager.is_leader:
        return False
    states = node_states(swarm)
    return len(states) == len(swarm.machines) and set(states.values()) == {NodeState.READY}


def deploy(swarm: Swarm, spec: ServiceSpec | None = None, via: str = "m2") -> str:
    result = swarm.call(via, CreateService(spec or web()))
    assert isinstance(result, ServiceResult), result
    replicas = result.service.spec.mode.replicas
    swarm.run_until(lambda: len(running(swarm)) == replicas)
    return result.service.id


def moments(swarm: Swarm, kind: str, since: int, **wanted) -> list[int]:
    """When records of a kind with these fields were made, counted from an instant."""
    return [
        at - since
        for at, _, found, fields in swarm.trace
        if at >= since
        and found == kind
        and all(fields.get(name) == value for name, value in wanted.items())
    ]


def test_nodes_join_and_become_ready(swarm):
    nodes = swarm.node("m1").manager.store.find(Node)
    assert {node.name: node.role for node in nodes} == {
        "m1": NodeRole.MANAGER,
        "m2": NodeRole.MANAGER,
        "m3": NodeRole.MANAGER,
        "w1": NodeRole.WORKER,
        "w2": NodeRole.WORKER,
    }
    assert {swarm.node(node.name).node_id for node in nodes} == {node.id for node in nodes}


def test_service_runs_everywhere(swarm):
    deploy(swarm)
    assert sorted(containers(swarm, name) for name in swarm.machines) == [[True]] * 5
    states = [task.status.state for task in tasks(swarm, "m3")]
    assert states == [S.RUNNING] * 5


def test_idle_swarm_stays_ready_and_writes_nothing(swarm):
    deploy(swarm)
    swarm.run(5 * SECOND)
    index = swarm.node("m1").manager.store.index
    swarm.run(600 * SECOND)
    assert swarm.node("m1").manager.store.index == index
    assert set(node_states(swarm).values()) == {NodeState.READY}
    assert len(running(swarm)) == 5


def test_crashed_worker_is_down_in_time_and_its_task_runs_elsewhere(swarm):
    deploy(swarm)
    crash = swarm.now
    swarm.crash("w1")
    swarm.run(30 * SECOND)
    (down,) = moments(swarm, "node.state", crash, subject="w1", to="down")
    assert 9 * SECOND <= down <= 16.7 * SECOND
    (created,) = moments(swarm, "task.state", crash, **{"from": None}, desired="ready")
    assert 0 <= created - down < 0.1 * SECOND
    (started,) = moments(swarm, "task.state", crash, to="running", **{"from": "starting"})
    assert 5 * SECOND <= started - down < 6.5 * SECOND
    assert len(running(swarm)) == 5


def test_worker_that_comes_back_reports_its_lost_tasks_failed_with_255(swarm):
    deploy(swarm)
    swarm.crash("w1")
    swarm.run(30 * SECOND)
    swarm.boot("w1")
    swarm.run(5 * SECOND)
    assert node_states(swarm)["w1"] == NodeState.READY
    (lost,) = [task for task in tasks(swarm) if task.status.state == S.FAILED]
    assert lost.status.error == "task: non-zero exit (255)"
    assert lost.status.container.exit_code == 255
    assert lost.desired_state == S.SHUTDOWN
    assert len(running(swarm)) == 5


def test_paused_network_of_a_worker_leaves_its_containers_running(swarm):
    deploy(swarm)
    for name in ("m1", "m2", "m3"):
        swarm.cut("w1", name)
    swarm.run(40 * SECOND)
    assert node_states(swarm)["w1"] == NodeState.DOWN
    assert containers(swarm, "w1") == [True]
    swarm.heal()
    swarm.run(20 * SECOND)
    assert node_states(swarm)["w1"] == NodeState.READY
    assert True not in containers(swarm, "w1")
    (replaced,) = [task for task in tasks(swarm) if task.desired_state == S.SHUTDOWN]
    assert replaced.status.state == S.SHUTDOWN


def test_crashed_leader_is_replaced_and_its_node_is_down_30_s_later(swarm):
    deploy(swarm)
    crash = swarm.now
    swarm.crash("m1")
    swarm.run_until(lambda: len(moments(swarm, "raft.role", crash, role="leader")) == 1)
    elected = swarm.now
    swarm.run(60 * SECOND)
    unknown = moments(swarm, "node.state", crash, to="unknown")
    assert len(unknown) == 5
    (down,) = moments(swarm, "node.state", elected - SECOND, subject="m1", to="down")
    assert 26 * SECOND <= down <= 35 * SECOND
    states = node_states(swarm)
    assert states.pop("m1") == NodeState.DOWN
    assert set(states.values()) == {NodeState.READY}
    assert len(running(swarm)) == 5
    swarm.boot("m1")
    swarm.run(20 * SECOND)
    assert node_states(swarm)["m1"] == NodeState.READY


def test_leader_cut_off_steps_down_and_agents_follow_the_new_one(swarm):
    deploy(swarm)
    for name in ("m2", "m3", "w1", "w2"):
        swarm.cut("m1", name)
    swarm.run(120 * SECOND)
    assert not swarm.node("m1").manager.is_leader
    states = node_states(swarm)
    assert states.pop("m1") == NodeState.DOWN
    assert set(states.values()) == {NodeState.READY}
    swarm.heal()
    swarm.run(60 * SECOND)
    assert set(node_states(swarm).values()) == {NodeState.READY}
    assert len(running(swarm)) == 5


def test_failing_container_is_restarted_after_its_delay(swarm):
    deploy(swarm)
    before = swarm.now
    task = next(task for task in running(swarm))
    node = swarm.node(leader(swarm)).manager.store.get(Node, task.node_id)
    swarm.exit(node.name, task.id, 1)
    swarm.run(20 * SECOND)
    (failed,) = [t for t in tasks(swarm) if t.status.state == S.FAILED]
    assert (failed.id, failed.status.error) == (task.id, "task: non-zero exit (1)")
    assert len(running(swarm)) == 5
    (restarted,) = moments(swarm, "task.state", before, to="running", **{"from": "starting"})
    assert 5 * SECOND <= restarted < 6.5 * SECOND


def test_scaled_down_tasks_leave_nothing_behind(swarm):
    service_id = deploy(swarm)
    service = swarm.node("m1").manager.store.get(Service, service_id)
    version = service.meta.version
    swarm.call("m3", UpdateService(service_id, version, web(2)))
    swarm.run(10 * SECOND)
    assert len(tasks(swarm)) == 2
    left = [info for machine in swarm.machines.values() for info in machine.containers.values()]
    assert [info.running for info in left] == [True, True]


def test_removed_service_leaves_nothing_behind(swarm):
    service_id = deploy(swarm)
    swarm.call("m1", RemoveService(service_id))
    swarm.run(10 * SECOND)
    assert tasks(swarm) == []
    assert not any(machine.containers for machine in swarm.machines.values())


def test_all_managers_restart_and_the_swarm_goes_on(swarm):
    deploy(swarm)
    names = ("m1", "m2", "m3")
    for name in names:
        swarm.crash(name, containers=False)
    swarm.run(10 * SECOND)
    for name in names:
        swarm.boot(name)
    swarm.run(90 * SECOND)
    assert set(node_states(swarm).values()) == {NodeState.READY}
    assert len(running(swarm)) == 5
    assert all(containers(swarm, name) == [True] for name in swarm.machines)


def test_same_seed_gives_the_same_run():
    def digest(seed: int) -> tuple:
        swarm = Swarm(seed=seed)
        swarm.run_until(lambda: all_ready(swarm))
        deploy(swarm)
        swarm.crash("w1")
        swarm.run(40 * SECOND)
        trace = [(at, name, kind, tuple(fields.items())) for at, name, kind, fields in swarm.trace]
        return swarm.steps, trace

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)
