"""What a sweep varies: every combination of its grid, and the seeds each is run with.

A cell is one combination: (path, value) pairs in the order of the grid. Its words are what a
table, a legend and `--set` show. Cells come in the order of the file, seeds in rising order: a
sweep's rows have one order, whoever ran them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from simswarm.scenario.text.settings import parse_setting


@dataclass(frozen=True)
class Cell:
    """One combination of grid values."""

    values: tuple[tuple[str, str], ...]
    """(path, value as a file would have it)."""

    @property
    def settings(self) -> dict[str, Any]:
        """The same as `--set` would read it."""
        return dict(parse_setting(f"{path}={value}") for path, value in self.values)

    @property
    def words(self) -> str:
        """`cluster.managers=3, cluster.network=lan`; `all` where nothing is varied."""
        return ", ".join(f"{path}={value}" for path, value in self.values) or "all"


@dataclass(frozen=True)
class Job:
    """Some seeds of one cell: what a worker process gets to do at a time."""

    cell: int
    seeds: tuple[int, ...]


def cells(grid: Mapping[str, Sequence[Any]]) -> list[Cell]:
    """All combinations of a grid; one empty cell for an empty grid."""
    paths = list(grid)
    options = [[_text(value) for value in grid[path]] for path in paths]
    return [Cell(tuple(zip(paths, values, strict=True))) for values in product(*options)]


def jobs(
    count: int, seeds: Sequence[int], done: Mapping[int, frozenset[int]], size: int
) -> Iterator[Job]:
    """The runs that are left, in chunks of `size`; `done` names finished seeds by cell.

    Chunks of all cells take turns, so that an unfinished sweep has something of every cell.
    """
    left = [[seed for seed in seeds if seed not in done.get(cell, ())] for cell in range(count)]
    longest = max((len(todo) for todo in left), default=0)
    for start in range(0, longest, size):
        for cell, todo in enumerate(left):
            chunk = tuple(todo[start : start + size])
            if chunk:
                yield Job(cell, chunk)


def _text(value: Any) -> str:
    """A grid value as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value)
