"""What a worker process does: some seeds of one cell, one row of figures each.

Only a row comes back (seed, verdict, digest, a few numbers); the bundle of a failed run goes to a
file. A run that simswarm itself breaks in is a row too, with the verdict `bug`: one seed never
ends a sweep.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simswarm.base.errors import SimswarmError
from simswarm.campaign.cells import Cell, Job
from simswarm.campaign.journal import Row
from simswarm.campaign.measures import measure
from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.outcome.finished import Run
from simswarm.scenario.run import play

BUG = "bug"


@dataclass(frozen=True)
class Order:
    """A job with all that a process elsewhere needs to do it."""

    text: str
    """The locked scenario: it needs no other file."""
    cell: Cell
    job: Job
    measures: tuple[str, ...]
    failures: str | None
    """The folder for bundles of failed runs, or None to keep none."""


def carry_out(order: Order) -> list[Row]:
    """Do all runs of a job and return their rows."""
    scenario = load_scenario(order.text, order.cell.settings, runnable=True)
    rows = []
    for seed in order.job.seeds:
        try:
            # `measure` may refuse too: a measure that only some cells have is an author's error
            row = _row(play(scenario, seed=seed), order.measures)
        except SimswarmError:
            raise
        except Exception as error:
            rows.append(_broken(order, seed, error))
            continue
        rows.append({"cell": order.job.cell, "seed": seed, **row})
        if row["verdict"] != "pass" and order.failures is not None:
            _keep(order, seed)
    return rows


def _row(run: Run, measures: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "verdict": run.verdict,
        "digest": run.digest,
        "simulated_seconds": run.result["simulated_seconds"],
        "events": run.result["events"],
    }
    for name in measures:
        row[name], row[f"{name}.waited"] = measure(run.result, name)
    return row


def _broken(order: Order, seed: int, error: Exception) -> Row:
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    what = f"{type(error).__name__}: {error} ({place})"
    return {"cell": order.job.cell, "seed": seed, "verdict": BUG, "error": what}


def _keep(order: Order, seed: int) -> None:
    """Run once more with everything recorded, and save the bundle."""
    assert order.failures is not None
    scenario = load_scenario(order.text, order.cell.settings, runnable=True)
    folder = Path(order.failures)
    folder.mkdir(parents=True, exist_ok=True)
    play(scenario, seed=seed, views=True).save(folder / f"cell{order.job.cell}-seed{seed}.swrun")
