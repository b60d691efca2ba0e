"""The command line: what goes where, and how each command ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simswarm.cli.app import global_flags_first, run
from simswarm.scenario.outcome.bundle import Bundle

SCENARIO = """\
simswarm: 1
name: tiny
title: Two web tasks
cluster: {managers: 3, workers: 1}
stack: {services: {web: {image: nginx, deploy: {replicas: 2}}}}
events: [{id: crash, at: 10s, crash: w1, for: 30s}]
expect:
  - {name: comes up, converged: {within: 14s}}
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    return tmp_path


def variant(here: Path, name: str, old: str, new: str) -> str:
    (here / name).write_text(SCENARIO.replace(old, new))
    return name


@pytest.fixture
def cli(here, capsys):
    def call(*words: str):
        code = run(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def newest(here: Path) -> Bundle:
    paths = sorted((here / ".simswarm/runs").glob("*.swrun"), key=lambda p: p.stat().st_mtime_ns)
    return Bundle(paths[-1])


def test_a_run_tells_its_story_on_stderr_and_its_verdict_on_stdout(cli, here):
    code, out, err = cli("run", "tiny.yaml")
    assert code == 0
    assert "PASS  comes up" in out
    assert "margin" in out
    assert "1 of 1 expectation, 9 of 9 invariants" in out
    assert "swarm is up, leader m1" in err
    assert "tiny · 3 managers, 1 worker · network lan · seed 1" in err
    assert "1 seed: an example, not a probability · cpu: free" in err
    assert "again     simswarm run tiny.yaml --seed 1" in err
    assert f"exactly   simswarm replay {newest(here).path.relative_to(here)}" in err


def test_json_is_exactly_one_object_on_stdout_and_people_read_stderr(cli, here):
    code, out, err = cli("run", "tiny.yaml", "--format", "json", "--seed", "3")
    assert code == 0
    result = json.loads(out)
    assert (result["seed"], result["verdict"]) == (3, "pass")
    assert Bundle(Path(result["bundle"])).result == result
    assert "PASS  comes up" in err


def test_ndjson_is_the_trace_and_then_the_result(cli):
    code, out, _ = cli("--format=ndjson", "run", "tiny.yaml", "-q")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert all("kind" in line for line in lines[:-1])
    assert lines[-1]["scenario"] == "tiny"


def test_quiet_leaves_only_the_result(cli):
    _, out, err = cli("run", "tiny.yaml", "-q")
    assert err == ""
    assert out.splitlines()[0].startswith("  PASS  comes up")


def test_a_failed_expectation_ends_in_1_and_names_its_line(cli, here):
    code, out, err = cli("run", variant(here, "fail.yaml", "within: 14s", "within: 1s"))
    assert code == 1
    assert "FAIL  comes up" in out
    assert "at fail.yaml:8" in out
    assert "this is   simswarm" in err


def test_an_open_question_ends_in_3(cli):
    code, out, _ = cli("run", "tiny.yaml", "--until", "3s")
    assert code == 3
    assert "????  comes up" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "none.yaml"], "there is no file none.yaml"),
        (["run", "tiny.yaml", "--set", "cluster.managrs=5"], "did you mean 'managers'?"),
        (["run", "tiny.yaml", "--set", "nonsense"], "is no setting"),
        (["run", "tiny.yaml", "--until", "30"], "needs a unit"),
        (["run", "tiny.yaml", "--with", "crash: m1"], "--with needs --fork-at"),
        (["run", "tiny.yaml", "--fork-at", "5s", "--with", "crsh: m1"], "needs one action"),
        (["run", "tiny.yaml", "--fork-at", "5s", "--with", "hello"], "such as 'crash: m1'"),
        (["run", "tiny.yaml", "--seed", "-1"], "Invalid value"),
        (["run"], "Missing argument"),
        (["rnu"], "No such command"),
        (["replay", "none.swrun"], "there is no such file"),
        (["replay", "tiny.yaml"], "not a run bundle"),
        (["trace", "last"], "there are only 0 bundles"),
        (["diff", "one"], "diff compares two bundles"),
        (["check"], "which file?"),
        (["check", "--explain", "E999"], "there is no code E999"),
        (["demo", "nope"], "there is no demo 'nope'"),
    ],
)
def test_bad_usage_ends_in_2_without_a_traceback(cli, words, message):
    code, out, err = cli(*words)
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""


def test_what_cannot_be_run_yet_is_refused_by_name_and_place(cli, here):
    code, _, err = cli("run", variant(here, "later.yaml", "crash: w1, for: 30s", "promote: w1"))
    assert code == 2
    assert "later.yaml:6:" in err
    assert "not supported yet" in err


def test_a_bug_ends_in_4_with_a_bundle_and_no_traceback(cli, here, monkeypatch):
    from simswarm.scenario.observed.facts import Facts

    def fail(*_, **__) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(Facts, "_time", fail)
    code, _, err = cli("run", "tiny.yaml")
    assert code == 4
    assert "bug in simswarm: RuntimeError: planted" in err
    assert "in m1, step" in err
    assert "Traceback" not in err
    assert newest(here).result["error"] == "RuntimeError: planted"
    assert "Traceback" in cli("run", "tiny.yaml", "-v")[2]


def test_an_interrupt_ends_in_130(cli, monkeypatch):
    from simswarm.scenario.run import Playing

    def stop(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Playing, "play", stop)
    code, _, err = cli("run", "tiny.yaml", "-q")
    assert (code, err) == (130, "interrupted\n")


def test_verify_runs_again_in_a_second_process(cli):
    code, _, err = cli("run", "tiny.yaml", "--verify")
    assert code == 0
    assert "identical in a second process: sha256:" in err


def test_a_run_that_is_not_the_same_again_ends_in_5_and_names_the_step(cli, monkeypatch):
    from simswarm.scenario import verify

    honest = verify._elsewhere

    def lying(request):
        return honest({**request, "lock": request["lock"].replace("seed: 1", "seed: 2")})

    monkeypatch.setattr(verify, "_elsewhere", lying)
    code, _, err = cli("run", "tiny.yaml", "--verify")
    assert code == 5
    assert "NOT DETERMINISTIC: step " in err
    assert "elsewhere  t=" in err


def test_replay_is_the_same_run_and_says_so(cli, here):
    cli("run", "tiny.yaml", "-q")
    code, out, _ = cli("replay", "last", "--verify")
    assert code == 0
    assert out.startswith("identical: ")
    code, out, _ = cli("replay", newest(here).path.name, "--format", "json", "-q")
    assert code == 0
    assert json.loads(out)["digest"] == newest(here).result["digest"]


def test_replay_names_the_first_record_that_differs(cli, here, monkeypatch):
    from simswarm.scenario.acting import timeline

    cli("run", "tiny.yaml", "-q")
    late = timeline.Timeline._put
    monkeypatch.setattr(
        timeline.Timeline, "_put", lambda self, at, *rest: late(self, at + 1, *rest)
    )
    code, out, _ = cli("replay", "last", "--verify")
    assert code == 5
    assert '"id":"crash"' in out
    assert "became" in out


def test_replay_to_a_moment_shows_the_state_there(cli):
    cli("run", "tiny.yaml", "-q")
    code, out, _ = cli("replay", "last", "--to", "12s", "-q")
    assert code == 0
    assert "at 12 s" in out
    assert "w1     worker   ready    active   (off)" in out
    found = json.loads(cli("replay", "last", "--to", "12s", "--format", "json")[1])
    assert found["nodes"]["w1"]["up"] is False


def test_a_bundle_of_another_engine_is_announced(cli, here, monkeypatch):
    from simswarm.scenario.outcome import result

    cli("run", "tiny.yaml", "-q")
    monkeypatch.setattr(result, "ENGINE", 99)
    assert "made by engine 1, this is engine 99" in cli("replay", "last")[2]


def test_trace_filters_by_kind_node_and_time(cli):
    cli("run", "tiny.yaml", "-q")
    _, out, _ = cli("trace", "last", "--kind", "process.*", "--since", "0s")
    assert [json.loads(line)["kind"] for line in out.splitlines()] == [
        "process.crash",
        "process.restart",
    ]
    _, out, _ = cli("trace", "last", "--node", "m2", "--until", "5s")
    records = [json.loads(line) for line in out.splitlines()]
    assert records
    assert all(record["node"] == "m2" and record["t"] <= 5 for record in records)


def test_a_trace_file_holds_the_same_records(cli, here):
    cli("run", "tiny.yaml", "-q", "--trace", "t.ndjson", "--out", "kept")
    bundle = Bundle(next((here / "kept").glob("*.swrun")))
    assert (here / "t.ndjson").read_bytes().splitlines() == list(bundle.lines())


def test_diff_of_a_fork_names_the_event(cli):
    cli("run", "tiny.yaml", "-q")
    assert cli("run", "tiny.yaml", "-q", "--fork-at", "12s", "--with", "pause: m2")[0] == 0
    code, out, _ = cli("diff", "--last")
    assert code == 0
    assert out.startswith("first difference   12.000 s")
    assert "event  id=fork action=pause" in out
    found = json.loads(cli("diff", "--last", "--format", "json")[1])
    assert found["first_difference"]["t"] == 12.0


def test_a_fork_without_an_event_is_the_same_run(cli, here):
    cli("run", "tiny.yaml", "-q")
    cli("run", "tiny.yaml", "-q", "--fork-at", "12s")
    assert len(list((here / ".simswarm/runs").iterdir())) == 1
    assert newest(here).meta["fork"] == {"at": "12s", "with": []}


def test_check_reports_everything_at_once_and_ends_in_2(cli, here):
    bad = variant(here, "bad.yaml", "workers: 1", "worker: 1")
    code, out, _ = cli("check", "tiny.yaml", bad)
    assert code == 2
    assert "tiny.yaml: " in out
    assert "bad.yaml:4:" in out
    report = json.loads(cli("check", bad, "--format", "json")[1])
    assert report["problems"][0]["code"] == "E101"
    assert report["errors"] == 1
    assert cli("check", "--explain", "e101")[1].startswith("E101: ")


def test_the_demo_is_the_leader_crash(cli):
    code, out, err = cli("demo")
    assert code == 0
    assert "leader-crash" in err
    assert "4 of 4 expectations, 9 of 9 invariants" in out
    assert "try it    simswarm run leader-crash" in err
    assert "worker-crash" in cli("demo", "--list")[1]


def test_the_program_tells_about_itself(cli):
    assert cli("--version")[1].startswith("simswarm 0.")
    assert "engine" in cli("--version")[1]
    schema = json.loads(cli("schema")[1])
    assert schema["title"] == "simswarm scenario"
    report = json.loads(cli("doctor", "--format", "json")[1])
    assert report["scenarios shipped"] >= 6
    assert "simpy" in cli("doctor")[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("run x -q --seed 1", "-q run x --seed 1"),
        ("run x --format json", "--format json run x"),
        ("run x --with -q --format=json", "--format=json run x --with -q"),
        ("check -- --format", "check -- --format"),
    ],
)
def test_global_flags_may_stand_anywhere(words, expected):
    assert global_flags_first(words.split()) == expected.split()


def test_help_needs_no_heavy_imports():
    heavy = ("simpy", "pydantic", "numpy", "matplotlib", "ruamel.yaml", "msgspec", "cel")
    code = (
        "import sys\nsys.argv = ['simswarm', '--help']\n"
        "from simswarm.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout


def test_the_module_is_the_same_program():
    words = [sys.executable, "-m", "simswarm", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("simswarm ")


def test_a_reader_that_has_had_enough_ends_nothing_badly(cli, here):
    cli("run", "tiny.yaml", "-q")
    command = f"{sys.executable} -m simswarm trace last | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0"
    assert "Traceback" not in done.stderr


def test_optimised_python_is_refused():
    words = [sys.executable, "-O", "-m", "simswarm", "doctor"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "without -O" in done.stderr


def test_without_a_terminal_a_long_run_says_every_ten_seconds_how_far_it_is(capsys, monkeypatch):
    from simswarm.cli import progress

    monkeypatch.setattr(progress, "LINE_PERIOD", 0.0)
    monkeypatch.setattr(progress.state, "format", "text")
    monkeypatch.setattr(progress.state, "quiet", False)
    monkeypatch.setattr(progress.state, "progress", True)
    with progress.SimulatedTime() as shown:
        shown(90 * 10**9, 3600 * 10**9)
    assert capsys.readouterr().err == "  simulated 90 of 3600 s\n"


def test_a_swarm_that_cannot_form_is_a_matter_of_its_settings(cli, here):
    slow = "cluster: {managers: 3, workers: 1, nodes: {w1: {service_time: 5m}}}"
    file = variant(here, "slow.yaml", "cluster: {managers: 3, workers: 1}", slow)
    code, _, err = cli("run", file)
    assert code == 2
    assert "formation: nodes are not ready after 600 s" in err
