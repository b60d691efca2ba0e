"""Rows as CSV: what stands behind every figure, so that anybody can draw it again."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Cell = str | int | float | bool | None


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> None:
    """Write rows with these columns; an absent or None cell is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            cells = [row.get(column) for column in columns]
            writer.writerow(["" if cell is None else cell for cell in cells])


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows as text; an empty cell is an empty string."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
