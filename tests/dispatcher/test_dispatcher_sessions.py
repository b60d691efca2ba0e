"""Sessions, heartbeats and what becomes of silent nodes, on a bench with hand-fired timers."""

from __future__ import annotations

import pytest

from simswarm.base.effects import Identity
from simswarm.base.errors import NotLeader
from simswarm.base.time import HOUR, MILLISECOND, SECOND
from simswarm.manager.route import Route
from simswarm.model.objects import NodeState, NodeStatus
from simswarm.model.taskstate import TaskState
from simswarm.wire.dispatcher import (
    Heartbeat,
    HeartbeatReply,
    OpenAssignments,
    OpenSession,
    SessionMessage,
    SessionRefused,
    UpdateTaskStatus,
)
from tests.dispatcher.bench import Bench, a_cluster, a_node, a_task, describe

UNKNOWN = 'Node moved to "unknown" state due to leadership change in cluster'
PERIODS = (4_500 * MILLISECOND, 5_500 * MILLISECOND)
"""The drawn heartbeat period is within these."""


def down(message: str = "heartbeat failure") -> NodeStatus:
    return NodeStatus(NodeState.DOWN, message)


def keep_alive(bench: Bench, name: str, session: str, seconds: int) -> None:
    for _ in range(seconds // 4):
        bench.run(4 * SECOND)
        bench.beat(name, session)


# ── a new leader ─────────────────────────────────────────────────────────────────────────────


def test_new_leader_marks_every_node_unknown_that_is_not_down():
    bench = Bench(
        a_node("w1", status=NodeStatus(NodeState.READY)), a_node("w2", status=down("gone"))
    )
    assert bench.node("w1").status == NodeStatus(NodeState.UNKNOWN, UNKNOWN)
    assert bench.node("w2").status == down("gone")


def test_unknown_marks_are_written_in_transactions_of_200():
    bench = Bench(*(a_node(f"w{n:03}") for n in range(450)))
    writes = [entry for entry in bench.committer.log if entry[0] == "dispatcher.unknown"]
    assert [changes for _, changes in writes] == [200, 200, 50]


def test_unknown_node_goes_down_after_six_periods():
    bench = Bench(a_node("w1"))
    bench.run(6 * PERIODS[0] - 1)
    assert bench.node("w1").status.state == NodeState.UNKNOWN
    bench.run(6 * (PERIODS[1] - PERIODS[0]) + 101 * MILLISECOND)
    assert bench.node("w1").status == down('heartbeat failure for node in "unknown" state')


def test_down_node_is_orphaned_a_day_after_the_new_leader_began():
    bench = Bench(a_node("w1", status=down()), a_task("t1", "w1", TaskState.RUNNING))
    bench.run(24 * HOUR - 1)
    assert bench.task("t1").status.state == TaskState.RUNNING
    bench.run(1)
    assert bench.task("t1").status.state == TaskState.ORPHANED


# ── registration ─────────────────────────────────────────────────────────────────────────────


def test_registration_is_answered_once_ready_is_committed():
    bench = Bench(a_node("w1"))
    bench.committer.holding = True
    bench.receive("w1", OpenSession("id-w1", "", describe("w1")))
    bench.run(1 * SECOND)
    assert bench.take() == []
    bench.committer.release()
    bench.drain()
    (message,) = bench.take(SessionMessage, "w1")
    assert message.node == bench.node("w1")
    assert message.node.status == NodeStatus(NodeState.READY, "", "w1")
    assert message.managers == bench.managers


def test_registration_is_written_within_100_ms():
    bench = Bench(a_node("w1"))
    bench.run(30 * MILLISECOND)
    bench.receive("w1", OpenSession("id-w1", "", describe("w1")))
    bench.run(70 * MILLISECOND - 1)
    assert bench.node("w1").status.state == NodeState.UNKNOWN
    bench.run(1)
    assert bench.node("w1").status.state == NodeState.READY


def test_description_of_the_registration_is_stored():
    bench = Bench(a_node("w1"))
    description = describe("w1")
    changed = type(description)(hostname="w1", engine_version="20.10.24")
    bench.receive("w1", OpenSession("id-w1", "", changed))
    bench.run(100 * MILLISECOND)
    assert bench.node("w1").description == changed


def test_registering_twice_gives_a_new_session_id():
    bench = Bench(a_node("w1"))
    first = bench.register("w1")
    second = bench.register("w1")
    assert first
    assert second
    assert first != second
    bench.beat("w1", first)
    assert [m.message for m in bench.take(SessionRefused)] == ["session invalid"]


def test_valid_session_id_is_kept_and_not_rate_limited():
    bench = Bench(a_node("w1"))
    session = bench.register("w1")
    for _ in range(10):
        assert bench.register("w1", session) == session


def test_session_id_of_another_leader_means_a_new_registration():
    bench = Bench(a_node("w1"))
    assert bench.register("w1", "stale") != "stale"


def test_fourth_registration_within_8_seconds_is_refused():
    bench = Bench(a_node("w1"))
    for _ in range(3):
        bench.register("w1")
    bench.receive("w1", OpenSession("id-w1", "", describe("w1")))
    (refused,) = bench.take(SessionRefused, "w1")
    assert refused.code == "unavailable"
    assert refused.message == "node id-w1 exceeded rate limit count of registrations"
    bench.run(8 * SECOND)
    assert bench.register("w1")


def test_first_registration_of_a_node_new_to_the_dispatcher_does_not_count():
    bench = Bench()
    bench.put(a_node("w9"))
    for _ in range(4):
        bench.register("w9")
    bench.receive("w9", OpenSession("id-w9", "", describe("w9")))
    (refused,) = bench.take(SessionRefused, "w9")
    assert refused.code == "unavailable"


def test_unknown_node_is_refused():
    bench = Bench()
    bench.receive("w1", OpenSession("id-w1", "", describe("w1")))
    assert bench.take() == [SessionRefused("", "unknown", "node not found")]


def test_node_deleted_while_its_registration_waits_is_refused():
    bench = Bench(a_node("w1"))
    bench.receive("w1", OpenSession("id-w1", "", describe("w1")))
    bench.delete("Node", "id-w1")
    bench.run(100 * MILLISECOND)
    assert [m.message for m in bench.take(SessionRefused)] == ["node not found"]


@pytest.mark.parametrize("identity", [Identity(""), Identity("w2"), Identity("w1", "id-w2")])
def test_caller_who_does_not_own_the_node_is_denied(identity):
    bench = Bench(a_node("w1"), a_node("w2"))
    message = OpenSession("id-w1", "", describe("w1"))
    bench.dispatcher.receive(Route("w1"), identity, message)
    bench.drain()
    assert [m.code for m in bench.take(SessionRefused)] == ["permission denied"]


def test_session_of_another_node_can_not_be_used():
    bench = Bench(a_node("w1"), a_node("w2"), a_task("t1", "w1"))
    session = bench.register("w1")
    messages = (
        Heartbeat("id-w1", session),
        OpenAssignments("id-w1", session),
        UpdateTaskStatus("id-w1", session, 3, ()),
    )
    for message in messages:
        bench.dispatcher.receive(Route("w2"), Identity("w2"), message)
        bench.drain()
    refused = bench.take()
    assert [m.code for m in refused] == ["permission denied"] * 3
    assert refused[2].request == 3


def test_answers_take_the_way_the_request_came():
    bench = Bench(a_node("w1"))
    session = bench.register("w1", via="m2")
    bench.beat("w1", session)
    assert bench.take(HeartbeatReply, "w1")


# ── heartbeats ───────────────────────────────────────────────────────────────────────────────


def test_heartbeat_is_answered_with_a_period_within_epsilon():
    bench = Bench(a_node("w1"))
    session = bench.register("w1")
    for _ in range(200):
        bench.beat("w1", session)
    replies = bench.take(HeartbeatReply, "w1")
    assert len(replies) == 200
    assert all(PERIODS[0] <= reply.period <= PERIODS[1] for reply in replies)
    assert len({reply.period for reply in replies}) > 150


def test_node_goes_down_exactly_three_drawn_periods_after_its_last_heartbeat():
    bench = Bench(a_node("w1"))
    session = bench.register("w1")
    keep_alive(bench, "w1", session, 60)
    bench.beat("w1", session)
    reply = bench.take(HeartbeatReply, "w1")[-1]
    assert bench.timers["expiry/id-w1"] == bench.out.now.mono + 3 * reply.period
    bench.run(3 * reply.period - 1)
    assert bench.node("w1").status.state == NodeState.READY
    bench.run(100 * MILLISECOND + 1)
    assert bench.node("w1").status == NodeStatus(NodeState.DOWN, "heartbeat failure", "w1")


def test_heartbeats_keep_a_node_ready():
    bench = Bench(a_node("w1"))
    keep_alive(bench, "w1", bench.register("w1"), 120)
    assert bench.node("w1").status.state == NodeState.READY


def test_heartbeat_without_a_session_is_refused():
    bench = Bench(a_node("w1"))
    bench.beat("w1", "")
    bench.beat("w2", "")
    assert bench.take() == [
        SessionRefused("", "invalid argument", "session invalid"),
        SessionRefused("", "not found", "node not registered"),
    ]


def test_node_that_was_down_registers_again_without_a_limit():
    bench = Bench(a_node("w1"))
    for _ in range(3):
        session = bench.register("w1")
    bench.run(17 * SECOND)
    assert bench.node("w1").status.state == NodeState.DOWN
    bench.beat("w1", session)
    assert [m.message for m in bench.take(SessionRefused)] == ["node not registered"]
    assert bench.register("w1", session)
    assert bench.node("w1").status == NodeStatus(NodeState.READY, "", "w1")


def test_changed_period_counts_from_the_next_heartbeat():
    bench = Bench(a_node("w1"), a_cluster(5 * SECOND))
    session = bench.register("w1")
    bench.put(a_cluster(20 * SECOND))
    bench.beat("w1", session)
    (reply,) = bench.take(HeartbeatReply)
    assert abs(reply.period - 20 * SECOND) <= 500 * MILLISECOND


def test_period_shorter_than_epsilon_stays_positive():
    bench = Bench(a_node("w1"), a_cluster(100 * MILLISECOND))
    session = bench.register("w1")
    for _ in range(50):
        bench.beat("w1", session)
    assert all(reply.period >= 50 * MILLISECOND for reply in bench.take(HeartbeatReply))


def test_node_whose_registration_waits_for_a_commit_is_not_declared_down():
    bench = Bench(a_node("w1"))
    session = bench.register("w1")
    bench.committer.holding = True
    bench.receive("w1", OpenSession("id-w1", session, describe("w1")))
    bench.run(60 * SECOND)
    bench.committer.release()
    bench.drain()
    bench.run(10 * SECOND)
    assert bench.node("w1").status.state == NodeState.READY
    assert bench.take(SessionMessage, "w1")[-1].session_id == session


def test_orphaning_is_called_off_when_the_node_comes_back():
    bench = Bench(a_node("w1"), a_task("t1", "w1", TaskState.RUNNING))
    bench.register("w1")
    bench.run(17 * SECOND)
    assert bench.node("w1").status.state == NodeState.DOWN
    assert "orphan/id-w1" in bench.timers
    bench.register("w1")
    assert "orphan/id-w1" not in bench.timers


def test_only_tasks_that_may_have_made_progress_are_orphaned():
    states = (TaskState.PENDING, TaskState.ASSIGNED, TaskState.RUNNING, TaskState.REJECTED)
    tasks = [a_task(f"t{state:d}", "w1", state) for state in states]
    bench = Bench(a_node("w1"), *tasks)
    bench.register("w1")
    bench.run(24 * HOUR + 17 * SECOND)
    after = [bench.task(task.id).status.state for task in tasks]
    assert after == [
        TaskState.PENDING,
        TaskState.ORPHANED,
        TaskState.ORPHANED,
        TaskState.REJECTED,
    ]


# ── session messages ─────────────────────────────────────────────────────────────────────────


def test_change_of_the_own_node_object_is_told():
    bench = Bench(a_node("w1"), a_node("w2"))
    session = bench.register("w1")
    bench.register("w2")
    bench.take()
    changed = bench.node("w1")
    spec = type(changed.spec)(name="w1", labels=(("zone", "a"),))
    bench.put(type(changed)(changed.id, spec, description=changed.description))
    (message,) = bench.take()
    assert message == SessionMessage(session, bench.node("w1"), bench.managers)


def test_changed_managers_list_is_told_to_everybody_once():
    bench = Bench(a_node("w1"), a_node("w2"), a_node("w3"))
    bench.register("w1")
    bench.register("w2")
    bench.take()
    bench.managers = (*bench.managers, ("m3", 10))
    bench.dispatcher.managers_changed()
    bench.dispatcher.managers_changed()
    bench.drain()
    told = bench.take(SessionMessage)
    assert [message.node.id for message in told] == ["id-w1", "id-w2"]
    assert all(message.managers == bench.managers for message in told)


def test_removed_node_is_told_and_forgotten():
    bench = Bench(a_node("w1"))
    session = bench.register("w1")
    bench.delete("Node", "id-w1")
    assert bench.take() == [SessionRefused(session, "not found", "node not registered")]
    assert not any(name.endswith("id-w1") for name in bench.timers)


# ── the end ──────────────────────────────────────────────────────────────────────────────────


def test_lost_leadership_ends_sessions_and_leaves_no_timer():
    bench = Bench(a_node("w1"), a_node("w2"), a_node("w3", status=down()))
    session = bench.register("w1")
    bench.receive("w2", OpenSession("id-w2", "", describe("w2")))
    bench.take()
    bench.lose_leadership(NotLeader("lost"))
    assert bench.take() == [
        SessionRefused(session, "aborted", "dispatcher is stopped"),
        SessionRefused("", "aborted", "dispatcher is stopped"),
    ]
    assert bench.timers == {}


def test_session_on_a_broken_way_is_refused_until_opened_again():
    bench = Bench(a_node("w1"), a_node("w2"))
    one, two = bench.register("w1", via="m2"), bench.register("w2")
    bench.open_assignments("w1", one, via="m2")
    bench.dispatcher.peer_lost("m2")
    bench.drain()
    bench.take()
    bench.beat("w1", one)
    bench.beat("w2", two)
    refused, reply = bench.take()
    assert refused == SessionRefused(one, "invalid argument", "session invalid")
    assert isinstance(reply, HeartbeatReply)
    assert bench.register("w1", one, via="m3") == one
    bench.beat("w1", one)
    assert bench.take(HeartbeatReply, "w1")
