"""Leader-only loops live as long as a leadership, and no longer."""

from __future__ import annotations

from simswarm.base.effects import Channel, TimerKey
from simswarm.base.time import SECOND
from simswarm.model.objects import Cluster, Node
from simswarm.wire.control import ListNodes
from tests.manager.trio import Trio, create


def test_loops_are_built_when_the_swarms_own_objects_are_stored():
    trio = Trio()
    (loop,) = trio["m1"].loops
    assert loop.lead.epoch == trio.manager("m1").replica.term
    assert loop.lead.node_name == "m1"
    assert loop.lead.managers() == (("m1", 10), ("m2", 10), ("m3", 10))
    assert loop.lead.store.find(Cluster)
    assert loop.lead.store.find(Node)
    assert loop.told == [], "they begin with a full pass, so they are not told of what was there"
    assert not trio["m2"].loops
    assert not trio["m3"].loops


def test_loops_are_told_of_every_entry_once():
    trio = Trio()
    for name in ("a", "b", "c"):
        trio.ask("m2", create(name))
    indexes = [index for index, _ in trio["m1"].loops[0].told]
    assert indexes == sorted(set(indexes))
    assert len(indexes) == 3


def test_loops_start_although_the_first_write_has_nothing_to_do():
    trio = Trio(1)
    trio.crash("m1")
    trio.boot("m1")
    trio.advance(25 * SECOND)
    assert trio.manager("m1").is_leader
    assert len(trio["m1"].loops) == 2


def test_loops_are_stopped_and_forgotten_on_loss():
    trio = Trio()
    others = {(a, b) for a in ("m2", "m3") for b in ("m1",)}
    trio.cut.update(others | {(b, a) for a, b in others})
    trio.advance(45 * SECOND)
    (old,) = trio["m1"].loops
    assert old.stopped
    assert not trio.manager("m1").is_leader
    assert len(trio[trio.leader].loops) == 1
    assert trio[trio.leader].loops[0].lead.epoch > old.lead.epoch
    told = len(old.told)
    trio.cut.clear()
    trio.advance(60 * SECOND)
    trio.ask(trio.leader, create())
    trio.advance(2 * SECOND)
    assert len(old.told) == told


def test_timers_of_an_earlier_leadership_reach_nobody():
    trio = Trio()
    (loop,) = trio["m1"].loops
    for key in (
        TimerKey("fake", loop.lead.epoch - 1, "beat"),
        TimerKey("other", loop.lead.epoch, "beat"),
        TimerKey("fake", 0, "beat"),
    ):
        trio.step("m1", lambda m, k=key: m.timer(k))
    assert loop.timers == []
    trio.step("m1", lambda m: m.timer(TimerKey("fake", loop.lead.epoch, "beat")))
    assert loop.timers == ["beat"]


def test_a_stale_timer_on_a_manager_that_lost_leadership_is_harmless():
    trio = Trio()
    (loop,) = trio["m1"].loops
    trio.cut.update({("m2", "m1"), ("m3", "m1")})
    trio.advance(20 * SECOND)
    assert loop.stopped
    trio.step("m1", lambda m: m.timer(TimerKey("fake", loop.lead.epoch, "beat")))
    assert loop.timers == []


def test_the_dispatcher_hears_of_broken_streams():
    trio = Trio()
    trio.step("m1", lambda m: m.peer_lost("w1", Channel.CONTROL))
    trio.step("m1", lambda m: m.peer_lost("w2", Channel.CONSENSUS))
    assert trio["m1"].loops[0].lost == ["w1"]


def test_managers_show_in_the_list_of_nodes():
    trio = Trio()
    listed = trio.ask("m3", ListNodes())
    assert [(m.name, m.leader, m.reachable) for m in listed.managers] == [
        ("m1", True, True),
        ("m2", False, True),
        ("m3", False, True),
    ]
    assert [status.name for status in trio.ask("m3", ListNodes(names=("m1",))).managers] == ["m1"]


def test_shutdown_stops_everything():
    trio = Trio()
    trio.step("m1", lambda m: m.shutdown())
    assert trio["m1"].loops[0].stopped
    assert not [key for key in trio["m1"].timers if key.owner == "raft"]
    trio.advance(60 * SECOND)
    assert [name for name in ("m2", "m3") if trio.manager(name).is_leader]


def run(seed: int) -> list:
    trio = Trio(seed=seed)
    trio.ask("m2", create())
    trio.crash("m1")
    trio.call("m3", create("later"))
    trio.advance(40 * SECOND)
    return [(source, send) for source, send in trio.sent]


def test_the_same_seed_says_the_same_and_another_seed_something_else():
    assert run(3) == run(3)
    assert run(3) != run(4)
