"""The world: the same seed, the same run, however it is looked at; verbs and their records."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from simswarm.base.effects import Call, CallCancelled, Identity
from simswarm.base.errors import InvalidSpec, NotFound
from simswarm.base.time import MILLISECOND, SECOND
from simswarm.base.values import replace
from simswarm.sim.digest import differing_interval, first_difference
from simswarm.sim.fabric.faults import LinkFault
from simswarm.sim.fabric.profiles import flaky, lan, perfect
from simswarm.sim.machine.disk import DiskFault
from simswarm.sim.recorder import trace_digest
from simswarm.sim.world import World
from simswarm.wire import codec
from simswarm.wire.control import GetCluster, Removed
from tests.sim.bench import FakeNode, Gossip, config, gossiping

SPAN = 20 * SECOND


def eventful(seed=1, slices=(SPAN,), **settings):
    """A run with a bit of everything."""
    world = gossiping(4, seed, profile=flaky(), **settings)
    world.env.call_at(2 * SECOND, crash, world)
    world.env.call_at(5 * SECOND, restart, world)
    for until in slices:
        world.run(until)
    return world


def crash(world):
    world.crash("m2", "unsynced")
    world.pause("m4")
    world.partition([["m1"], ["m3"]])


def restart(world):
    world.boot("m2")
    world.resume("m4")
    world.heal()


# ── determinism ─────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    one, other = eventful(), eventful()
    assert one.steps > 2000
    assert one.digest == other.digest
    assert one.trace == other.trace
    assert eventful(seed=2).digest != one.digest


def test_slicing_changes_nothing():
    whole = eventful()
    sliced = eventful(slices=[*range(0, SPAN, 333 * MILLISECOND), SPAN])
    assert (sliced.digest, sliced.trace) == (whole.digest, whole.trace)


def test_a_world_that_is_stepped_runs_as_one_that_is_run():
    whole = eventful()
    stepped = eventful(slices=())
    while stepped.env.peek() < SPAN:
        stepped.step()
    assert stepped.digest == whole.digest


class Watcher:
    """An observer that counts."""

    def __init__(self):
        self.seen = {"boot": 0, "step": 0, "record": 0, "crash": 0}

    def on_boot(self, host, image, effects):
        assert host.up
        self.seen["boot"] += 1

    def on_step(self, host, given, effects):
        self.seen["step"] += 1

    def on_record(self, record):
        self.seen["record"] += 1

    def on_crash(self, host):
        assert not host.up
        self.seen["crash"] += 1


def test_trace_level_and_observers_change_neither_digest():
    plain = eventful()
    full = eventful(level="full")
    assert full.digest == plain.digest
    assert len(full.trace) > 3 * len(plain.trace)
    assert trace_digest(full.trace) == trace_digest(plain.trace)
    watcher = Watcher()
    watched = World(1, profile=flaky(), boot=Gossip.boot)
    watched.observers.append(watcher)
    names = [f"m{number}" for number in range(1, 5)]
    for name in names:
        watched.add(config(name, names))
    for name in names:
        watched.boot(name)
    watched.mark_origin()
    watched.env.call_at(2 * SECOND, crash, watched)
    watched.env.call_at(5 * SECOND, restart, watched)
    watched.run(SPAN)
    assert watched.digest == plain.digest
    assert watcher.seen["boot"] == 5
    assert watcher.seen["crash"] == 1
    assert watcher.seen["step"] + watcher.seen["boot"] == watched.steps
    assert watcher.seen["record"] == len(watched.trace)


def test_an_observation_more_does_not_change_the_digest():
    class Chatty(Gossip):
        def react(self, given):
            super().react(given)
            self.out.observe("chatty", given=type(given).__name__)

    plain, chatty = gossiping(), World(1, boot=Chatty.boot)
    for name in ("m1", "m2", "m3"):
        chatty.add(config(name, ["m1", "m2", "m3"]))
    for name in ("m1", "m2", "m3"):
        chatty.boot(name)
    for world in (plain, chatty):
        world.run(5 * SECOND)
    assert chatty.digest == plain.digest


def test_the_first_step_that_differs_is_found():
    def run(seed_of_m3, **settings):
        world = World(1, boot=Gossip.boot, **settings)
        names = ["m1", "m2", "m3"]
        for name in names:
            world.add(config(name, names))
        for name in names:
            world.boot(name)
        world.mark_origin()
        if seed_of_m3:
            world.env.call_at(10 * SECOND, world.crash, "m3")
        world.run(SPAN)
        return world

    one, other = run(seed_of_m3=False), run(seed_of_m3=True)
    interval = differing_interval(one.checkpoints, other.checkpoints)
    assert interval is not None
    one, other = (run(different, record_steps=interval) for different in (False, True))
    number = first_difference(one.recorded_steps, other.recorded_steps)
    assert number is not None
    step = next(step for step in one.recorded_steps if step.number == number)
    assert step.t >= 10 * SECOND
    assert step.node in ("m1", "m2", "m3")


ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from tests.sim.test_world import eventful
print(eventful().digest)
"""


def test_hash_seeds_do_not_matter():
    digests = set()
    for hash_seed in ("0", "1", "random"):
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        digests.add(result.stdout)
    assert digests == {eventful().digest + "\n"}


# ── time and records ────────────────────────────────────────────────────────────────────────


def test_records_before_the_origin_get_negative_times_when_it_is_marked():
    world = World(1, boot=Gossip.boot)
    watcher = Watcher()
    world.observers.append(watcher)
    world.add(config("m1"))
    world.run(SECOND)
    world.boot("m1")
    world.run(3 * SECOND)
    assert world.trace == []
    assert watcher.seen["record"] == 0
    world.mark_origin()
    world.observe("", "note", text="up")
    assert (world.origin, world.t) == (3 * SECOND, 0)
    assert (world.trace[0].t, world.trace[0].kind) == (-2 * SECOND, "process.boot")
    assert (world.trace[-1].t, world.trace[-1].kind) == (0, "note")
    assert watcher.seen["record"] == len(world.trace)
    assert all(one.t <= other.t for one, other in pairwise(world.trace))


def test_running_to_the_past_or_the_present_does_nothing():
    world = gossiping()
    world.run(SECOND)
    digest = world.digest
    world.run(SECOND)
    world.run(0)
    assert (world.now, world.digest) == (SECOND, digest)


# ── verbs ───────────────────────────────────────────────────────────────────────────────────


def last(world):
    record = world.trace[-1]
    return record.kind, record.node, dict(record.fields)


def test_faults_are_recorded_with_whom_they_concern():
    world = gossiping()
    assert world.crash("m1", "unsynced")
    assert last(world) == (
        "process.crash", "m1", {"targets": ("m1",), "lose": "unsynced", "reason": ""},
    )  # fmt: skip
    assert world.boot("m1")
    assert last(world) == ("process.restart", "m1", {"targets": ("m1",), "boot": 2})
    cut = world.partition([["m1"], ["m2", "m3"]])
    assert last(world) == (
        "network.partition", "",
        {"targets": ("m1", "m2", "m3"), "groups": ("m1", "m2,m3"), "fault": cut},
    )  # fmt: skip
    noise = world.set_link("m1", ["m2"], LinkFault(loss=50_000), oneway=True)
    assert last(world)[2]["targets"] == ("m2",)
    assert last(world)[2]["loss"] == 50_000
    assert world.is_cut("m1", "m2")
    assert world.heal(cut)
    assert last(world) == ("network.heal", "", {"targets": (), "fault": cut})
    assert not world.is_cut("m1", "m2")
    assert not world.heal(cut)
    world.heal_nodes(["m1"])
    world.heal_groups([["m1"], ["m2"]])
    assert world.heal(noise)
    world.fault_disk("m2", DiskFault(slow=SECOND))
    assert last(world)[0::2] == (
        "disk.fault", {"targets": ("m2",), "slow": SECOND, "full": False, "error": False},
    )  # fmt: skip
    world.fault_clock("m2", skew=SECOND)
    assert last(world)[0] == "clock.fault"


def test_what_is_up_is_not_booted_and_what_is_down_not_crashed():
    world = gossiping()
    assert not world.restart("m1")
    assert not world.resume("m1")
    assert world.crash("m1")
    assert not world.crash("m1")
    assert not world.pause("m1")
    assert world.restart("m1")


@pytest.mark.parametrize(
    "act",
    [
        lambda world: world.boot("m9"),
        lambda world: world.crash("m9"),
        lambda world: world.partition([["m1"], ["m9"]]),
        lambda world: world.set_link("m1", "m9", LinkFault()),
        lambda world: world.heal_nodes(["m9"]),
        lambda world: world.call("m9", GetCluster(), print, SECOND),
    ],
)
def test_unknown_nodes_are_refused(act):
    with pytest.raises(NotFound, match="no node m9"):
        act(gossiping())


@pytest.mark.parametrize("link", [LinkFault(loss=-1), LinkFault(reorder=2_000_000),
                                  LinkFault(latency=-1)])  # fmt: skip
def test_impossible_links_are_refused(link):
    with pytest.raises(InvalidSpec):
        gossiping().set_link("m1", "m2", link)


def test_a_name_is_given_once_and_is_the_address():
    world = gossiping()
    with pytest.raises(InvalidSpec, match="m1 already"):
        world.add(config("m1"))
    with pytest.raises(InvalidSpec, match="address of m9 is its name"):
        world.add(replace(config("m9"), address="other:2377"))


def test_a_damaged_disk_is_what_the_next_boot_finds():
    world = gossiping()
    assert not world.corrupt_disk("m1")
    world.run(SECOND)
    clean = world.hosts["m1"].disk.load()
    assert world.corrupt_disk("m1", "log")
    assert last(world)[2]["corrupt"].startswith("log, record ")
    world.crash("m1")
    world.boot("m1")
    assert world.hosts["m1"].node.disk["log"] != clean["log"]


def test_another_profile_holds_for_network_and_disks():
    slow, quick = gossiping(profile=perfect()), gossiping(profile=perfect())
    slow.use_profile(lan())
    for world in (slow, quick):
        world.run(SECOND)
    assert slow.digest != quick.digest


# ── calls ───────────────────────────────────────────────────────────────────────────────────


class Clerk(FakeNode):
    """Answers a call, if its name is `now`."""

    def react(self, given):
        if isinstance(given, Call) and self.config.name == "now":
            self.out.reply(given.id, codec.encode(Removed("x")))


def clerks():
    world = World(1, boot=Clerk.boot)
    for name in ("now", "never"):
        world.add(config(name))
        world.boot(name)
    world.mark_origin()
    return world


def test_a_call_is_answered_once_and_not_within_the_call():
    world, replies = clerks(), []
    id = world.call("now", GetCluster(), replies.append, 20 * SECOND)
    assert replies == []
    world.run(60 * SECOND)
    assert replies == [Removed("x")]
    (call,) = world.hosts["now"].node.inputs(Call)
    assert (call.id, call.identity) == (id, Identity("client"))
    assert codec.decode(call.frame) == GetCluster()


def test_a_call_whose_time_is_up_is_cancelled():
    world, replies = clerks(), []
    id = world.call("never", GetCluster(), replies.append, 20 * SECOND)
    world.run(20 * SECOND)
    assert replies == []
    world.run(20 * SECOND + 1)
    assert replies == [None]
    assert world.hosts["never"].node.inputs(CallCancelled) == [CallCancelled(id)]


def test_a_call_to_a_node_that_is_down_or_goes_down_ends_with_none():
    world, replies = clerks(), []
    world.call("never", GetCluster(), replies.append, 20 * SECOND)
    world.run(SECOND)
    world.crash("never")
    world.run(2 * SECOND)
    assert replies == [None]
    world.call("never", GetCluster(), replies.append, 20 * SECOND)
    world.run(3 * SECOND)
    assert replies == [None, None]


def test_a_call_that_is_given_up_is_not_answered():
    world, replies = clerks(), []
    id = world.call("now", GetCluster(), replies.append, 20 * SECOND)
    other = world.call("never", GetCluster(), replies.append, 20 * SECOND)
    world.cancel_call(id)
    world.run(SECOND)
    world.cancel_call(other)
    world.run(60 * SECOND)
    assert replies == []
    assert world.hosts["now"].node.inputs(Call) == []
    assert world.hosts["never"].node.inputs(CallCancelled) == [CallCancelled(other)]
