"""What differs between two runs: the first record that does, and how they ended."""

from __future__ import annotations

from typing import Any

from simswarm.scenario.outcome.bundle import Bundle
from simswarm.scenario.outcome.result import Json


def compare(a: Bundle, b: Bundle) -> Json:
    """Compare two bundles, outcome by outcome."""
    one, other = a.result, b.result
    return {
        "identical": one.get("digest") == other.get("digest"),
        "digests": [one.get("digest"), other.get("digest")],
        "first_difference": first_difference(a, b),
        "verdicts": [one.get("verdict"), other.get("verdict")],
        "simulated_seconds": [one.get("simulated_seconds"), other.get("simulated_seconds")],
        "leader_changes": [_elections(one), _elections(other)],
        "expectations": _expectations(one, other),
        "services": _services(one, other),
    }


def first_difference(a: Bundle, b: Bundle) -> Json | None:
    """The first record in which two traces differ, as each has it; None if they don't."""
    mine, theirs = a.records(), b.records()
    number = 0
    while True:
        number += 1
        left, right = next(mine, None), next(theirs, None)
        if left is None and right is None:
            return None
        if left != right:
            times = [record["t"] for record in (left, right) if record is not None]
            return {"record": number, "t": min(times), "a": left, "b": right}


def _elections(result: Json) -> int:
    changes = result.get("raft", {}).get("leader_changes", [])
    return sum(change["at"] > 0 for change in changes)


def _expectations(one: Json, other: Json) -> list[Json]:
    """Expectations of the same name, side by side; those of only one run have one side."""
    mine = {entry["name"]: entry for entry in one.get("expectations", [])}
    theirs = {entry["name"]: entry for entry in other.get("expectations", [])}
    return [
        {
            "name": name,
            "verdicts": [_of(mine, name, "verdict"), _of(theirs, name, "verdict")],
            "measured": [_of(mine, name, "measured"), _of(theirs, name, "measured")],
        }
        for name in dict.fromkeys((*mine, *theirs))
    ]


def _services(one: Json, other: Json) -> list[Json]:
    mine, theirs = one.get("services", {}), other.get("services", {})
    return [
        {
            "name": name,
            "running": [_of(mine, name, "running"), _of(theirs, name, "running")],
            "image": [_of(mine, name, "image"), _of(theirs, name, "image")],
        }
        for name in dict.fromkeys((*mine, *theirs))
    ]


def _of(entries: Json, name: str, field: str) -> Any:
    return entries.get(name, {}).get(field)
