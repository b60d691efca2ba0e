"""Random crashes, reboots and cuts, then calm: the swarm must come back to what it should be.

Safety is checked in every step (`Node.check_invariants`, assertions of the store and Raft); here
liveness: once nothing fails any more, every node is ready, every slot has one running task, and the
engines run exactly those.
"""

from __future__ import annotations

import pytest

from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import MILLISECOND, SECOND
from simswarm.model.objects import Node, NodeState, Task
from simswarm.model.specs import ContainerSpec, Replicated, ServiceSpec, TaskSpec
from simswarm.model.taskstate import TaskState as S
from simswarm.wire.control import CreateService, ServiceResult
from tests.node.swarm import Swarm

REPLICAS = 7


def torment(swarm: Swarm, seed: int) -> None:
    chance = SeededEntropy(seed, "/chaos")
    names = list(swarm.machines)
    for _ in range(25):
        swarm.run(chance.integer(1, 4_000) * MILLISECOND)
        name = chance.choice(names)
        machine = swarm[name]
        match chance.choice(("crash", "boot", "cut", "join", "exit")):
            case "crash" if machine.node is not None:
                swarm.crash(name, containers=chance.integer(0, 1) == 1)
            case "boot" if machine.node is None:
                swarm.boot(name)
            case "cut":
                swarm.cut(name, chance.choice(names))
            case "join":
                swarm.heal()
            case "exit":
                up = [task for task, info in machine.containers.items() if info.running]
                if up and machine.node is not None:
                    swarm.exit(name, chance.choice(up), chance.integer(0, 1))


def calm(swarm: Swarm) -> None:
    swarm.heal()
    for machine in swarm.machines.values():
        if machine.node is None:
            swarm.boot(machine.name)


@pytest.mark.parametrize("seed", range(12))
def test_swarm_recovers_from_anything_once_it_is_left_alone(seed):
    swarm = Swarm(managers=3, workers=3, seed=seed)
    swarm.run(8 * SECOND)
    spec = ServiceSpec("web", TaskSpec(ContainerSpec("web:1")), Replicated(REPLICAS))
    assert isinstance(swarm.call("m2", CreateService(spec)), ServiceResult)
    torment(swarm, seed)
    calm(swarm)
    swarm.run(180 * SECOND)
    assert [m.halted for m in swarm.machines.values()] == [""] * 6
    (leader,) = [m for m in swarm.machines.values() if m.node.manager and m.node.manager.is_leader]
    store = leader.node.manager.store
    assert [node.status.state for node in store.find(Node)] == [NodeState.READY] * 6
    wanted = [task for task in store.find(Task) if task.desired_state <= S.RUNNING]
    assert [task.status.state for task in wanted] == [S.RUNNING] * REPLICAS
    assert sorted(task.slot for task in wanted) == list(range(1, REPLICAS + 1))
    up = [
        task
        for machine in swarm.machines.values()
        for task, info in machine.containers.items()
        if info.running
    ]
    assert sorted(up) == sorted(task.id for task in wanted)
    for machine in swarm.machines.values():
        if machine.node.manager:
            assert machine.node.manager.store.find(Task) == store.find(Task)
