"""Targets that mean nobody, and images that change and change back: nothing breaks, all is said."""

from __future__ import annotations

import pytest

import simswarm
from simswarm.scenario.narration.story import Story

SMALL = """\
simswarm: 1
name: small
cluster: {managers: 1, workers: 2}
until: 20s
stack: {services: {web: {image: i:1, deploy: {replicas: 2}}}}
events:
"""


def played(*events: str, **more):
    return simswarm.run(SMALL + "".join(f"  - {event}\n" for event in events), **more)


@pytest.mark.parametrize(
    "action",
    [
        *("crash: m9", "restart: m9", "pause: m9", "resume: m9", "drain: m9", "activate: m9"),
        *("pause_node: m9", "label: {m9: {a: b}}", "heal: m9", "link: {from: m9, loss: 5%}"),
        "partition: [[m9], [w1]]",
    ],
)
def test_a_node_that_does_not_exist_is_a_warning_with_its_line(action):
    run = played(f"{{at: 1s, {action}}}")
    assert run.verdict == "pass"
    assert "line 7: there is no node m9" in run.result["warnings"]


def test_the_nodes_that_do_exist_are_crashed_all_the_same():
    run = played("{at: 1s, crash: [m9, w1]}")
    assert [record.node for record in run.trace.records("process.crash")] == ["w1"]


def test_healing_nobody_heals_nothing():
    run = played("{at: 1s, heal: m9}")
    assert not run.trace.records("network.heal")


def test_a_partition_with_everybody_on_one_side_says_that_it_cuts_nothing():
    run = played("{at: 1s, partition: [[m1, w1, w2]]}")
    assert any("nothing is cut" in warning for warning in run.result["warnings"])


def test_a_command_to_a_host_that_does_not_exist_is_a_refused_call():
    run = played('{id: lost, at: 1s, docker: "--host m9 service scale web=3"}')
    (call,) = [record for record in run.trace.records("call") if record.get("event") == "lost"]
    assert call.get("target") == "m9"
    assert "no such host" in call.get("error")


def test_every_firing_draws_its_own_random_target():
    many = SMALL.replace("workers: 2", "workers: 9").replace("until: 20s", "until: 100s")
    run = simswarm.run(many + '  - {every: 5s, crash: "random(workers)", for: 1s}\n')
    struck = [record.node for record in run.trace.records("process.crash")]
    assert len(struck) > 10
    assert len(set(struck)) > 3


def test_changes_of_an_image_that_overlap_are_each_undone():
    fails = "image: {j:1: {start: fail}}"
    slow = "image: {j:1: {pull: 9s}}"
    create = 'docker: "service create --name late --restart-condition none j:1"'
    run = played(
        f"{{at: 1s, {fails}, for: 4s}}",
        f"{{at: 3s, {slow}, for: 1s}}",
        f"{{at: 7s, {create}}}",
    )
    (task,) = run.result["services"]["late"]["tasks"]
    assert task["state"] == "running"
    assert task["started"] < 12


def test_an_image_that_is_changed_again_and_again_with_overlap_breaks_nothing():
    run = played("{every: 3s, image: {i:1: {start: fail}}, for: 5s}")
    assert run.verdict == "pass"


def test_a_replaced_task_is_not_told_as_fewer_tasks_that_run():
    run = played("{at: 5s, crash: w1}", until=40)
    lines = [line.text for line in Story().tell(run.records)]
    assert any("w1 is down" in line for line in lines)
    assert not any("web 2 -> 1" in line or "web 1 -> 2" in line for line in lines)
