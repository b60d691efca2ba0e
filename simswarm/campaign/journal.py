"""What a sweep has done already: one JSON object a line, flushed as runs finish.

A sweep that was stopped goes on where its journal ends; a torn last line (a crash while writing)
is dropped and its run repeated. The journal belongs to one scenario text, grid and engine number:
another one is refused rather than mixed in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from simswarm.base.errors import FailedPrecondition

Row = dict[str, Any]


@dataclass(frozen=True)
class Heading:
    """What a journal is about."""

    scenario: str
    """SHA-256 of the locked scenario."""
    cells: tuple[str, ...]
    measures: tuple[str, ...]
    engine: int
    version: str

    @property
    def short(self) -> str:
        """Six hex digits that tell one sweep from another."""
        return sha256(json.dumps(asdict(self)).encode()).hexdigest()[:6]


class Journal:
    """The file `journal.ndjson` of a sweep's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.ndjson"

    def open(self, heading: Heading) -> list[Row]:
        """Start it, or take up what is there and return its rows.

        Raises:
            FailedPrecondition: it is about something else.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        wanted = json.loads(json.dumps(asdict(heading)))
        if not self.path.exists():
            self._append([wanted])
            return []
        try:
            lines = self._whole_lines()
        except ValueError as error:
            raise FailedPrecondition(f"{self.path} is damaged ({error})") from None
        if not lines or lines[0] != wanted:
            raise FailedPrecondition(
                f"{self.path.parent} holds a sweep of another scenario, grid or version: "
                "choose another folder with --out"
            )
        return lines[1:]

    def add(self, rows: list[Row]) -> None:
        """Append finished runs."""
        self._append(rows)

    def _append(self, lines: list[Row]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
            file.flush()

    def _whole_lines(self) -> list[Row]:
        text = self.path.read_text(encoding="utf-8")
        whole, _, torn = text.rpartition("\n")
        if torn:
            self.path.write_text(whole + "\n" if whole else "", encoding="utf-8")
        lines = [json.loads(line) for line in whole.splitlines()]
        if not all(isinstance(line, dict) for line in lines):
            raise ValueError("a line is no object")
        return lines
