"""Reports of agents: taken at once, written in batches, never lowering a state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.errors import NotLeader
from simswarm.base.time import MILLISECOND
from simswarm.model.objects import TaskStatus
from simswarm.model.taskstate import TaskState
from simswarm.wire.dispatcher import SessionRefused, TaskStatusAccepted, UpdateTaskStatus
from tests.dispatcher.bench import Bench, a_node, a_task

BATCH = 100 * MILLISECOND


def status(state: TaskState, message: str = "", **fields) -> TaskStatus:
    return TaskStatus(state, 5, message, **fields)


def report(bench: Bench, session: str, *updates: tuple[str, TaskStatus], request: int = 1) -> None:
    bench.receive("w1", UpdateTaskStatus("id-w1", session, request, updates))


def opened(*tasks) -> tuple[Bench, str]:
    bench = Bench(a_node("m1"), a_node("w1"), a_node("w2"), *tasks)
    return bench, bench.register("w1")


def writes(bench: Bench) -> list[int]:
    return [changes for name, changes in bench.committer.log if name == "dispatcher.update"]


def test_report_is_accepted_at_once_and_written_with_the_next_beat():
    bench, session = opened(a_task("t1", "w1"))
    report(bench, session, ("t1", status(TaskState.RUNNING, "started")), request=9)
    assert bench.take() == [TaskStatusAccepted(session, 9)]
    assert bench.task("t1").status.state == TaskState.ASSIGNED
    bench.run(BATCH)
    stored = bench.task("t1").status
    assert (stored.state, stored.message, stored.timestamp) == (TaskState.RUNNING, "started", 5)
    assert stored.applied_by == "id-m1"
    assert stored.applied_at == bench.out.now.wall


def test_report_without_a_session_is_refused():
    bench, _ = opened(a_task("t1", "w1"))
    report(bench, "", ("t1", status(TaskState.RUNNING)), request=4)
    assert bench.take() == [SessionRefused("", "invalid argument", "session invalid", 4)]


def test_report_on_a_task_of_another_node_is_denied_as_a_whole():
    bench, session = opened(a_task("t1", "w1"), a_task("t2", "w2"))
    running = status(TaskState.RUNNING)
    report(bench, session, ("t1", running), ("t2", running), request=2)
    assert bench.take() == [
        SessionRefused(
            session, "permission denied", "cannot update a task not assigned this node", 2
        )
    ]
    bench.run(BATCH)
    assert bench.task("t1").status.state == TaskState.ASSIGNED
    assert bench.task("t2").status.state == TaskState.ASSIGNED


def test_report_on_a_task_that_is_gone_is_taken_and_ignored():
    bench, session = opened()
    report(bench, session, ("t1", status(TaskState.RUNNING)))
    assert bench.take() == [TaskStatusAccepted(session, 1)]
    bench.run(BATCH)
    assert bench.take() == []


def test_lower_state_than_stored_is_dropped():
    bench, session = opened(a_task("t1", "w1", TaskState.SHUTDOWN))
    report(bench, session, ("t1", status(TaskState.RUNNING)))
    bench.run(BATCH)
    assert bench.task("t1").status == TaskStatus(TaskState.SHUTDOWN)


def test_equal_state_with_other_content_is_written():
    bench, session = opened(a_task("t1", "w1", TaskState.RUNNING))
    report(bench, session, ("t1", status(TaskState.RUNNING, "again")))
    bench.run(BATCH)
    assert bench.task("t1").status.message == "again"


def test_identical_report_writes_nothing():
    bench, session = opened(a_task("t1", "w1"))
    for _ in range(3):
        report(bench, session, ("t1", status(TaskState.RUNNING, "started")))
        bench.run(BATCH)
    version = bench.task("t1").meta.version
    report(bench, session, ("t1", status(TaskState.RUNNING, "started")))
    bench.run(BATCH)
    assert bench.task("t1").meta.version == version


def test_reports_within_one_beat_are_one_write_and_the_last_wins():
    bench, session = opened(a_task("t1", "w1"), a_task("t2", "w1"))
    before = len(writes(bench))
    for state in (TaskState.ACCEPTED, TaskState.PREPARING):
        report(bench, session, ("t1", status(state)), ("t2", status(state)))
    bench.run(BATCH)
    assert writes(bench)[before:] == [2]
    assert bench.task("t1").status.state == TaskState.PREPARING


def test_flush_is_split_into_writes_of_200():
    tasks = [a_task(f"t{n:03}", "w1") for n in range(450)]
    bench, session = opened(*tasks)
    before = len(writes(bench))
    report(bench, session, *((task.id, status(TaskState.RUNNING)) for task in tasks))
    bench.run(BATCH)
    assert writes(bench)[before:] == [200, 200, 50]


def test_next_flush_waits_for_the_one_under_way():
    bench, session = opened(a_task("t1", "w1"))
    bench.committer.holding = True
    report(bench, session, ("t1", status(TaskState.ACCEPTED)))
    bench.run(BATCH)
    before = len(writes(bench))
    report(bench, session, ("t1", status(TaskState.RUNNING)))
    bench.run(10 * BATCH)
    assert len(writes(bench)) == before
    bench.committer.release()
    bench.drain()
    assert bench.task("t1").status.state == TaskState.ACCEPTED
    bench.run(BATCH)
    assert bench.task("t1").status.state == TaskState.RUNNING


def test_beat_runs_only_while_something_waits():
    bench, session = opened(a_task("t1", "w1"))
    assert "updates" not in bench.timers
    report(bench, session, ("t1", status(TaskState.RUNNING)))
    assert "updates" in bench.timers
    bench.run(BATCH)
    assert "updates" not in bench.timers


def test_lost_leadership_drops_what_waits():
    bench, session = opened(a_task("t1", "w1"))
    report(bench, session, ("t1", status(TaskState.RUNNING)))
    bench.lose_leadership(NotLeader("lost"))
    bench.committer.leading = True
    bench.store.pump()
    bench.run(10 * BATCH)
    assert bench.task("t1").status.state == TaskState.ASSIGNED


@given(st.lists(st.tuples(st.sampled_from([*TaskState]), st.booleans()), max_size=30))
def test_state_never_falls_whatever_is_reported(reports):
    bench, session = opened(a_task("t1", "w1"))
    highest = TaskState.ASSIGNED
    for state, beat in reports:
        report(bench, session, ("t1", status(state)))
        if beat:
            before = bench.task("t1").status.state
            bench.run(BATCH)
            after = bench.task("t1").status.state
            assert after >= before
            highest = max(highest, after)
    assert bench.task("t1").status.state == highest
