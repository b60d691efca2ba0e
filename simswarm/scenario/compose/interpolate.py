"""Variables in stack files: `${TAG:-1}` is its default, `$$` a dollar sign.

docker takes values from its environment. A scenario means the same everywhere, so none is read:
the default counts, and a variable without one is empty and reported.

Source: Docker's documentation of interpolation in Compose files.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from simswarm.scenario.text.positions import Path

_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-?+])(?P<rest>[^}]*))?\}"
    r"|(?P<plain>[A-Za-z_][A-Za-z0-9_]*))"
)


def interpolate(data: Any, path: Path, missing: Callable[[Path, str], None]) -> Any:
    """Data with every variable replaced.

    Args:
        data: The content of a stack file.
        path: Its place, handed on to `missing`.
        missing: Told the place and name of every variable that has no default.
    """
    if isinstance(data, str):
        return _text(data, path, missing) if "$" in data else data
    if isinstance(data, dict):
        return {key: interpolate(one, (*path, key), missing) for key, one in data.items()}
    if isinstance(data, list):
        return [interpolate(one, (*path, index), missing) for index, one in enumerate(data)]
    return data


def _text(text: str, path: Path, missing: Callable[[Path, str], None]) -> str:
    parts: list[str] = []
    position = 0
    for found in _VARIABLE.finditer(text):
        parts.append(text[position : found.start()])
        position = found.end()
        if found["dollar"]:
            parts.append("$")
        elif found["operator"] in ("-", ":-"):
            parts.append(found["rest"])
        elif found["operator"] not in ("+", ":+"):
            missing(path, found["braced"] or found["plain"])
    return "".join(parts) + text[position:]
