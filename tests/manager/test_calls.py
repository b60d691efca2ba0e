"""Calls find the leader, wait for one, or end as swarmkit's do."""

from __future__ import annotations

import pytest

from simswarm.base.effects import Call, Channel, Identity
from simswarm.base.time import SECOND
from simswarm.manager import calls
from simswarm.manager.calls import NO_LEADER_TEXT
from simswarm.model.objects import Service
from simswarm.wire import codec
from simswarm.wire.control import CallFailed, ListServices, ServiceList, ServiceResult
from simswarm.wire.dispatcher import Heartbeat
from simswarm.wire.forward import ForwardCall, ForwardedResult, NotLeading
from tests.manager.trio import Trio, create

DEADLINE = CallFailed("deadline exceeded", "context deadline exceeded")


def leaderless() -> Trio:
    """Three managers that can't reach each other, and have not elected anybody."""
    trio = Trio(campaign=False)
    names = list(trio.hosts)
    trio.cut.update({(a, b) for a in names for b in names if a != b})
    return trio


@pytest.mark.parametrize("name", ["m1", "m2", "m3"])
def test_any_manager_takes_a_call_and_it_commits_everywhere(name):
    trio = Trio()
    answer = trio.ask(name, create())
    assert isinstance(answer, ServiceResult)
    trio.advance(2 * SECOND)
    for manager in trio.hosts:
        assert trio.manager(manager).store.find(Service) == [answer.service]


def test_reads_are_answered_by_the_leader():
    trio = Trio()
    trio.ask("m1", create())
    answer = trio.ask("m3", ListServices())
    assert isinstance(answer, ServiceList)
    assert [service.spec.name for service in answer.services] == ["web"]


def test_a_call_made_as_the_leader_crashes_is_carried_out_by_the_next_one():
    trio = Trio()
    trio.advance(5 * SECOND)
    trio.crash("m1")
    write = trio.call("m2", create())
    read = trio.call("m3", ListServices())
    trio.advance(7 * SECOND)
    assert not trio["m2"].replies
    trio.advance(12 * SECOND)
    assert isinstance(trio["m2"].replies[write], ServiceResult)
    assert isinstance(trio["m3"].replies[read], ServiceList)


def test_a_call_under_way_to_a_leader_that_crashes_is_asked_again():
    trio = Trio()
    number = trio.call("m2", create())
    trio.crash("m1")
    trio.advance(19 * SECOND)
    assert isinstance(trio["m2"].replies[number], ServiceResult)


def test_a_call_that_waits_is_refused_after_20_seconds_not_for_want_of_a_leader():
    trio = leaderless()
    number = trio.call("m1", create())
    trio.advance(19_999_999_999)
    assert number not in trio["m1"].replies, "although nobody has led for more than 10 ticks"
    trio.advance(1)
    assert trio["m1"].replies[number] == DEADLINE


def test_a_call_that_comes_when_nobody_has_led_for_long_is_refused_at_once():
    trio = leaderless()
    trio.advance(12 * SECOND)
    assert trio.ask("m1", create()) == CallFailed("unknown", NO_LEADER_TEXT)


def test_a_call_that_comes_in_the_first_ten_ticks_waits():
    trio = leaderless()
    trio.advance(9 * SECOND)
    number = trio.call("m1", create())
    trio.advance(5 * SECOND)
    assert number not in trio["m1"].replies


def test_a_call_that_lost_its_leader_long_ago_is_refused_when_it_looks_again():
    trio = leaderless()
    trio.advance(30 * SECOND)
    trio.cut.clear()
    trio.advance(40 * SECOND)
    follower, leader = trio.followers[0], trio.leader
    trio.cut.update({(follower, leader), (leader, follower)})
    number = trio.call(follower, create())
    trio.cut.update({(follower, name) for name in trio.hosts})
    trio.cut.update({(name, follower) for name in trio.hosts})
    trio.advance(19 * SECOND)
    assert number not in trio[follower].replies, "sent, and the link swallows it in silence"
    trio.advance(1 * SECOND)
    assert trio[follower].replies[number] == DEADLINE


def test_a_write_that_cannot_commit_ends_at_the_deadline_on_the_leader_too():
    trio = Trio()
    trio.crash("m2")
    trio.crash("m3")
    trio.cut.add(("m1", "m1"))
    number = trio.call("m1", create())
    trio.advance(20 * SECOND)
    assert isinstance(trio["m1"].replies[number], CallFailed)


def test_a_cancelled_call_gets_no_answer_and_no_timer_stumbles_over_it():
    trio = leaderless()
    first, second = trio.call("m1", create("a")), trio.call("m1", create("b"))
    trio.step("m1", lambda m: m.call_cancelled(first))
    trio.advance(25 * SECOND)
    assert trio["m1"].replies == {second: DEADLINE}


def test_a_cancelled_call_of_a_follower_is_carried_out_in_silence():
    trio = Trio()
    number = trio.call("m2", create())
    trio.step("m2", lambda m: m.call_cancelled(number))
    trio.settle()
    assert trio["m2"].replies == {}
    assert len(trio.manager("m1").store.find(Service)) == 1


def test_what_was_passed_on_is_not_passed_on_again():
    trio = Trio()
    call = ForwardCall(7, Identity("client"), codec.encode(create()))
    trio.sent.clear()
    trio.message("m3", "m2", call)
    answers = [(s.target, codec.decode(s.frame)) for name, s in trio.sent if name == "m2"]
    assert answers == [("m3", NotLeading(id=7))]


def test_a_call_whose_manager_does_not_lead_looks_again():
    trio = Trio()
    number = trio.call("m2", create())
    trio.wire.clear()  # the call is under way, and the answer is:
    trio.message("m1", "m2", NotLeading(id=number))
    assert number not in trio["m2"].replies
    trio.advance(1 * SECOND)
    assert isinstance(trio["m2"].replies[number], ServiceResult)


def test_only_the_manager_that_was_asked_can_answer():
    trio = Trio()
    number = trio.call("m2", create())
    trio.wire.clear()
    lie = codec.encode(CallFailed("unknown", "no"))
    trio.message("m3", "m2", ForwardedResult(number, lie))
    trio.message("m3", "m2", NotLeading(id=number))
    trio.message("m1", "m2", ForwardedResult(number + 1, lie))
    assert trio["m2"].replies == {}
    trio.message("m1", "m2", ForwardedResult(number, lie))
    assert trio["m2"].replies == {number: CallFailed("unknown", "no")}


def test_only_managers_pass_calls_on():
    trio = Trio()
    trio.sent.clear()
    trio.message("w1", "m1", ForwardCall(7, Identity("client"), codec.encode(create())))
    assert trio.manager("m1").store.find(Service) == []


@pytest.mark.parametrize("frame", [b"", b"\x01\x01\x99", codec.encode(Heartbeat("n", "s"))])
def test_what_is_no_request_is_refused(frame):
    trio = Trio()
    trio.step("m2", lambda m: m.call(Call(1, Identity("client"), frame)))
    trio.settle()
    answer = trio["m2"].replies[1]
    assert isinstance(answer, CallFailed)
    assert answer.code == "invalid argument"


def test_open_calls_are_bounded(monkeypatch):
    monkeypatch.setattr(calls, "OPEN_CALLS_LIMIT", 3)
    trio = leaderless()
    numbers = [trio.call("m1", create(f"s{n}")) for n in range(5)]
    refused = {n: trio["m1"].replies[n].code for n in numbers if n in trio["m1"].replies}
    assert refused == {numbers[3]: "unavailable", numbers[4]: "unavailable"}
    trio.advance(20 * SECOND)
    assert len(trio["m1"].replies) == 5


def test_deadlines_cost_one_timer_however_many_calls():
    trio = leaderless()
    for number in range(100):
        trio.call("m1", create(f"s{number}"))
    keys = [key for key in trio["m1"].timers if key.owner == "calls"]
    assert len(keys) == 2


def test_each_call_has_its_own_deadline():
    trio = leaderless()
    first = trio.call("m1", create("a"))
    trio.advance(7 * SECOND)
    second = trio.call("m1", create("b"))
    trio.advance(13 * SECOND)
    assert list(trio["m1"].replies) == [first]
    trio.advance(7 * SECOND)
    assert list(trio["m1"].replies) == [first, second]


def test_a_broken_stream_of_another_kind_leaves_calls_alone():
    trio = Trio()
    trio.call("m2", create())
    sent = len([s for _, s in trio.sent if isinstance(codec.decode(s.frame), ForwardCall)])
    trio.step("m2", lambda m: m.peer_lost("m1", Channel.BULK))
    trio.step("m2", lambda m: m.peer_lost("m3", Channel.CONTROL))
    trio.wire.clear()
    trio.advance(1 * SECOND)
    again = len([s for _, s in trio.sent if isinstance(codec.decode(s.frame), ForwardCall)])
    assert again == sent


def test_a_stopping_manager_tells_its_clients():
    trio = leaderless()
    number = trio.call("m1", create())
    trio.step("m1", lambda m: m.shutdown())
    assert trio["m1"].replies[number] == CallFailed("unavailable", "the manager is shutting down")
