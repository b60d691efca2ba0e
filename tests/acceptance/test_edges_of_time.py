"""Deadlines and windows at their very edges, and runs that must end."""

from __future__ import annotations

import pytest

import simswarm

SWARM = """\
simswarm: 1
name: edges
cluster: {managers: 3, workers: 3}
stack: {services: {web: {image: "w:1", deploy: {replicas: 3, restart_policy: {delay: 0s}}}}}
images: {"w:1": {pull: 0s, start: 1s}}
"""
LEADER = "events: [{id: c, at: 10s, crash: leader}]\n"


def judged(body: str):
    return simswarm.run(SWARM + body).result["expectations"]


def took(body: str) -> int:
    (found,) = judged(body)
    return round(found["measured"] * 1e9)


@pytest.mark.parametrize(
    ("events", "expectation"),
    [
        (LEADER, "leader_elected: {after: c, within: %s}"),
        ("", "converged: {within: %s}"),
        ("", "running: {service: web, exactly: 3, within: %s}"),
        ("", 'eventually: "services.web.running == 3", within: %s'),
        (
            'events: [{id: u, at: 9s, docker: "service update --force web"}]\n',
            "update: {service: web, state: completed, after: u, within: %s}",
        ),
    ],
)
def test_what_happens_at_the_very_deadline_is_in_time(events, expectation):
    needed = took(f"{events}expect:\n  - {{{expectation % '60s'}}}\n")
    for span, verdict in ((needed, "pass"), (needed - 1, "fail"), (needed + 1, "pass")):
        (found,) = judged(f"{events}expect:\n  - {{{expectation % f'{span}ns'}}}\n")
        assert found["verdict"] == verdict
        assert found["margin"] == pytest.approx((span - needed) / 1e9, abs=1e-12)


def test_what_ends_a_window_is_no_part_of_it():
    found = judged(
        """
events: [{id: c, at: 20s, crash: all, for: 10s}]
expect:
  - {availability: {service: web, min: 100%, max_downtime: 0s, during: 5s..c}}
  - {availability: {service: web, min: 100%, during: 5s..20s}}
  - {availability: {service: web, max_downtime: 10s, during: c}}
  - {always: "nodes.w1.up", during: 5s..c}
  - {never: "nodes.w1.up", during: c}
  - {running: {service: web, at_least: 3, during: 5s..c}}
"""
    )
    assert [one["verdict"] for one in found] == ["pass"] * 6


def test_the_first_instant_of_a_window_is_part_of_it():
    found = judged(
        """
events: [{id: c, at: 20s, crash: all, for: 10s}]
expect:
  - {availability: {service: web, min: 1%, during: c}}
  - {availability: {service: web, max_downtime: 9999ms, during: c}}
  - {always: "nodes.w1.up", during: 20s..21s}
"""
    )
    assert [one["verdict"] for one in found] == ["fail"] * 3
    assert found[0]["at"] == 20


def test_the_last_instant_of_the_run_is_part_of_a_window_that_ends_with_it():
    found = judged(
        """
until: 30s
events: [{at: 30s, crash: all}]
expect:
  - {availability: {service: web, min: 100%, during: 5s..end}}
  - {always: "time < 3.0 || services.web.healthy == 3"}
  - {at_end: "services.web.healthy == 0"}
  - {always: "services.web.healthy == 3", during: 5s..30s}
"""
    )
    assert [one["verdict"] for one in found] == ["fail", "fail", "pass", "pass"]


def test_losses_and_elections_after_the_window_do_not_count():
    found = judged(
        """
events: [{id: c, at: 20s, crash: leader}]
expect:
  - {raft: {leader_changes: 0, during: 0s..c}}
  - {raft: {leader_changes: 0, during: c..end}}
"""
    )
    assert [one["verdict"] for one in found] == ["pass", "fail"]


def test_an_every_without_end_lets_a_run_end_that_never_converges():
    run = simswarm.run(SWARM + "events: [{every: 7s, heal: all}, {at: 5s, crash: w1}]\n")
    assert run.result["simulated_seconds"] <= 65


def test_label_events_can_be_replayed(tmp_path):
    from simswarm.scenario.loading.load import load_locked
    from simswarm.scenario.outcome.bundle import Bundle
    from simswarm.scenario.run import play

    run = simswarm.run(SWARM + "events: [{at: 5s, label: {w1: {disk: ssd}}}]\n")
    kept = Bundle(run.save(tmp_path / "x.swrun"))
    assert play(load_locked(kept.lock)).digest == run.digest


def test_a_health_check_that_is_switched_off_is_none():
    body = SWARM.replace('image: "w:1",', 'image: "w:1", healthcheck: {disable: true},')
    body = body.replace("start: 1s", "start: 1s, healthy: never")
    run = simswarm.run(body + "until: 10s\n")
    assert run.result["services"]["web"]["running"] == 3
