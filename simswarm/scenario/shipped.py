"""The scenarios that come with simswarm, and how a command's FILE is found."""

from __future__ import annotations

import re
from pathlib import Path

import simswarm

DEMO = "leader-crash"


def shipped_folder() -> Path:
    """Where they are: in the package when installed, beside it in a checkout."""
    package = Path(simswarm.__file__).resolve().parent
    installed = package / "scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"


def shipped_scenarios() -> dict[str, Path]:
    """Files by name, in order: `leader-crash` is `teaching/01-leader-crash.yaml`."""
    found: dict[str, Path] = {}
    for path in sorted(shipped_folder().glob("teaching/[0-9]*.yaml")):
        found[re.sub(r"^\d+-", "", path.stem)] = path
    return found


def find_scenario(text: str) -> Path:
    """The file that a command was given: a path, or the name of a shipped scenario."""
    path = Path(text)
    if path.exists():
        return path
    return shipped_scenarios().get(text, path)
