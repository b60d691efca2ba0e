"""How a figure looks and is saved: PNG and SVG, with its CSV beside it.

Colours are Okabe and Ito's, which people with any colour vision can tell apart; lines differ in
dash too. Matplotlib's date stamps and random ids are off: the same data gives the same file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from simswarm.report.table import Cell, write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")
FAULT = "#D55E00"


@dataclass(frozen=True)
class Drawing:
    """A figure and the numbers it shows."""

    figure: Figure
    columns: Sequence[str]
    rows: Iterable[Mapping[str, Cell]]

    def save(self, out: Path) -> tuple[Path, Path, Path]:
        """Save beside each other `out` with .png, .svg and .csv, and return the three paths."""
        out.parent.mkdir(parents=True, exist_ok=True)
        paths = (out.with_suffix(".png"), out.with_suffix(".svg"), out.with_suffix(".csv"))
        self.figure.savefig(paths[0], dpi=144, metadata={"Software": None})
        self.figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
        write_csv(paths[2], self.columns, self.rows)
        return paths

    def _repr_png_(self) -> bytes:
        """How a notebook shows it."""
        image = BytesIO()
        self.figure.savefig(image, format="png", dpi=96, metadata={"Software": None})
        return image.getvalue()


def new_figure(title: str, *, height: float = 4.0) -> tuple[Figure, Axes]:
    """An empty figure of 8 × `height` inches with one set of axes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "simswarm"
    figure = Figure(figsize=(8.0, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def look(number: int) -> tuple[str, str]:
    """Colour and dash of the n-th line."""
    return COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
