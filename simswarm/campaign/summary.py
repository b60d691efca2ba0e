"""What came out of a sweep: tables a cell, and samples for plots.

Shares are k of n with an interval; durations are quantiles over all runs, censored ones included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from simswarm.campaign.cells import Cell
from simswarm.campaign.journal import Row
from simswarm.report.sample import Sample, share_interval


@dataclass(frozen=True)
class CellSummary:
    """One cell: verdicts counted, and a sample of each measure."""

    cell: Cell
    runs: int
    verdicts: dict[str, int]
    samples: dict[str, Sample]

    @property
    def passed(self) -> int:
        """Runs in which everything held."""
        return self.verdicts.get("pass", 0)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share that passes."""
        return share_interval(self.passed, self.runs)


def summarise(
    cells: Sequence[Cell], rows: Iterable[Row], measures: Sequence[str]
) -> list[CellSummary]:
    """A summary a cell that has runs, in the order of cells."""
    by_cell: dict[int, list[Row]] = {}
    for row in rows:
        by_cell.setdefault(row["cell"], []).append(row)
    return [
        CellSummary(
            cells[number],
            len(found),
            _counted(row["verdict"] for row in found),
            {name: sample(found, name) for name in measures},
        )
        for number, found in sorted(by_cell.items())
    ]


def sample(rows: Iterable[Row], name: str) -> Sample:
    """A measure's values over these runs, censored ones apart."""
    reached: list[float] = []
    waited: list[float] = []
    for row in rows:
        if row.get(name) is not None:
            reached.append(float(row[name]))
        elif row.get(f"{name}.waited") is not None:
            waited.append(float(row[f"{name}.waited"]))
    return Sample(tuple(reached), tuple(waited))


def summary_rows(summaries: Iterable[CellSummary]) -> list[dict[str, Any]]:
    """The summary as a flat table: grid values, counts, interval, quantiles of each measure."""
    table = []
    for summary in summaries:
        low, high = summary.interval
        row: dict[str, Any] = {
            **dict(summary.cell.values),
            "runs": summary.runs,
            "passed": summary.passed,
            "share": summary.passed / summary.runs,
            "share_low": round(low, 4),
            "share_high": round(high, 4),
        }
        for name, found in summary.samples.items():
            row[f"{name}.never"] = len(found.waited)
            for share in (0.5, 0.9, 0.99):
                row[f"{name}.p{round(share * 100)}"] = found.quantile(share)
        table.append(row)
    return table


def _counted(verdicts: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for verdict in verdicts:
        counts[verdict] = counts.get(verdict, 0) + 1
    return dict(sorted(counts.items()))
