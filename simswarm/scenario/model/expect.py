"""What a scenario expects: one class for each kind.

Typed kinds hold their window inside (`converged: {after: crash, within: 60s}`); the four free
forms are conditions with `after`, `within` and `during` beside them. `Expectation.check` gives
the one that is there as a member of a closed union.

    at a moment, to be reached:  after M, within D   (default: from 0, to the end)
    over a window, to hold:      during W            (default: the whole run)

Not here: judging them (`scenario/expect.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, PrivateAttr, model_validator

from simswarm.base.time import Duration
from simswarm.base.values import Value
from simswarm.scenario.grammar.cel import Condition, ConditionField
from simswarm.scenario.grammar.durations import Span
from simswarm.scenario.grammar.forms import Frozen, JsonSchema, Many, Short, wrong
from simswarm.scenario.grammar.moments import Moment, MomentField, Window, WindowField
from simswarm.scenario.grammar.quantities import Count, Share, Text
from simswarm.scenario.grammar.targets import Targets
from simswarm.scenario.model.origin import NOWHERE, Origin

UpdateStateName: TypeAlias = Literal[
    "updating",
    "paused",
    "completed",
    "rollback_started",
    "rollback_paused",
    "rollback_completed",
]


class Reached(Frozen):
    """Base: to be reached within a time after a moment."""

    after: MomentField | None = None
    """Default: the moment the swarm is up."""
    within: Span | None = None
    """Default: until the end of the run."""


class Converged(Short, Reached):
    """The services (default: all) have what they should have, and stay so."""

    short: ClassVar[str] = "service"
    service: Many[Text] | None = None
    stable: Span | None = None
    """How long it must stay so; default: the longest `monitor` of the services."""


class LeaderElected(Short, Reached):
    """There is a leader again."""

    short: ClassVar[str] = "within"


class Availability(Short):
    """Enough tasks of a service run and are healthy, by what the engines know."""

    short: ClassVar[str] = "service"
    service: Text
    min: Share | None = None
    """Least share of the desired tasks that run."""
    max_downtime: Span | None = None
    """Longest time without any running task."""
    failed_requests: Count | None = None
    """Most requests of `traffic` that may fail."""
    during: WindowField | None = None


class Running(Reached):
    """A number of running tasks of a service: reached (`after`, `within`) or held (`during`)."""

    service: Text
    at_least: Count | None = None
    at_most: Count | None = None
    exactly: Count | None = None
    image: Text | None = None
    """Count only tasks of this image."""
    during: WindowField | None = None

    @model_validator(mode="after")
    def _has_a_number(self) -> Running:
        if self.at_least is None and self.at_most is None and self.exactly is None:
            raise wrong("E102", "running needs at_least, at_most or exactly")
        return self


class Spread(Reached):
    """Running tasks are spread evenly."""

    service: Text
    by: Text = "zone"
    """`zone`, `node`, or `labels.KEY`."""
    max_difference: Count = 1
    """Most running tasks that one value may have more than another."""
    during: WindowField | None = None


class UpdateReaches(Reached):
    """The update of a service comes to a state."""

    service: Text
    state: UpdateStateName


class Raft(Frozen):
    """Maxima of what may go wrong in Raft."""

    leader_changes: Count | None = None
    committed_lost: Count | None = None
    during: WindowField | None = None

    @model_validator(mode="after")
    def _has_a_number(self) -> Raft:
        if self.leader_changes is None and self.committed_lost is None:
            raise wrong("E102", "raft needs leader_changes or committed_lost")
        return self


class Placement(Reached):
    """Where the running tasks of a service are: only on some nodes, or on none of them."""

    service: Text
    only: Targets | None = None
    never: Targets | None = None
    during: WindowField | None = None

    @model_validator(mode="after")
    def _has_a_place(self) -> Placement:
        if self.only is None and self.never is None:
            raise wrong("E102", "placement needs only or never")
        return self


class Exposure(Frozen):
    """On which nodes a secret or config is known."""

    secret: Text | None = None
    config: Text | None = None
    only: Targets
    during: WindowField | None = None


class Always(Value, frozen=True):
    """The condition holds at every step of the window."""

    condition: Condition
    during: Window | None


class Never(Value, frozen=True):
    """The condition holds at no step of the window."""

    condition: Condition
    during: Window | None


class Eventually(Value, frozen=True):
    """The condition holds at some step in time."""

    condition: Condition
    after: Moment | None
    within: Duration | None


class AtEndOfRun(Value, frozen=True):
    """The condition holds at the last instant."""

    condition: Condition


Check: TypeAlias = (
    Converged
    | LeaderElected
    | Availability
    | Running
    | Spread
    | UpdateReaches
    | Raft
    | Placement
    | Exposure
    | Always
    | Never
    | Eventually
    | AtEndOfRun
)
TYPED = (
    *("converged", "leader_elected", "availability", "running", "spread", "update", "raft"),
    *("placement", "exposure"),
)
FREE = ("always", "never", "eventually", "at_end")
KINDS = (*TYPED, *FREE)
_BESIDE = {
    "always": ("during",),
    "never": ("during",),
    "eventually": ("after", "within"),
    "at_end": (),
}


def _shape(schema: JsonSchema) -> None:
    """Tell editors that there is one kind."""
    schema["oneOf"] = [{"required": [key]} for key in KINDS]


class Expectation(Frozen):
    """One thing that is expected of the run."""

    model_config = ConfigDict(json_schema_extra=_shape)

    name: Text | None = None
    converged: Converged | None = None
    leader_elected: LeaderElected | None = None
    availability: Availability | None = None
    running: Running | None = None
    spread: Spread | None = None
    update: UpdateReaches | None = None
    raft: Raft | None = None
    placement: Placement | None = None
    exposure: Exposure | None = None
    always: ConditionField | None = None
    never: ConditionField | None = None
    eventually: ConditionField | None = None
    at_end: ConditionField | None = None
    after: MomentField | None = None
    within: Span | None = None
    during: WindowField | None = None

    _origin: Origin = PrivateAttr(default=NOWHERE)

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        found = [key for key in data if key in KINDS]
        if len(found) > 1:
            listed = " and ".join(found)
            raise wrong("E110", f"one kind per expectation, found {listed}: make them two")
        if not found:
            raise wrong("E110", "an expectation needs one kind", f"one of: {', '.join(KINDS)}")
        kind = found[0]
        if data[kind] is None:
            raise wrong("E103", f"'{kind}' has no value", key=kind)
        for key in ("after", "within", "during"):
            if key in data and key not in _BESIDE.get(kind, ()):
                raise wrong("E125", f"'{key}' has no meaning here", _belongs(kind, key), key=key)
        return data

    @property
    def kind(self) -> str:
        """The key of what is expected."""
        return next(key for key in KINDS if getattr(self, key) is not None)

    @property
    def check(self) -> Check:
        """What is expected."""
        if self.always is not None:
            return Always(self.always, self.during)
        if self.never is not None:
            return Never(self.never, self.during)
        if self.eventually is not None:
            return Eventually(self.eventually, self.after, self.within)
        if self.at_end is not None:
            return AtEndOfRun(self.at_end)
        typed: Check = getattr(self, self.kind)
        return typed

    @property
    def line(self) -> int:
        """The line of the file it begins at; 0 if it comes from none."""
        return self._origin.line


def _belongs(kind: str, key: str) -> str:
    if kind in TYPED:
        return f"write it inside: {kind}: {{{key}: …}}"
    return f"{kind} takes {', '.join(_BESIDE[kind]) or 'nothing beside it'}"
