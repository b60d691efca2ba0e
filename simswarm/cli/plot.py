"""`simswarm plot`: a figure of a sweep or of one run, as PNG and SVG, with its CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simswarm.cli.exits import Refused, guarded
from simswarm.cli.state import put, put_json, say, state

if TYPE_CHECKING:
    from simswarm.report.figure import Drawing

OF_SWEEP, OF_RUN = ("ecdf",), ("tasks", "roles")


@guarded
def plot(
    source: Annotated[
        Path, typer.Argument(help="A sweep's folder, or a run bundle; 'last': the newest.")
    ],
    kind: Annotated[
        str | None,
        typer.Option(help="ecdf (of a sweep); tasks, roles (of a run). Default: ecdf, tasks."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Which measure of the sweep; default: its first.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="A path of the grid: one curve a value; default: a cell.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to, without ending.")] = None,
) -> None:
    """Draw a figure and keep the numbers behind it."""
    source = _found(source)
    of_sweep = source.is_dir()
    known = OF_SWEEP if of_sweep else OF_RUN
    chosen = kind or known[0]
    if chosen not in known:
        what = "a sweep" if of_sweep else "one run"
        raise Refused(f"--kind {chosen}: of {what} there are {', '.join(known)}")
    if of_sweep:
        metric, drawing = _ecdf(source, metric, by)
        target = out or source / f"{metric}-ecdf"
    else:
        drawing = _of_run(source, chosen)
        target = out or source.with_name(f"{source.stem}-{chosen}")
    paths = drawing.save(target)
    if state.format == "text":
        for path in paths:
            put(str(path))
    else:
        put_json({"files": [str(path) for path in paths]})


def _found(source: Path) -> Path:
    """A sweep's folder or a bundle, where bundles may be named as for every other command."""
    from simswarm.cli.bundles import open_bundle

    return source if source.exists() else open_bundle(str(source)).path


def _ecdf(folder: Path, metric: str | None, by: str | None) -> tuple[str, Drawing]:
    from simswarm.campaign.summary import sample
    from simswarm.report.distribution import ecdf, quantile_rows
    from simswarm.report.table import read_csv

    path = folder / "runs.csv"
    if not path.exists():
        raise Refused(f"{folder}: no runs.csv here, so this is no sweep")
    rows = read_csv(path)
    columns = list(rows[0]) if rows else []
    measures = [name.removesuffix(".waited") for name in columns if name.endswith(".waited")]
    name = metric or next(iter(measures), "")
    if name not in measures:
        raise Refused(f"--metric {name}: this sweep measured {', '.join(measures) or 'nothing'}")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_group(row, columns, by), []).append(
            {key: value or None for key, value in row.items()}
        )
    samples = {words: sample(found, name) for words, found in groups.items()}
    for line in quantile_rows(samples):
        shown = {key: value for key, value in line.items() if key != "sample"}
        say(f"  {line['sample']}: " + "  ".join(f"{key} {_short(v)}" for key, v in shown.items()))
    return name, ecdf(f"{folder.name}: {name}", "seconds", samples)


def _group(row: dict[str, str], columns: list[str], by: str | None) -> str:
    """The words of the curve that a run belongs to."""
    grid = columns[1 : columns.index("seed")]
    if by is not None and by not in grid:
        raise Refused(f"--by {by}: the grid varies {', '.join(grid) or 'nothing'}")
    return ", ".join(f"{path}={row[path]}" for path in ([by] if by else grid)) or "all"


def _short(value: object) -> str:
    if value is None:
        return "never"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _of_run(bundle: Path, kind: str) -> Drawing:
    from simswarm.cli.bundles import open_bundle, trusting
    from simswarm.report.timeline import roles, running_tasks

    kept = open_bundle(str(bundle))
    with trusting(kept):
        records = list(kept.records())
        end = float(kept.result["simulated_seconds"])
        return running_tasks(records, end) if kind == "tasks" else roles(records, end)
