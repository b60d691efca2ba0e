"""Streams and datagrams: order, loss, cuts, resets, limits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.effects import STREAM_QUEUE_LIMIT, Channel
from simswarm.base.time import MICROSECOND, MILLISECOND, SECOND
from simswarm.base.values import replace
from simswarm.sim.distributions import Fixed, Uniform
from simswarm.sim.fabric.faults import LinkFault
from simswarm.sim.fabric.links import LOOPBACK
from simswarm.sim.fabric.profiles import PROFILES, LinkProfile, flaky, lan, perfect, wan
from simswarm.sim.fabric.streams import DATAGRAM_QUEUE_LIMIT, RTO, STREAM_TIMEOUT
from tests.sim.bench import Wires

LATENCY = 100 * MICROSECOND
CONTROL, DATAGRAM = Channel.CONTROL, Channel.DATAGRAM


def numbered(count):
    return [number.to_bytes(4, "big") for number in range(count)]


def links(**profile):
    return replace(perfect(), link=LinkProfile(**profile))


# ── streams ─────────────────────────────────────────────────────────────────────────────────


def test_a_frame_arrives_after_one_latency():
    wires = Wires("a", "b")
    wires.send("a", "b", b"x")
    wires.run(SECOND)
    assert wires["b"].got == [(LATENCY, "a", b"x")]
    assert wires["a"].told == []


@given(st.integers(0, 1000), st.lists(st.integers(0, 20 * MILLISECOND), min_size=1, max_size=30))
def test_streams_are_fifo_on_any_link(seed, gaps):
    wires = Wires("a", "b", profile=flaky(), seed=seed)
    frames = numbered(len(gaps))
    for frame, gap in zip(frames, gaps, strict=True):
        wires.send("a", "b", frame)
        wires.run(gap + 1)
    wires.run(60 * SECOND)
    if not wires["a"].lost_peers:
        assert wires["b"].frames == frames
    else:  # several losses of one frame in a row: a prefix, and the sender knows
        assert wires["b"].frames == frames[: len(wires["b"].frames)]


def test_channels_do_not_wait_for_each_other():
    wires = Wires("a", "b", profile=links(latency=Fixed(LATENCY), bandwidth=1000))
    wires.send("a", "b", bytes(10_000), Channel.BULK)
    wires.send("a", "b", b"x", Channel.HEARTBEAT)
    wires.run(SECOND)
    assert wires["b"].frames == [b"x"]
    wires.run(10 * SECOND)
    assert len(wires["b"].frames) == 2


def test_a_lost_frame_comes_after_the_retransmission_timeout_and_holds_up_the_next():
    wires = Wires("a", "b", profile=links(latency=Fixed(LATENCY), loss=200_000), seed=2)
    for frame in numbered(50):
        wires.send("a", "b", frame)
        wires.run(50 * MILLISECOND)
    wires.run(10 * SECOND)
    assert wires["b"].frames == numbered(50)
    delays = [at - number * 50 * MILLISECOND for number, (at, _, _) in enumerate(wires["b"].got)]
    assert min(delays) == LATENCY
    assert max(delays) >= RTO + 3 * LATENCY
    # head-of-line blocking: many more are late than the 20 % that were lost
    assert sum(delay > LATENCY for delay in delays) > 20


def test_the_retransmission_timeout_doubles_with_every_loss():
    wires = Wires("a", "b", profile=links(latency=Fixed(LATENCY), loss=500_000))
    for frame in numbered(200):
        wires.send("a", "b", frame, Channel.BULK)
        wires.run(30 * SECOND)
    timeout = RTO + 2 * LATENCY
    expected = {LATENCY + (2**losses - 1) * timeout for losses in range(7)}
    delays = {at % (30 * SECOND) for at, _, _ in wires["b"].got}
    assert len(delays) >= 5
    assert delays <= expected
    assert max(delays) <= STREAM_TIMEOUT[Channel.BULK]


def test_loopback_is_quick_and_never_cut():
    wires = Wires("a", "b", profile=flaky())
    wires.network.partition([["a"], ["b"]])
    wires.send("a", "a", b"x")
    wires.run(SECOND)
    assert wires["a"].got == [(LOOPBACK.latency.value, "a", b"x")]


def test_a_send_to_nobody_is_answered_by_peer_lost_after_a_while():
    wires = Wires("a")
    wires.send("a", "z", b"x")
    wires.send("a", "z", b"x", DATAGRAM)
    assert wires["a"].told == []
    wires.run(SECOND)
    assert wires["a"].told == [(2 * LATENCY, "lost", "z", CONTROL)]


# ── cut links ───────────────────────────────────────────────────────────────────────────────


def test_nothing_crosses_a_cut_link_and_the_sender_learns_when_its_patience_ends():
    wires = Wires("a", "b")
    wires.network.partition([["a"], ["b"]])
    for channel, patience in STREAM_TIMEOUT.items():
        wires.send("a", "b", b"x", channel)
        wires.run(patience)
        assert wires["a"].told == []
        wires.run(1)
        assert wires["a"].told.pop() == (wires.env.now - 1, "lost", "b", channel)
    assert wires["b"].got == []


def test_frames_on_the_wire_when_the_link_is_cut_do_not_arrive():
    wires = Wires("a", "b")
    wires.send("a", "b", b"x")
    wires.run(LATENCY // 2)
    wires.network.partition([["a"], ["b"]])
    wires.run(SECOND)
    assert wires["b"].got == []


def test_after_a_short_cut_frames_arrive_in_order_at_tcps_next_retransmission():
    wires = Wires("a", "b")
    wires.send("a", "b", b"0")
    wires.run(LATENCY // 2)
    fault = wires.network.partition([["a"], ["b"]])
    for frame in (b"1", b"2"):
        wires.send("a", "b", frame)
        wires.run(100 * MILLISECOND)
    wires.network.heal(fault)
    wires.send("a", "b", b"3")
    wires.run(SECOND)
    assert wires["b"].frames == [b"0", b"1", b"2", b"3"]
    assert wires["a"].told == []
    # held since frame 1 was sent; healed 200 ms later, when the first retransmission is over
    assert wires["b"].got[0][0] == LATENCY // 2 + 600 * MILLISECOND + LATENCY


def test_a_stream_that_broke_is_replaced_by_the_next_send():
    wires = Wires("a", "b")
    fault = wires.network.partition([["a"], ["b"]])
    wires.send("a", "b", b"0")
    wires.run(6 * SECOND)
    wires.network.heal(fault)
    wires.run(SECOND)
    wires.send("a", "b", b"1")
    wires.run(SECOND)
    assert wires["a"].lost_peers == [("b", CONTROL)]
    assert wires["b"].frames == [b"1"]


def test_a_one_way_cut_leaves_the_other_direction():
    wires = Wires("a", "b")
    wires.network.shape(["a"], ["b"], LinkFault(loss=1_000_000), oneway=True)
    wires.send("a", "b", b"x")
    wires.send("b", "a", b"y")
    wires.run(10 * SECOND)
    assert (wires["a"].frames, wires["b"].frames) == ([b"y"], [])
    assert wires["a"].lost_peers == [("b", CONTROL)]


def test_who_is_in_no_group_talks_to_everybody():
    wires = Wires("a", "b", "c")
    wires.network.partition([["a"], ["b"]])
    for source, target in [("a", "c"), ("c", "a"), ("b", "c"), ("c", "b"), ("a", "b")]:
        wires.send(source, target, b"x")
    wires.run(SECOND)
    assert [len(wires[name].got) for name in "abc"] == [1, 1, 2]


# ── nodes that end ──────────────────────────────────────────────────────────────────────────


def test_peers_of_a_killed_process_see_their_connections_closed_after_a_latency():
    wires = Wires("a", "b", "c", "d")
    wires.send("a", "b", b"x")
    wires.send("c", "a", b"x", Channel.HEARTBEAT)
    wires.run(SECOND)
    wires.crash("a")
    wires.run(SECOND)
    assert wires["b"].told == [(SECOND + LATENCY, "lost", "a", CONTROL)]
    assert wires["c"].told == [(SECOND + LATENCY, "lost", "a", Channel.HEARTBEAT)]
    assert wires["d"].told == []


def test_peers_learn_of_the_end_after_everything_that_was_sent():
    wires = Wires("a", "b", profile=links(latency=Uniform(LATENCY, 50 * LATENCY)), seed=3)
    for frame in numbered(20):
        wires.send("a", "b", frame)
    wires.crash("a")
    wires.run(SECOND)
    assert wires["b"].frames == numbered(20)
    assert wires["b"].told[0][0] >= wires["b"].got[-1][0]
    assert len(wires["b"].told) == 1


def test_both_directions_of_a_channel_are_one_connection():
    wires = Wires("a", "b")
    wires.send("a", "b", b"x")
    wires.send("b", "a", b"x")
    wires.run(SECOND)
    wires.crash("a")
    wires.run(SECOND)
    assert wires["b"].lost_peers == [("a", CONTROL)]


def test_a_powerless_host_is_silent_until_frames_time_out():
    wires = Wires("a", "b")
    wires.send("a", "b", b"x")
    wires.run(SECOND)
    wires.crash("b", silent=True)
    wires.run(SECOND)
    assert wires["a"].told == []
    wires.send("a", "b", b"y")
    wires.run(SECOND)
    assert wires["a"].told == []
    wires.run(10 * SECOND)
    assert wires["a"].told == [
        (2 * SECOND + LATENCY + STREAM_TIMEOUT[CONTROL], "lost", "b", CONTROL)
    ]


def test_a_send_to_a_dead_process_is_refused_after_a_round_trip():
    wires = Wires("a", "b")
    wires.crash("b")
    wires.send("a", "b", b"x")
    wires.send("a", "b", b"y")
    wires.run(SECOND)
    assert wires["a"].told == [(2 * LATENCY, "lost", "b", CONTROL)]
    wires.send("a", "b", b"z")
    wires.run(SECOND)
    assert wires["a"].lost_peers == [("b", CONTROL)] * 2


def test_frames_for_an_earlier_process_are_answered_by_a_reset():
    wires = Wires("a", "b")
    wires.send("a", "b", b"x")
    wires.run(SECOND)
    wires.crash("b", silent=True)
    wires.boot("b")
    wires.send("a", "b", b"y")
    wires.run(SECOND)
    assert wires["b"].frames == [b"x"]
    assert wires["a"].lost_peers == [("b", CONTROL)]
    wires.send("a", "b", b"z")
    wires.run(SECOND)
    assert wires["b"].frames == [b"x", b"z"]


def test_frames_that_waited_for_a_powerless_host_are_reset_when_it_is_back():
    wires = Wires("a", "b")
    wires.send("a", "b", b"x")
    wires.run(SECOND)
    wires.crash("b", silent=True)
    wires.send("a", "b", b"y")
    wires.run(SECOND)
    wires.boot("b")
    wires.run(SECOND)
    assert wires["b"].frames == [b"x"]
    assert wires["a"].lost_peers == [("b", CONTROL)]


def test_a_reset_is_told_once_though_a_close_is_on_its_way_too():
    wires = Wires("a", "b", profile=links(latency=Uniform(LATENCY, 50 * LATENCY)), seed=11)
    for _ in range(20):
        wires.send("a", "b", b"x")
        wires.run(SECOND)
        wires.send("a", "b", b"y")
        wires.crash("b")
        wires.run(SECOND)
        assert wires["a"].lost_peers == [("b", CONTROL)]
        wires["a"].told.clear()
        wires.boot("b")


def test_what_a_dead_sender_held_never_arrives():
    wires = Wires("a", "b")
    fault = wires.network.partition([["a"], ["b"]])
    wires.send("a", "b", b"x")
    wires.run(MILLISECOND)
    wires.crash("a")
    wires.boot("a")
    wires.network.heal(fault)
    wires.run(10 * SECOND)
    assert wires["b"].got == []
    assert wires["a"].told == []


# ── limits ──────────────────────────────────────────────────────────────────────────────────


def test_one_frame_over_the_limit_breaks_the_stream_at_both_ends():
    wires = Wires("a", "b")
    wires["b"].asleep = True
    for _ in range(STREAM_QUEUE_LIMIT):
        wires.send("a", "b", b"x")
    wires.run(SECOND)
    assert wires["a"].told == []
    wires.send("a", "b", b"x")
    assert wires["a"].told == []  # never within `send`
    wires.run(SECOND)
    assert wires["a"].lost_peers == [("b", CONTROL)]
    assert wires["b"].lost_peers == [("a", CONTROL)]


def test_a_full_stream_says_when_it_has_room_again():
    wires = Wires("a", "b")
    wires["b"].asleep = True
    for _ in range(STREAM_QUEUE_LIMIT):
        wires.send("a", "b", b"x")
    wires.run(SECOND)
    wires["b"].read_all()
    wires.run(SECOND)
    assert wires["a"].told == [(SECOND, "ready", "b", CONTROL)]


# ── datagrams ───────────────────────────────────────────────────────────────────────────────


def sent_datagrams(profile, count=2000, seed=1):
    wires = Wires("a", "b", profile=profile, seed=seed)
    for frame in numbered(count):
        wires.send("a", "b", frame, DATAGRAM)
        wires.run(MILLISECOND)
    wires.run(10 * SECOND)
    assert wires["a"].told == []
    return wires["b"].frames


def test_datagrams_are_lost_doubled_and_reordered_as_often_as_the_link_says():
    fixed = Fixed(LATENCY)
    lost = sent_datagrams(links(latency=fixed, loss=100_000))
    assert lost == sorted(lost)
    assert 1750 < len(lost) < 1850
    doubled = sent_datagrams(links(latency=fixed, duplicate=100_000))
    assert 2150 < len(doubled) < 2250
    assert len(set(doubled)) == 2000
    jumbled = sent_datagrams(links(latency=Fixed(2 * MILLISECOND), reorder=100_000))
    assert sorted(jumbled) == numbered(2000)
    out_of_order = sum(b < a for a, b in pairwise(jumbled))
    assert 120 < out_of_order < 280


def test_datagrams_over_a_cut_link_or_to_nobody_vanish():
    wires = Wires("a", "b", "c")
    wires.crash("c")
    wires.network.partition([["a"], ["b"]])
    wires.send("a", "b", b"x", DATAGRAM)
    wires.send("a", "c", b"x", DATAGRAM)
    wires.run(10 * SECOND)
    assert wires["a"].told == wires["b"].got == wires["c"].got == []


def test_a_node_that_does_not_read_keeps_a_bounded_number_of_datagrams():
    wires = Wires("a", "b")
    wires["b"].asleep = True
    for _ in range(DATAGRAM_QUEUE_LIMIT + 10):
        wires.send("a", "b", b"x", DATAGRAM)
    wires.run(SECOND)
    assert len(wires["b"].got) == DATAGRAM_QUEUE_LIMIT


def test_a_throttled_link_drops_datagrams_that_would_wait_too_long():
    profile = links(latency=Fixed(LATENCY), bandwidth=100_000)
    wires = Wires("a", "b", profile=profile)
    for _ in range(100):
        wires.send("a", "b", bytes(1000), DATAGRAM)
    wires.run(10 * SECOND)
    assert len(wires["b"].got) == 10


# ── faults and profiles ─────────────────────────────────────────────────────────────────────


def test_a_link_fault_adds_to_the_profile_and_ends_when_healed():
    wires = Wires("a", "b")
    fault = LinkFault(latency=80 * MILLISECOND)
    id = wires.network.shape(["a"], ["b"], fault, oneway=False)
    wires.send("a", "b", b"x")
    wires.run(SECOND)
    wires.network.heal(id)
    wires.send("a", "b", b"y")
    wires.run(SECOND)
    assert [at for at, _, _ in wires["b"].got] == [80 * MILLISECOND + LATENCY, SECOND + LATENCY]


def test_nodes_of_different_zones_use_the_link_between_zones():
    profile = replace(perfect(), between_zones=LinkProfile(Fixed(2 * MILLISECOND)))
    wires = Wires("a", "b", "c", "d", profile=profile, zones={"a": "x", "b": "x", "c": "y"})
    for target in "bcd":
        wires.send("a", target, b"x")
    wires.run(SECOND)
    times = [wires[target].got[0][0] for target in "bcd"]
    assert times == [LATENCY, 2 * MILLISECOND, LATENCY]


def test_traffic_on_one_link_does_not_shift_the_chances_of_another():
    def arrivals(*, noisy):
        wires = Wires("a", "b", "c", profile=flaky())
        for frame in numbered(100):
            if noisy:
                wires.send("a", "c", frame)
                wires.send("b", "a", frame)
            wires.send("a", "b", frame)
            wires.run(20 * MILLISECOND)
        wires.run(10 * SECOND)
        return wires["b"].got

    assert arrivals(noisy=True) == arrivals(noisy=False)


def test_every_direction_of_every_link_has_chances_of_its_own():
    wires = Wires("a", "b", "c", profile=lan())
    for source, target in ("ab", "ba", "ac", "bc"):
        wires.send(source, target, b"x")
    wires.run(SECOND)
    assert len({at for name in "abc" for at, _, _ in wires[name].got}) == 4


def test_another_profile_holds_from_now_on():
    wires = Wires("a", "b")
    wires.send("a", "b", b"x")
    wires.run(SECOND)
    wires.network.use(links(latency=Fixed(5 * MILLISECOND)))
    wires.send("a", "b", b"y")
    wires.run(SECOND)
    assert wires["b"].got[1][0] == SECOND + 5 * MILLISECOND


@pytest.mark.parametrize("make", [lan, wan, flaky])
def test_profiles_carry_traffic_with_latencies_near_their_median(make):
    wires = Wires("a", "b", profile=make())
    for frame in numbered(400):
        wires.send("a", "b", frame)
        wires.run(SECOND)
    delays = sorted(at - SECOND * number for number, (at, _, _) in enumerate(wires["b"].got))
    median = make().link.latency.p50
    assert 0.8 * median < delays[200] < 1.25 * median
    assert PROFILES[make().name] is make
