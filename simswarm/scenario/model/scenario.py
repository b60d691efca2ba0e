"""A whole scenario: what is in the file, with every default filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr

from simswarm.model.specs import ServiceSpec
from simswarm.scenario.grammar.durations import Span
from simswarm.scenario.grammar.durations import Spread as SpreadOfTime
from simswarm.scenario.grammar.forms import Frozen, Many, Read, describe, wrong
from simswarm.scenario.grammar.quantities import AnyText, Flag, Integer, RateField, Text
from simswarm.scenario.grammar.ranges import Seeds, SeedsField, TimeRangeField
from simswarm.scenario.model.cluster import Cluster
from simswarm.scenario.model.event import Event
from simswarm.scenario.model.expect import Expectation
from simswarm.scenario.model.images import ImageBehaviour
from simswarm.scenario.model.origin import NOWHERE, Origin
from simswarm.scenario.model.stack import StacksField

Fault = Literal["crash", "pause", "partition", "link", "disk", "clock"]


def _name(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", value):
        return value
    hint = "letters, digits, dots, - and _; it becomes part of file names"
    raise wrong("E110", f"{describe(value)} can't be the name of a scenario", hint)


Name = Annotated[str, Read(_name, None, {"type": "string", "pattern": "^[A-Za-z0-9]"})]
"""A name that can be part of a file's name."""


class Traffic(Frozen):
    """Requests that a client makes of a service."""

    to: Text
    """A service, or `labels.KEY==VALUE`: those with that service label."""
    rate: RateField
    via: Literal["ingress", "vip", "dnsrr"] = "ingress"


class Nemesis(Frozen):
    """Random faults in a window, drawn from the seed."""

    between: TimeRangeField
    every: SpreadOfTime
    pick: Many[Fault] = ("crash", "pause", "partition", "link")
    undo_after: Annotated[SpreadOfTime, Field(alias="for")]
    keep_quorum: Flag = True
    """Leave a majority of the managers up and connected."""


class Sweep(Frozen):
    """Many runs: seeds times every combination of the grid."""

    seeds: SeedsField = Seeds(((1, 100),))
    grid: Mapping[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Values by path (`cluster.managers`, `events.ID.link.loss`)."""
    measure: Many[Text] = ("converged",)
    """Kinds or names of expectations, or `leader_changes` and other metrics."""


class Live(Frozen):
    """What a live run needs besides."""

    model_config = ConfigDict(extra="ignore")

    images: Mapping[str, AnyText] = Field(default_factory=dict)
    """The real image to use for an image of the stack."""


class Scenario(Frozen):
    """One file: a swarm, what happens to it, and what is expected."""

    simswarm: Literal[1]
    """Version of the format."""
    name: Name
    title: AnyText = ""
    seed: Annotated[Integer, Field(ge=0)] = 1
    until: Span | None = None
    """The end of the run; default: the last event and window, then converged or 60 s more."""
    stack: StacksField = ()
    """What is deployed at 0, without a prefix."""
    cluster: Cluster = Cluster()
    images: Mapping[str, ImageBehaviour] = Field(default_factory=dict)
    traffic: tuple[Traffic, ...] = ()
    events: tuple[Event, ...] = ()
    nemesis: Nemesis | None = None
    expect: tuple[Expectation, ...] = ()
    sweep: Sweep | None = None
    x_trace: Annotated[Literal["normal", "full"], Field(alias="x-trace")] = "normal"
    x_live: Annotated[Live, Field(alias="x-live")] = Live()

    _origin: Origin = PrivateAttr(default=NOWHERE)

    @property
    def services(self) -> tuple[ServiceSpec, ...]:
        """The services that are deployed at 0, in the order of the file."""
        return tuple(service for stack in self.stack for service in stack.services)

    @property
    def file(self) -> str:
        """The path it was read from, empty if from none."""
        return self._origin.file

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of a result must know: parts of the file without effect."""
        return self._origin.warnings

    def event(self, id: str) -> Event | None:
        """The event of this id."""
        return next((event for event in self.events if event.id == id), None)

    def image(self, name: str) -> ImageBehaviour:
        """How containers of an image behave from the start of the run."""
        return self.images.get(name, ImageBehaviour())
