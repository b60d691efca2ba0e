"""Pictures of one run are computed from its trace records alone."""

from __future__ import annotations

from simswarm.report.table import read_csv
from simswarm.report.timeline import Span, faults, role_spans, roles, running_tasks


def record(t, node, kind, **fields):
    return {"t": t, "node": node, "kind": kind, **fields}


def container(t, node, task, action):
    return record(t, node, "engine.container", service="web", task=task, action=action)


RECORDS = [
    record(-3.0, "m1", "raft.role", role="leader", term=2, leader="m1"),
    record(-3.0, "m2", "raft.role", role="follower", term=2, leader="m1"),
    container(1.0, "m1", "a", "start"),
    container(1.5, "w1", "b", "start"),
    record(10.0, "m1", "process.crash", targets=("m1",)),
    record(22.0, "m2", "raft.role", role="candidate", term=3, leader=None),
    record(22.1, "m2", "raft.role", role="leader", term=3, leader="m2"),
    container(30.0, "w2", "c", "start"),
    container(35.0, "w1", "b", "die"),
    record(40.0, "m1", "process.restart", targets=("m1",)),
    record(41.0, "m1", "raft.role", role="follower", term=3, leader="m2"),
    record(50.0, "", "network.partition", targets=("m1", "m2")),
]


def test_a_fault_lasts_until_it_is_undone_or_the_run_ends():
    assert faults(RECORDS, 60.0) == [
        Span(10.0, 40.0, "crash", "m1"),
        Span(50.0, 60.0, "partition", ""),
    ]


def test_a_crashed_manager_has_no_role():
    assert [span for span in role_spans(RECORDS, 60.0) if span.node == "m1"] == [
        Span(0.0, 10.0, "leader, term 2", "m1"),
        Span(41.0, 60.0, "follower, term 3", "m1"),
    ]


def test_running_tasks_are_counted_by_engine_truth_and_end_with_their_node(tmp_path):
    csv = running_tasks(RECORDS, 60.0).save(tmp_path / "tasks")[2]
    steps = [(float(row["seconds"]), int(row["running"])) for row in read_csv(csv)]
    assert steps == [(1.0, 1), (1.5, 2), (10.0, 1), (30.0, 2), (35.0, 1)]


def test_the_lanes_show_every_manager(tmp_path):
    drawing = roles(RECORDS, 60.0)
    colours = [bar.get_facecolor() for bar in drawing.figure.axes[0].patches[-4:]]
    assert len(set(colours)) >= 2
    png, _, csv = drawing.save(tmp_path / "roles")
    assert {row["node"] for row in read_csv(csv)} == {"m1", "m2"}
    assert png.stat().st_size > 5000
