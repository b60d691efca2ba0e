"""Keeping a run: the locked scenario it can be run from again, and its bundle.

Invariants:
    I1. A bundle's locked scenario gives the run's digest again, on the same engine number.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from simswarm import __version__
from simswarm.base.trace import TraceRecord
from simswarm.scenario.grammar.targets import Named
from simswarm.scenario.loading.lock import lock
from simswarm.scenario.model import Event, Scenario
from simswarm.scenario.outcome.bundle import bundle_name, write_bundle
from simswarm.scenario.outcome.result import ENGINE, Json

Resolved = Mapping[int, Mapping[str, tuple[str, ...]]]


class Keepable(Protocol):
    """A run that is over, as far as keeping it needs to know."""

    scenario: Scenario
    seed: int
    until: int | None
    resolved: Resolved
    records: Sequence[TraceRecord]
    views: Sequence[Json]
    result: Json
    digest: str


def locked(scenario: Scenario, seed: int, until: int | None, resolved: Resolved) -> str:
    """The scenario as it was run: seed, end and random targets written out."""
    events = tuple(
        _fixed(event, resolved.get(number, {})) for number, event in enumerate(scenario.events)
    )
    return lock(scenario.model_copy(update={"seed": seed, "until": until, "events": events}))


def _fixed(event: Event, resolved: Mapping[str, tuple[str, ...]]) -> Event:
    """An event with the nodes its random targets meant; one that repeats draws each time."""
    if not resolved or event.every is not None:
        return event
    action = event.action
    fields = {"from": "source", "to": "target"}
    changes: dict[str, Any] = {}
    for field, nodes in resolved.items():
        targets = tuple(Named(name) for name in nodes)
        if not targets:
            return event  # nobody was meant; an empty list can't be written
        if field.startswith("group"):
            groups = changes.get("groups", getattr(action, "groups", ()))
            at = int(field.removeprefix("group"))
            changes["groups"] = (*groups[:at], targets, *groups[at + 1 :])
        else:
            changes[fields.get(field, field)] = targets
    return event.model_copy(update={event.verb: action.model_copy(update=changes)})


def save(run: Keepable, path: Path | None = None, folder: Path | None = None, **meta: Any) -> Path:
    """Keep a run as a bundle, and note in its result where.

    Args:
        run: The run.
        path: The bundle's file; else its name is made of scenario, seed and digest.
        folder: Where to put it, if `path` is not given.
        meta: More of what the run was asked to do.
    """
    if path is None:
        path = (folder or Path()) / bundle_name(run.scenario.name, run.seed, run.digest)
    run.result["bundle"] = str(path)
    write_bundle(
        path,
        lock=locked(run.scenario, run.seed, run.until, run.resolved),
        records=run.records,
        views=run.views,
        result=run.result,
        meta={**meta_of(run.scenario, run.seed), "digest": run.digest, **meta},
    )
    return path


def meta_of(scenario: Scenario, seed: int) -> Json:
    """Who ran what."""
    return {
        "simswarm": __version__,
        "engine": ENGINE,
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "file": scenario.file,
        "seed": seed,
    }


def save_wreck(
    records: Sequence[TraceRecord], scenario: Scenario, seed: int, error: str, path: Path
) -> Path:
    """Keep what there is of a run that simswarm itself broke off."""
    write_bundle(
        path,
        lock=locked(scenario, seed, scenario.until, {}),
        records=records,
        views=(),
        result={"scenario": scenario.name, "seed": seed, "verdict": None, "error": error},
        meta={**meta_of(scenario, seed), "error": error},
    )
    return path
