"""`simswarm sweep`: seeds × grid, with progress, resumable, as tables."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simswarm.cli.exits import BUG, FAILED, OK, UNDECIDED, Refused, guarded
from simswarm.cli.run import FILE, settings
from simswarm.cli.state import put, put_json, say, state

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from simswarm.campaign.journal import Row
    from simswarm.campaign.summary import CellSummary
    from simswarm.campaign.sweep import Sweep

SWEEPS = Path(".simswarm/sweeps")


@guarded
def sweep(
    file: FILE,
    seeds: Annotated[
        str | None, typer.Option(help="A..B, instead of the scenario's own seeds.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("-j", "--jobs", help="Processes; default: one a core.", min=1)
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", help="PATH=VALUE, such as cluster.managers=5.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; one that exists is resumed.")] = None,
    executor: Annotated[str, typer.Option(help="local; dask is not supported yet.")] = "local",
    scheduler: Annotated[str | None, typer.Option(help="Address, for --executor dask.")] = None,
) -> None:
    """Run a scenario many times: seeds × grid. A sweep that was stopped goes on."""
    if executor != "local" or scheduler is not None:
        raise Refused("--executor dask: not supported yet; the local one uses all cores")
    from simswarm.campaign.sweep import Sweep, plan, process_pool
    from simswarm.scenario.loading.load import load_scenario
    from simswarm.scenario.shipped import find_scenario

    scenario = load_scenario(find_scenario(file), settings(set or []), runnable=True)
    planned = plan(scenario, _seeds(seeds))
    folder = out or SWEEPS / f"{scenario.name}-{planned.heading.short}"
    under_way = Sweep(planned, folder)
    _announce(under_way)
    if under_way.left:
        pool, count = process_pool(workers)
        try:
            with _Bar(under_way) as bar:
                under_way.run(pool, count, bar.add)
        except KeyboardInterrupt:
            say(f"\nstopped: {len(under_way.rows)} of {planned.total} runs are kept")
            given = f" --seeds {seeds}" if seeds else ""
            say(f"go on with the same command, or: simswarm sweep {file}{given} --out {folder}")
            pool.shutdown(wait=False, cancel_futures=True)
            under_way.write()
            raise
        pool.shutdown()
    _report(under_way, under_way.write())


def _seeds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    from simswarm.scenario.grammar.ranges import seeds as read_seeds

    try:
        return list(read_seeds(text))
    except ValueError as error:
        raise Refused(f"--seeds {text}: such as 1..200") from error


def _announce(under_way: Sweep) -> None:
    plan = under_way.plan
    cells = "1 cell" if len(plan.cells) == 1 else f"{len(plan.cells)} cells"
    say(f"{plan.scenario.name}: {cells} × {len(plan.seeds)} seeds = {plan.total:,} runs")
    if under_way.rows:
        say(f"{len(under_way.rows):,} of them are done already in {under_way.folder}")


class _Bar:
    """Runs done, runs a second, failures; a line every ten seconds where there is no terminal."""

    def __init__(self, under_way: Sweep) -> None:
        self._sweep = under_way
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._told = time.monotonic()

    def __enter__(self) -> _Bar:
        if state.shows_progress:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
            from rich.progress import TimeRemainingColumn as Remaining

            speed, failed = "{task.fields[speed]}", "failed {task.fields[failed]}"
            self._bar = Progress(
                BarColumn(), MofNCompleteColumn(), TextColumn(speed), Remaining(),
                TextColumn(failed), console=state.console, transient=True,
            )  # fmt: skip
            done = len(self._sweep.rows)
            self._task = self._bar.add_task(
                "", total=self._sweep.plan.total, completed=done, speed="", failed=0
            )
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def add(self, _rows: Sequence[Row]) -> None:
        """These runs are done."""
        rows = self._sweep.rows
        failed = sum(row["verdict"] != "pass" for row in rows)
        if self._bar is not None and self._task is not None:
            task = self._bar.tasks[0]
            speed = f"{task.speed:.1f} runs/s" if task.speed else ""
            self._bar.update(self._task, completed=len(rows), speed=speed, failed=failed)
        elif state.format == "text" and time.monotonic() - self._told > 10:
            self._told = time.monotonic()
            say(f"{len(rows):,} of {self._sweep.plan.total:,} runs, {failed} not passed")


def _report(under_way: Sweep, paths: list[Path]) -> None:
    summaries = under_way.summary()
    verdicts: dict[str, int] = {}
    for summary in summaries:
        for verdict, count in summary.verdicts.items():
            verdicts[verdict] = verdicts.get(verdict, 0) + count
    if state.format == "text":
        for summary in summaries:
            _cell(summary)
    else:
        put_json(_json(under_way, summaries, paths))
    for row in under_way.table():
        if row["verdict"] == "bug":
            say(f"bug in simswarm at seed {row['seed']}: {row['error']}", style="bold red")
    say(f"wrote {', '.join(str(path) for path in paths)}")
    say(f"look  simswarm plot {under_way.folder}")
    if verdicts.get("bug"):
        raise typer.Exit(BUG)
    if verdicts.get("fail"):
        raise typer.Exit(FAILED)
    raise typer.Exit(UNDECIDED if verdicts.get("undecided") else OK)


def _cell(summary: CellSummary) -> None:
    low, high = summary.interval
    share = f"{summary.passed} of {summary.runs} pass ({low:.1%} to {high:.1%})"
    put(f"{summary.cell.words}: {share}")
    for name, sample in summary.samples.items():
        quantiles = [(share, sample.quantile(share)) for share in (0.5, 0.9, 0.99)]
        shown = "  ".join(
            f"p{round(share * 100)} {'never' if value is None else f'{value:.2f}'}"
            for share, value in quantiles
        )
        put(f"    {name:<20} {shown}  never {len(sample.waited)} of {sample.size}")


def _json(under_way: Sweep, summaries: list[CellSummary], paths: list[Path]) -> dict[str, Any]:
    from simswarm.campaign.summary import summary_rows

    return {
        "scenario": under_way.plan.scenario.name,
        "runs": len(under_way.rows),
        "folder": str(under_way.folder),
        "files": [str(path) for path in paths],
        "cells": summary_rows(summaries),
    }
