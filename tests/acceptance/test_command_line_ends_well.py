"""Every command ends with its exit code and its words, and programs get their one JSON object."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simswarm.cli.app import run
from simswarm.scenario.outcome.bundle import Bundle

SCENARIO = """\
simswarm: 1
name: tiny
cluster: {managers: 1, workers: 1}
until: 6s
stack: {services: {web: {image: "n:1", deploy: {replicas: 2}}}}
expect: [{name: up, converged: {within: 5s, stable: 1s}}]
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    return tmp_path


@pytest.fixture
def cli(here, capsys):
    def call(*words: str):
        code = run(words)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


def started(here: Path, *words: str, **more) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "simswarm", *words],
        cwd=here,
        text=True,
        start_new_session=True,
        **more,
    )


@pytest.mark.parametrize(
    "words",
    [
        *("run nosuch.yaml", "run", "run tiny.yaml --bogus", "run tiny.yaml --until 5"),
        *("run tiny.yaml --set cluster.managers=x", "nosuch", "replay nosuch", "diff one"),
        *("sweep tiny.yaml --seeds b..a", "plot nosuch", "demo nosuch", "trace nosuch"),
        *("run tiny.yaml --out tiny.yaml", "run tiny.yaml --trace .", "check --explain E999"),
        "sweep tiny.yaml --out tiny.yaml",
    ],
)
def test_bad_usage_is_answered_with_one_json_object(cli, words):
    code, out, err = cli(*words.split(), "--format", "json")
    answer = json.loads(out)
    assert code == answer["exit_code"] == 2
    assert answer["error"]
    assert err


def test_a_bad_file_is_answered_with_its_problems(cli, here):
    (here / "bad.yaml").write_text(SCENARIO.replace("workers", "workrs"))
    code, out, _ = cli("run", "bad.yaml", "--format=json")
    (problem,) = json.loads(out)["problems"]
    assert code == 2
    assert (problem["code"], problem["line"], problem["column"]) == ("E101", 3, 24)
    assert problem["hint"] == "did you mean 'workers'?"


@pytest.mark.parametrize(
    "words",
    [
        *("run tiny.yaml", "check tiny.yaml", "check --explain E110", "replay last", "demo --list"),
        *("replay last --verify", "replay last --to 3s", "trace last", "diff last last", "schema"),
        *("plot last", "sweep tiny.yaml --seeds 1..2 -j 1 --out sw", "doctor"),
    ],
)
def test_every_command_answers_with_one_json_object(cli, words):
    assert cli("run", "tiny.yaml")[0] == 0
    code, out, _ = cli(*words.split(), "--format", "json")
    assert code == 0
    assert isinstance(json.loads(out), dict)


def test_a_place_that_cannot_be_written_to_is_found_out_before_the_run(cli):
    code, _, err = cli("run", "tiny.yaml", "--out", "tiny.yaml")
    assert code == 2
    assert "tiny.yaml: File exists" in err
    assert "swarm is up" not in err


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ("crsh: m1", "--with#1:1:1: error[E110]"),
        ("crash: {targt: m1}", "--with#1:1:1: error[E101]: unknown key 'targt'"),
        ("docker: service scale web", "--with#1:1:1: error[E150]"),
        ("{at: 3s, crash: m1}", "'at' has no place here"),
    ],
)
def test_an_error_in_a_fork_is_told_of_the_words_that_were_given(cli, event, line):
    code, _, err = cli("run", "tiny.yaml", "--fork-at", "2s", "--with", event)
    assert code == 2
    assert line in err
    assert len(err.splitlines()) < 8


def test_events_of_a_fork_may_follow_each_other_and_lines_stay_those_of_the_file(cli):
    first, second = "{id: dark, crash: w1}", "{after: dark + 1s, restart: w1}"
    words = ("run", "tiny.yaml", "--fork-at", "2s", "--with", first, "--with", second)
    _, out, _ = cli(*words, "--format", "json")
    result = json.loads(out)
    assert result["marks"] == {"dark": 2.0, "fork": 3.0}
    assert result["expectations"][0]["line"] == 6


def test_verbose_says_how_often_invariants_were_looked_at(cli):
    _, out, _ = cli("run", "tiny.yaml", "-v")
    assert "election safety: held, looked at" in out


def test_ctrl_c_keeps_what_was_run(here):
    going = started(here, "run", "tiny.yaml", "--until", "2000h", stderr=subprocess.PIPE)
    time.sleep(3)
    os.killpg(going.pid, signal.SIGINT)
    _, err = going.communicate(timeout=60)
    assert going.returncode == 130, err
    (path,) = (here / ".simswarm/runs").glob("*.swrun")
    kept = Bundle(path)
    assert kept.result["interrupted"] is True
    assert kept.result["simulated_seconds"] > 0
    again = started(here, "replay", str(path), "--verify")
    assert again.wait(timeout=120) == 0


def test_closed_streams_are_no_bug(here):
    command = f"{sys.executable} -m simswarm run tiny.yaml >&- 2>&-"
    assert subprocess.run(command, shell=True, cwd=here, check=False).returncode == 0


def test_a_full_disk_is_no_bug(here):
    command = f"{sys.executable} -m simswarm run tiny.yaml >/dev/full"
    done = subprocess.run(
        command, shell=True, cwd=here, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "No space left" in done.stderr


def test_streams_that_know_few_characters_lose_nothing(here):
    (here / "tiny.yaml").write_text(SCENARIO.replace("name: up", 'name: "✓ \\ud83d\\ude00"'))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = started(
        here, "run", "tiny.yaml", "--format=json", "-q", stdout=subprocess.PIPE, env=environment
    )
    out, _ = done.communicate(timeout=60)
    assert done.returncode == 0
    assert json.loads(out)["expectations"][0]["name"] == "✓ \U0001f600"


def test_a_damaged_journal_is_refused(cli, here):
    (here / "sw").mkdir()
    (here / "sw/journal.ndjson").write_bytes(b"\xff\n")
    code, _, err = cli("sweep", "tiny.yaml", "--seeds", "1..2", "--out", "sw")
    assert code == 2
    assert "journal.ndjson is damaged" in err


def test_long_lines_are_shown_in_part(cli, here):
    (here / "long.yaml").write_text("simswarm: 1\ncluster: {" + " " * 400 + "workrs: 2}\n")
    _, out, _ = cli("check", "long.yaml")
    excerpt = next(line for line in out.splitlines() if "workrs: 2}" in line)
    caret = out.splitlines()[out.splitlines().index(excerpt) + 1]
    assert len(excerpt) < 200
    assert caret.index("^") == excerpt.index("workrs")


def test_half_a_character_is_refused_at_its_place(cli, here):
    (here / "half.yaml").write_text('simswarm: 1\ntitle: "\\ud800"\n')
    code, out, _ = cli("check", "half.yaml")
    assert code == 2
    assert "half.yaml:2:8: error[E001]: a surrogate alone is no character" in out
