"""Whole runs: the shipped scenarios hold, and every run is the same run again."""

from __future__ import annotations

import re

import pytest

import simswarm
from simswarm.base.time import SECOND
from simswarm.scenario.fork import forked
from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.outcome.keep import locked
from simswarm.scenario.run import Playing
from simswarm.scenario.shipped import shipped_scenarios

SHIPPED = shipped_scenarios()
SMALL = """\
simswarm: 1
name: small
cluster: {managers: 3, workers: 2, zones: [a, b]}
stack: {services: {web: {image: nginx, deploy: {replicas: 3}}}}
"""


RESULT = {"simswarm", "engine", "scenario", "seed", "digest", "trace_digest", "warnings", "model"}
RESULT |= {"verdict", "simulated_seconds", "events", "marks", "expectations", "invariants"}
RESULT |= {"nodes", "services", "raft", "timing", "bundle"}
EXPECTATION = {"name", "kind", "verdict", "at", "measured", "margin", "message", "line"}
NODE = {"role", "status", "availability", "leader", "reachability", "tasks"}
SERVICE = {"mode", "replicas", "running", "update_state", "image", "tasks"}
TASK = {"id", "slot", "node", "image", "state", "desired_state", "error", "created", "started"}
TASK |= {"ended"}


def small(*lines: str, **fields):
    return load_scenario(SMALL + "\n".join(lines) + "\n", fields or None, runnable=True)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_holds_and_names_no_unknown(name):
    run = simswarm.run(name)
    failed = [(judgement.name, judgement.message) for judgement in run.judgements]
    assert run.verdict == "pass", failed
    assert all(invariant.holds for invariant in run.invariants)
    assert len(run.invariants) == 9
    assert all(judgement.line for judgement in run.judgements)


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    first, second, other = (simswarm.run("leader-crash", seed=seed) for seed in (7, 7, 8))
    assert first.digest == second.digest != other.digest
    assert first.result["trace_digest"] == second.result["trace_digest"]
    lines = [[record.line() for record in run.records] for run in (first, second)]
    assert lines[0] == lines[1]


def test_the_trace_level_changes_neither_digest():
    normal = simswarm.run("worker-crash")
    full = simswarm.run("worker-crash", set={"x-trace": "full"})
    assert full.digest == normal.digest
    assert full.result["trace_digest"] == normal.result["trace_digest"]
    assert len(full.records) > 2 * len(normal.records)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_locked_scenario_is_the_same_run(name):
    run = simswarm.run(name, seed=3)
    again = simswarm.run(locked(run.scenario, run.seed, run.until, run.resolved))
    assert again.digest == run.digest
    assert again.result["trace_digest"] == run.result["trace_digest"]
    assert again.verdict == run.verdict


@pytest.mark.parametrize("at", [0.5, 20.2, 33.3, 70.0])
def test_a_fork_without_an_event_is_the_same_run(at):
    scenario = load_scenario(SHIPPED["leader-crash"])
    same = forked(scenario, round(at * SECOND), [])
    assert simswarm.run(same).digest == simswarm.run(scenario).digest


def test_a_fork_is_the_same_run_up_to_its_event():
    scenario = load_scenario(SHIPPED["leader-crash"])
    run = simswarm.run(scenario)
    other = simswarm.run(forked(scenario, 25 * SECOND, ["crash: w2"]))
    before = [[r.line() for r in one.records if r.t < 25 * SECOND] for one in (run, other)]
    assert before[0] == before[1]
    assert other.result["marks"]["fork"] == 25.0
    assert not other.result["nodes"]["w2"]["up"]
    assert "w2 is still down at the end" in other.result["warnings"]


def test_playing_in_slices_is_the_same_run():
    scenario = small("until: 40s", "events: [{at: 10s, crash: m1, for: 20s}]")
    whole = simswarm.run(scenario)
    playing = Playing(scenario)
    playing.form()
    for at in range(1, 4_001, 7):
        playing.advance(at * SECOND // 100)
    playing.advance(40 * SECOND)
    assert playing.finish().digest == whole.digest


def test_formation_is_over_at_zero_and_in_the_trace():
    run = simswarm.run(small())
    up = run.trace.records("swarm.up")[0]
    assert (up.t, up.get("leader"), up.get("term")) == (0, "m1", 1)
    before = [record for record in run.records if record.t < 0]
    ready = [r.get("subject") for r in before if r.kind == "node.state" and r.get("to") == "ready"]
    assert sorted(ready) == ["m1", "m2", "m3", "w1", "w2"]
    assert run.result["nodes"]["w2"]["labels"] == {"zone": "b"}


def test_a_stack_without_a_name_is_deployed_at_zero_without_a_prefix():
    run = simswarm.run(small())
    assert list(run.result["services"]) == ["web"]
    call = run.trace.records("call")[0]
    assert (call.get("method"), call.get("error")) == ("stack deploy", None)
    assert call.t < SECOND


def test_without_an_end_a_run_lasts_until_it_has_converged():
    run = simswarm.run(small())
    assert 5 < run.result["simulated_seconds"] < 12
    assert run.verdict == "pass"


def test_a_run_that_never_converges_ends_a_minute_after_the_last_event():
    missing = {"images": {"nginx": {"pull": "missing"}}}
    run = simswarm.run(small("events: [{at: 10s, note: hello}]", **missing))
    assert run.result["simulated_seconds"] == 70.0


def test_until_ends_a_run_and_leaves_open_what_was_not_over():
    events = "events: [{id: crash, at: 10s, crash: workers}]"
    expect = "expect: [{converged: {after: crash, within: 60s}}, {always: 'time >= 0.0'}]"
    scenario = small(events, expect, **{"stack.services.web.deploy.replicas": 5})
    run = simswarm.run(scenario, until="15s")
    assert run.result["simulated_seconds"] == 15.0
    assert [judgement.verdict for judgement in run.judgements] == ["undecided", "pass"]
    assert run.verdict == "undecided"


def test_an_event_at_the_last_instant_still_fires():
    run = simswarm.run(small("until: 20s", "events: [{id: last, at: 20s, crash: w1}]"))
    assert run.result["marks"] == {"last": 20.0}


def test_what_never_fires_is_reported_and_leaves_its_expectations_undecided():
    run = simswarm.run(
        small(
            "events: [{id: late, when: services.web.running == 99, crash: m1}]",
            "expect: [{converged: {after: late}}]",
        )
    )
    assert "line 5: event 'late' never fired" in run.result["warnings"]
    assert run.verdict == "undecided"


def test_when_fires_on_the_committed_state_and_only_once():
    run = simswarm.run(
        small("events:", "  - {id: go, when: services.web.running == 3, scale: {web: 5}}")
    )
    fired = run.trace.records("event")
    assert len(fired) == 1
    running = [
        r for r in run.trace.records("task.state") if r.get("to") == "running" and r.t <= fired[0].t
    ]
    assert len(running) == 3
    assert run.result["services"]["web"]["replicas"] == 5


def test_a_condition_on_time_is_looked_at_although_nothing_changes():
    run = simswarm.run(small("until: 30s", "events: [{id: go, when: time > 20.5, note: now}]"))
    assert run.result["marks"] == {"go": 21.0}


def test_a_refused_command_is_recorded_with_its_text_and_fails_nothing():
    run = simswarm.run(
        small(
            "events: [{id: oops, at: 5s, docker: service scale nope=3}]",
            "expect: [{eventually: \"nodes.m1.last_command.error.contains('nope')\"}]",
        )
    )
    call = next(r for r in run.trace.records("call") if r.get("event") == "oops")
    assert call.node == call.get("target") == "m1"
    assert call.get("client") == "docker"
    assert call.get("error") == "nope: Error: No such service: nope"
    assert run.verdict == "pass"


def test_a_command_is_repeated_until_it_succeeds():
    run = simswarm.run(
        small(
            "events:",
            "  - {id: try, at: 5s, docker: {command: service scale late=2, retry: 500ms}}",
            "  - {at: 7s, docker: service create --name late nginx}",
        )
    )
    tries = [r for r in run.trace.records("call") if r.get("event") == "try"]
    assert [bool(r.get("error")) for r in tries] == [True] * (len(tries) - 1) + [False]
    assert len(tries) >= 5
    assert run.result["services"]["late"]["replicas"] == 2


def test_a_command_at_a_worker_or_a_dead_node_gets_dockers_answer():
    run = simswarm.run(
        small(
            "events:",
            "  - {id: worker, at: 5s, docker: --host w1 service scale web=2}",
            "  - {at: 6s, crash: m2}",
            "  - {id: dead, at: 7s, docker: --host m2 service scale web=2}",
        )
    )
    errors = {r.get("event"): r.get("error") for r in run.trace.records("call")}
    assert "This node is not a swarm manager" in errors["worker"]
    assert errors["dead"].startswith("Cannot connect to the Docker daemon at m2")


def test_random_targets_are_drawn_from_the_seed_recorded_and_locked():
    line = "events: [{id: hit, at: 5s, crash: 'random(2, workers)', for: 10s}]"
    scenario = small(line, **{"cluster.workers": 6})
    drawn = {seed: simswarm.run(scenario, seed=seed) for seed in (1, 2, 3, 4)}
    hit = {seed: r.trace.records("event")[0].get("targets") for seed, r in drawn.items()}
    assert len(set(hit.values())) > 1
    assert all(len(nodes) == 2 for nodes in hit.values())
    text = locked(scenario, 1, None, drawn[1].resolved)
    assert "random" not in text
    assert simswarm.run(text).digest == drawn[1].digest


def test_faults_are_undone_after_their_time():
    run = simswarm.run(
        small(
            "events:",
            "  - {id: dark, at: 5s, crash: w1, for: 10s}",
            "  - {id: cut, at: 5s, partition: [[m2]], for: 10s}",
            "  - {id: slow, at: 5s, link: {from: m1, to: w2, loss: 10%}, for: 10s}",
            "  - {id: out, at: 30s, drain: w2, for: 10s}",
        )
    )
    undone = [r for r in run.trace.records("event") if r.get("undone")]
    assert [(r.get("id"), r.t // SECOND) for r in undone] == [
        ("dark", 15),
        ("cut", 15),
        ("slow", 15),
        ("out", 40),
    ]
    assert len(run.trace.records("network.heal")) == 2
    node = run.result["nodes"]["w2"]
    assert (node["availability"], node["status"]) == ("active", "ready")
    assert not any("still" in warning for warning in run.result["warnings"])


def test_what_is_never_undone_is_said():
    run = simswarm.run(
        small("until: 30s", "events: [{at: 5s, pause: w1}, {id: cut, at: 6s, partition: [[m2]]}]")
    )
    assert "w1 is still paused at the end" in run.result["warnings"]
    assert "network faults of event 'cut' are still in force at the end" in run.result["warnings"]


def test_restarting_what_is_up_does_nothing_and_says_so():
    run = simswarm.run(small("events: [{at: 5s, restart: w1}]"))
    assert run.trace.records("process.restart") == []
    assert run.result["warnings"] == ["line 5: w1 is up: restart does nothing"]


def test_a_container_can_be_made_to_exit_and_images_to_change():
    run = simswarm.run(
        small(
            "events:",
            "  - {at: 10s, image: {nginx: {start: 3s}}, for: 20s}",
            "  - {at: 12s, container: {target: web.2, exit: 9}}",
        )
    )
    states = run.trace.records("task.state")
    failed = [r for r in states if r.get("to") == "failed" != r.get("from")]
    assert [(r.get("slot"), r.get("exit_code")) for r in failed] == [(2, 9)]
    begun = [r for r in run.trace.records("task.state") if r.get("to") == "starting"][-1]
    runs = [r for r in run.trace.records("task.state") if r.get("to") == "running"][-1]
    assert runs.t - begun.t > 2.5 * SECOND


def test_every_lists_all_its_firings_and_marks_the_first():
    run = simswarm.run(
        small("events: [{id: beat, every: {period: 3s, times: 4}, note: 'tick'}]", "until: 30s")
    )
    assert [r.t // SECOND for r in run.trace.records("event")] == [3, 6, 9, 12]
    assert run.result["marks"] == {"beat": 3.0}


def test_a_deployed_stack_with_a_name_is_prefixed():
    stack = "{services: {a: {image: nginx, deploy: {replicas: 2}}}}"
    run = simswarm.run(small(f"events: [{{at: 5s, deploy: {{name: shop, stack: {stack}}}}}]"))
    assert list(run.result["services"]) == ["shop_a", "web"]


def test_the_result_has_every_field_of_its_contract():
    result = simswarm.run("leader-crash").result
    assert set(result) >= RESULT
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", result["digest"])
    assert set(result["model"]) == {"card", "engine", "not_modelled", "guessed_inputs"}
    assert all(set(entry) >= EXPECTATION for entry in result["expectations"])
    assert set(result["nodes"]["m1"]) >= NODE
    web = result["services"]["web"]
    assert set(web) >= SERVICE
    assert all(set(entry) == TASK for entry in web["tasks"])
    assert set(result["raft"]) == {"leader", "term", "members", "leader_changes"}
    assert result["raft"]["leader_changes"][0]["leader"] == "m1"
    running = [entry for entry in web["tasks"] if entry["state"] == "running"]
    assert len(running) == web["running"] == 12
    assert all(entry["started"] > entry["created"] for entry in running)


def test_a_manager_without_its_disk_stays_away():
    run = simswarm.run(
        small(
            "events:",
            "  - {at: 5s, crash: {target: m3, lose: disk}, for: 10s}",
            "  - {at: 30s, restart: m3}",
            "  - {at: 31s, crash: {target: w1, lose: disk}, for: 10s}",
        )
    )
    reason = "m3 can't come back: a manager without its disk is none"
    assert run.result["warnings"][:2] == [f"line 6: {reason}", f"line 7: {reason}"]
    assert not run.result["nodes"]["m3"]["up"]
    assert run.result["nodes"]["w1"]["status"] == "ready"
    assert all(invariant.holds for invariant in run.invariants)


def test_the_stack_is_deployed_even_if_the_leader_dies_at_once():
    run = simswarm.run(small("events: [{at: 500us, crash: m1}]", "expect: [{converged: {}}]"))
    calls = [r.get("error") for r in run.trace.records("call")]
    assert calls[0] is not None
    assert calls[-1] is None
    assert run.verdict == "pass"


def test_the_last_event_has_time_to_show_before_the_run_ends():
    run = simswarm.run(small("events: [{at: 20s, partition: [[w1]]}]"))
    assert run.result["simulated_seconds"] >= 25
