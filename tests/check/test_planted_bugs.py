"""Whole swarms with a bug planted in the code under test: the invariant of that name sees it.

Method: patch one function of raft, replica, scheduler or orchestrator, run a small swarm through
what brings the bug to light, and look at what the invariants found. Unpatched, the same runs are
clean (last test).
"""

from __future__ import annotations

from collections import deque

import pytest

import simswarm
from simswarm.base.values import Value, replace
from simswarm.manager import replica
from simswarm.manager.scheduler.filters import ConstraintFilter, ResourceFilter
from simswarm.model.objects import Task, TaskStatus
from simswarm.model.taskstate import TaskState
from simswarm.raft import quorum
from simswarm.raft.log import Log
from simswarm.raft.raft import Raft
from simswarm.scenario.cluster import Cluster, CommandFailed

WEB = "service create --name web --replicas 3 nginx"


def broken(swarm: Cluster) -> set[str]:
    return {name for name, _ in swarm.violations}


def calm(swarm: Cluster) -> None:
    swarm.docker(WEB)
    swarm.advance(20)


def split_brain(swarm: Cluster) -> None:
    """The leader is cut off with a write under way; the others go on; the network heals."""
    swarm.partition("m1")
    with pytest.raises(CommandFailed):
        swarm.docker("--host m1 service scale web=5")
    swarm.advance(25)
    swarm.docker("--host m2 service scale web=4")
    swarm.advance(5)
    swarm.heal()
    swarm.advance(40)


def two_minorities(swarm: Cluster) -> None:
    swarm.crash("m1")
    swarm.partition(["m2", "m3"], ["m4", "m5"])
    swarm.advance(60)


def test_an_acknowledgement_that_does_not_wait_for_the_disk(monkeypatch):
    monkeypatch.setattr(Raft, "send_durable", Raft.send)
    swarm = Cluster(3, 1)
    calm(swarm)
    assert broken(swarm) == {"durable before acknowledged"}


def test_a_candidate_that_counts_itself_as_everybody(monkeypatch):
    monkeypatch.setattr(quorum, "vote_result", lambda *_: quorum.VoteResult.WON)
    swarm = Cluster(5, 1)
    two_minorities(swarm)
    assert "election safety" in broken(swarm)


def test_a_leader_that_commits_alone(monkeypatch):
    swarm = Cluster(3, 1)
    calm(swarm)
    monkeypatch.setattr(quorum, "committed_index", max)
    swarm.partition("m1")
    swarm.docker("--host m1 service scale web=5")
    swarm.advance(40)
    assert "leader completeness" in broken(swarm)


def test_a_follower_that_keeps_what_contradicts_its_leader(monkeypatch):
    swarm = Cluster(3, 1)
    calm(swarm)
    monkeypatch.setattr(Log, "_truncate", lambda *_: None)
    split_brain(swarm)
    assert "log matching" in broken(swarm)


def test_a_follower_that_applies_half_an_entry(monkeypatch):
    whole = replica._changes
    monkeypatch.setattr(replica, "_changes", lambda entry: whole(entry)[:-1])
    swarm = Cluster(3, 1)
    calm(swarm)
    assert broken(swarm) == {"state machine safety"}


def test_a_scheduler_that_overcommits(monkeypatch):
    monkeypatch.setattr(ResourceFilter, "passes", lambda *_: True)
    swarm = Cluster(1, 1, nodes={"w1": {"cpus": 1}, "m1": {"cpus": 1}})
    swarm.docker("service create --name big --replicas 3 --reserve-cpu 0.75 nginx")
    swarm.advance(5)
    assert broken(swarm) == {"node resources"}


def test_a_scheduler_that_ignores_constraints(monkeypatch):
    monkeypatch.setattr(ConstraintFilter, "passes", lambda *_: True)
    swarm = Cluster(1, 2, nodes={"w1": {"labels": {"disk": "ssd"}}})
    swarm.docker(
        "service create --name db --replicas 3 --constraint node.labels.disk==ssd postgres"
    )
    swarm.advance(5)
    assert broken(swarm) == {"placement constraints"}


class LowerState(Value, frozen=True):
    """A write that puts a task's state back."""

    @property
    def name(self) -> str:
        return "test.lower"

    def __call__(self, tx) -> None:
        task = tx.find(Task)[0]
        tx.update(replace(task, status=TaskStatus(TaskState.ASSIGNED)))


class Twin(Value, frozen=True):
    """A write that gives a slot a second task."""

    @property
    def name(self) -> str:
        return "test.twin"

    def __call__(self, tx) -> None:
        task = tx.find(Task)[0]
        tx.create(replace(task, id=task.id[::-1], meta=type(task.meta)()))


@pytest.mark.parametrize(
    ("write", "name"),
    [(LowerState(), "task states only rise"), (Twin(), "live tasks of a slot")],
)
def test_a_control_loop_that_writes_nonsense(write, name):
    swarm = Cluster(3, 1)
    calm(swarm)
    leader = swarm._playing.world.host("m1").node.manager
    leader.store.update(write)
    leader.replica.settle()
    for host in deque(swarm._playing.world.hosts.values()):
        host._perform(host.node._out.drain())
    swarm.advance(5)
    assert name in broken(swarm)


def test_a_checker_that_fails_leaves_the_run_undecided_and_says_so(monkeypatch):
    from simswarm.check.tasks import LiveTasksPerSlot

    def fail(*_) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(LiveTasksPerSlot, "_judge", fail)
    run = simswarm.run("drain")
    assert run.verdict == "undecided"
    stopped = {entry["name"]: entry.get("stopped") for entry in run.result["invariants"]}
    assert stopped["live tasks of a slot"] == "RuntimeError: out of order"
    assert [name for name, why in stopped.items() if why] == ["live tasks of a slot"]


def test_the_same_runs_without_a_bug_are_clean():
    swarm = Cluster(5, 2)
    calm(swarm)
    split_brain(swarm)
    two_minorities(swarm)
    assert swarm.violations == []
    assert all(invariant.checked for invariant in swarm._playing.invariants[:7])
