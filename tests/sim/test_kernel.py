"""The kernel is SimPy with a faster queue: same programs, same traces, same error texts."""

from __future__ import annotations

import random
from functools import partial

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from simswarm.sim.kernel import SimEnvironment


def call_in(env, delay, function, argument):
    """A callback as each environment has it."""
    if isinstance(env, SimEnvironment):
        env.call_in(delay, function, argument)
    else:
        env.timeout(delay, argument).callbacks.append(lambda event: function(event.value))


class Program:
    """A random program over one environment, whose choices come from its own seed."""

    def __init__(self, env, seed):
        self.env = env
        self.draw = random.Random(seed)
        self.trace = []
        self.resource = simpy.PriorityResource(env, capacity=1 + self.draw.randrange(2))
        self.store = simpy.Store(env, capacity=3)
        self.processes = []
        for number in range(2 + self.draw.randrange(4)):
            kind = self.draw.choice([self.sleeper, self.user, self.trader, self.waiter])
            self.processes.append(env.process(kind(number)))
        for number in range(self.draw.randrange(4)):
            call_in(env, self.draw.randrange(4), partial(self.callback, number), 3)
        env.process(self.interrupter())

    def note(self, *what):
        self.trace.append((self.env.now, *what))

    def callback(self, number, left):
        self.note("callback", number, left)
        if left:
            call_in(self.env, self.draw.randrange(3), partial(self.callback, number), left - 1)

    def sleeper(self, number):
        for turn in range(6):
            try:
                yield self.env.timeout(self.draw.randrange(3), value=turn)
                self.note("slept", number, turn)
            except simpy.Interrupt as interrupt:
                self.note("woken", number, interrupt.cause)

    def user(self, number):
        for turn in range(3):
            with self.resource.request(priority=self.draw.randrange(3)) as request:
                try:
                    yield request
                    self.note("has", number, turn)
                    yield self.env.timeout(1 + self.draw.randrange(2))
                except simpy.Interrupt:
                    self.note("lost", number, turn)

    def trader(self, number):
        for turn in range(4):
            try:
                if self.draw.random() < 0.5:
                    yield self.store.put((number, turn))
                    self.note("put", number, turn)
                else:
                    got = yield self.store.get() | self.env.timeout(2, value="late")
                    self.note("got", number, sorted(str(value) for value in got.values()))
            except simpy.Interrupt:
                self.note("left", number)

    def waiter(self, number):
        for _ in range(3):
            first, second = (self.env.timeout(self.draw.randrange(4)) for _ in range(2))
            try:
                done = yield self.env.any_of([first, second])
                self.note("either", number, len(done.todict()))
                yield self.env.all_of([first, second])
                self.note("both", number)
            except simpy.Interrupt:
                self.note("stopped", number)

    def interrupter(self):
        for turn in range(4):
            yield self.env.timeout(self.draw.randrange(1, 4))
            victim = self.draw.choice(self.processes)
            if victim.is_alive:
                victim.interrupt(turn)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_random_programs_run_as_on_stock_simpy(seed):
    stock, ours = Program(simpy.Environment(), seed), Program(SimEnvironment(), seed)
    stock.env.run()
    ours.env.run()
    assert stock.trace
    assert ours.trace == stock.trace
    assert ours.env.now == stock.env.now


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), max_size=6))
def test_a_sliced_run_processes_the_same_in_the_same_order(seed, slices):
    whole, sliced = Program(SimEnvironment(), seed), Program(SimEnvironment(), seed)
    whole.env.run()
    for length in slices:
        sliced.env.run(until=sliced.env.now + length)
    sliced.env.run()
    assert sliced.trace == whole.trace


def failing(env):
    yield env.timeout(1)
    raise ValueError("broken", 7)


def outcome(act):
    """What running gives, or the error with its chain, as text."""
    try:
        return act()
    except Exception as error:
        return type(error), error.args, type(error.__cause__), getattr(error.__cause__, "args", ())


def text_of_event(text):
    """Without the address in the event's name."""
    return str(text).split(" object at ")[0]


@pytest.mark.parametrize("until", [0, -1, 0.0])
def test_until_in_the_past_is_refused_in_simpys_words(until):
    stock = outcome(lambda: simpy.Environment().run(until=until))
    assert outcome(lambda: SimEnvironment().run(until=until)) == stock
    assert stock[0] is ValueError


def test_until_an_event_that_never_happens_is_refused_in_simpys_words():
    def never(env):
        return env.run(until=env.event())

    stock = outcome(lambda: never(simpy.Environment()))
    ours = outcome(lambda: never(SimEnvironment()))
    assert stock[0] is ours[0] is RuntimeError
    assert text_of_event(ours[1]) == text_of_event(stock[1])


def test_an_unhandled_failure_stops_the_run_with_its_cause_chained():
    def run(env):
        env.process(failing(env))
        return env.run()

    stock = outcome(lambda: run(simpy.Environment()))
    assert outcome(lambda: run(SimEnvironment())) == stock
    assert stock == (ValueError, ("broken", 7), ValueError, ("broken", 7))


def test_until_a_process_gives_its_value_and_its_failure():
    def worth(env):
        yield env.timeout(3)
        return "done"

    for make in (simpy.Environment, SimEnvironment):
        env = make()
        process = env.process(worth(env))
        assert env.run(until=process) == "done"
        assert env.now == 3
        assert env.run(until=process) == "done"
        env = make()
        with pytest.raises(ValueError, match="broken"):
            env.run(until=env.process(failing(env)))


def test_stepping_an_empty_environment_raises_empty_schedule():
    env = SimEnvironment()
    assert env.peek() == float("inf")
    with pytest.raises(simpy.core.EmptySchedule):
        env.step()


def test_callbacks_and_events_of_one_instant_happen_in_order_of_scheduling():
    env, seen = SimEnvironment(), []
    env.call_at(5, seen.append, "first")
    env.timeout(5).callbacks.append(lambda _: seen.append("second"))
    env.call_in(5, seen.append, "third")
    env.run()
    assert seen == ["first", "second", "third"]


def test_what_is_due_at_the_end_of_a_run_is_left_for_the_next():
    env, seen = SimEnvironment(), []
    env.call_at(10, seen.append, "ten")
    env.run(until=10)
    assert (env.now, seen) == (10, [])
    env.run(until=11)
    assert seen == ["ten"]


def test_integer_delays_keep_time_an_integer():
    env = SimEnvironment()
    env.call_in(3, lambda _: None, None)
    env.run(until=4)
    assert (env.now, type(env.now)) == (4, int)


def test_the_past_cannot_be_scheduled():
    env = SimEnvironment(initial_time=100)
    with pytest.raises(AssertionError):
        env.call_at(99, lambda _: None, None)
    with pytest.raises(AssertionError):
        env.call_in(-1, lambda _: None, None)
