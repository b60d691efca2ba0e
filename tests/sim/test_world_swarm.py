"""A real swarm in the simulated world: it forms, works, survives, and always the same way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simswarm.base.time import MILLISECOND, SECOND
from simswarm.sim.fabric.profiles import flaky
from simswarm.wire.control import ServiceResult
from tests.sim.swarm import UP, create_service, running, swarm


def busy(slices=(), **settings):
    """A swarm that gets a service, loses its leader and a worker, and is partitioned."""
    world = swarm(**settings)
    replies = create_service(world)
    at = world.env.call_at
    at(UP + 10 * SECOND, strike, world)
    at(UP + 60 * SECOND, repair, world)
    for until in slices:
        world.run(until)
    world.run(UP + 100 * SECOND)
    return world, replies


def strike(world):
    world.crash("m1", "unsynced")
    world.crash("w1")
    world.partition([["m2", "w2"], ["m3"]])


def repair(world):
    world.heal()
    world.boot("m1")
    world.boot("w1")


def leaders(world):
    return [record for record in world.trace if record.get("role") == "leader"]


def test_three_managers_and_two_workers_form_a_swarm_and_run_a_service():
    world = swarm()
    replies = create_service(world)
    world.run(UP + 10 * SECOND)
    assert [type(reply) for reply in replies] == [ServiceResult]
    assert len(running(world)) == 4
    assert len(set(running(world))) == 4
    assert [record.node for record in leaders(world)] == ["m1"]
    assert leaders(world)[0].t < 0


def test_a_worker_that_dies_is_replaced_after_its_heartbeats_and_the_restart_delay():
    world = swarm(workers=3)
    create_service(world, replicas=6)
    world.run(UP + 10 * SECOND)
    world.crash("w1")
    crashed = world.t
    world.run(world.now + 40 * SECOND)
    assert len(running(world)) == 6
    assert "w1" not in running(world)
    down = next(
        record for record in world.trace
        if record.kind == "node.state" and record.get("to") == "down"
    )  # fmt: skip
    assert down.get("subject") == "w1"
    assert 9 * SECOND < down.t - crashed < 17 * SECOND
    world.boot("w1")
    world.run(world.now + 20 * SECOND)
    back = [record for record in world.trace if record.get("subject") == "w1"][-1]
    assert (back.kind, back.get("to")) == ("node.state", "ready")


def test_a_new_leader_takes_over_and_nothing_that_was_said_is_lost():
    world = swarm()
    create_service(world)
    world.run(UP + 10 * SECOND)
    world.crash("m1", "unsynced")
    world.run(world.now + 100 * SECOND)
    assert leaders(world)[-1].node in ("m2", "m3")
    assert len(running(world)) == 4
    assert "m1" not in running(world)


def test_slicing_a_run_changes_nothing():
    whole, _ = busy()
    sliced, _ = busy(slices=range(0, UP + 100 * SECOND, 777 * MILLISECOND))
    assert sliced.digest == whole.digest
    assert sliced.trace == whole.trace


def test_another_seed_is_another_run_and_the_trace_level_is_none():
    world, _ = busy()
    assert busy(seed=2)[0].digest != world.digest
    full, _ = busy(level="full")
    assert full.digest == world.digest
    assert {"net.sent", "net.delivered", "net.dropped"} <= {record.kind for record in full.trace}


@pytest.mark.parametrize("seed", range(4))
def test_a_swarm_on_a_bad_network_recovers_from_crashes(seed):
    world, _ = busy(seed=seed, profile=flaky())
    world.run(world.now + 100 * SECOND)
    assert len(running(world)) == 4


ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from tests.sim.test_world_swarm import busy
from simswarm.sim.fabric.profiles import flaky
print(busy(profile=flaky())[0].digest)
"""


def test_hash_seeds_do_not_matter_to_a_swarm():
    digests = {busy(profile=flaky())[0].digest}
    for hash_seed in ("0", "1", "random"):
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        digests.add(result.stdout.strip())
    assert len(digests) == 1
