"""`simswarm schema`, `simswarm doctor`, `simswarm --version`: about the program itself."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from typing import Any

from simswarm import __version__
from simswarm.cli.exits import guarded
from simswarm.cli.state import put, put_json, state


def print_version() -> None:
    """Version and engine number."""
    from simswarm.scenario.outcome.result import ENGINE

    put(f"simswarm {__version__} (engine {ENGINE})")


@guarded
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from simswarm.scenario.loading.schema import json_schema

    put_json(json_schema())


@guarded
def doctor() -> None:
    """Say what is installed and what would work here."""
    report = _report()
    if state.format != "text":
        put_json(report)
        return
    for part, facts in report.items():
        if isinstance(facts, dict):
            put(part)
            for name, value in facts.items():
                put(f"  {name:<28} {value}")
        else:
            put(f"{part:<30} {facts}")


def _report() -> dict[str, Any]:
    from simswarm.scenario.outcome.result import ENGINE
    from simswarm.scenario.shipped import shipped_scenarios

    return {
        "simswarm": __version__,
        "engine": ENGINE,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "scenarios shipped": len(shipped_scenarios()),
        "needed": {name: _version(name) for name in _NEEDED},
        "for some commands": {name: _version(name) for name in _OPTIONAL},
        "docker engine": _docker(),
    }


_NEEDED = (
    *("simpy", "msgspec", "pydantic", "ruamel.yaml", "typer", "rich", "numpy"),
    *("common-expression-language", "matplotlib"),
)
_OPTIONAL = ("docker", "pyarrow", "hypothesis", "pytest")


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _docker() -> str:
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    if socket.startswith("/") and not os.path.exists(socket):
        return "none: live runs need one"
    client = shutil.which("docker")
    return f"at {socket}" + (f", client {client}" if client else "")
