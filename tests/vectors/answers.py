"""What our components answer to recorded cases, and whether that is one of the real answers."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from simswarm.base.errors import InvalidSpec
from simswarm.manager.loop import ControlLoop
from simswarm.manager.orchestrator.enforcer import ConstraintEnforcer
from simswarm.manager.orchestrator.global_services import GlobalOrchestrator
from simswarm.manager.orchestrator.reaper import TaskReaper
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.manager.scheduler import Scheduler
from simswarm.model.constraints import node_matches, parse
from simswarm.model.objects import Service, Task
from simswarm.model.taskstate import STATE_NAMES
from tests.orchestrator.bench import Bench, cluster
from tests.vectors import objects, rolling
from tests.vectors.objects import Json
from tests.vectors.steps import Case

FACTS = ("node_id", "state", "message", "err", "generic")


def replicated(bench: Bench) -> ControlLoop:
    return ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 1)


def global_services(bench: Bench) -> ControlLoop:
    return GlobalOrchestrator(bench.store, bench.out, bench.entropy, 1)


def reaper(bench: Bench) -> ControlLoop:
    return TaskReaper(bench.store, bench.out, 1)


def enforcer(bench: Bench) -> ControlLoop:
    return ConstraintEnforcer(bench.store, bench.out, 1)


LOOPS: dict[str, tuple[Callable[[Bench], ControlLoop], float]] = {
    "replicated": (replicated, 0.15),
    "restart": (replicated, 0.12),
    "global": (global_services, 0.15),
    "reaper": (reaper, 0.6),
    "enforcer": (enforcer, 0.15),
}
"""The loop of each component, and for how long it must be quiet."""


def agrees(component: str, given: Json, expected: Json) -> bool:
    """Whether our answer to a case is one of the real ones."""
    if component == "constraints":
        return constraints(given) == expected
    if component == "scheduler":
        return not differences(given, expected, placements(given))
    if component == "updater":
        ours = rolling.answer(given)
        return any(_same_update(ours, real) for real in expected["outcomes"])
    return _outcome(component, given) in [_outcome_of(real) for real in expected["outcomes"]]


def constraints(given: Json) -> Json:
    try:
        parsed = parse(given.get("constraints") or ())
    except InvalidSpec as error:
        return {"error": error.message, "matches": None}
    nodes = [objects.node(item) for item in given.get("nodes") or ()]
    return {"error": None, "matches": [node_matches(parsed, node) for node in nodes]}


def _same_update(ours: Json, real: Json) -> bool:
    return {**real, "slot_sequences": sorted(s for s in real["slot_sequences"] if s)} == ours


# ── snapshots ────────────────────────────────────────────────────────────────────────────────


def _outcome(component: str, given: Json) -> list[Any]:
    make, quiet = LOOPS[component]
    bench = Bench(states_only_rise=False)
    case = Case(bench)
    bench.load(cluster(given.get("task_history_retention_limit") or 0))
    case.load(given)
    bench.start(make(bench))
    bench.run(quiet)
    outcome = [_snapshot(case, with_texts=component == "enforcer")]
    for step in given.get("steps") or ():
        case.step(step)
        bench.run(quiet)
        outcome.append(_snapshot(case, with_texts=component == "enforcer"))
    return outcome


def _snapshot(case: Case, *, with_texts: bool) -> Any:
    tasks: list[dict[str, Any]] = []
    for task in case.bench.tasks():
        known: dict[str, Any] = {
            "id": task.id if task.id in case.given else "new",
            "service_id": task.service_id,
            "slot": task.slot,
            "node_id": task.node_id,
            "state": STATE_NAMES[task.status.state],
            "desired_state": STATE_NAMES[task.desired_state],
            "spec_version": task.spec_version,
        }
        if with_texts:
            known |= {"message": task.status.message, "err": task.status.error}
        tasks.append(known)
    states = {
        service.id: service.update_status.state.name.lower() if service.update_status else ""
        for service in case.bench.store.find(Service)
    }
    return _normal({"tasks": tasks, "update_states": states})


def _outcome_of(real: list[Any]) -> list[Any]:
    outcome: list[Any] = []
    for snapshot in real:
        outcome.append(outcome[-1] if snapshot == "same" else _normal(snapshot))
    return outcome


def _normal(snapshot: Json) -> Any:
    """Without empty fields, and in an order that does not depend on ids of new tasks."""
    tasks = [
        {key: value for key, value in task.items() if value not in ("", None, 0) or key == "slot"}
        for task in snapshot["tasks"] or ()
    ]
    for task in tasks:
        task.setdefault("slot", 0)
    states = {key: value for key, value in (snapshot["update_states"] or {}).items() if value}
    return sorted(json.dumps(task, sort_keys=True) for task in tasks), states


# ── placements ───────────────────────────────────────────────────────────────────────────────


def placements(given: Json) -> dict[str, dict[str, str]]:
    """The scheduler alone on a case: the facts of every task at the end."""
    bench = Bench(states_only_rise=False)
    case = Case(bench)
    case.load(given)
    scheduler = Scheduler(bench.store, bench.out, bench.entropy, 1)
    bench.start(scheduler)
    bench.run(0.6)
    for step in given.get("then") or ():
        case.step(step)
        bench.run(0.6)
    return {task.id: _facts(task) for task in bench.tasks()}


def _facts(task: Task) -> dict[str, str]:
    assigned = sorted(f"{piece.kind}={piece.value or piece.count}" for piece in task.generic)
    return {
        "node_id": task.node_id,
        "state": STATE_NAMES[task.status.state],
        "message": task.status.message,
        "err": task.status.error,
        "generic": ",".join(assigned),
    }


def differences(given: Json, expected: Json, ours: dict[str, dict[str, str]]) -> list[str]:
    """Facts that were never seen in the real scheduler. Like tasks are interchangeable; where the
    real one was of two minds, the numbers per node must be among those seen."""
    if expected.get("hangs_in_reference"):
        return []
    told = {item["id"]: item for item in given.get("tasks") or ()}
    for step in given.get("then") or ():
        told |= {op["task"]["id"]: op["task"] for op in step if op["op"] == "create_task"}
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for id, item in told.items():
        groups[_group(item)].append(id)
    found: list[str] = []
    seen = expected.get("tasks") or {}
    for ids in groups.values():
        for fact in FACTS:
            allowed = [value for id in ids for value in _seen(told[id], seen.get(id), fact)]
            found += [
                f"{id}: {fact} {ours[id][fact]!r} is none of {allowed}"
                for id in ids
                if id in ours and ours[id][fact] not in allowed
            ]
    return found + _wrong_numbers(told, expected, ours)


def _group(item: Json) -> tuple[Any, ...]:
    if item.get("node_id"):
        return ("preassigned", item["id"])
    keys = ("service_id", "spec_version", "state", "desired_state")
    return tuple(item.get(key) for key in keys)


def _seen(item: Json, seen: Json | None, fact: str) -> list[str]:
    if seen is not None:
        return seen.get(fact) or [""]
    if fact == "generic":
        pieces = item.get("assigned_generic") or ()
        texts = sorted(f"{piece['kind']}={piece.get('name') or piece['count']}" for piece in pieces)
        return [",".join(texts)]
    return [item.get(fact) or ("new" if fact == "state" else "")]


def _wrong_numbers(told: Json, expected: Json, ours: dict[str, dict[str, str]]) -> list[str]:
    found: list[str] = []
    for group, real in (expected.get("placements") or {}).items():
        numbers: Counter[str] = Counter()
        for id, item in told.items():
            version = item.get("spec_version")
            key = f"task {id}" if version is None else f"{item.get('service_id', '')}@{version}"
            if key == group and not item.get("node_id") and id in ours and ours[id]["node_id"]:
                numbers[ours[id]["node_id"]] += 1
        one_way = len(real) == 1 and dict(numbers) == real[0]
        several = len(real) > 1 and sorted(numbers.values()) in [sorted(r.values()) for r in real]
        if not one_way and not several:
            found.append(f"{group}: {dict(numbers)} is none of {real}")
    return found
