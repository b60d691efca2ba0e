"""Assignments: the complete set, batches of changes, and what is not worth sending."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.time import MILLISECOND
from simswarm.base.values import replace
from simswarm.manager.dispatcher.assignments import AssignmentStream
from simswarm.model.objects import TaskStatus
from simswarm.model.taskstate import TaskState
from simswarm.wire.dispatcher import (
    Assignments,
    AssignmentsKind,
    AssignTask,
    RemoveTask,
    SessionRefused,
)
from tests.dispatcher.bench import Bench, a_node, a_task

BATCH = 100 * MILLISECOND


def opened(*tasks) -> tuple[Bench, str]:
    bench = Bench(a_node("w1"), *tasks)
    session = bench.register("w1")
    bench.open_assignments("w1", session)
    return bench, session


def ids(message: Assignments) -> list[str]:
    return [c.task.id if isinstance(c, AssignTask) else "-" + c.task_id for c in message.changes]


def test_assignments_without_a_session_are_refused():
    bench = Bench(a_node("w1"))
    bench.open_assignments("w1", "")
    assert [m.code for m in bench.take(SessionRefused)] == ["invalid argument"]


def test_first_message_is_complete_and_holds_tasks_from_assigned_on():
    states = (TaskState.NEW, TaskState.PENDING, TaskState.ASSIGNED, TaskState.FAILED)
    bench, session = opened(*(a_task(f"t{n}", "w1", s) for n, s in enumerate(states)))
    (message,) = bench.take(Assignments)
    assert (message.kind, message.applies_to, message.results_in) == (
        AssignmentsKind.COMPLETE,
        "",
        "1",
    )
    assert message.session_id == session
    assert ids(message) == ["t2", "t3"]


def test_node_without_tasks_gets_an_empty_complete_set():
    bench, _ = opened()
    (message,) = bench.take(Assignments)
    assert message.changes == ()


def test_change_is_sent_100_ms_after_the_latest_of_a_burst():
    bench, _ = opened(a_task("t1", "w1", TaskState.PENDING), a_task("t2", "w1", TaskState.PENDING))
    bench.take()
    bench.put(a_task("t1", "w1"))
    bench.run(60 * MILLISECOND)
    bench.put(a_task("t2", "w1"))
    bench.run(BATCH - 1)
    assert bench.take(Assignments) == []
    bench.run(1)
    (message,) = bench.take(Assignments)
    assert (message.kind, message.applies_to, message.results_in) == (
        AssignmentsKind.INCREMENTAL,
        "1",
        "2",
    )
    assert ids(message) == ["t1", "t2"]


def test_hundred_changes_are_sent_at_once():
    tasks = [a_task(f"t{n:03}", "w1", TaskState.PENDING) for n in range(150)]
    bench, _ = opened(*tasks)
    bench.take()
    assigned = [replace(task, status=TaskStatus(TaskState.ASSIGNED)) for task in tasks]
    bench.put(*assigned)
    assert [len(m.changes) for m in bench.take(Assignments)] == [100]
    bench.run(BATCH)
    assert [len(m.changes) for m in bench.take(Assignments)] == [50]


def test_status_that_the_agent_reported_is_not_sent_back():
    bench, _ = opened(a_task("t1", "w1"))
    bench.take()
    for state in (TaskState.ACCEPTED, TaskState.RUNNING, TaskState.FAILED):
        bench.put(a_task("t1", "w1", state))
    bench.run(BATCH)
    assert bench.take(Assignments) == []


def test_desired_state_is_sent_whatever_the_state():
    bench, _ = opened(a_task("t1", "w1", TaskState.RUNNING))
    bench.take()
    bench.put(a_task("t1", "w1", TaskState.RUNNING, desired_state=TaskState.SHUTDOWN))
    bench.run(BATCH)
    (message,) = bench.take(Assignments)
    assert message.changes[0].task.desired_state == TaskState.SHUTDOWN


def test_added_and_removed_in_one_batch_is_only_a_removal():
    bench, _ = opened(a_task("t1", "w1", TaskState.PENDING))
    bench.take()
    bench.put(a_task("t1", "w1"))
    bench.delete("Task", "t1")
    bench.run(BATCH)
    (message,) = bench.take(Assignments)
    assert message.changes == (RemoveTask("t1"),)


def test_task_that_was_never_sent_is_not_removed():
    bench, _ = opened(a_task("t1", "w1", TaskState.PENDING))
    bench.take()
    bench.delete("Task", "t1")
    bench.run(BATCH)
    assert bench.take(Assignments) == []


def test_tasks_of_other_nodes_are_not_sent():
    bench, _ = opened(a_task("t1", "w2", TaskState.PENDING))
    bench.take()
    bench.put(a_task("t1", "w2"))
    bench.run(BATCH)
    assert bench.take(Assignments) == []


def test_opening_again_starts_from_a_complete_set():
    bench, session = opened(a_task("t1", "w1"))
    bench.put(a_task("t1", "w1", desired_state=TaskState.SHUTDOWN))
    bench.open_assignments("w1", session)
    complete = bench.take(Assignments)[-1]
    assert (complete.kind, complete.results_in) == (AssignmentsKind.COMPLETE, "1")
    bench.run(BATCH)
    assert bench.take(Assignments) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["t1", "t2", "t3"]),
            st.sampled_from([*TaskState]),
            st.sampled_from([TaskState.READY, TaskState.RUNNING, TaskState.SHUTDOWN, None]),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_agent_that_applies_every_message_knows_what_the_store_holds(steps):
    """Model: an agent's set after all messages, against the tasks at ASSIGNED or beyond."""
    stream = AssignmentStream("s")
    store: dict[str, object] = {}
    agent: dict[str, object] = {}
    expected = ""
    for id, state, desired, send in steps:
        old = store.get(id)
        if desired is None:
            if old is not None:
                del store[id]
                stream.remove(id)
        elif old is None or old.status.state <= state:
            store[id] = a_task(id, "w1", state, desired_state=desired)
            stream.put(store[id])
        stream.check_invariants()
        if send and (stream.modifications or not expected):
            message = stream.message()
            assert message.applies_to == expected
            expected = message.results_in
            for change in message.changes:
                if isinstance(change, AssignTask):
                    agent[change.task.id] = change.task
                else:
                    agent.pop(change.task_id, None)
    for change in stream.message().changes:
        if isinstance(change, AssignTask):
            agent[change.task.id] = change.task
        else:
            agent.pop(change.task_id, None)
    wanted = {
        id: task.desired_state
        for id, task in store.items()
        if task.status.state >= TaskState.ASSIGNED
    }
    assert {id: task.desired_state for id, task in agent.items()} == wanted
