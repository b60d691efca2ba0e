"""One hunt: the right code holds, faults do what they say, the same plan gives the same run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from simswarm.hunt.draw import drawer
from simswarm.hunt.plan import BadDisk, Crash, Isolate, Pause, Plan, PowerLoss, Strike
from simswarm.hunt.run import HELD, NOT_RECOVERABLE, UNKNOWN, play

RIGHT = (HELD, NOT_RECOVERABLE, UNKNOWN)


@pytest.mark.parametrize("profile", ["swarm", "network", "disk", "churn"])
def test_the_right_code_shows_nothing(profile):
    for seed in range(15):
        outcome = play(drawer(profile).plan(seed))
        assert outcome.verdict in RIGHT, (seed, outcome.invariant, outcome.message)


def test_a_quiet_hunt_elects_once_and_serves_its_clients():
    outcome = play(Plan())
    assert outcome.verdict == HELD
    assert outcome.counters["elections"] == 1
    assert outcome.counters["operations"] > 50


def test_faults_happen():
    faults = (
        Crash(500, "leader", "unsynced", 400),
        Pause(1200, "m1", 300),
        Isolate(1600, 400, "leader", company=1),
        Strike(2000, "any", "append", "unsynced", 100),
        BadDisk(2300, 200, "m2", fault="error"),
        PowerLoss(2600, ("m1", "m2", "m3"), 100),
    )
    outcome = play(Plan(members=5, faults=faults), keep_trace=True)
    assert outcome.verdict == HELD
    for kind in ("crash", "pause", "isolate", "strike", "disk", "power_loss"):
        assert outcome.counters[kind] >= 1, kind
    kinds = {record.kind for record in outcome.records}
    assert {"process.crash", "process.pause", "network.partition", "disk.fault"} <= kinds


def test_two_lost_disks_of_three_are_not_recoverable():
    faults = (Crash(500, "m1", "disk", 0), Crash(900, "m2", "disk", 0))
    assert play(Plan(faults=faults)).verdict == NOT_RECOVERABLE
    assert play(Plan(faults=faults[:1])).verdict == HELD


def test_equal_plans_give_equal_digests_and_the_trace_changes_nothing():
    plan = drawer("swarm").plan(3)
    assert play(plan) == play(plan)
    assert play(plan).digest == play(plan, keep_trace=True).digest


def test_a_hunt_is_the_same_in_another_process_with_another_hash_seed():
    code = (
        "from simswarm.hunt.draw import drawer\nfrom simswarm.hunt.run import play\n"
        "print(*(play(drawer('swarm').plan(n)).digest for n in range(3)))"
    )
    digests = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert digests[0] == digests[1]
    assert digests[0].split()[0] == play(drawer("swarm").plan(0)).digest
