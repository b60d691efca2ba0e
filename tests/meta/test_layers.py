"""The layers hold, and the contracts catch a planted breach with file and line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "simswarm", tmp_path / "simswarm")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_all_contracts_are_kept():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("file", "line", "named"),
    [
        ("raft/log.py", "import random", "simswarm.raft.log"),
        ("manager/replica.py", "import time", "simswarm.manager.replica"),
        ("manager/manager.py", "import simswarm.agent.agent", "simswarm.manager.manager"),
        ("wire/codec.py", "import simswarm.manager.replica", "simswarm.wire.codec"),
        ("sim/fabric/network.py", "import simpy", "simswarm.sim.fabric.network"),
        ("live/driver.py", "import cryptography", "simswarm.live.driver"),
        ("pki/sealing.py", "import secrets", "simswarm.pki.sealing"),
        ("newcomer/__init__.py", "", "simswarm.newcomer"),
    ],
)
def test_a_planted_breach_is_reported(copy, file, line, named):
    path = copy / "simswarm" / file
    path.parent.mkdir(exist_ok=True)
    text = path.read_text() if path.exists() else '"""New."""\n'
    path.write_text(f"{text}\n{line}\n")
    result = lint(copy)
    assert result.returncode == 1
    assert named in result.stdout or named.split(".")[-1] in result.stdout
