"""A sweep: seeds × grid of one scenario, on all cores, resumable.

    scenario ──> cells × seeds ──> jobs ──> executor ──> journal ──> runs.csv, summary.csv, parquet

Any `concurrent.futures.Executor` will do; by default a pool of processes that are started afresh
(`spawn`: nothing of this process leaks into a run). What is done is in the journal as soon as it
is known, so that Ctrl-C loses at most the runs under way; the tables are in order of cell and
seed, in whatever order the work was done.

Not here: what one process does (`job.py`), how progress looks (`cli/sweep.py`).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from simswarm import __version__
from simswarm.campaign.cells import Cell, cells, jobs
from simswarm.campaign.job import Order, carry_out
from simswarm.campaign.journal import Heading, Journal, Row
from simswarm.campaign.summary import CellSummary, summarise, summary_rows
from simswarm.report.table import write_csv
from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.loading.lock import lock
from simswarm.scenario.model import Scenario
from simswarm.scenario.model.expect import Converged, LeaderElected
from simswarm.scenario.outcome.result import ENGINE

SEEDS_A_JOB = 4
WAITING_JOBS = 4
"""Jobs handed to the executor beyond those that its workers have at hand."""
FAILURES_KEPT = 20

OnRows = Callable[[Sequence[Row]], None]


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do."""

    scenario: Scenario
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    measures: tuple[str, ...]

    @property
    def total(self) -> int:
        """All runs."""
        return len(self.cells) * len(self.seeds)

    @property
    def heading(self) -> Heading:
        """What its journal is about."""
        text = sha256(lock(self.scenario).encode()).hexdigest()
        words = tuple(cell.words for cell in self.cells)
        return Heading(text, words, self.measures, ENGINE, __version__)


def plan(scenario: Scenario, seeds: Sequence[int] | None = None) -> Plan:
    """The sweep that a scenario describes, or one over these seeds.

    Every cell is read and checked before the first run.

    Raises:
        ScenarioError: a value of the grid makes the scenario wrong, or it can't run yet.
    """
    described = scenario.sweep
    grid: dict[str, Any] = dict(described.grid) if described else {}
    measures = described.measure if described else _kinds(scenario)
    chosen = tuple(seeds if seeds is not None else described.seeds if described else range(1, 101))
    found = tuple(cells(grid))
    text = lock(scenario)
    for cell in found:
        load_scenario(text, cell.settings, runnable=True)
    return Plan(scenario, found, chosen, tuple(measures))


def _kinds(scenario: Scenario) -> tuple[str, ...]:
    """Without `measure`: every expectation that measures a duration."""
    found: dict[str, None] = {}
    for expectation in scenario.expect:
        match expectation.check:
            case Converged():
                found["converged"] = None
            case LeaderElected():
                found["leader_elected"] = None
    return tuple(found)


class Sweep:
    """A sweep in its folder: what is done, and what is left."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Takes up what the folder holds already.

        Raises:
            FailedPrecondition: the folder holds another sweep.
        """
        self.plan = plan
        self.folder = folder
        self._journal = Journal(folder)
        wanted = {(cell, seed) for cell in range(len(plan.cells)) for seed in plan.seeds}
        found = self._journal.open(plan.heading)
        self.rows = [row for row in found if (row["cell"], row["seed"]) in wanted]

    @property
    def left(self) -> int:
        """Runs still to do."""
        return self.plan.total - len(self.rows)

    def run(self, executor: Executor, workers: int, on_rows: OnRows | None = None) -> None:
        """Do what is left. Rows are journalled as they come; an interrupt keeps them."""
        orders = self._orders()
        running: dict[Future[list[Row]], None] = {}
        try:
            while True:
                for order in islice(orders, workers + WAITING_JOBS - len(running)):
                    running[executor.submit(carry_out, order)] = None
                if not running:
                    return
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in [future for future in running if future in finished]:
                    del running[future]
                    self._take(future.result(), on_rows)
        finally:
            for future in running:
                future.cancel()

    def _orders(self) -> Iterator[Order]:
        done: dict[int, set[int]] = {}
        for row in self.rows:
            done.setdefault(row["cell"], set()).add(row["seed"])
        frozen = {cell: frozenset(seeds) for cell, seeds in done.items()}
        text, plan = lock(self.plan.scenario), self.plan
        for job in jobs(len(plan.cells), plan.seeds, frozen, SEEDS_A_JOB):
            failed = sum(row["verdict"] != "pass" for row in self.rows)
            keep = str(self.folder / "failures") if failed < FAILURES_KEPT else None
            yield Order(text, plan.cells[job.cell], job, plan.measures, keep)

    def _take(self, rows: list[Row], on_rows: OnRows | None) -> None:
        self._journal.add(rows)
        self.rows += rows
        if on_rows is not None:
            on_rows(rows)

    def summary(self) -> list[CellSummary]:
        """What came out so far, a cell."""
        return summarise(self.plan.cells, self.rows, self.plan.measures)

    def write(self) -> list[Path]:
        """Write the tables and return their paths; rows in order of cell and seed."""
        table = self.table()
        runs, summary = self.folder / "runs.csv", self.folder / "summary.csv"
        write_csv(runs, self._columns(), table)
        rows = summary_rows(self.summary())
        write_csv(summary, list(rows[0]) if rows else ["runs"], rows)
        (self.folder / "scenario.lock.yaml").write_text(lock(self.plan.scenario))
        written = [runs, summary]
        parquet = self._write_parquet(table)
        return [*written, parquet] if parquet else written

    def table(self) -> list[dict[str, Any]]:
        """All runs, each with its grid values, in order of cell and seed."""
        return [
            {**dict(self.plan.cells[row["cell"]].values), **row}
            for row in sorted(self.rows, key=lambda row: (row["cell"], row["seed"]))
        ]

    def _columns(self) -> list[str]:
        paths = [path for path, _ in self.plan.cells[0].values]
        timed = [column for name in self.plan.measures for column in (name, f"{name}.waited")]
        fixed = ["seed", "verdict", "simulated_seconds", "events", "digest", "error"]
        return ["cell", *paths, *fixed[:2], *timed, *fixed[2:]]

    def _write_parquet(self, table: list[dict[str, Any]]) -> Path | None:
        """The runs as Parquet where pyarrow is installed (extra `data`)."""
        try:
            import pyarrow as arrow
            import pyarrow.parquet as parquet
        except ImportError:
            return None
        path = self.folder / "runs.parquet"
        columns = {name: [row.get(name) for row in table] for name in self._columns()}
        parquet.write_table(arrow.table(columns), path)
        return path


def process_pool(workers: int | None) -> tuple[Executor, int]:
    """A pool of fresh processes and how many there are; None: one a core."""
    count = workers or os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context), count
