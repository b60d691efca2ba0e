"""When an event fires: at a time, after another event, periodically, or when a condition holds."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from simswarm.base.time import Duration
from simswarm.base.values import Value
from simswarm.scenario.grammar.cel import Condition
from simswarm.scenario.grammar.durations import Distribution, Span, Spread
from simswarm.scenario.grammar.forms import Short
from simswarm.scenario.grammar.quantities import Positive


class Every(Short):
    """Again and again. The first time is one period after `start`."""

    short: ClassVar[str] = "period"
    period: Spread
    start: Span = 0
    until: Span | None = None
    times: Positive | None = None


class At(Value, frozen=True):
    """So long after the swarm is up."""

    at: Duration


class AfterFiring(Value, frozen=True):
    """So long after the event of this id has fired (`nemesis`: after its window)."""

    id: str
    delay: Duration


class Repeatedly(Value, frozen=True):
    """Again and again; see `Every`."""

    period: Distribution
    start: Duration
    until: Duration | None
    times: int | None


class When(Value, frozen=True):
    """Once, when the condition turns from false to true."""

    condition: Condition


Trigger: TypeAlias = At | AfterFiring | Repeatedly | When
