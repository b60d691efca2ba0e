"""Whole live swarms: processes, sockets and files; containers where there is an engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simswarm.cli.app import run as simswarm
from simswarm.live.supervisor.state import StateFolder
from simswarm.scenario.livecheck import check_live
from simswarm.scenario.loading.load import load_scenario, read
from simswarm.scenario.run import play

FAST = "{managers: 3, workers: 2, raft: {tick: 100ms}, dispatcher_heartbeat: 1s}"
KILLS = """
simswarm: 1
name: kills
stack: {services: {web: {image: "shop/web:1", deploy: {replicas: 6, restart_policy: {delay: 1s}}}}}
cluster: {managers: 3, workers: 2, raft: {tick: 200ms}, dispatcher_heartbeat: 1s}
events:
  - {id: leader, at: 5s, crash: {target: leader, lose: nothing}}
  - {id: back, after: leader + 12s, restart: m1}
  - {id: worker, after: back + 5s, crash: {target: w2, lose: nothing}}
expect:
  - {name: new leader, leader_elected: {after: leader, within: 15s}}
  - {name: work goes on, converged: {after: leader, within: 40s}}
  - {name: and again, converged: {after: worker, within: 40s}}
  - {name: nothing committed is lost, raft: {committed_lost: 0}}
  - {always: "raft.leaders_in_same_term <= 1"}
  - {at_end: "services.web.running == 6"}
"""
FAULTS = f"""
simswarm: 1
name: faults
cluster: {FAST}
events:
  - {{id: pause, at: 500ms, pause: leader, for: 3500ms}}
  - {{id: cut, at: 5s, partition: [[leader], [followers, workers]], for: 4s}}
  - {{id: noise, at: 9500ms, link: {{from: managers, to: all, latency: 30ms}}, for: 1s}}
  - {{id: create, at: 10s, docker: "service create --name web --replicas 2 shop/web:1"}}
expect:
  - {{name: after the pause, leader_elected: {{after: pause, within: 8s}}}}
  - {{name: after the cut, leader_elected: {{after: cut, within: 8s}}}}
  - {{name: calm, converged: {{after: create, within: 12s}}}}
  - {{at_end: "services.web.running == 2"}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with nothing of a live swarm in it or of it afterwards."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_nothing_left(folder: Path) -> None:
    assert not (folder / ".simswarm" / "live").exists()
    found = subprocess.run(["ps", "-axww", "-o", "command="], capture_output=True, text=True)
    assert str(folder) not in found.stdout


def write(folder: Path, text: str, **images: str) -> str:
    path = folder / "scenario.yaml"
    if images:
        text += f"x-live: {{images: {json.dumps({'shop/web:1': images['web']})}}}\n"
    path.write_text(text)
    return str(path)


def test_a_swarm_of_processes_comes_up_and_goes_away(here: Path, capsys: Any) -> None:
    assert simswarm(["live", "up", "--engine", "none", "--tick", "100ms", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(told["nodes"]) == ["m1", "m2", "m3", "w1", "w2"]
    for node in told["nodes"].values():
        os.kill(node["pid"], 0)
    assert simswarm(["live", "up", "--engine", "none"]) == 6
    assert "live down" in capsys.readouterr().err
    assert simswarm(["live", "watch", "--for", "500ms", "--kind", "node.state"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["subject"] for line in lines if line["to"] == "ready"} == set(told["nodes"])
    assert [line["t"] for line in lines] == sorted(line["t"] for line in lines)
    assert simswarm(["live", "down"]) == 0
    assert "5 processes" in capsys.readouterr().out
    assert_nothing_left(here)
    assert simswarm(["live", "down"]) == 6


SHORT = """
simswarm: 1
name: short
stack: {services: {web: {image: a, deploy: {replicas: 2}}}}
cluster: {managers: 3, workers: WORKERS}
events: [{at: 1s, link: {from: m2, to: m3, latency: 1ms}}]
expect: [{converged: {within: 15s}}]
until: 6s
"""


def test_a_scenario_runs_on_a_swarm_that_is_up_and_leaves_it_up(here: Path, capsys: Any) -> None:
    assert simswarm(["live", "up", "--engine", "none"]) == 0
    words = ["live", "run", "--engine", "none", "--format", "json"]
    assert simswarm([*words, write(here, SHORT.replace("WORKERS", "1"))]) == 6
    assert "it has 2 workers, the scenario needs 1" in capsys.readouterr().err
    file = write(here, SHORT.replace("WORKERS", "2"))
    assert simswarm([*words, file]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"] == "pass"
    assert result["services"]["web"]["running"] == 2
    assert simswarm([*words, file]) == 6
    assert "has services already (web)" in capsys.readouterr().err
    assert len(StateFolder("default").processes()) == 5
    assert simswarm(["live", "down", "--keep"]) == 0
    assert StateFolder("default").processes() == {}
    assert (here / ".simswarm/live/default/nodes/m1/trace.ndjson").stat().st_size > 0
    assert simswarm(["live", "down"]) == 0
    assert_nothing_left(here)


def test_pauses_partitions_and_links_do_what_they_do_in_simulation(here: Path, capsys: Any) -> None:
    file = write(here, FAULTS)
    assert play(load_scenario(file)).verdict == "pass"
    assert simswarm(["live", "run", file, "--engine", "none", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [one["verdict"] for one in result["expectations"]] == ["pass"] * 4
    assert all(not one["violations"] for one in result["invariants"])
    assert all(one["checked"] for one in result["invariants"] if "Raft" in one["name"])
    assert_nothing_left(here)


@pytest.mark.live
def test_six_replicas_survive_the_leader_and_a_worker_with_the_verdicts_of_the_simulation(
    here: Path, engine: Any, images: dict[str, str], capsys: Any
) -> None:
    file = write(here, KILLS, web=images["web"])
    simulated = play(load_scenario(file))
    trace = here / "trace.ndjson"
    words = ["live", "run", file, "--format", "json", "--trace", str(trace)]
    code = simswarm(words)
    captured = capsys.readouterr()
    assert code == 0, captured.err
    result = json.loads(captured.out)
    found = [(one["name"], one["verdict"]) for one in result["expectations"]]
    assert found == [(one.name, one.verdict) for one in simulated.judgements]
    records = [json.loads(line) for line in trace.read_text().splitlines()]
    started = [one for one in records if one["kind"] == "engine.container"]
    assert {one["image"] for one in started} == {"shop/web:1"}
    assert {one["node"] for one in started if one["action"] == "die"} >= {"m1", "w2"}
    assert_nothing_left(here)
    label = f"simswarm.swarm={result['live']['swarm']}"
    assert engine.containers(all=True, filters={"label": label}) == []


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """simswarm in a process of its own."""
    command = [sys.executable, "-m", "simswarm", *words]
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )


def wait_for(state: StateFolder, processes: int) -> None:
    limit = time.monotonic() + 30
    while len(state.processes()) < processes:
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_what_a_killed_supervisor_left_goes_away_with_down(here: Path, capsys: Any) -> None:
    state = StateFolder("default")
    supervisor = start(here, "live", "up", "--engine", "none", "--workers", "0")
    wait_for(state, 2)
    supervisor.kill()
    supervisor.wait()
    assert state.processes()
    assert simswarm(["live", "down"]) == 0
    assert_nothing_left(here)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.live
def test_an_interrupted_run_leaves_nothing_behind(
    here: Path, engine: Any, images: dict[str, str], number: signal.Signals
) -> None:
    file = write(here, KILLS, web=images["web"])
    state = StateFolder("default")
    supervisor = start(here, "live", "run", file)
    wait_for(state, 5)
    label = state.load().label
    chosen = {"label": f"simswarm.swarm={label}"}
    limit = time.monotonic() + 30
    while not engine.containers(filters=chosen):
        assert time.monotonic() < limit, (here / "output").read_text()
        time.sleep(0.05)
    supervisor.send_signal(number)
    assert supervisor.wait(30) == 130, (here / "output").read_text()
    assert_nothing_left(here)
    assert engine.containers(all=True, filters=chosen) == []


def problems(text: str, has_image: Any = None) -> list[tuple[str, int, int, str]]:
    reading, wrong = read(text, {})
    assert reading is not None, wrong
    return [(one.code, one.line, one.column, one.message) for one in check_live(reading, has_image)]


def test_what_can_not_be_done_live_is_refused_with_its_place() -> None:
    found = problems("""simswarm: 1
name: x
stack: {services: {web: {image: a}}}
cluster: {network: wan, between_zones: {latency: 1ms}, nodes: {m1: {service_time: 1ms}}}
images: {a: {pull: 1s}}
events:
  - {at: 1s, image: {a: {healthy: never}}}
  - {at: 2s, container: {target: web.1, exit: 1}}
  - {at: 2s, container: {target: web.1, exit: 137}}
  - {at: 3s, crash: leader}
  - {at: 4s, crash: {target: leader, lose: nothing}}
  - {at: 5s, clock: {target: m1, jump: 1s}}
""")
    assert [(code, line, column) for code, line, column, _ in found] == [
        ("E402", 4, 11),
        ("E402", 4, 25),
        ("E402", 4, 69),
        ("W401", 5, 1),
        ("E401", 7, 14),
        ("E401", 8, 14),
        ("W401", 10, 14),
        ("E401", 12, 14),
    ]


def test_images_that_the_engine_does_not_have_are_refused() -> None:
    found = problems(
        """simswarm: 1
name: x
stack: {services: {web: {image: "a:1"}, api: {image: b}, db: {image: c}}}
events:
  - {at: 1s, update: {service: web, image: d}}
x-live: {images: {b: real/b, "c:latest": real/c}}
""",
        has_image=lambda name: name == "real/b",
    )
    assert [(code, line, message) for code, line, _, message in found] == [
        ("E403", 3, "the engine has no image a:1"),
        ("E403", 3, "the engine has no image real/c (for c)"),
        ("E403", 5, "the engine has no image d"),
    ]


def test_live_check_says_what_is_refused_and_ends_in_6(here: Path, capsys: Any) -> None:
    file = write(here, "simswarm: 1\nname: x\ncluster: {network: wan}\n")
    assert simswarm(["live", "check", file, "--engine", "none"]) == 6
    out = capsys.readouterr().out
    assert "scenario.yaml:3:11: error[E402]" in out
    assert "1 refused" in out
    assert simswarm(["live", "run", file, "--engine", "none"]) == 6
    assert simswarm(["live", "check", write(here, FAULTS), "--engine", "none"]) == 0
    assert simswarm(["live", "check", write(here, "simswarm: 2\n"), "--engine", "none"]) == 2
    assert_nothing_left(here)
