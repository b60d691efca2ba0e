"""The driver: inputs in order, effects after the step, what pauses and crashes do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import pytest

from simswarm.base.effects import (
    Channel,
    Deliver,
    EngineResult,
    Identity,
    PeerLost,
    Shutdown,
    TimerFired,
    TimerKey,
    UseCredentials,
    WriteMode,
    Written,
)
from simswarm.base.engine import Done, ListContainers, PullImage
from simswarm.base.errors import Unsupported
from simswarm.base.time import MICROSECOND, MILLISECOND, SECOND
from simswarm.sim.fabric.profiles import perfect
from simswarm.sim.machine.disk import DiskFault
from simswarm.sim.world import World
from tests.sim.bench import FakeNode, config

LATENCY = 100 * MICROSECOND
FSYNC = 100 * MICROSECOND


class Script(FakeNode):
    """Does what `plans` say for an input's first word: a frame, a timer's name, or `written`."""

    plans: ClassVar = {}

    def on_boot(self):
        self.act("boot")

    def react(self, given):
        match given:
            case Deliver(_, _, frame):
                self.act(frame.decode())
            case TimerFired(key):
                self.act(key.name)
            case Written():
                self.act("written")
            case EngineResult():
                self.act("engine")
            case PeerLost():
                self.act("lost")
            case Shutdown():
                self.act("shutdown")

    def act(self, word):
        plan = self.plans.get(word)
        if plan is not None:
            plan(self)

    def tell(self, target, word, after=0, channel=Channel.CONTROL):
        self.out.send_frame(target, word.encode(), channel, after)

    def timer(self, name, delay):
        self.out.set_timer(TimerKey("script", 0, name), delay)

    def words(self):
        return [given.frame.decode() for given in self.inputs(Deliver)]


def world_of(*names, service_time=0, plans=None):
    """A booted world of scripts; the plans are those of the first node's class."""

    class Local(Script):
        pass

    Local.plans = dict(plans or {})
    world = World(1, profile=perfect(), boot=Local.boot)
    for name in names:
        world.add(config(name, names), service_time=service_time)
    for name in names:
        world.boot(name)
    world.mark_origin()
    return world


def run(world, span=SECOND):
    world.run(world.now + span)


def kinds(world):
    return [record.kind for record in world.trace]


def test_timers_messages_and_writes_come_back_as_inputs():
    world = world_of(
        "a", "b",
        plans={
            "boot": lambda node: node.timer("go", SECOND) if node.config.name == "a" else None,
            "go": lambda node: node.tell("b", "hello"),
            "hello": lambda node: node.out.write("log", WriteMode.APPEND, (b"x",)),
        },
    )  # fmt: skip
    run(world, 2 * SECOND)
    a, b = (world.hosts[name].node for name in "ab")
    assert [(now.mono, type(given)) for now, given in a.given] == [(SECOND, TimerFired)]
    assert [(now.mono, type(given)) for now, given in b.given] == [
        (SECOND + LATENCY, Deliver),
        (SECOND + LATENCY + FSYNC, Written),
    ]
    assert b.given[0][1].source == "a"
    assert b.given[0][1].identity.name == "a"


def test_a_send_after_a_write_leaves_when_it_is_durable_and_holds_up_its_stream_only():
    def go(node):
        token = node.out.write("log", WriteMode.APPEND, (b"x",))
        node.tell("b", "1", after=token)
        node.tell("b", "2")
        node.tell("b", "3", channel=Channel.HEARTBEAT)

    world = world_of("a", "b", plans={"go": go})
    _poke(world, "a", "go")
    run(world)
    assert world.hosts["b"].node.words() == ["3", "1", "2"]
    assert world.hosts["b"].node.given[-1][0].mono == FSYNC + LATENCY


def _poke(world, name, word):
    """Let a node act on a word now, as a client without a network would."""
    host = world.hosts[name]
    way = _Letter()
    world.env.call_in(0, lambda _: host.deliver(way, word.encode()), None)


class _Letter:
    """A frame's way from nowhere."""

    source = SimpleNamespace(name="nowhere", identity=Identity("nowhere"))

    def consumed(self):
        pass


def test_a_crash_drops_what_was_held():
    def go(node):
        node.tell("b", "1", after=node.out.write("log", WriteMode.APPEND, (b"x",)))

    world = world_of("a", "b", plans={"go": go})
    _poke(world, "a", "go")
    run(world, FSYNC // 2)
    world.crash("a", "nothing")
    world.boot("a")
    run(world)
    assert world.hosts["b"].node.words() == []
    assert world.hosts["a"].node.disk["log"].endswith(b"x")  # killed: the kernel wrote it


def test_a_failed_write_drops_what_waited_for_it():
    def go(node):
        node.tell("b", "1", after=node.out.write("log", WriteMode.APPEND, (b"x",)))
        node.tell("b", "2")

    world = world_of("a", "b", plans={"go": go})
    world.fault_disk("a", DiskFault(error=True))
    _poke(world, "a", "go")
    run(world)
    assert world.hosts["b"].node.words() == ["2"]
    assert world.hosts["a"].node.inputs(Written) == [Written(1, "log: Input/output error")]


def test_a_crash_forgets_timers_and_the_next_boot_has_other_chances():
    world = world_of("a", plans={"boot": lambda node: node.timer("late", SECOND)})
    run(world, SECOND // 2)
    first = world.hosts["a"].node
    world.crash("a")
    world.boot("a")
    second = world.hosts["a"].node
    run(world, 5 * SECOND)
    assert first.given == []
    assert [now.mono for now, _ in second.given] == [SECOND + SECOND // 2]
    draws = [node.entropy.integer(0, 10**9) for node in (first, second)]
    assert draws[0] != draws[1]
    again = world_of("a").hosts["a"].node
    assert again.entropy.integer(0, 10**9) == draws[0]


def test_a_paused_node_gets_its_inputs_in_order_when_it_goes_on():
    world = world_of("a", "b", plans={
        "boot": lambda node: node.timer("tick", SECOND) if node.config.name == "b" else None,
        "x": lambda node: node.tell("b", "y"),
    })  # fmt: skip
    world.pause("b")
    _poke(world, "a", "x")
    run(world, 2 * SECOND)
    assert world.hosts["b"].node.given == []
    assert world.hosts["b"].up
    assert not world.pause("b")
    world.resume("b")
    run(world)
    given = world.hosts["b"].node.given
    assert [type(item) for _, item in given] == [Deliver, TimerFired]
    assert [now.mono for now, _ in given] == [2 * SECOND, 2 * SECOND]
    assert kinds(world)[-2:] == ["process.pause", "process.resume"]


def test_a_timer_that_was_set_again_while_its_firing_waited_is_not_given_twice():
    world = world_of("a", "b", plans={
        "boot": lambda node: node.timer("election", SECOND),
        "beat": lambda node: node.timer("election", 10 * SECOND),
        "x": lambda node: node.tell("b", "beat"),
    })  # fmt: skip
    world.pause("b")
    _poke(world, "a", "x")  # arrives before the timer fires, is read before it as well
    run(world, 2 * SECOND)
    world.resume("b")
    run(world, 9 * SECOND)
    assert world.hosts["b"].node.inputs(TimerFired) == []
    run(world, 9 * SECOND)
    assert len(world.hosts["b"].node.inputs(TimerFired)) == 1


def test_a_pause_holds_a_finished_fsync_back_from_the_peers():
    def go(node):
        node.tell("b", "1", after=node.out.write("log", WriteMode.APPEND, (b"x",)))

    world = world_of("a", "b", plans={"go": go})
    _poke(world, "a", "go")
    run(world, FSYNC // 2)
    world.pause("a")
    run(world)
    assert world.hosts["b"].node.words() == []
    world.resume("a")
    run(world)
    assert world.hosts["b"].node.words() == ["1"]


def test_steps_take_their_service_time_and_effects_come_after_it():
    cost = 10 * MILLISECOND
    world = world_of("a", "b", service_time=cost, plans={"x": lambda node: node.tell("b", "y")})
    for _ in range(3):
        _poke(world, "a", "x")
    run(world)
    steps = [now.mono for now, _ in world.hosts["a"].node.given]
    assert steps == [0, cost, 2 * cost]
    arrivals = [now.mono for now, _ in world.hosts["b"].node.given]
    assert arrivals == [cost + LATENCY, 2 * cost + LATENCY, 3 * cost + LATENCY]


def test_a_pause_within_a_step_delays_its_effects_until_the_node_goes_on():
    cost = 10 * MILLISECOND
    world = world_of("a", "b", service_time=cost, plans={"x": lambda node: node.tell("b", "y")})
    _poke(world, "a", "x")
    _poke(world, "a", "x")
    run(world, cost // 2)
    world.pause("a")
    run(world, SECOND)
    assert world.hosts["b"].node.words() == []
    world.resume("a")
    run(world, SECOND)
    assert world.hosts["b"].node.words() == ["y", "y"]


def test_a_crash_within_a_step_drops_its_effects():
    cost = 10 * MILLISECOND
    world = world_of("a", "b", service_time=cost, plans={"x": lambda node: node.tell("b", "y")})
    _poke(world, "a", "x")
    run(world, cost // 2)
    world.crash("a")
    world.boot("a")
    run(world)
    assert world.hosts["b"].node.words() == []


def test_halt_ends_the_node_as_a_killed_process_and_what_follows_is_not_done():
    def go(node):
        node.tell("b", "before")
        node.out.halt("going on would be wrong")
        node.tell("b", "after")

    world = world_of("a", "b", plans={"go": go})
    _poke(world, "a", "go")
    run(world)
    assert not world.hosts["a"].up
    b = world.hosts["b"].node
    assert b.words() == ["before"]
    assert b.inputs(PeerLost) == [PeerLost("a", Channel.CONTROL)]
    assert world.trace[-1].kind == "process.crash"
    assert world.trace[-1].get("reason") == "going on would be wrong"


def test_the_outcome_of_a_command_that_was_cancelled_while_the_node_was_paused_is_not_given():
    def go(node):
        node.command = node.out.run_engine(PullImage("web", "t"))
        node.timer("regret", SECOND)

    world = world_of("a", plans={
        "boot": go, "regret": lambda node: node.out.cancel_engine(node.command),
    })  # fmt: skip
    world.pause("a")
    run(world, 5 * SECOND)  # the timer fires before the pull ends; both wait
    world.resume("a")
    run(world)
    assert world.hosts["a"].node.inputs(EngineResult) == []
    assert len(world.hosts["a"].node.inputs(TimerFired)) == 1


def test_engine_commands_are_answered():
    world = world_of("a", plans={"boot": lambda node: node.out.run_engine(ListContainers())})
    run(world)
    assert world.hosts["a"].node.inputs(EngineResult) == [EngineResult(1, Done())]


def test_a_node_may_send_to_itself():
    def go(node):
        node.tell("a", "mine")
        node.mark = len(node.given)

    world = world_of("a", plans={"go": go})
    _poke(world, "a", "go")
    run(world)
    node = world.hosts["a"].node
    assert node.words() == ["go", "mine"]
    assert node.mark == 1  # not within the step that sent it


def test_a_shutdown_is_an_input():
    world = world_of("a", plans={"shutdown": lambda node: node.out.halt("shutdown")})
    assert world.shut_down("a")
    run(world)
    assert not world.hosts["a"].up
    assert not world.shut_down("a")


def test_credentials_are_refused_in_words():
    def go(node):
        node.out._effects.append(UseCredentials(b"", b"", b""))

    world = world_of("a", plans={"go": go})
    _poke(world, "a", "go")
    with pytest.raises(Unsupported, match="credentials"):
        run(world)


def test_an_error_in_a_node_says_where_it_happened():
    def go(node):
        raise ValueError("a bug")

    world = world_of("a", plans={"go": go})
    _poke(world, "a", "go")
    with pytest.raises(ValueError, match="a bug") as caught:
        run(world)
    assert caught.value.__notes__[0].startswith("in a, step 2: Deliver(")


def test_a_change_of_drift_moves_timers_that_are_set():
    world = world_of("a", plans={"boot": lambda node: node.timer("tick", 2 * SECOND)})
    run(world, SECOND)
    world.fault_clock("a", drift=1_000_000_000, jump=-5 * SECOND)
    run(world, SECOND)
    ((now, _),) = world.hosts["a"].node.given
    assert now.mono == 2 * SECOND
    assert now.wall - world.wall_origin == SECOND + SECOND // 2 - 5 * SECOND
