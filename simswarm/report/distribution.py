"""ECDF of a duration over many runs: which share got there by when.

Runs that never got there are censored: their curves end below 1, and the legend says how many.
"""

from __future__ import annotations

from collections.abc import Mapping

from simswarm.report.figure import Drawing, look, new_figure
from simswarm.report.sample import Sample
from simswarm.report.table import Cell

SHARES = (0.01, 0.1, 0.5, 0.9, 0.99)


def ecdf(title: str, unit: str, samples: Mapping[str, Sample]) -> Drawing:
    """One curve a sample; `samples` maps the legend's words to data, drawn in that order.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not any(sample.reached for sample in samples.values()):
        raise ValueError("no run got there: there is nothing to draw")
    figure, axes = new_figure(title)
    rows: list[dict[str, Cell]] = []
    for number, (name, sample) in enumerate(samples.items()):
        if not sample.reached:
            continue
        instants, shares = sample.curve()
        colour, dash = look(number)
        never = f", {len(sample.waited)} never" if sample.waited else ""
        words = f"{name} ({sample.size} runs{never})"
        axes.step(instants, shares, where="post", color=colour, linestyle=dash, label=words)
        rows += [
            {"sample": name, "seconds": float(instant), "share": float(share)}
            for instant, share in zip(instants, shares, strict=True)
        ]
    axes.set_xlabel(unit)
    axes.set_ylabel("share of runs")
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return Drawing(figure, ("sample", "seconds", "share"), rows)


def quantile_rows(samples: Mapping[str, Sample]) -> list[dict[str, Cell]]:
    """A row a sample: runs, those that never got there, and quantiles in seconds."""
    rows: list[dict[str, Cell]] = []
    for name, sample in samples.items():
        row: dict[str, Cell] = {"sample": name, "runs": sample.size, "never": len(sample.waited)}
        for share in SHARES:
            row[f"p{round(share * 100)}"] = sample.quantile(share)
        row["min"] = min(sample.reached, default=None)
        row["max"] = max(sample.reached, default=None)
        rows.append(row)
    return rows
