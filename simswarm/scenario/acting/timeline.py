"""Fires a scenario's events: when their triggers say so, once each (or again and again).

    at, every ──> agenda ──due──> fire ──> perform the action
    when ──edge──> agenda           │
    after: ID <─────────────────────┘──> for ──> agenda ──due──> undo

The agenda is this timeline's own, so that what is due at one instant runs in file order, however
it got there. A plain state machine: whoever runs it wakes it at the times it asks for.

Invariants:
    I1. At one instant events run in file order; an event's undoing before its next firing.
    I2. A `when` fires once, on the edge from false to true: true at the start is no edge.
    I3. `after` follows the first firing of its event.

Not here: what actions do (`perform.py`), the clock (`stage.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Protocol

from simswarm.base.entropy import Entropy
from simswarm.base.time import Instant
from simswarm.scenario.acting.draws import simulated
from simswarm.scenario.grammar.durations import Distribution
from simswarm.scenario.model.event import Event
from simswarm.scenario.model.triggers import AfterFiring, At, Repeatedly, When
from simswarm.scenario.observed.marks import Marks
from simswarm.sim.distributions import Draws, sampler

UNDO, FIRE = 0, 1
NEVER_DUE = -1


class Performer(Protocol):
    """Who carries out actions."""

    def perform(self, number: int, event: Event) -> Any:
        """Carry out an event's action; the answer is handed to `undo`."""
        ...

    def undo(self, number: int, event: Event, done: Any) -> None:
        """Take back what `perform` did."""
        ...


class _Planned:
    """One event and how far it is."""

    __slots__ = ("done", "event", "fired", "holds", "number")

    def __init__(self, number: int, event: Event) -> None:
        self.number = number
        self.event = event
        self.fired = 0
        self.done: list[Any] = []
        self.holds = True
        """What a `when` condition was when last looked at."""


class Timeline:
    """All events of a run."""

    __slots__ = (
        "_agenda",
        "_by_trigger",
        "_entropy",
        "_last",
        "_marks",
        "_performer",
        "_plan",
        "_waiting",
    )

    def __init__(
        self, events: Sequence[Event], marks: Marks, performer: Performer, entropy: Entropy
    ) -> None:
        self._plan = [_Planned(number, event) for number, event in enumerate(events)]
        self._marks = marks
        self._performer = performer
        self._entropy = entropy
        self._agenda: list[tuple[Instant, int, int]] = []
        """(When, file order, undo before fire)."""
        self._by_trigger: dict[str, list[_Planned]] = {}
        self._waiting: list[_Planned] = []
        self._last: Instant = 0
        """When something was done last."""

    def begin(self, variables: Mapping[str, Any]) -> None:
        """The swarm is up: plan what has a time, look at the conditions for the first time."""
        for planned in self._plan:
            match planned.event.trigger:
                case At(at):
                    self._put(at, planned, FIRE)
                case Repeatedly(period, start, _, _):
                    self._put(start + self._draw(period, planned), planned, FIRE)
                case AfterFiring(id, _):
                    self._by_trigger.setdefault(id, []).append(planned)
                case When(condition):
                    planned.holds = condition.evaluate(variables)
                    self._waiting.append(planned)

    @property
    def is_conditional(self) -> bool:
        """Whether any condition is still waited for."""
        return bool(self._waiting)

    def look(self, variables: Mapping[str, Any], now: Instant) -> None:
        """Something changed: look at the conditions."""
        edges = []
        for planned in self._waiting:
            trigger = planned.event.trigger
            assert isinstance(trigger, When)
            held, planned.holds = planned.holds, trigger.condition.evaluate(variables)
            if planned.holds and not held:
                edges.append(planned)
        for planned in edges:
            self._waiting.remove(planned)
            self._put(now, planned, FIRE)

    @property
    def next_due(self) -> Instant | None:
        """When the next thing is due, if anything is."""
        return self._agenda[0][0] if self._agenda else None

    def run_due(self, now: Instant) -> None:
        """Do everything that is due by now."""
        while self._agenda and self._agenda[0][0] <= now:
            _, number, kind = heappop(self._agenda)
            planned = self._plan[number]
            if not _is_endless(planned.event):
                self._last = now
            if kind == FIRE:
                self._fire(planned, now)
            else:
                self._marks_undone(planned, now)
                self._performer.undo(number, planned.event, planned.done.pop(0))

    def horizon(self) -> Instant:
        """Until when the run must go on: the last thing that has a time, chains included.

        What repeats without end does not prolong a run, nor does what waits for a condition.
        """
        known = [self._known_end(planned, set()) for planned in self._plan]
        return max(self._last, *known, 0)

    def unfired(self) -> list[Event]:
        """Events that never fired, in file order."""
        return [planned.event for planned in self._plan if not planned.fired]

    def _fire(self, planned: _Planned, now: Instant) -> None:
        event = planned.event
        planned.fired += 1
        first = planned.fired == 1
        if event.id is not None:
            self._marks.fire(event.id, now)
        done = self._performer.perform(planned.number, event)
        if event.undo_after is not None:
            planned.done.append(done)
            self._put(now + event.undo_after, planned, UNDO)
        if isinstance(event.trigger, Repeatedly):
            self._repeat(planned, event.trigger, now)
        if first and event.id is not None:
            for follower in self._by_trigger.get(event.id, ()):
                trigger = follower.event.trigger
                assert isinstance(trigger, AfterFiring)
                self._put(now + trigger.delay, follower, FIRE)

    def _marks_undone(self, planned: _Planned, now: Instant) -> None:
        if planned.event.id is not None:
            self._marks.undo(planned.event.id, now)

    def _repeat(self, planned: _Planned, trigger: Repeatedly, now: Instant) -> None:
        if trigger.times is not None and planned.fired >= trigger.times:
            return
        at = now + max(1, self._draw(trigger.period, planned))
        if trigger.until is None or at <= trigger.until:
            self._put(at, planned, FIRE)

    def _put(self, at: Instant, planned: _Planned, kind: int) -> None:
        heappush(self._agenda, (at, planned.number, kind))

    def _draw(self, period: Distribution, planned: _Planned) -> int:
        stream = self._entropy.fork(f"{planned.number}/{planned.fired}")
        return Draws(stream).duration(sampler(simulated(period)))

    def _known_end(self, planned: _Planned, seen: set[int]) -> Instant:
        """The last moment this event is known to act at; -1 if that is not known."""
        if planned.number in seen:
            return NEVER_DUE
        undo = planned.event.undo_after or 0
        pending = [at for at, number, _ in self._agenda if number == planned.number]
        trigger = planned.event.trigger
        if isinstance(trigger, Repeatedly):
            if _is_endless(planned.event):
                return NEVER_DUE
            return max((at + undo for at in pending), default=NEVER_DUE)
        if planned.fired or pending:
            return max((at + (0 if planned.fired else undo) for at in pending), default=NEVER_DUE)
        if isinstance(trigger, AfterFiring):
            before = self._firing_time(trigger.id, seen | {planned.number})
            return NEVER_DUE if before < 0 else before + trigger.delay + undo
        return NEVER_DUE

    def _firing_time(self, id: str, seen: set[int]) -> Instant:
        """When the event of this id fires, if that is known; else -1."""
        if id in self._marks.fired:
            return self._marks.fired[id]
        for planned in self._plan:
            if planned.event.id != id or planned.number in seen:
                continue
            pending = [
                at for at, number, kind in self._agenda if (number, kind) == (planned.number, FIRE)
            ]
            if pending:
                return min(pending)
            trigger = planned.event.trigger
            if isinstance(trigger, AfterFiring):
                before = self._firing_time(trigger.id, seen | {planned.number})
                return NEVER_DUE if before < 0 else before + trigger.delay
        return NEVER_DUE


def _is_endless(event: Event) -> bool:
    """Whether an event repeats for ever."""
    match event.trigger:
        case Repeatedly(until=None, times=None):
            return True
    return False
