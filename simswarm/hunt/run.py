"""One hunt: play a plan to its end, and say what came of it.

    phase A   clients work, the plan's faults happen           oracles look at every step
    phase B   a connected core is healed, the rest stays bad   within a bound: a leader, a write
                                                               committed, equal registers
    at last   all registers are read; the history is judged

Verdicts: `held`; `violated`; `not recoverable` (too few disks are left, so that the core can't be
asked for anything; all that was seen was safe); `unknown` (the history's search took too long).

Invariants:
    I1. Equal plans give equal outcomes, digests included.
    I2. The first violation ends the run.

Source: TigerBeetle's two modes, safety and liveness, in one run.
Not here: many runs (`search.py`), making plans smaller (`shrink.py`).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path

from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import MICROSECOND, MILLISECOND, SECOND
from simswarm.base.trace import TraceRecord
from simswarm.hunt.clients import Clients
from simswarm.hunt.machine import Command, Done, decode_answer
from simswarm.hunt.nemesis import Nemesis, leader_of
from simswarm.hunt.node import HuntNode, Members
from simswarm.hunt.oracles import Found, Oracles
from simswarm.hunt.plan import Plan
from simswarm.model.config import Member, NodeConfig, RaftSettings
from simswarm.model.specs import NodeRole
from simswarm.sim.distributions import Quantiles
from simswarm.sim.fabric.profiles import LinkProfile, Profile, lan, perfect
from simswarm.sim.world import World

HELD, VIOLATED, NOT_RECOVERABLE, UNKNOWN = "held", "violated", "not recoverable", "unknown"
BOUND_PATIENCES = 20
"""How many longest election time-outs the core has to recover: the chance that so many
elections in a row are split is negligible."""
BOUND_STREAMS = 6 * SECOND
"""And how long besides: streams on cut links give up before that (`sim/fabric/streams.py`)."""
STABLE_PATIENCES = 8
_LOOK = 100 * MILLISECOND


@dataclass(frozen=True)
class Outcome:
    """What came of one hunt."""

    verdict: str
    invariant: str = ""
    message: str = ""
    at: int = 0
    """Simulated nanoseconds at the end, or when it was violated."""
    digest: str = ""
    steps: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    """What the run has seen: elections, commits, operations, and faults by kind."""
    records: tuple[TraceRecord, ...] = ()
    """The trace, where it was asked for."""

    @property
    def violated(self) -> bool:
        """Whether something was found."""
        return self.verdict == VIOLATED


def play(plan: Plan, *, keep_trace: bool = False) -> Outcome:
    """Play a plan."""
    hunt = _Hunt(plan)
    verdict, found = UNKNOWN, Found("", "")
    try:
        verdict = hunt.play()
    except Found as broken:
        verdict, found = VIOLATED, broken
    except Exception as error:
        # a member that asserts, or can't read its own disk: never right, whatever happened to it
        verdict, found = VIOLATED, Found(_name_of(error), _place_of(error))
    world = hunt.world
    return Outcome(
        verdict,
        found.invariant,
        found.message,
        world.now,
        world.digest,
        world.steps,
        {**hunt.oracles.counters, **hunt.nemesis.fired, "operations": len(hunt.clients.history)},
        tuple(world.trace) if keep_trace else (),
    )


def _name_of(error: Exception) -> str:
    return f"no impossible state ({type(error).__name__})"


def _place_of(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error or type(error).__name__} ({Path(last.filename).name}, {last.name})"


def network(name: str) -> Profile:
    """The network and the disks that a plan names."""
    if name == "perfect":
        return perfect()
    if name == "lan":
        return lan()
    return Profile(
        "slow",
        LinkProfile(Quantiles(4 * MILLISECOND, 25 * MILLISECOND), loss=5_000, duplicate=5_000),
        fsync=Quantiles(3 * MILLISECOND, 20 * MILLISECOND),
    )


class _Hunt:
    """One run."""

    __slots__ = ("_probed", "clients", "nemesis", "oracles", "plan", "world")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        world = self.world = World(
            plan.seed,
            profile=network(plan.network),
            boot=Members(plan).boot,
            answers=decode_answer,
        )
        world.mark_origin()
        self.oracles = Oracles(self._now, plan.names)
        self.nemesis = Nemesis(world, plan)
        world.observers.extend((self.oracles, self.nemesis))
        members = tuple(Member(n, name, name) for n, name in enumerate(plan.names, 1))
        settings = RaftSettings(tick=plan.tick * MILLISECOND)
        for name in plan.names:
            config = NodeConfig(name, name, NodeRole.MANAGER, (), members, raft=settings)
            world.add(config)
            world.boot(name)
        self.clients = Clients(world, plan, SeededEntropy(plan.seed, "/clients"))
        self._probed: dict[str, None] = {}

    def _now(self) -> int:
        return self.world.now

    def play(self) -> str:
        """Both phases."""
        plan, world = self.plan, self.world
        world.run(plan.chaos * MILLISECOND)
        self.clients.closing = True
        core = self.core()
        self.nemesis.quiet(core)
        if len(core) < plan.majority:
            return UNKNOWN if not self.clients.judge() else NOT_RECOVERABLE
        self._recover(core)
        self._read_all(core)
        if plan.stable:
            self._stay_stable(core)
        return HELD if self.clients.judge() else UNKNOWN

    def core(self) -> tuple[str, ...]:
        """Who is to be healed: members with their disks, from `core_first` on."""
        plan = self.plan
        start = plan.core_first % plan.members
        turned = plan.names[start:] + plan.names[:start]
        intact = [name for name in turned if name not in self.nemesis.lost]
        size = max(plan.core or plan.members, plan.majority)
        return tuple(sorted(intact[:size]))

    # ── phase B ──────────────────────────────────────────────────────────────────────────────

    def _recover(self, core: tuple[str, ...]) -> None:
        """A leader, a committed write, and equal registers, within the bound."""
        bound = BOUND_PATIENCES * self.plan.patience * MILLISECOND + BOUND_STREAMS
        until = self.world.now + bound
        probe = _Probe(self, core, Command(0, 1, "write", "probe", "x"))
        while self.world.now < until:
            self.world.run(self.world.now + _LOOK)
            if probe.output is not None and self._level(core):
                return
        if not leader_of(self.world):
            raise Found("a leader", f"there is none {bound // SECOND} s after the core was healed")
        if probe.output is None:
            raise Found("progress", f"no write commits {bound // SECOND} s after the healing")
        raise Found("level", f"members still differ {bound // SECOND} s after the healing")

    def _level(self, core: tuple[str, ...]) -> bool:
        """Whether the core has applied the same."""
        levels = []
        for name in core:
            node = self.world.host(name).node
            if not isinstance(node, HuntNode):
                return False
            levels.append((node.registers.index, node.registers.digest))
        return all(level == levels[0] for level in levels) and levels[0][0] > 0

    def _read_all(self, core: tuple[str, ...]) -> None:
        """What was acknowledged must still be there."""
        keys = dict.fromkeys(operation.key for operation in self.clients.history)
        probes = []
        for number, key in enumerate(keys, 2):
            probes.append(_Probe(self, core, Command(-number, 1, "read", str(key))))
        until = self.world.now + BOUND_PATIENCES * self.plan.patience * MILLISECOND
        while self.world.now < until and any(probe.output is None for probe in probes):
            self.world.run(self.world.now + _LOOK)
        for probe in probes:
            if probe.output is None:
                raise Found("progress", f"{probe.command.key} can't be read after the healing")

    def _stay_stable(self, core: tuple[str, ...]) -> None:
        """A leader that nothing happens to goes on leading."""
        before = self._leads()
        window = STABLE_PATIENCES * self.plan.patience * MILLISECOND
        self.world.run(self.world.now + window)
        after = self._leads()
        if before != after:
            message = f"{before[0] or 'nobody'} led term {before[1]}, then "
            message += f"{after[0] or 'nobody'} term {after[1]}, with nothing wrong in the core"
            raise Found("a stable leader", message)

    def _leads(self) -> tuple[str, int]:
        name = leader_of(self.world)
        node = self.world.host(name).node if name else None
        return (name, node.raw.raft.term) if isinstance(node, HuntNode) else (name, 0)


class _Probe:
    """A command that the core must carry out: asked round and round until it has."""

    __slots__ = ("_core", "_hunt", "_turn", "command", "output")

    def __init__(self, hunt: _Hunt, core: tuple[str, ...], command: Command) -> None:
        self._hunt = hunt
        self._core = core
        self._turn = 0
        self.command = command
        self.output: Done | None = None
        hunt.clients.open[command.client] = (command, hunt.world.now)
        self._ask(0)

    def _ask(self, _: int) -> None:
        hunt = self._hunt
        target = leader_of(hunt.world)
        if target not in self._core:
            self._turn += 1
            target = self._core[self._turn % len(self._core)]
        hunt.world.call(target, self.command, self.on_reply, hunt.clients.timeout)

    def on_reply(self, answer: object) -> None:
        """The member has answered, or it hasn't."""
        if isinstance(answer, Done):
            self.output = answer
            self._hunt.clients.done(self.command, answer)
        else:
            self._hunt.world.env.call_in(10 * MILLISECOND, self._ask, 0)


assert MICROSECOND < _LOOK
