"""Without the extra `live` the commands say what is missing; without Docker they still run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from simswarm.cli.app import run as simswarm


@pytest.fixture
def no_docker_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "simswarm.live.docker", raising=False)
    monkeypatch.setitem(sys.modules, "docker", None)  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_docker_package")
@pytest.mark.parametrize("words", [["up"], ["check", "leader-crash"], ["run", "leader-crash"]])
def test_without_the_docker_package_live_says_how_to_get_it(words: list[str], capsys: Any) -> None:
    assert simswarm(["live", *words]) == 6
    captured = capsys.readouterr()
    assert "pip install 'simswarm[live]'" in captured.err + captured.out
    assert not Path(".simswarm").exists()


@pytest.mark.usefixtures("no_docker_package")
def test_check_needs_no_engine_where_none_is_asked_for(capsys: Any) -> None:
    assert simswarm(["live", "check", "leader-crash", "--engine", "none"]) == 0
    assert "containers in memory" in capsys.readouterr().out


@pytest.mark.usefixtures("no_docker_package")
def test_without_an_engine_nothing_is_started(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    assert simswarm(["live", "up"]) == 6
    assert "no Docker engine: /no/such.sock: No such file" in capsys.readouterr().err
