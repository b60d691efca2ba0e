"""Clocks that are wrong, and timers on them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.effects import TimerKey
from simswarm.base.time import HOUR, SECOND
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.machine.clock import BILLION, WALL_EPOCH, Clock, ClockModel
from simswarm.sim.machine.timers import Timers

instants = st.integers(0, 1000 * HOUR)
drifts = st.integers(-900_000_000, 900_000_000)


def test_a_right_clock_shows_simulated_time():
    now = Clock(ClockModel()).now(5 * SECOND)
    assert (now.mono, now.wall) == (5 * SECOND, WALL_EPOCH + 5 * SECOND)


@given(drifts, instants)
def test_a_timers_instant_is_the_first_at_which_its_deadline_is_reached(drift, mono):
    clock = Clock(ClockModel(drift=drift))
    at = clock.instant(mono)
    assert clock.mono(at) >= mono
    assert at == 0 or clock.mono(at - 1) < mono


@given(st.lists(st.tuples(st.integers(1, HOUR), drifts), min_size=1, max_size=8))
def test_the_monotonic_clock_never_goes_back_and_has_no_step(changes):
    clock, t = Clock(ClockModel()), 0
    for span, drift in changes:
        before = clock.mono(t)
        clock.set_drift(drift, t)
        assert clock.mono(t) == before
        t += span
        expected = before + span * (BILLION + drift) // BILLION
        assert clock.mono(t) == expected
        assert before <= clock.mono(t)


def test_skew_and_jumps_act_on_the_wall_clock_alone():
    clock = Clock(ClockModel(skew=-3 * SECOND))
    clock.jump(10 * SECOND)
    now = clock.now(SECOND)
    assert (now.mono, now.wall) == (SECOND, WALL_EPOCH + 8 * SECOND)


class Bench:
    """Timers on a clock, and which fired when."""

    def __init__(self, drift=0):
        self.env = SimEnvironment()
        self.clock = Clock(ClockModel(drift=drift))
        self.timers = Timers(self.env, self.clock, self.on_fired)
        self.fired = []

    def on_fired(self, timer):
        self.fired.append((timer.key.name, self.env.now))
        self.timers.forget(timer)

    def set(self, name, at):
        self.timers.set(TimerKey("test", 0, name), at)

    def cancel(self, name):
        self.timers.cancel(TimerKey("test", 0, name))


def test_a_timer_fires_once_at_the_last_deadline_set():
    bench = Bench()
    bench.set("a", 10)
    bench.set("a", 30)
    bench.set("a", 20)
    bench.env.run()
    assert bench.fired == [("a", 20)]


def test_a_cancelled_timer_does_not_fire_and_leaves_nothing():
    bench = Bench()
    bench.set("a", 10)
    bench.cancel("a")
    bench.set("b", 10)
    bench.cancel("b")
    bench.set("b", 40)
    bench.cancel("c")
    bench.env.run()
    assert bench.fired == [("b", 40)]
    assert bench.timers.pending() == []


def test_a_deadline_in_the_past_fires_now():
    bench = Bench()
    bench.env.run(until=100)
    bench.set("a", 50)
    bench.env.run()
    assert bench.fired == [("a", 100)]


def test_resetting_a_timer_far_ahead_costs_no_queue_entry():
    bench = Bench()
    for now in range(1, 1000):
        bench.env.run(until=now)
        bench.set("election", now + 10_000)
    assert len(bench.env._queue) <= 2  # the timer's entry, and the end of the last run
    bench.env.run()
    assert bench.fired == [("election", 10_999)]


def test_a_drifting_clock_fires_late_or_early_and_a_change_moves_what_is_set():
    bench = Bench(drift=100_000_000)
    bench.set("a", 1100)
    bench.set("b", 2200)
    bench.env.run(until=1500)
    assert bench.fired == [("a", 1000)]
    bench.clock.set_drift(0, bench.env.now)
    bench.timers.rearm()
    bench.env.run()
    assert bench.fired[1] == ("b", 1500 + 2200 - 1650)


actions = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "set", "cancel", "drift"]),
        st.sampled_from("abc"),
        st.integers(0, 100),
        st.integers(0, 30),
    ),
    max_size=40,
)


@given(actions)
def test_lazy_timers_fire_exactly_as_eager_ones(script):
    bench = Bench()
    expected, model = [], {}

    def advance(to):
        due = sorted((bench.clock.instant(at), name) for name, at in model.items())
        for at, name in due:
            if at < to:
                expected.append((name, max(at, bench.env.now)))
                del model[name]
        bench.env.run(until=to)

    for action, name, amount, pause in script:
        if action == "set":
            at = bench.clock.mono(bench.env.now) + amount
            bench.set(name, at)
            model[name] = at
        elif action == "cancel":
            bench.cancel(name)
            model.pop(name, None)
        else:
            bench.clock.set_drift((amount - 50) * 10_000_000, bench.env.now)
            bench.timers.rearm()
        advance(bench.env.now + pause + 1)
    advance(bench.env.now + 1_000)
    assert sorted(bench.fired) == sorted(expected)
