"""What an event does: one class for each action of the format.

Operator: Deploy Update Scale Rollback Remove Drain PauseNode Activate Label Promote Demote Join
Leave Docker. Processes: Crash Restart Pause Resume. Network: Partition LinkFault Heal.
Nodes: DiskFault ClockFault. Containers: ChangeImages ExitContainer. And Note.

Each may be written as one value where one says all (`crash: leader`), else as a mapping.
Targets are resolved when the event fires.

Not here: carrying them out (`scenario/run.py`), which of them can be run yet (`supported.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, RootModel, model_validator
from pydantic_core import CoreSchema

from simswarm.base.values import Value
from simswarm.scenario.compose.files import Resources, RestartPolicy, UpdateConfig
from simswarm.scenario.grammar.durations import SignedSpan, Span, Spread
from simswarm.scenario.grammar.forms import Frozen, JsonSchema, Many, Read, Short, describe, wrong
from simswarm.scenario.grammar.quantities import AnyText, Count, Drift, Flag, Integer, Share, Text
from simswarm.scenario.grammar.targets import All, Groups, Target, Targets
from simswarm.scenario.model.cluster import Link
from simswarm.scenario.model.images import ImageChange
from simswarm.scenario.model.stack import StackField

EVERYWHERE: tuple[Target, ...] = (All(),)


# ── operator ─────────────────────────────────────────────────────────────────────────────────


class Deploy(Frozen):
    """Create or update the services of a stack, as `docker stack deploy` does.

    With a name they are prefixed `NAME_`; without (`deploy: ./stack.yml`) they are not, as those
    of the scenario's own `stack`. `prune` removes services that the stack no longer has.
    """

    also = ({"type": "string"}, {"type": "object"})
    stack: StackField
    name: Text | None = None
    prune: Flag = False


class Update(Short):
    """Change a service, as `docker service update` does. What is not given stays as it is."""

    short: ClassVar[str] = "service"
    service: Text
    image: Text | None = None
    replicas: Count | None = None
    command: Many[AnyText] | None = None
    env: Mapping[str, AnyText] = Field(default_factory=dict)
    """Variables to set; others stay."""
    labels: Mapping[str, AnyText] = Field(default_factory=dict)
    """Service labels to set; others stay. They restart no task."""
    constraints: tuple[Text, ...] = ()
    """Placement constraints to add."""
    limits: Resources | None = None
    reservations: Resources | None = None
    update_config: UpdateConfig | None = None
    rollback_config: UpdateConfig | None = None
    restart_policy: RestartPolicy | None = None
    stop_grace_period: Span | None = None
    force: Flag = False
    """Replace all tasks even if nothing changed."""


class Scale(RootModel[Mapping[str, Count]]):
    """Change the number of replicas: `scale: {web: 12}`."""

    model_config = ConfigDict(frozen=True)

    @property
    def services(self) -> Mapping[str, int]:
        """Replicas by service, in the order of the file."""
        return self.root


class Rollback(Short):
    """Back to the previous spec of these services, as `docker service rollback` does."""

    short: ClassVar[str] = "service"
    service: Many[Text]


class Remove(Short):
    """Remove services, or nodes that have left. A bare name is a node's if there is such a node."""

    short: ClassVar[str] = "service"
    service: Many[Text] | None = None
    node: Targets | None = None
    force: Flag = False


class Drain(Short):
    """Set the availability of nodes to drain."""

    short: ClassVar[str] = "target"
    target: Targets


class PauseNode(Short):
    """Set the availability of nodes to pause: they keep their tasks and get no new ones."""

    short: ClassVar[str] = "target"
    target: Targets


class Activate(Short):
    """Set the availability of nodes to active."""

    short: ClassVar[str] = "target"
    target: Targets


class NodeLabels(Value, frozen=True):
    """Labels to set on and to remove from nodes."""

    target: tuple[Target, ...]
    add: tuple[tuple[str, str], ...]
    remove: tuple[str, ...]


class Label(Frozen):
    """Change node labels.

    `{target: w1, add: {disk: ssd}, remove: [old]}`, or `{w1: {disk: ssd, old: null}}`.
    """

    also = ({"type": "object", "maxProperties": 1, "additionalProperties": {"type": "object"}},)
    target: Targets
    add: Mapping[str, AnyText] = Field(default_factory=dict)
    remove: Many[Text] | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: object) -> object:
        if not isinstance(data, Mapping) or "target" in data:
            return data
        if len(data) != 1:
            hint = "one event for each, or label: {target: [w1, w2], add: {disk: ssd}}"
            raise wrong("E110", "label takes one target, or {NODE: {KEY: VALUE}}", hint)
        ((target, labels),) = data.items()
        if not isinstance(labels, Mapping):
            raise wrong("E103", f"expected labels, found {describe(labels)}", "such as {disk: ssd}")
        return {
            "target": target,
            "add": {key: value for key, value in labels.items() if value is not None},
            **_removals([key for key, value in labels.items() if value is None]),
        }


def _removals(keys: list[Any]) -> dict[str, Any]:
    return {"remove": keys} if keys else {}


class Promote(Short):
    """Make workers managers."""

    short: ClassVar[str] = "target"
    target: Targets


class Demote(Short):
    """Make managers workers."""

    short: ClassVar[str] = "target"
    target: Targets


class Join(Short):
    """A node joins the swarm; it keeps the name of one that left and was removed before."""

    short: ClassVar[str] = "node"
    node: Text
    role: Literal["worker", "manager"] = "worker"


class Leave(Short):
    """Nodes leave the swarm."""

    short: ClassVar[str] = "target"
    target: Targets


class Docker(Short):
    """A docker command line, on its own beside the timeline."""

    short: ClassVar[str] = "command"
    command: Text
    """Without the word `docker`; `--host NODE` names the node it goes to."""
    retry: Span | None = None
    """Repeat after so long until it succeeds."""


# ── processes ────────────────────────────────────────────────────────────────────────────────


class Crash(Short):
    """Nodes lose power, or their process dies, with all their containers."""

    short: ClassVar[str] = "target"
    target: Targets
    lose: Literal["nothing", "unsynced", "disk"] = "unsynced"
    """What the disk forgets: nothing, what was not yet durable, everything."""


class Restart(Short):
    """Boot nodes that are down from their disks; one that is up is left alone."""

    short: ClassVar[str] = "target"
    target: Targets


class Pause(Short):
    """Stop the clock of nodes' processes; what is sent to them waits."""

    short: ClassVar[str] = "target"
    target: Targets


class Resume(Short):
    """Let paused processes go on."""

    short: ClassVar[str] = "target"
    target: Targets


# ── network ──────────────────────────────────────────────────────────────────────────────────


class Partition(Short):
    """Cut the network into groups. One group is cut off from all other nodes; nodes in none of
    several groups form one more."""

    short: ClassVar[str] = "groups"
    groups: Groups


class LinkFault(Link):
    """Make links worse, both ways unless `oneway`."""

    source: Annotated[Targets, Field(alias="from")] = EVERYWHERE
    target: Annotated[Targets, Field(alias="to")] = EVERYWHERE
    oneway: Flag = False


class Heal(Short):
    """Undo network faults: all, those on nodes, a partition's, or those of an event."""

    short: ClassVar[str] = "target"
    also = ({"type": "array", "items": {"type": "array"}},)
    target: Targets | None = None
    groups: Groups | None = None
    event: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: object) -> object:
        if isinstance(data, Mapping | cls):
            return data
        is_groups = isinstance(data, list) and any(isinstance(item, list) for item in data)
        return {"groups" if is_groups else "target": data}


# ── disks, clocks, containers ────────────────────────────────────────────────────────────────


class DiskFault(Short):
    """Make disks slow, full, failing or wrong."""

    short: ClassVar[str] = "target"
    target: Targets
    slow: Spread | None = None
    """Added to every write."""
    full: Flag = False
    error: Share | None = None
    """Share of the writes that fail."""
    corrupt: Share | None = None
    """Share of the records that read back wrong."""


class ClockFault(Short):
    """Make clocks wrong from now on (`skew`, `drift`), or once (`jump`)."""

    short: ClassVar[str] = "target"
    target: Targets
    skew: SignedSpan | None = None
    drift: Drift | None = None
    jump: SignedSpan | None = None


class ChangeImages(RootModel[Mapping[str, ImageChange]]):
    """Change how images behave from now on: `image: {shop/web:2: {healthy: never}}`."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: object) -> object:
        if isinstance(data, Mapping) and isinstance(data.get("name"), str):
            return {data["name"]: {key: data[key] for key in data if key != "name"}}
        return data

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        whole = handler.resolve_ref_schema(handler(schema))
        flat = {"properties": {"name": {"type": "string"}}, "required": ["name"]}
        return {"anyOf": [whole, {"type": "object", **flat}]}

    @property
    def images(self) -> Mapping[str, ImageChange]:
        """What changes, by image."""
        return self.root


class Container(Value, frozen=True):
    """A container by its service and its slot, or, for a global service, its node."""

    service: str
    slot: int | None
    node: str | None


_CONTAINER = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)\.([A-Za-z0-9][A-Za-z0-9_-]*)")


def _container(value: object) -> Container:
    if isinstance(value, Container):
        return value
    found = _CONTAINER.fullmatch(str(getattr(value, "text", value)))
    if found is None:
        hint = "SERVICE.SLOT, such as web.3; SERVICE.NODE for a global service"
        raise wrong("E130", f"{describe(value)} names no container", hint)
    is_slot = found[2].isdecimal()
    return Container(
        found[1], int(found[2][:9]) if is_slot else None, None if is_slot else found[2]
    )


def _write_container(value: Container) -> str:
    return f"{value.service}.{value.slot if value.node is None else value.node}"


class ExitContainer(Short):
    """Make one container exit."""

    short: ClassVar[str] = "target"
    target: Annotated[
        Container,
        Read(_container, _write_container, {"type": "string", "examples": ["web.3"]}),
    ]
    exit: Annotated[Integer, Field(ge=0, le=255)] = 1
    """Its exit code."""


class Note(RootModel[Text]):
    """A remark in the story."""

    model_config = ConfigDict(frozen=True)

    @property
    def text(self) -> str:
        """The remark."""
        return self.root


Action: TypeAlias = (
    Deploy
    | Update
    | Scale
    | Rollback
    | Remove
    | Drain
    | PauseNode
    | Activate
    | Label
    | Promote
    | Demote
    | Join
    | Leave
    | Docker
    | Crash
    | Restart
    | Pause
    | Resume
    | Partition
    | LinkFault
    | Heal
    | DiskFault
    | ClockFault
    | ChangeImages
    | ExitContainer
    | Note
)
UNDOABLE = (
    Drain,
    PauseNode,
    Crash,
    Pause,
    Partition,
    LinkFault,
    DiskFault,
    ClockFault,
    ChangeImages,
)
"""Actions that `for` undoes: by activating, restarting, resuming, healing, going back."""
