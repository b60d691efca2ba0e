"""Where a part of a scenario came from; it is no part of what the scenario means."""

from __future__ import annotations

from typing import Any


class Origin:
    """File and line of a part, and remarks on it. Equal to every other origin: no part of the
    meaning."""

    __slots__ = ("file", "line", "warnings")

    def __init__(self, file: str = "", line: int = 0, warnings: tuple[str, ...] = ()) -> None:
        self.file, self.line, self.warnings = file, line, warnings

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"Origin({self.file!r}, {self.line})"

    def __copy__(self) -> Origin:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Origin:
        return self


NOWHERE = Origin()
