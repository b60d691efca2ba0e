"""Does a plan's faults to a world, and undoes them.

    fault.at ──> _begin(fault) ──> world.crash, partition, …  ──span──> _end(…)
    quiet()      phase B: everything in the core is healed; outside it, things stay bad for ever

Invariants:
    I1. A member whose disk is lost never boots again: its votes are forgotten, and under its old
        id it could break its word.
    I2. After `quiet`, nothing of the plan happens any more.
    I3. Who is meant by `leader` is decided at the moment of the fault.

Not here: which faults (`draw.py`), verdicts (`run.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simswarm.base.effects import Effect, Input, Send, Write
from simswarm.base.time import MILLISECOND
from simswarm.base.trace import TraceRecord
from simswarm.hunt.node import HuntNode
from simswarm.hunt.oracles import ACKNOWLEDGEMENT, VOTE, VOTE_REQUEST
from simswarm.hunt.plan import (
    ANY,
    LEADER,
    BadClock,
    BadDisk,
    Crash,
    Fault,
    Isolate,
    Link,
    Loses,
    Partition,
    Pause,
    Plan,
    PowerLoss,
    Strike,
)
from simswarm.raft import Role
from simswarm.sim.driver import Host
from simswarm.sim.fabric.faults import FaultID, LinkFault
from simswarm.sim.fabric.profiles import perfect
from simswarm.sim.machine.disk import DiskFault
from simswarm.sim.world import World

PERCENT = 10_000
"""In parts per million."""
_TAG_AT = 3
_CUT = LinkFault(loss=100 * PERCENT)
_SOON = 1
"""A nanosecond: right after the effects of the step are performed."""


class _Blow(NamedTuple):
    """A member is about to be struck."""

    node: str
    lose: Loses
    down: int


class _Flap(NamedTuple):
    fault: Partition
    left: int


class Nemesis:
    """Everything bad that happens in one run."""

    __slots__ = (
        "_commits",
        "_drifting",
        "_led",
        "_quiet",
        "_strikes",
        "fired",
        "lost",
        "plan",
        "world",
    )

    def __init__(self, world: World, plan: Plan) -> None:
        self.world = world
        self.plan = plan
        self.lost: dict[str, None] = {}
        """Members without their disk."""
        self.fired: dict[str, int] = {}
        """How often each kind of fault did something."""
        self._quiet = False
        self._strikes: list[Strike] = []
        """Under way: they wait for their moment."""
        self._drifting: dict[str, None] = {}
        self._led: dict[str, int] = {}
        self._commits: dict[str, int] = {}
        for fault in plan.faults:
            world.env.call_at(fault.at * MILLISECOND, self._begin, fault)

    # ── faults ───────────────────────────────────────────────────────────────────────────────

    def _begin(self, fault: Fault) -> None:
        if self._quiet:
            return
        match fault:
            case Crash(_, node, lose, down):
                self._crash(_Blow(self._who(node), lose, down), "crash")
            case Strike():
                self._strikes.append(fault)
            case PowerLoss(_, nodes, down):
                for node in nodes:
                    self._crash(_Blow(self._who(node), "unsynced", down), "power_loss")
            case Pause(_, node, span):
                name = self._who(node)
                if name and self.world.pause(name):
                    self._count("pause")
                    self._later(span, self._resume, name)
            case Partition(_, _, _, times):
                self._partition(_Flap(fault, times))
            case Isolate():
                self._isolate(fault)
            case Link():
                self._link(fault)
            case BadDisk():
                self._disk(fault)
            case BadClock(_, span, node, drift, jump):
                name = self._who(node)
                if name:
                    self._count("clock")
                    self._drifting[name] = None
                    jumped = jump * MILLISECOND
                    self.world.fault_clock(name, drift=drift * 10_000_000, jump=jumped)
                    self._later(span, self._right_clock, name)

    def _count(self, kind: str) -> None:
        self.fired[kind] = self.fired.get(kind, 0) + 1

    def _later(self, span: int, function: object, argument: object) -> None:
        self.world.env.call_in(span * MILLISECOND, function, argument)  # type: ignore[arg-type]

    def _who(self, node: str) -> str:
        """The member meant; empty where there is none."""
        return leader_of(self.world) if node == LEADER else node

    def _crash(self, blow: _Blow, kind: str) -> None:
        if not blow.node or blow.node in self.lost:
            return
        if self.world.crash(blow.node, blow.lose):
            self._count(kind)
            if blow.lose == "disk":
                self.lost[blow.node] = None
            self._later(blow.down, self._restart, blow.node)

    def _restart(self, name: str) -> None:
        if not self._quiet and name not in self.lost:
            self.world.restart(name)

    def _resume(self, name: str) -> None:
        self.world.resume(name)

    def _right_clock(self, name: str) -> None:
        self.world.fault_clock(name, drift=0)

    def _heal(self, fault: FaultID) -> None:
        self.world.heal(fault)

    def _partition(self, flap: _Flap) -> None:
        if self._quiet or flap.left < 1:
            return
        fault = flap.fault
        self._count("partition")
        id = self.world.partition(fault.groups)
        self._later(fault.span, self._heal, id)
        self._later(2 * fault.span, self._partition, _Flap(fault, flap.left - 1))

    def _isolate(self, fault: Isolate) -> None:
        name = self._who(fault.node)
        if not name:
            return
        self._count("isolate")
        names = self.plan.names
        start = names.index(name)
        turned = names[start:] + names[:start]
        apart, others = turned[: 1 + fault.company], turned[1 + fault.company :]
        if not others:
            return
        if fault.way == "both":
            id = self.world.partition([apart, others])
        elif fault.way == "out":
            id = self.world.set_link(apart, others, _CUT, oneway=True)
        else:
            id = self.world.set_link(others, apart, _CUT, oneway=True)
        self._later(fault.span, self._heal, id)

    def _link(self, fault: Link) -> None:
        sources, targets = self._all(fault.source), self._all(fault.target)
        if not sources or not targets:
            return
        self._count("link")
        link = LinkFault(
            latency=fault.latency * MILLISECOND,
            jitter=fault.jitter * MILLISECOND,
            loss=fault.loss * PERCENT,
            duplicate=fault.duplicate * PERCENT,
            reorder=fault.reorder * PERCENT,
        )
        id = self.world.set_link(sources, targets, link, oneway=True)
        self._later(fault.span, self._heal, id)

    def _all(self, node: str) -> tuple[str, ...]:
        if node == ANY:
            return self.plan.names
        name = self._who(node)
        return (name,) if name else ()

    def _disk(self, fault: BadDisk) -> None:
        name = self._who(fault.node)
        if not name:
            return
        self._count("disk")
        bad = DiskFault(
            slow=fault.slow * MILLISECOND, full=fault.fault == "full", error=fault.fault == "error"
        )
        self.world.fault_disk(name, bad)
        self._later(fault.span, self._right_disk, name)

    def _right_disk(self, name: str) -> None:
        if self._quiet:
            return
        self.world.fault_disk(name, DiskFault())
        self._restart(name)

    # ── strikes: it watches for their moment ─────────────────────────────────────────────────

    def on_boot(self, host: Host, image: Mapping[str, bytes], effects: list[Effect]) -> None:
        """A member has booted."""
        self._led[host.name] = self._commits[host.name] = 0

    def on_step(self, host: Host, given: Input, effects: list[Effect]) -> None:
        """A member has taken a step: strike, if this was the moment."""
        if not self._strikes or self._quiet:
            return
        node = host.node
        assert isinstance(node, HuntNode)
        moments = self._moments(host.name, node, effects)
        for strike in self._strikes:
            if strike.on in moments and self._is_meant(strike.node, host.name, node):
                self._strikes.remove(strike)
                blow = _Blow(host.name, strike.lose, strike.down)
                self.world.env.call_in(_SOON, self._strike, blow)
                break

    def _strike(self, blow: _Blow) -> None:
        if not self._quiet:
            self._crash(blow, "strike")

    def _is_meant(self, wanted: str, name: str, node: HuntNode) -> bool:
        if wanted == LEADER:
            return node.raw.raft.role is Role.LEADER
        return wanted in (ANY, name)

    def _moments(self, name: str, node: HuntNode, effects: list[Effect]) -> list[str]:
        found = []
        tags = [effect.frame[_TAG_AT] for effect in effects if type(effect) is Send]
        if VOTE in tags:
            found.append("vote")
        if VOTE_REQUEST in tags:
            found.append("stand")
        if ACKNOWLEDGEMENT in tags or any(type(effect) is Write for effect in effects):
            found.append("append")
        raft = node.raw.raft
        if raft.role is Role.LEADER:
            if self._led.get(name) != raft.term:
                self._led[name] = raft.term
                found.append("lead")
            elif raft.commit > self._commits.get(name, 0):
                found.append("commit")
            self._commits[name] = raft.commit
        return found

    def on_record(self, record: TraceRecord) -> None:
        """Of no interest."""

    def on_crash(self, host: Host) -> None:
        """A member that went down by itself (its disk failed) comes back like the others."""
        if not self._quiet and host.disk.fault == DiskFault():
            self._later(self.plan.patience, self._restart, host.name)

    # ── phase B ──────────────────────────────────────────────────────────────────────────────

    def quiet(self, core: tuple[str, ...]) -> None:
        """Heal the core; make the rest bad for ever."""
        self._quiet = True
        world, plan = self.world, self.plan
        world.heal()
        # a network that is too slow for the tick would depose leaders with nothing broken
        world.use_profile(perfect())
        outside = [name for name in plan.names if name not in core]
        for name in plan.names:
            world.resume(name)
            if world.host(name).disk.fault != DiskFault():
                world.fault_disk(name, DiskFault())
            if name in self._drifting:
                world.fault_clock(name, drift=0)
        for name in outside:
            if plan.outside == "down":
                world.crash(name, "nothing")
            elif name not in self.lost:
                world.restart(name)
        if outside and plan.outside == "cut":
            world.partition([list(core), outside])
        elif outside and plan.outside == "mute":
            world.set_link(outside, list(core), _CUT, oneway=True)
        elif outside and plan.outside == "deaf":
            world.set_link(list(core), outside, _CUT, oneway=True)
        for name in core:
            world.restart(name)


def leader_of(world: World) -> str:
    """Who leads the newest term; empty: nobody."""
    best, found = 0, ""
    for name, host in world.hosts.items():
        node = host.node
        if isinstance(node, HuntNode):
            raft = node.raw.raft
            if raft.role is Role.LEADER and raft.term > best:
                best, found = raft.term, name
    return found
