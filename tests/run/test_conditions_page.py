"""The page on conditions lists everything that conditions can see."""

from __future__ import annotations

from pathlib import Path

from simswarm.scenario.grammar import variables
from simswarm.scenario.model.expect import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "conditions.md").read_text()


def test_the_page_names_every_variable_and_every_expectation():
    names = [*variables.SERVICE, *variables.NODE]
    names += [f"raft.{name}" for name in variables.RAFT]
    missing = [name for name in names if f"`{name}`" not in PAGE]
    missing += [name for name in variables.COMMAND if f".{name}`" not in PAGE]
    missing += [kind for kind in KINDS if kind != "exposure" and f"`{kind}`" not in PAGE]
    assert missing == []
