"""One node at its boundary: what it takes, what it refuses, and how it stops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.effects import (
    Call,
    CallCancelled,
    Deliver,
    EngineResult,
    Halt,
    Identity,
    Observe,
    PeerLost,
    Reply,
    Send,
    Shutdown,
    StreamReady,
    TimerFired,
    TimerKey,
    Write,
    Written,
)
from simswarm.base.engine import Done
from simswarm.base.entropy import SeededEntropy
from simswarm.base.records import frame_file
from simswarm.base.time import SECOND, Now
from simswarm.model.config import NodeConfig
from simswarm.model.objects import Node as ModelNode
from simswarm.model.objects import NodeDescription
from simswarm.model.specs import ContainerSpec, NodeRole, NodeSpec, ServiceSpec, TaskSpec
from simswarm.node import Node
from simswarm.node.node import NOT_A_MANAGER_TEXT
from simswarm.raft import LeaderHeartbeat
from simswarm.wire import codec
from simswarm.wire.control import (
    CallFailed,
    CreateService,
    ListNodes,
    ManagerStatus,
    NodeList,
)
from simswarm.wire.dispatcher import (
    Assignments,
    AssignmentsKind,
    AssignTask,
    Heartbeat,
    HeartbeatReply,
    OpenSession,
    SessionMessage,
    SessionRefused,
)
from simswarm.wire.forward import ForwardCall, FromLeader, NotLeading, ToLeader
from simswarm.wire.join import JoinAccepted, JoinRefused, JoinRequest
from tests.agent.bench import a_task
from tests.node.swarm import Swarm

WORKER = NodeConfig("w1", "w1", NodeRole.WORKER, ("m1",))


def boot(disk=None, config: NodeConfig = WORKER):
    return Node.boot(config, disk or {}, SeededEntropy(1), Now(5, 5))


def give(node: Node, given, at: int = 10):
    effects = node.step(given, Now(at, at))
    node.check_invariants()
    return effects


def deliver(node: Node, source: str, message):
    return give(node, Deliver(source, Identity(source), codec.encode(message)))


@pytest.fixture(scope="module")
def formed() -> Swarm:
    """A swarm of one manager and one worker; tests only look, or send what changes nothing."""
    swarm = Swarm(managers=1, workers=1)
    swarm.run(5 * SECOND)
    return swarm


# ── joining and booting ──────────────────────────────────────────────────────────────────────


def test_new_machine_asks_to_be_let_in():
    node, effects = boot()
    (send,) = [effect for effect in effects if isinstance(effect, Send)]
    assert send.target == "m1"
    assert isinstance(codec.decode(send.frame), JoinRequest)
    assert (node.agent, node.node_id, node.role) == (None, "", NodeRole.WORKER)


def test_agent_begins_when_the_membership_is_durable():
    node, _ = boot()
    (_, write) = deliver(node, "m1", JoinAccepted("n1", "c1"))
    assert node.agent is None
    effects = give(node, Written(write.token))
    assert node.node_id == "n1"
    opened = [codec.decode(e.frame) for e in effects if isinstance(e, Send)]
    assert [type(message) for message in opened] == [OpenSession]


def test_machine_that_is_in_opens_its_session_at_once():
    node, _ = boot()
    (_, write) = deliver(node, "m1", JoinAccepted("n1", "c1"))
    again, effects = boot({"identity": frame_file(write.records)})
    opened = [codec.decode(e.frame) for e in effects if isinstance(e, Send)]
    assert [type(message) for message in opened] == [OpenSession]
    assert again.node_id == "n1"


@pytest.mark.parametrize(
    "damage",
    [
        {"identity": frame_file((b"\xc0",))},
        {"identity": frame_file((b"\x92\xa2n1\xa2c1",)), "tasks": frame_file((b"\xc0",))},
        {"identity": b"\x07"},
    ],
)
def test_damaged_disk_stops_the_node_before_it_does_anything(damage):
    node, effects = boot(damage)
    (halt,) = effects
    assert isinstance(halt, Halt)
    assert halt.reason.startswith(("identity:", "tasks:"))
    assert give(node, Shutdown()) == []


def test_damaged_task_database_stops_a_machine_that_has_just_joined():
    node, _ = boot({"tasks": frame_file((b"\xc0",))})
    (_, write) = deliver(node, "m1", JoinAccepted("n1", "c1"))
    (halt,) = give(node, Written(write.token))
    assert isinstance(halt, Halt)


def test_role_is_what_the_session_says(formed):
    assert formed.node("w1").role == NodeRole.WORKER
    assert formed.node("m1").role == NodeRole.MANAGER


# ── what comes in ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("frame", [b"", b"\x01", b"\x09\x01\x92\x50", b"\x01\x01\xc1", b"\x01\x01"])
def test_malformed_frame_is_dropped_and_observed(formed, frame):
    node = formed.node("m1")
    effects = node.step(Deliver("w1", Identity("w1"), frame), Now(formed.now, 0))
    (observed,) = effects
    assert isinstance(observed, Observe)
    assert observed.kind == "net.malformed"
    assert dict(observed.fields)["source"] == "w1"


FRAMES = [
    codec.encode(message)
    for message in (
        OpenSession("n1", "", NodeDescription("w1")),
        Heartbeat("n1", "s1"),
        HeartbeatReply("s1", 5 * SECOND),
        JoinRequest("w9", NodeRole.WORKER, NodeDescription()),
        ToLeader("w1", Identity("w1"), b""),
        FromLeader("w1", b""),
        ForwardCall(1, Identity("client"), b""),
        LeaderHeartbeat(1, 1, 1, 0),
    )
]


@given(
    frame=st.sampled_from(FRAMES),
    place=st.integers(0, 60),
    byte=st.integers(0, 255),
    cut=st.integers(0, 60),
    source=st.sampled_from(["m1", "w1", "stranger", ""]),
    target=st.sampled_from(["m1", "w1"]),
)
def test_no_frame_raises(formed, frame, place, byte, cut, source, target):
    damaged = bytearray(frame)
    damaged[place % len(damaged)] = byte
    node = formed.node(target)
    given_frame = bytes(damaged[: len(damaged) - cut % len(damaged)])
    node.step(Deliver(source, Identity(source), given_frame), Now(formed.now, formed.now))
    node.check_invariants()


@pytest.mark.parametrize(
    "message",
    [
        LeaderHeartbeat(99, 1, 1, 0),
        ToLeader("w1", Identity("m1"), b""),
        FromLeader("w1", b""),
        ForwardCall(1, Identity("client"), codec.encode(ListNodes())),
        NotLeading("w1"),
        ListNodes(),
        NodeList((), (ManagerStatus("m1", 1, "m1", leader=True, reachable=True),)),
    ],
)
@pytest.mark.parametrize("target", ["m1", "w1"])
def test_what_only_managers_say_is_refused_from_others(formed, target, message):
    node = formed.node(target)
    source = "w1" if target == "m1" else "m1"
    deliver = Deliver(source, Identity(source), codec.encode(message))
    (observed,) = node.step(deliver, Now(formed.now, formed.now))
    assert isinstance(observed, Observe)
    assert observed.kind == "net.refused"


def test_nameless_sender_is_refused(formed):
    deliver = Deliver("w1", Identity(""), codec.encode(Heartbeat("n1", "s1")))
    (observed,) = formed.node("m1").step(deliver, Now(formed.now, formed.now))
    assert observed.kind == "net.refused"


def test_worker_tells_agents_and_joiners_that_it_is_no_manager():
    node, _ = boot()
    (send,) = deliver(node, "w2", OpenSession("n2", "s0", NodeDescription()))
    refused = SessionRefused("s0", "unavailable", NOT_A_MANAGER_TEXT)
    assert (send.target, codec.decode(send.frame)) == ("w2", refused)
    (send,) = deliver(node, "w2", JoinRequest("w2", NodeRole.WORKER, NodeDescription()))
    assert codec.decode(send.frame) == JoinRefused("unavailable", NOT_A_MANAGER_TEXT)
    assert deliver(node, "m1", JoinRefused("unavailable", "")) == []


def test_call_on_a_worker_is_refused_as_docker_does():
    node, _ = boot()
    (reply,) = give(node, Call(4, Identity("client"), codec.encode(ListNodes())))
    assert isinstance(reply, Reply)
    assert (reply.call, codec.decode(reply.frame)) == (
        4,
        CallFailed("unavailable", NOT_A_MANAGER_TEXT),
    )
    assert give(node, CallCancelled(4)) == []


def test_inputs_for_parts_that_are_not_there_do_nothing():
    node, _ = boot()
    for given_ in (
        TimerFired(TimerKey("agent", 0, "session")),
        TimerFired(TimerKey("raft", 0, "tick")),
        EngineResult(1, Done()),
        PeerLost("m1", 0),
        StreamReady("m1", 0),
    ):
        assert give(node, given_) == []


def test_monotonic_clock_must_not_go_back():
    node, _ = boot()
    give(node, StreamReady("m1", 0), at=10)
    with pytest.raises(AssertionError, match="clock went back"):
        node.step(StreamReady("m1", 0), Now(9, 99))


def test_wall_clock_may_go_back():
    node, _ = boot()
    node.step(StreamReady("m1", 0), Now(10, 99))
    node.step(StreamReady("m1", 0), Now(10, 1))


# ── the end ──────────────────────────────────────────────────────────────────────────────────


def test_failed_write_stops_the_node():
    node, _ = boot()
    (_, write) = deliver(node, "m1", JoinAccepted("n1", "c1"))
    (halt,) = give(node, Written(write.token, "No space left on device"))
    assert halt == Halt("write or fsync failed: No space left on device")
    assert deliver(node, "m1", JoinAccepted("n1", "c1")) == []


def test_failed_log_write_stops_a_manager():
    swarm = Swarm(managers=1, workers=0)
    swarm.run(5 * SECOND)
    swarm["m1"].broken_disk = True
    spec = ServiceSpec("web", TaskSpec(ContainerSpec("web:1")))
    swarm.give("m1", Call(1, Identity("client"), codec.encode(CreateService(spec))))
    swarm.run(1 * SECOND)
    assert swarm["m1"].halted == "raft log: write or fsync failed: Input/output error"
    assert swarm.replies == {}


def test_shutdown_leaves_containers_and_halts():
    swarm = Swarm(managers=1, workers=1)
    swarm.run(5 * SECOND)
    for name in ("w1", "m1"):
        swarm.give(name, Shutdown())
        swarm.run(1 * SECOND)
        assert swarm[name].halted == "shutdown"


def test_shutdown_waits_for_what_is_recorded():
    node, _ = boot({"identity": frame_file((b"\x92\xa2n1\xa2c1",))})
    give(node, EngineResult(1, Done()))
    task = AssignTask(a_task("t1"))
    deliver(node, "m1", SessionMessage("s1", ModelNode("n1", NodeSpec(name="w1")), ()))
    effects = deliver(node, "m1", Assignments("s1", AssignmentsKind.COMPLETE, "", "1", (task,)))
    (write,) = [effect for effect in effects if isinstance(effect, Write)]
    assert give(node, Shutdown()) == []
    assert give(node, Written(write.token + 1)) == []
    assert give(node, Written(write.token)) == [Halt("shutdown")]
    assert give(node, Shutdown()) == []
