"""The result of a run as other programs read it: one JSON object (`result.json`, `--format json`).

A field may be added, never renamed or given another meaning. Times are seconds since the swarm
was up; what depends on this machine stands under `timing` and `bundle` alone.

Not here: how the verdict came about (`expect/`), the file it is kept in (`bundle.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from simswarm.base.time import Instant
from simswarm.check.invariant import Invariant
from simswarm.model.specs import Replicated
from simswarm.model.taskstate import STATE_NAMES
from simswarm.scenario.expect.judge import Judgement, Verdict
from simswarm.scenario.observed.facts import ServiceFacts
from simswarm.scenario.observed.scene import Scene
from simswarm.scenario.observed.snapshot import (
    AVAILABILITY_WORDS,
    NODE_STATE_WORDS,
    ROLE_WORDS,
    UPDATE_STATE_WORDS,
)

Json: TypeAlias = dict[str, Any]

ENGINE = 1
"""Raised whenever the same input may give other records."""


def seconds(instant: Instant | None) -> float | None:
    """An instant or span in seconds."""
    return None if instant is None else instant / 1e9


def overall(judgements: Sequence[Judgement], invariants: Sequence[Invariant]) -> Verdict:
    """The verdict of a run: one failure fails it, one open question leaves it undecided."""
    verdicts = [judgement.verdict for judgement in judgements]
    if "fail" in verdicts or any(invariant.violations for invariant in invariants):
        return "fail"
    if "undecided" in verdicts or any(invariant.stopped for invariant in invariants):
        return "undecided"
    return "pass"


def expectation_json(judgement: Judgement) -> Json:
    """One expectation. `waited`: only of what never came true."""
    found: Json = {
        "name": judgement.name,
        "kind": judgement.kind,
        "verdict": judgement.verdict,
        "at": seconds(judgement.at),
        "measured": judgement.measured,
        "margin": judgement.margin,
        "message": judgement.message,
        "line": judgement.line,
    }
    if judgement.waited is not None:
        found["waited"] = judgement.waited
    return found


def invariant_json(invariant: Invariant) -> Json:
    """One invariant. `stopped`: why its checker gave up, if it did."""
    found: Json = {
        "name": invariant.name,
        "checked": invariant.checked,
        "violations": [
            {"at": seconds(violation.at), "message": violation.message}
            for violation in invariant.violations
        ],
    }
    if invariant.suppressed:
        found["suppressed"] = invariant.suppressed
    if invariant.stopped:
        found["stopped"] = invariant.stopped
    return found


def nodes_json(scene: Scene) -> Json:
    """All nodes by name."""
    leader = scene.truth.leader
    members = scene.around.members()
    found: Json = {}
    for facts in sorted(scene.facts.nodes.values(), key=lambda facts: _numbered(facts.node.name)):
        name = facts.node.name
        reach = None
        if name in members:
            alone = not leader or not scene.truth.is_up(name)
            in_touch = not alone and (name == leader or scene.around.can_talk(name, leader))
            reach = "reachable" if in_touch else "unreachable"
        found[name] = {
            "role": ROLE_WORDS[facts.node.role],
            "status": NODE_STATE_WORDS[facts.node.status.state],
            "availability": AVAILABILITY_WORDS[facts.node.spec.availability],
            "leader": name == leader,
            "reachability": reach,
            "tasks": facts.occupied,
            "up": scene.truth.is_up(name),
            "labels": dict(facts.node.spec.labels),
        }
    return found


def _numbered(name: str) -> tuple[str, int]:
    """Sorts w2 before w10."""
    head = name.rstrip("0123456789")
    return head, int(name[len(head) :] or 0)


def service_json(scene: Scene, facts: ServiceFacts, *, with_tasks: bool) -> Json:
    """One service, with its tasks (ended ones that are still kept included) or without."""
    spec = facts.service.spec
    found: Json = {
        "mode": "replicated" if isinstance(spec.mode, Replicated) else "global",
        "replicas": facts.desired,
        "running": facts.running,
        "update_state": UPDATE_STATE_WORDS[facts.update.state] if facts.update else "",
        "image": spec.task.container.image,
    }
    if with_tasks:
        found["update_message"] = facts.update.message if facts.update else ""
        found["tasks"] = tasks_json(scene, facts)
    return found


def tasks_json(scene: Scene, facts: ServiceFacts) -> list[Json]:
    """The tasks of a service in order of slot and age."""
    times = scene.facts.times
    tasks = sorted(
        facts.tasks.values(), key=lambda task: (task.slot, times[task.id].created, task.id)
    )
    return [
        {
            "id": task.id,
            "slot": task.slot or None,
            "node": scene.facts.node_name(task.node_id) or None,
            "image": task.spec.container.image,
            "state": STATE_NAMES[task.status.state],
            "desired_state": STATE_NAMES[task.desired_state],
            "error": task.status.error,
            "created": seconds(times[task.id].created),
            "started": seconds(times[task.id].started),
            "ended": seconds(times[task.id].ended),
        }
        for task in tasks
    ]


def raft_json(scene: Scene) -> Json:
    """Who leads, who is a member, and every election that was won."""
    return {
        "leader": scene.truth.leader or None,
        "term": scene.truth.term,
        "members": list(scene.around.members()),
        "leader_changes": [
            {"at": seconds(change.at), "leader": change.leader, "term": change.term}
            for change in scene.truth.leader_changes
        ],
    }


def view_json(scene: Scene) -> Json:
    """A summary of the swarm at this moment, for seeking."""
    return {
        "t": seconds(scene.now),
        "nodes": nodes_json(scene),
        "services": {
            name: service_json(scene, facts, with_tasks=False)
            for name, facts in sorted(scene.facts.services_by_name.items())
        },
        "raft": {"leader": scene.truth.leader or None, "term": scene.truth.term},
    }


def state_json(scene: Scene) -> Json:
    """The swarm at the end: nodes, services with their tasks, Raft."""
    return {
        "nodes": nodes_json(scene),
        "services": {
            name: service_json(scene, facts, with_tasks=True)
            for name, facts in sorted(scene.facts.services_by_name.items())
        },
        "raft": raft_json(scene),
    }
