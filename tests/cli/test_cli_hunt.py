"""`simswarm hunt` as people type it."""

from __future__ import annotations

import json

import pytest

from simswarm.cli.app import run


def answer(capsys, *words: str) -> tuple[int, dict]:
    code = run(["hunt", *words, "--format", "json", "-q"])
    return code, json.loads(capsys.readouterr().out)


def test_a_hunt_of_the_right_code_holds(capsys):
    code, said = answer(capsys, "--profile", "calm", "--seeds", "3..5", "-j", "1")
    assert code == 0
    assert (said["verdict"], said["runs"], said["next_seed"]) == ("held", 3, 6)


def test_a_planted_bug_is_found_written_down_and_played_again(capsys, tmp_path):
    code, said = answer(capsys, "--mutant", "r07", "-j", "1", "--out", str(tmp_path))
    assert code == 1
    assert said["verdict"] == "violated"
    assert said["faults_left"] <= said["faults_drawn"]
    code, again = answer(capsys, "--replay", said["file"])
    assert code == 1
    assert again["as_recorded"]
    assert (again["digest"], again["at"]) == (said["digest"], said["at"])


def test_a_plan_tells_its_story(capsys, tmp_path):
    path = tmp_path / "x.hunt.yaml"
    path.write_text(
        "hunt: 1\nfaults:\n- {kind: crash, at: 500ms, node: leader, lose: unsynced, down: 200ms}\n"
    )
    assert run(["hunt", "--replay", str(path)]) == 0
    told = capsys.readouterr().out
    assert "the leader loses power" in told
    assert told.count("wins term") >= 2


def test_all_mutants_are_listed(capsys):
    assert run(["hunt", "--mutant", "list"]) == 0
    assert "E04" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["x.yaml"],
        ["--profile", "gentle"],
        ["--mutant", "X1"],
        ["--seeds", "9..3"],
        ["--seeds", "many"],
        ["--budget", "10"],
        ["--replay", "nowhere.yaml"],
        ["--executor", "dask"],
    ],
)
def test_what_cannot_be_hunted_is_refused(words, capsys):
    assert run(["hunt", *words]) == 2
    assert "error" in capsys.readouterr().err or words[0] == "x.yaml"
