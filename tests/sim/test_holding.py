"""Persist before send: what waits for which write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.effects import Channel, Reply, Send
from simswarm.sim.machine.holding import Holding


def send(number, target="b", channel=Channel.CONTROL, after=0):
    return Send(target, b"%d" % number, channel, after)


def test_an_effect_waits_for_its_write_and_others_of_its_stream_behind_it():
    holding = Holding()
    holding.writing(1)
    first, second = send(1, after=1), send(2)
    other = send(3, channel=Channel.HEARTBEAT)
    assert holding.holds(first)
    assert holding.holds(second)
    assert not holding.holds(other)
    assert holding.settled(1, failed=False) == [first, second]
    assert not holding.held
    assert not holding.holds(send(4, after=1))


def test_a_failed_write_drops_what_waited_for_it_and_lets_the_rest_go():
    holding = Holding()
    holding.writing(1)
    holding.holds(send(1, after=1))
    rest = send(2)
    holding.holds(rest)
    assert holding.settled(1, failed=True) == [rest]


def test_answers_of_one_call_stay_in_order():
    holding = Holding()
    holding.writing(1)
    first, second, other = Reply(7, b"a", False, 1), Reply(7, b"b"), Reply(8, b"c")
    assert holding.holds(first)
    assert holding.holds(second)
    assert not holding.holds(other)
    assert holding.settled(1, failed=False) == [first, second]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=30),
    st.permutations([1, 2, 3, 4]),
)
def test_streams_stay_in_order_and_nothing_leaves_before_its_write(asked, settling):
    holding = Holding()
    for token in settling:
        holding.writing(token)
    durable, left = {0}, []

    def leave(effect):
        assert effect.after in durable
        left.append(effect)

    effects = [send(n, target, after=after) for n, (target, after) in enumerate(asked)]
    for effect in effects:
        if not holding.holds(effect):
            leave(effect)
    for token in settling:
        durable.add(token)
        for effect in holding.settled(token, failed=False):
            leave(effect)
    assert sorted(left, key=effects.index) == effects
    for target in "abc":
        of_target = [effect for effect in left if effect.target == target]
        assert of_target == [effect for effect in effects if effect.target == target]
