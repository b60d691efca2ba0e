"""What a sweep asks of each run: how long until an expectation held, or a count.

A measure is the name or kind of an expectation (`leader_elected`: the first of that kind), or one
of the counts below. A duration that was not reached is censored: `waited` says how long it was
waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simswarm.base.errors import ScenarioError

Result = Mapping[str, Any]


def _leader_changes(result: Result) -> float:
    return float(sum(change["at"] >= 0 for change in result["raft"]["leader_changes"]))


def _term(result: Result) -> float:
    return float(result["raft"]["term"] or 0)


def _tasks(result: Result) -> float:
    return float(sum(len(service["tasks"]) for service in result["services"].values()))


COUNTS: dict[str, Callable[[Result], float]] = {
    "leader_changes": _leader_changes,
    "term": _term,
    "tasks": _tasks,
}


def measure(result: Result, name: str) -> tuple[float | None, float | None]:
    """(value, None) if the run got there, else (None, seconds waited).

    Raises:
        ScenarioError: no expectation has this name or kind, and no count.
    """
    if name in COUNTS:
        return COUNTS[name](result), None
    for expectation in result["expectations"]:
        if name in (expectation["name"], expectation["kind"]):
            value = expectation["measured"]
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value), None
            return None, float(expectation.get("waited") or result["simulated_seconds"])
    known = [expectation["kind"] for expectation in result["expectations"]] + sorted(COUNTS)
    raise ScenarioError(f"unknown measure '{name}': there are {', '.join(dict.fromkeys(known))}")
