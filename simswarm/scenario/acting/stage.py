"""A world with a scenario played on it: who is told what, and when whom to ask again.

    World ─steps, records─> Monitor (invariants)          timeline ──> Actions ──> World
        └─changes, records─> Scene ──mark──> settle ──> conditions, judges
                                                └──> next wake: an event due, a judge's wish

Whatever changes the scene marks it; once per instant everything that depends on it is asked, after
all that was due at that instant already. Nothing is polled.

Invariants:
    I1. Watching changes nothing: only the timeline's actions and clients' calls touch the world.
    I2. Judges and conditions see the scene between steps, never within one.

Not here: how long the run goes on (`run.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simswarm.base.effects import Effect, Input
from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import SECOND, Duration, Instant
from simswarm.base.trace import TraceRecord
from simswarm.check.invariant import Invariant, Violation
from simswarm.check.monitor import Monitor
from simswarm.scenario.acting.client import Clients
from simswarm.scenario.acting.perform import Actions
from simswarm.scenario.acting.timeline import Timeline
from simswarm.scenario.expect.build import build_judges
from simswarm.scenario.expect.converged import StableSpan
from simswarm.scenario.expect.judge import Judgement
from simswarm.scenario.expect.referee import Referee
from simswarm.scenario.model import Scenario
from simswarm.scenario.observed.resolve import Resolver
from simswarm.scenario.observed.scene import Scene
from simswarm.scenario.observed.snapshot import snapshot
from simswarm.sim.driver import Host
from simswarm.sim.world import World
from simswarm.store import Change

CONDITION_PERIOD: Duration = SECOND
"""How often a condition that names `time` is looked at although nothing changed."""


class SimulatedSurroundings:
    """What scenes ask a simulated world for."""

    __slots__ = ("_members", "_monitor", "_world")

    def __init__(self, world: World, members: tuple[str, ...], monitor: Monitor) -> None:
        self._world = world
        self._members = members
        self._monitor = monitor

    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes, managers first."""
        return tuple(self._world.hosts)

    def members(self) -> tuple[str, ...]:
        """Names of all managers."""
        return self._members

    def can_talk(self, a: str, b: str) -> bool:
        """Whether messages get through both ways."""
        return not self._world.is_cut(a, b) and not self._world.is_cut(b, a)

    def committed_lost(self) -> int:
        """Committed entries that were lost."""
        return self._monitor.committed_lost


class Stage:
    """Observes one world and plays one scenario on it."""

    __slots__ = (
        "_marked",
        "_origin",
        "_uses_time",
        "_wake",
        "_world",
        "actions",
        "calm",
        "clients",
        "monitor",
        "referee",
        "scene",
        "timeline",
    )

    def __init__(self, world: World, scenario: Scenario, seed: int) -> None:
        """Attach to a world that has not booted yet."""
        self._world = world
        self._origin: Instant | None = None
        self._marked = False
        self._uses_time = uses_time(scenario)
        self._wake: Instant | None = None
        self.monitor = Monitor(self._clock, self._on_violation)
        around = SimulatedSurroundings(world, scenario.cluster.manager_names, self.monitor)
        scene = self.scene = Scene(around)
        self.monitor.stream.on_first(self)
        entropy = SeededEntropy(seed).fork("scenario")
        self.clients = Clients(world, world.env, scene)
        self.actions = Actions(world, scene, self.clients, scenario, entropy)
        self.timeline = Timeline(
            scenario.events, scene.marks, self.actions, entropy.fork("timeline")
        )
        resolver = Resolver(scene, entropy.fork("expect"))
        judges = build_judges(scenario.expect, scene, snapshot(scene), resolver)
        self.referee = Referee(scene, judges, self._on_verdict)
        self.calm = StableSpan(scene, None)
        world.observers.append(self.monitor)
        world.observers.append(self)

    def begin(self) -> None:
        """The swarm is up and t = 0 has been marked: start the timeline."""
        self._origin = self._world.origin
        leader = self.scene.truth.leader
        self._world.observe("", "swarm.up", leader=leader, term=self.scene.truth.term)
        self.timeline.begin(snapshot(self.scene))
        self._mark()
        self._plan()

    def _clock(self) -> Instant:
        """Nanoseconds since the swarm was up; 0 before."""
        return 0 if self._origin is None else self._world.now - self._origin

    # ── what the world tells ─────────────────────────────────────────────────────────────────

    def on_committed(self, changes: Sequence[Change], index: int) -> None:
        """An entry is committed."""
        self.scene.facts.commit(changes, index, self._clock())
        self._mark()

    def on_record(self, record: TraceRecord) -> None:
        """A record was added to the trace."""
        truth = self.scene.truth
        before = truth.revision
        truth.on_record(record)
        if truth.revision != before or record.kind.startswith("network."):
            self._mark()

    def on_boot(self, host: Host, image: Mapping[str, bytes], effects: list[Effect]) -> None:
        """The monitor attaches to what booted."""

    def on_step(self, host: Host, given: Input, effects: list[Effect]) -> None:
        """Changes and records tell what steps did."""

    def on_crash(self, host: Host) -> None:
        """There is a record of it."""

    def _on_violation(self, invariant: Invariant, violation: Violation) -> None:
        self._world.observe(
            "", "invariant", name=invariant.name, verdict="fail", message=violation.message
        )

    def _on_verdict(self, judgement: Judgement) -> None:
        self._world.observe(
            "",
            "expect",
            name=judgement.name,
            verdict=judgement.verdict,
            message=judgement.message,
        )

    # ── asking again ─────────────────────────────────────────────────────────────────────────

    def _mark(self) -> None:
        """Something changed: settle at this instant, after what is due at it already."""
        if not self._marked and self._origin is not None:
            self._marked = True
            self._world.env.call_in(0, self._settle, None)

    def _settle(self, _: None) -> None:
        self._marked = False
        self._look()

    def _look(self) -> None:
        now = self.scene.now = self._clock()
        if self.timeline.is_conditional:
            self.timeline.look(snapshot(self.scene), now)
        self.calm.observe(now)
        self.referee.observe(now)
        self._plan()

    def _plan(self) -> None:
        """See to it that the next thing due, or wished for, is not missed."""
        now = self._clock()
        due, wish = self.timeline.next_due, self.referee.next_wish(now)
        if self._uses_time:
            beat = (now // CONDITION_PERIOD + 1) * CONDITION_PERIOD
            wish = beat if wish is None else min(wish, beat)
        known = [instant for instant in (due, wish) if instant is not None]
        if not known:
            return
        at = max(now, min(known))
        if self._wake is None or at < self._wake:
            self._wake = at
            assert self._origin is not None
            self._world.env.call_at(self._origin + at, self._on_wake, at)

    def _on_wake(self, at: Instant) -> None:
        if at != self._wake:
            return  # an earlier wake has been planned since
        self._wake = None
        self.scene.now = self._clock()
        self.timeline.run_due(self.scene.now)
        self._look()


def uses_time(scenario: Scenario) -> bool:
    """Whether any condition of a scenario depends on the time itself."""
    conditions = [event.when for event in scenario.events if event.when is not None]
    for expectation in scenario.expect:
        free = (
            expectation.always,
            expectation.never,
            expectation.eventually,
            expectation.at_end,
        )
        conditions += [condition for condition in free if condition is not None]
    return any(path.parts[0] == "time" for one in conditions for path in one.paths)
