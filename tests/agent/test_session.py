"""The session against a hand-played dispatcher."""

from __future__ import annotations

from simswarm.agent.remotes import Remotes
from simswarm.agent.session import SESSION_TIMER, Phase, Session
from simswarm.base.effects import Channel
from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import MILLISECOND, SECOND
from simswarm.model.objects import Node, NodeDescription
from simswarm.model.specs import NodeSpec
from simswarm.wire.dispatcher import (
    Assignments,
    AssignmentsKind,
    Heartbeat,
    HeartbeatReply,
    OpenAssignments,
    OpenSession,
    SessionMessage,
    SessionRefused,
    TaskStatusAccepted,
)
from tests.agent.bench import Desk

COMPLETE, INCREMENTAL = AssignmentsKind.COMPLETE, AssignmentsKind.INCREMENTAL
NODE = Node("n1", NodeSpec(name="w1"))


class Stage(Desk):
    """A session, and what its owner was told."""

    def __init__(self, *managers: str, local: str | None = None, seed: int = 1) -> None:
        super().__init__()
        self.registered = self.lost = 0
        self.nodes: list[SessionMessage] = []
        self.assignments: list[Assignments] = []
        self.taken: list[int] = []
        self.remotes = Remotes(SeededEntropy(seed), managers or ("m1",))
        self.session = Session(
            self,
            self.out,
            SeededEntropy(seed, "/session"),
            self.remotes,
            node_id="n1",
            description=NodeDescription("w1"),
            local=local,
        )
        self.session.start()
        self.drain()

    def on_registered(self) -> None:
        self.registered += 1

    def on_session_message(self, message) -> None:
        self.nodes.append(message)

    def on_assignments(self, message) -> None:
        self.assignments.append(message)

    def on_status_taken(self, request) -> None:
        self.taken.append(request)

    def on_session_lost(self) -> None:
        self.lost += 1

    def hear(self, message, source: str = "") -> None:
        self.session.receive(source or self.session.target, message)
        self.drain()

    def fire(self) -> None:
        at = self.timers.pop(SESSION_TIMER)
        self.pass_time(at - self.out.now.mono)
        self.session.on_timer()
        self.drain()

    def register(self, session_id: str = "s1") -> None:
        self.hear(SessionMessage(session_id, NODE, (("m1", 10),)))

    @property
    def delay(self) -> int:
        return self.timers[SESSION_TIMER] - self.out.now.mono


def test_session_is_opened_at_once_with_the_description():
    stage = Stage()
    assert stage.take() == [OpenSession("n1", "", NodeDescription("w1"))]
    assert stage.delay == 5 * SECOND


def test_registration_sends_a_heartbeat_and_asks_for_assignments():
    stage = Stage()
    stage.take()
    stage.register()
    assert stage.take() == [Heartbeat("n1", "s1"), OpenAssignments("n1", "s1")]
    assert (stage.registered, len(stage.nodes)) == (1, 1)
    assert stage.delay == 5 * SECOND


def test_next_heartbeat_follows_after_the_period_of_the_reply():
    stage = Stage()
    stage.register()
    stage.hear(HeartbeatReply("s1", 4_700 * MILLISECOND))
    assert stage.delay == 4_700 * MILLISECOND
    stage.take()
    stage.fire()
    assert stage.take() == [Heartbeat("n1", "s1")]


def test_further_session_messages_are_passed_on():
    stage = Stage()
    stage.register()
    stage.register()
    assert (stage.registered, len(stage.nodes)) == (1, 2)
    stage.hear(SessionMessage("other", NODE, ()))
    assert len(stage.nodes) == 2


def test_no_answer_within_5_seconds_ends_the_opening():
    stage = Stage()
    stage.fire()
    assert stage.session.phase is Phase.WAITING
    assert (stage.lost, stage.registered) == (0, 0)
    assert stage.delay < 100 * MILLISECOND


def test_unanswered_heartbeat_ends_the_session_after_5_seconds():
    stage = Stage()
    stage.register()
    stage.fire()
    assert stage.session.phase is Phase.WAITING
    assert stage.lost == 1


def test_backoff_grows_to_8_seconds_and_is_drawn_below():
    stage = Stage()
    limits, backoff = [], 0
    for _ in range(9):
        backoff = min(100 * MILLISECOND + 2 * backoff, 8 * SECOND)
        limits.append(backoff)
    assert limits[:4] == [100 * MILLISECOND, 300 * MILLISECOND, 700 * MILLISECOND, 1500_000_000]
    for limit in limits:
        stage.fire()  # the opening times out
        assert 0 <= stage.delay < limit
        stage.fire()  # the next one begins
    assert limits[-1] == 8 * SECOND


def test_backoff_is_forgotten_once_registered():
    stage = Stage()
    for _ in range(8):
        stage.fire()
        stage.fire()
    stage.register()
    stage.session.close("whatever")
    stage.drain()
    assert stage.delay < 100 * MILLISECOND


def test_last_session_id_is_offered_again():
    stage = Stage()
    stage.register("s1")
    stage.fire()
    stage.take()
    stage.fire()
    assert stage.take() == [OpenSession("n1", "s1", NodeDescription("w1"))]


def test_refusal_ends_the_session():
    stage = Stage()
    stage.hear(SessionRefused("", "unavailable", "no leader"))
    assert stage.session.phase is Phase.WAITING
    stage.fire()
    stage.register("s1")
    stage.hear(SessionRefused("s0", "invalid argument", "session invalid"))
    assert stage.session.phase is Phase.OPEN
    stage.hear(SessionRefused("s1", "invalid argument", "session invalid"))
    assert stage.session.phase is Phase.WAITING
    assert stage.lost == 1


def test_report_on_an_unknown_task_counts_as_delivered_and_others_end_the_session():
    stage = Stage()
    stage.register()
    stage.hear(TaskStatusAccepted("s1", 1))
    stage.hear(SessionRefused("s1", "not found", "unknown task", 2))
    assert stage.taken == [1, 2]
    stage.hear(SessionRefused("s1", "permission denied", "not yours", 3))
    assert stage.session.phase is Phase.WAITING


def test_broken_stream_ends_the_session_of_that_manager_only():
    stage = Stage("m1", "m2")
    stage.register()
    other = {"m1": "m2", "m2": "m1"}[stage.session.target]
    stage.session.peer_lost(other, Channel.CONTROL)
    stage.session.peer_lost(stage.session.target, Channel.CONSENSUS)
    assert stage.session.phase is Phase.OPEN
    stage.session.peer_lost(stage.session.target, Channel.HEARTBEAT)
    assert stage.session.phase is Phase.WAITING


def test_ended_session_lowers_the_weight_of_its_manager():
    stage = Stage("m1", "m2")
    target = stage.session.target
    stage.fire()
    assert dict(stage.remotes.weights) == {"m1": 5, "m2": 5} | {target: -2}


def test_own_manager_is_used_and_never_blamed():
    stage = Stage("m1", "m2", local="m9")
    assert stage.session.target == "m9"
    stage.fire()
    stage.fire()
    assert stage.session.target == "m9"
    assert dict(stage.remotes.weights) == {"m1": 5, "m2": 5}


def test_changed_description_is_registered_anew_without_backoff():
    stage = Stage()
    stage.register()
    stage.take()
    stage.session.restart(NodeDescription("w1", engine_version="24"))
    stage.drain()
    assert stage.delay == 0
    stage.fire()
    assert stage.take() == [OpenSession("n1", "s1", NodeDescription("w1", engine_version="24"))]


def test_messages_of_other_managers_and_sessions_are_ignored():
    stage = Stage()
    stage.hear(SessionMessage("s1", NODE, ()), source="stranger")
    assert stage.registered == 0
    stage.register()
    stage.hear(HeartbeatReply("s0", 1))
    stage.hear(Assignments("s0", COMPLETE, "", "1", ()))
    stage.hear(TaskStatusAccepted("s0", 1))
    assert (stage.assignments, stage.taken) == ([], [])
    assert stage.delay == 5 * SECOND


def test_second_reply_to_one_heartbeat_is_ignored():
    stage = Stage()
    stage.register()
    stage.hear(HeartbeatReply("s1", 4 * SECOND))
    stage.hear(HeartbeatReply("s1", 1 * SECOND))
    assert stage.delay == 4 * SECOND


def test_gap_in_assignments_reopens_the_stream_and_waits_for_the_complete_set():
    stage = Stage()
    stage.register()
    first = Assignments("s1", COMPLETE, "", "1", ())
    second = Assignments("s1", INCREMENTAL, "1", "2", ())
    stage.hear(first)
    stage.hear(second)
    stage.take()
    stage.hear(Assignments("s1", INCREMENTAL, "3", "4", ()))
    assert stage.take() == [OpenAssignments("n1", "s1")]
    stage.hear(Assignments("s1", INCREMENTAL, "4", "5", ()))
    assert stage.take() == []
    stage.hear(first)
    stage.hear(second)
    assert stage.assignments == [first, second, first, second]


def test_changes_before_the_complete_set_are_ignored():
    stage = Stage()
    stage.register()
    stage.hear(Assignments("s1", INCREMENTAL, "", "1", ()))
    assert stage.assignments == []


def test_node_that_knows_no_manager_keeps_looking():
    stage = Stage()
    stage.remotes.keep_only([])
    stage.fire()
    stage.fire()
    assert stage.delay == 8 * SECOND
    stage.remotes.observe("m7", 10)
    stage.fire()
    assert stage.session.target == "m7"
