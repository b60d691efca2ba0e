"""The benchmarks work and report what they measured. How fast anything is, no test says."""

from __future__ import annotations

import json

import pytest

from benchmarks import kernel, raft_core
from benchmarks.__main__ import write
from benchmarks.cluster import CASES, Case, Figures, find, measure
from benchmarks.report import Report, summary
from benchmarks.running import rounds, run
from benchmarks.sampling import Sampler


def figures(name="c", **changes):
    plain = {
        "digest": "sha256:1", "simulated": 100.0, "cpu": 2.0, "steps": 4000, "bare_calls": 1e7,
        "rss": 50 * 2**20,
    }  # fmt: skip
    return Figures(name, **(plain | changes))


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_every_case_runs_in_small(name):
    case = find(name).tiny()
    found = measure(case)
    assert found.digest.startswith("sha256:")
    assert found.simulated == case.seconds
    assert found.steps > 0
    assert found.tasks == case.services * case.replicas
    assert (found.writes > 0) == (case.writes > 0)
    assert found.failed_writes == 0 or case.faults
    assert (found.faults > 0) == case.faults
    assert (found.checked > 0) == case.watched


def test_invariants_change_nothing_in_what_is_measured():
    assert measure(find("writes-25").tiny()).digest == measure(find("writes-25-bare").tiny()).digest


def test_a_broken_invariant_is_no_result(monkeypatch):
    monkeypatch.setattr("benchmarks.swarms.Swarm.problems", lambda swarm: ["election safety: no"])
    with pytest.raises(RuntimeError, match="election safety"):
        measure(find("idle-5").tiny())


def test_a_case_runs_in_a_process_of_its_own_with_a_profile():
    found = run(find("writes-25"), tiny=True, profile=True)
    assert found.name == "writes-25"
    assert sum(share for _, _, share in found.profile) == pytest.approx(1)


def test_rounds_take_turns_and_must_agree(monkeypatch):
    asked, digests = [], iter(["sha256:1", "sha256:1", "sha256:1", "sha256:2"])

    def one(case, *, tiny):
        asked.append(case.name)
        return figures(case.name, digest=next(digests))

    monkeypatch.setattr("benchmarks.running.run", one)
    cases = [find("idle-5"), find("idle-25")]
    with pytest.raises(RuntimeError, match="idle-25: rounds with different digests"):
        rounds(cases, 2, tiny=True, say=lambda line: None)
    assert asked == ["idle-5", "idle-25", "idle-5", "idle-25"]


def test_a_case_is_judged_by_its_median():
    case = Case("c", "a case", 100, target=50)
    rows = [figures(cpu=cpu) for cpu in (2.0, 90.0, 1.0)]
    row = summary(case, rows)
    assert row["simulated_seconds_per_cpu_second"] == 50
    assert row["events_per_simulated_second"] == 40
    assert [target["reached"] for target in row["targets"]] == [True]
    assert summary(Case("c", "", 100, target=51), rows)["targets"][0]["reached"] is False


def test_limits_of_time_memory_and_creations_are_judged():
    case = Case("c", "a case", 100, cpu_limit=2, memory_limit=40 * 2**20, creations=200)
    row = summary(case, [figures(tasks=300, creation_cpu=1.0)])
    assert [target["reached"] for target in row["targets"]] == [True, False, True]
    assert row["task_creations_per_cpu_second"] == 300


def test_the_report_has_ratios_targets_and_the_machine(tmp_path):
    report = Report({"cpu": "a chip", "cores": 2, "python": "CPython 3.11"}, 3)
    case = Case("writes-25", "writes", 100, target=60)
    assert not report.add_swarm(case, [figures()])
    report.profiles["writes-25"] = [("sim.kernel", "SimEnvironment.run", 0.75), ("x", "y", 0.25)]
    report.add_pairs({"writes-25": [figures(cpu=3.0)], "writes-25-bare": [figures(cpu=2.0)]})
    report.add_part("kernel", {"callback_ratio": 1.5, "reset_ratio": 4.0})
    write(report, tmp_path)
    data = json.loads((tmp_path / "benchmarks.json").read_text())
    assert data["machine"]["cpu"] == "a chip"
    assert [(one["ratio"], one["reached"]) for one in data["ratios"]] == [
        (1.5, None), (1.5, True), (4.0, False),
    ]  # fmt: skip
    text = (tmp_path / "benchmarks.md").read_text()
    for part in ("a chip", "**falls short**", "sim.kernel SimEnvironment.run | 75.0%", "| 40.0 |"):
        assert part in text


def test_the_sampler_says_where_the_time_goes():
    sampler = Sampler()
    sampler.start()
    try:
        sum(number * number for number in range(2_000_000))
    finally:
        sampler.stop()
    module, _, share = sampler.table()[0]
    assert module == "test_benchmarks"
    assert share > 0


def test_kernel_and_raft_core_give_their_figures(monkeypatch):
    for name, value in {
        "ROUNDS": 1,
        "IDLE_TIMERS": 10,
        "DELIVERIES": 2000,
        "HEARTBEATS": 2000,
    }.items():
        monkeypatch.setattr(kernel, name, value)
    found = kernel.measure()
    assert found["callback_ratio"] > 0
    assert found["reset_ratio"] > 0
    monkeypatch.setattr(raft_core, "ROUNDS", 1)
    monkeypatch.setattr(raft_core, "best", lambda run, amount: (run(64), 1.0)[1])
    assert raft_core.measure(3)["messages_per_proposal"] > 0
