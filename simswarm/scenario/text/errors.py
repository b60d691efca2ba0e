"""Problems of a scenario file: code, words, place, excerpt, hint; and the error that holds them.

    scenarios/bad.yaml:4:24: error[E101]: unknown key 'worker'
        3 | stack: ./docker-stack.yml
        4 | cluster: {managers: 3, worker: 5}
          |                        ^^^^^^  did you mean 'workers'?

All problems of a file are reported at once, in the order of the file.

Not here: what the codes mean (`codes.py`), how places are found (`positions.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from simswarm.base.errors import ScenarioError

Severity: TypeAlias = Literal["error", "warning"]


WIDEST, CONTEXT = 160, 40
"""Characters of a line that are shown, and how many of them before the place in question."""


class Place(NamedTuple):
    """A piece of text in a file: line and column from 1, length in characters."""

    file: str
    line: int
    column: int
    length: int = 1


class Problem(NamedTuple):
    """One thing that is wrong, or doubtful, with a scenario."""

    code: str
    message: str
    file: str
    line: int
    column: int
    hint: str = ""
    severity: Severity = "error"
    length: int = 1
    excerpt: tuple[tuple[int, str], ...] = ()
    """The line in question, and the one before it: (number, text)."""

    @property
    def is_error(self) -> bool:
        """Whether it keeps the scenario from running."""
        return self.severity == "error"

    def fields(self) -> dict[str, str | int]:
        """As programs read it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "length": self.length,
        }

    def headline(self) -> str:
        """`file:line:column: error[E101]: message`, as editors read it."""
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.severity}[{self.code}]: {self.message}"

    def text(self) -> str:
        """The whole report: headline, excerpt, caret and hint."""
        lines = [self.headline()]
        first = max(0, self.column - CONTEXT) if self.column > WIDEST - CONTEXT else 0
        lines += [f"{number:5d} | {_part(text, first)}" for number, text in self.excerpt]
        if self.excerpt:
            caret = " " * (self.column - 1 - first) + "^" * min(self.length, WIDEST)
            lines.append(f"      | {caret}" + (f"  {self.hint}" if self.hint else ""))
        elif self.hint:
            lines.append(f"      {self.hint}")
        return "\n".join(lines)


def _part(text: str, first: int) -> str:
    """As much of a line as is worth showing."""
    return text[first : first + WIDEST] + ("…" if len(text) > first + WIDEST else "")


class ScenarioErrors(ScenarioError):
    """A scenario can't be used. `problems` holds every error, and the warnings beside them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text() for problem in self.problems))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by file and place, each once."""
    return sorted(dict.fromkeys(problems), key=lambda one: (one.file, one.line, one.column))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""
