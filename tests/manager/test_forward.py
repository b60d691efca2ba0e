"""Agents' messages reach the leader through any manager, and its answers come back."""

from __future__ import annotations

from simswarm.base.effects import Channel, Identity, Outbox
from simswarm.base.time import Now
from simswarm.manager.calls import NO_LEADER_TEXT
from simswarm.manager.forward import LEADER_LOST_TEXT
from simswarm.manager.route import Courier, Route
from simswarm.model.objects import NodeDescription
from simswarm.model.specs import NodeRole
from simswarm.wire import codec
from simswarm.wire.dispatcher import Heartbeat, HeartbeatReply, OpenSession, SessionRefused
from simswarm.wire.forward import FromLeader, NotLeading, ToLeader
from simswarm.wire.join import JoinAccepted, JoinRefused, JoinRequest
from tests.manager.trio import Trio

OPEN = OpenSession("id-w1", "", NodeDescription("w1"))
BEAT = Heartbeat("id-w1", "session-1")
JOIN = JoinRequest("w1", NodeRole.WORKER, NodeDescription("w1"))


def to_agent(trio: Trio, agent: str = "w1") -> list:
    return [
        (name, codec.decode(send.frame), send.channel)
        for name, send in trio.sent
        if send.target == agent
    ]


def test_the_leader_takes_an_agents_message_directly():
    trio = Trio()
    trio.message("w1", "m1", OPEN)
    assert trio["m1"].loops[-1].received == [(Route("w1"), OPEN)]


def test_a_follower_passes_it_on_with_its_origin():
    trio = Trio()
    trio.message("w1", "m2", OPEN)
    trio.message("w1", "m2", BEAT)
    assert trio["m1"].loops[-1].received == [(Route("w1", "m2"), OPEN), (Route("w1", "m2"), BEAT)]


def test_heartbeats_keep_their_own_stream_both_ways():
    trio = Trio()
    trio.message("w1", "m2", BEAT)
    relayed = [send for name, send in trio.sent if isinstance(codec.decode(send.frame), ToLeader)]
    assert [send.channel for send in relayed] == [Channel.HEARTBEAT]
    out = Outbox(codec.encode, Now(0, 0))
    Courier(out).send(Route("w1", "m2"), HeartbeatReply("session-1", 5), Channel.HEARTBEAT)
    (reply,) = out.drain()
    assert reply.channel is Channel.HEARTBEAT
    trio.message("m1", "m2", codec.decode(reply.frame))
    assert to_agent(trio) == [("m2", HeartbeatReply("session-1", 5), Channel.HEARTBEAT)]


def test_an_answer_comes_back_unopened():
    trio = Trio()
    frame = codec.encode(SessionRefused("s", "aborted", "dispatcher is stopped"))
    trio.message("m1", "m2", FromLeader("w1", frame))
    assert [(name, send.frame) for name, send in trio.sent if send.target == "w1"] == [
        ("m2", frame)
    ]


def test_a_session_without_a_leader_is_refused():
    trio = Trio(campaign=False)
    trio.message("w1", "m2", BEAT)
    trio.message("w2", "m2", JOIN)
    assert to_agent(trio) == [
        ("m2", SessionRefused("session-1", "unavailable", NO_LEADER_TEXT), Channel.CONTROL)
    ]
    assert to_agent(trio, "w2") == [
        ("m2", JoinRefused("unavailable", NO_LEADER_TEXT), Channel.CONTROL)
    ]


def test_when_the_leader_is_lost_its_agents_are_told_once():
    trio = Trio()
    trio.message("w1", "m2", OPEN)
    trio.message("w1", "m2", BEAT)
    trio.message("w2", "m2", JOIN)
    trio.message("w3", "m3", Heartbeat("id-w3", "session-3"))
    trio.crash("m1")
    trio.settle()
    assert to_agent(trio) == [
        ("m2", SessionRefused("session-1", "unavailable", LEADER_LOST_TEXT), Channel.CONTROL)
    ]
    assert to_agent(trio, "w3") == [
        ("m3", SessionRefused("session-3", "unavailable", LEADER_LOST_TEXT), Channel.CONTROL)
    ]
    # w2 has its answer already
    assert [type(message) for _, message, _ in to_agent(trio, "w2")] == [JoinAccepted]


def test_when_the_leader_is_lost_before_it_answered_a_joiner_it_is_told():
    trio = Trio()
    trio["m2"].held = trio["m3"].held = True
    trio.message("w2", "m2", JOIN)
    trio.crash("m1")
    assert [message for _, message, _ in to_agent(trio, "w2")] == [
        JoinRefused("unavailable", LEADER_LOST_TEXT)
    ]


def test_an_agent_that_has_moved_on_is_not_disturbed_by_another_managers_loss():
    trio = Trio()
    trio.message("w1", "m2", BEAT)
    trio.step("m2", lambda m: m.peer_lost("m3", Channel.CONTROL))
    assert to_agent(trio) == []


def test_a_manager_that_does_not_lead_says_so_and_the_agent_is_told():
    trio = Trio()
    trio.message("w1", "m2", BEAT)
    trio.message("m1", "m2", NotLeading(origin="w1"))
    trio.message("m1", "m2", NotLeading(origin="w1"))
    assert [message for _, message, _ in to_agent(trio)] == [
        SessionRefused("session-1", "unavailable", NO_LEADER_TEXT)
    ]


def test_a_follower_answers_what_was_passed_to_it_with_not_leading():
    trio = Trio()
    beat = ToLeader("w1", Identity("w1"), codec.encode(BEAT))
    trio.sent.clear()
    trio.message("m3", "m2", beat)
    assert [(s.target, codec.decode(s.frame)) for name, s in trio.sent if name == "m2"] == [
        ("m3", NotLeading(origin="w1"))
    ]


def test_relays_are_taken_from_managers_only():
    trio = Trio()
    trio.message("w9", "m1", ToLeader("w1", Identity("w1"), codec.encode(BEAT)))
    assert trio["m1"].loops[-1].received == []
    trio.message("w9", "m2", FromLeader("w1", codec.encode(BEAT)))
    assert to_agent(trio) == []


def test_nonsense_inside_a_relay_is_dropped():
    trio = Trio()
    trio.message("m2", "m1", ToLeader("w1", Identity("w1"), b"\x01\x01\xff"))
    trio.message("m2", "m1", ToLeader("w1", Identity("w1"), codec.encode(NotLeading())))
    assert trio["m1"].loops[-1].received == []


def test_messages_for_the_agent_half_are_left_to_it():
    trio = Trio()
    message = HeartbeatReply("s", 5)
    frame = codec.encode(message)
    taken = []
    trio.step("m1", lambda m: taken.append(m.deliver("m2", Identity("m2"), message, frame)))
    assert taken == [False]
