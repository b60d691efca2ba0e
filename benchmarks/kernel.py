"""The kernel against stock SimPy: callbacks, and timers that are reset all the time.

Both sides run in one process, taken in turns, and are measured in CPU time; only ratios mean
something. The targets: callbacks 1.4 times stock (Timeout + callback), resets 5 times interrupts.

    python -m benchmarks.kernel [--json]
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from random import Random
from statistics import median
from time import process_time

import simpy

from simswarm.base.effects import TimerKey
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.machine.clock import Clock, ClockModel
from simswarm.sim.machine.timers import Timer, Timers

ROUNDS = 5
NODES = 100
IDLE_TIMERS = 10_000
"""What waits in the queue meanwhile: as many timers as a swarm of a thousand nodes has."""
DELIVERIES = 100_000
FOLLOWERS = 300
HEARTBEAT, ELECTION = 50, 200
HEARTBEATS = 60_000
MILLISECOND = 1_000_000


class Stop(Exception):
    """Enough was counted."""


# ── callbacks: 100 messages in flight; each delivery sends another one after 1–10 ms ─────────


def latencies() -> Iterator[int]:
    """Drawn beforehand: chance is not what is measured here."""
    draw = Random(1)
    return cycle([draw.randrange(MILLISECOND, 10 * MILLISECOND) for _ in range(10_007)])


def stock_callbacks() -> float:
    env, delays, left = simpy.Environment(), latencies(), DELIVERIES

    def deliver(event: simpy.Event) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Stop
        env.timeout(next(delays), event.value).callbacks.append(deliver)

    def ignore(event: simpy.Event) -> None:
        pass

    for number in range(IDLE_TIMERS):
        env.timeout(10**15 + number).callbacks.append(ignore)
    for node in range(NODES):
        env.timeout(MILLISECOND, (node, b"x")).callbacks.append(deliver)
    return rate(env.run, DELIVERIES)


def our_callbacks() -> float:
    env, delays, left = SimEnvironment(), latencies(), DELIVERIES

    def deliver(message: tuple[int, bytes]) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Stop
        env.call_in(next(delays), deliver, message)

    for number in range(IDLE_TIMERS):
        env.call_at(10**15 + number, print, None)
    for node in range(NODES):
        env.call_in(MILLISECOND, deliver, (node, b"x"))
    return rate(env.run, DELIVERIES)


# ── timers: followers whose election time-out is reset by every heartbeat ────────────────────


def interrupted_timers() -> float:
    env, left = simpy.Environment(), HEARTBEATS

    def follower() -> simpy.events.ProcessGenerator:
        while True:
            try:
                yield env.timeout(ELECTION)
                return
            except simpy.Interrupt:
                pass

    followers = [env.process(follower()) for _ in range(FOLLOWERS)]

    def leader() -> simpy.events.ProcessGenerator:
        nonlocal left
        while True:
            yield env.timeout(HEARTBEAT)
            for process in followers:
                process.interrupt()
            left -= len(followers)
            if left <= 0:
                raise Stop

    env.process(leader())
    return rate(env.run, HEARTBEATS)


def lazy_timers() -> float:
    env, left = SimEnvironment(), HEARTBEATS

    def elected(timer: Timer) -> None:
        raise AssertionError("every heartbeat comes in time")

    key = TimerKey("raft", 0, "election")
    followers = [Timers(env, Clock(ClockModel()), elected) for _ in range(FOLLOWERS)]

    def heartbeat(_: None) -> None:
        nonlocal left
        at = env.now + ELECTION
        for timers in followers:
            timers.set(key, at)
        left -= len(followers)
        if left <= 0:
            raise Stop
        env.call_in(HEARTBEAT, heartbeat, None)

    env.call_in(0, heartbeat, None)
    return rate(env.run, HEARTBEATS)


def rate(run: Callable[[], object], count: int) -> float:
    """Things per CPU second."""
    began = process_time()
    with suppress(Stop):
        run()
    return count / (process_time() - began)


def measure() -> dict[str, object]:
    """Rates of both sides, and their ratios: the median over rounds taken in turns."""
    sides = {
        "stock_callbacks_per_s": stock_callbacks,
        "our_callbacks_per_s": our_callbacks,
        "simpy_interrupts_per_s": interrupted_timers,
        "our_timer_resets_per_s": lazy_timers,
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, run in sides.items():
            rates[name].append(run())
    result: dict[str, object] = {name: round(median(values)) for name, values in rates.items()}
    result["callback_ratio"] = ratio(rates["our_callbacks_per_s"], rates["stock_callbacks_per_s"])
    result["reset_ratio"] = ratio(rates["our_timer_resets_per_s"], rates["simpy_interrupts_per_s"])
    result["python"] = platform.python_version()
    result["simpy"] = simpy.__version__
    return result


def ratio(ours: list[float], stock: list[float]) -> float:
    """The median of the ratios of single rounds."""
    return round(median(mine / theirs for mine, theirs in zip(ours, stock, strict=True)), 2)


def main() -> None:
    """Measure and print."""
    result = measure()
    if "--json" in sys.argv:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
