"""The swarm that is steered by hand."""

from __future__ import annotations

import pytest

import simswarm
from simswarm.base.errors import InvalidSpec, ScenarioError
from simswarm.scenario.cluster import Cluster, CommandFailed, NotConverged


def test_a_swarm_is_up_and_takes_docker_commands():
    swarm = Cluster(managers=3, workers=2, seed=1)
    assert (swarm.now, swarm.leader) == (0.0, "m1")
    assert {node["status"] for node in swarm.nodes.values()} == {"ready"}
    id = swarm.docker("docker service create --name web --replicas 3 nginx")
    assert len(id) == 25
    assert 5 < swarm.advance(until="converged") < 12
    assert swarm.services["web"]["running"] == 3
    assert [task.slot for task in swarm.tasks("web")] == [1, 2, 3]
    assert swarm.docker("service scale web=4") == "web scaled to 4"


def test_time_stands_still_until_it_is_told_to_go_on():
    swarm = Cluster(1, 0)
    assert swarm.advance(2.5) == 2.5
    assert swarm.advance("1m") == 62.5
    assert swarm.advance(until="2m") == 120.0
    assert swarm.advance(until=60) == 120.0
    with pytest.raises(ValueError, match="advance takes"):
        swarm.advance()
    with pytest.raises(ValueError, match="unit"):
        swarm.advance("10")


def test_the_leader_can_be_crashed_and_come_back():
    swarm = Cluster(3, 1)
    swarm.crash("leader")
    assert not swarm.nodes["m1"]["up"]
    swarm.advance(25)
    assert swarm.leader in ("m2", "m3")
    swarm.restart("m1")
    swarm.advance(until="converged")
    assert swarm.nodes["m1"]["status"] == "ready"
    assert swarm.violations == []


def test_faults_of_all_kinds_can_be_injected_and_undone():
    swarm = Cluster(3, 2, seed=4)
    swarm.docker("service create --name web --replicas 4 nginx")
    swarm.advance(until="converged")
    swarm.partition(["m1", "w1"])
    swarm.act(link={"from": "m2", "to": "m3", "latency": "20ms"})
    swarm.pause("w2")
    swarm.advance(30)
    assert swarm.leader in ("m2", "m3")
    swarm.heal()
    swarm.resume("w2")
    swarm.advance(until="converged")
    swarm.drain("m3")
    swarm.advance(until="converged")
    assert swarm.nodes["m3"]["tasks"] == 0
    swarm.activate("m3")
    swarm.advance(5)
    assert {node["status"] for node in swarm.nodes.values()} == {"ready"}
    kinds = {record.kind for record in swarm.trace.records("network.*")}
    assert kinds == {"network.partition", "network.link", "network.heal"}


def test_a_refused_command_raises_what_docker_prints():
    swarm = Cluster(1, 0)
    with pytest.raises(CommandFailed, match="No such service: nope"):
        swarm.docker("service scale nope=1")


def test_what_does_not_converge_says_why():
    swarm = Cluster(1, 0, images={"ghost": {"pull": "missing"}})
    swarm.docker("service create --name web ghost")
    with pytest.raises(NotConverged, match="web 0/1"):
        swarm.advance("20s", until="converged")


def test_the_same_calls_give_the_same_digest():
    def play(seed: int) -> str:
        swarm = Cluster(3, 1, seed=seed, stack={"services": {"a": {"image": "nginx"}}})
        swarm.crash("random(managers)")
        swarm.advance(40)
        return swarm.digest

    assert play(1) == play(1) != play(2)


def test_wrong_settings_and_actions_are_refused():
    with pytest.raises(ScenarioError, match="unknown key 'zoned'"):
        Cluster(1, 0, zoned=["a"])
    swarm = Cluster(1, 0)
    with pytest.raises(InvalidSpec, match="an event needs one action"):
        swarm.act(crsh="m1")


def test_public_names_are_loaded_when_used():
    assert simswarm.Cluster is Cluster
    assert simswarm.Run.__module__ == "simswarm.scenario.outcome.finished"
    assert {"run", "Cluster"} <= set(dir(simswarm))
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        simswarm.runn  # noqa: B018
