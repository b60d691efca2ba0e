"""An event: one trigger, one action, perhaps an id and a time after which it is undone.

In the file trigger and action are keys of the event; `Event.trigger` and `Event.action` give the
one that is there as a member of a closed union.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from simswarm.scenario.grammar.cel import ConditionField
from simswarm.scenario.grammar.durations import Span
from simswarm.scenario.grammar.forms import Frozen, JsonSchema, wrong
from simswarm.scenario.grammar.moments import After, EventId
from simswarm.scenario.model import actions
from simswarm.scenario.model.origin import NOWHERE, Origin
from simswarm.scenario.model.triggers import AfterFiring, At, Every, Repeatedly, Trigger, When

TRIGGERS = ("at", "after", "every", "when")
ACTIONS = (
    *("deploy", "update", "scale", "rollback", "remove", "drain", "pause_node", "activate"),
    *("label", "promote", "demote", "join", "leave", "docker"),
    *("crash", "restart", "pause", "resume", "partition", "link", "heal", "disk", "clock"),
    *("image", "container", "note"),
)


def _shape(schema: JsonSchema) -> None:
    """Tell editors that there is one trigger and one action."""
    schema["allOf"] = [
        {"oneOf": [{"required": [key]} for key in keys]} for keys in (TRIGGERS, ACTIONS)
    ]


class Event(Frozen):
    """Something that happens in a run."""

    model_config = ConfigDict(json_schema_extra=_shape)

    id: EventId | None = None
    """Names the event: in `after`, `during`, `heal`, in marks and grid paths."""
    at: Span | None = None
    """Fires so long after the swarm is up."""
    after: After | None = None
    """Fires after another event: `ID [+ DURATION]`."""
    every: Every | None = None
    """Fires again and again."""
    when: ConditionField | None = None
    """Fires once, when the condition turns from false to true."""
    undo_after: Annotated[Span | None, Field(alias="for")] = None
    """What it did is undone so long after it fired."""

    deploy: actions.Deploy | None = None
    update: actions.Update | None = None
    scale: actions.Scale | None = None
    rollback: actions.Rollback | None = None
    remove: actions.Remove | None = None
    drain: actions.Drain | None = None
    pause_node: actions.PauseNode | None = None
    activate: actions.Activate | None = None
    label: actions.Label | None = None
    promote: actions.Promote | None = None
    demote: actions.Demote | None = None
    join: actions.Join | None = None
    leave: actions.Leave | None = None
    docker: actions.Docker | None = None
    crash: actions.Crash | None = None
    restart: actions.Restart | None = None
    pause: actions.Pause | None = None
    resume: actions.Resume | None = None
    partition: actions.Partition | None = None
    link: actions.LinkFault | None = None
    heal: actions.Heal | None = None
    disk: actions.DiskFault | None = None
    clock: actions.ClockFault | None = None
    image: actions.ChangeImages | None = None
    container: actions.ExitContainer | None = None
    note: actions.Note | None = None

    _origin: Origin = PrivateAttr(default=NOWHERE)

    @model_validator(mode="before")
    @classmethod
    def _one_of_each(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        for keys, thing in ((TRIGGERS, "trigger"), (ACTIONS, "action")):
            found = [key for key in data if key in keys]
            if len(found) > 1:
                listed = " and ".join(found)
                hint = "make them two events"
                raise wrong("E110", f"one {thing} per event, found {listed}: {hint}")
            if not found:
                raise wrong("E110", f"an event needs one {thing}", f"one of: {', '.join(keys)}")
            if data[found[0]] is None:
                raise wrong("E103", f"'{found[0]}' has no value", key=found[0])
        return data

    @model_validator(mode="after")
    def _can_be_undone(self) -> Event:
        if self.undo_after is not None and not isinstance(self.action, actions.UNDOABLE):
            hint = "for undoes faults, drain, pause_node and image"
            raise wrong("E124", f"'{self.verb}' can't be undone after a time", hint, key="for")
        return self

    @property
    def trigger(self) -> Trigger:
        """When it fires."""
        if self.at is not None:
            return At(self.at)
        if self.after is not None:
            return AfterFiring(self.after.id, self.after.delay)
        if self.every is not None:
            every = self.every
            return Repeatedly(every.period, every.start, every.until, every.times)
        assert self.when is not None, "an event has a trigger"
        return When(self.when)

    @property
    def verb(self) -> str:
        """The key of its action."""
        return next(key for key in ACTIONS if getattr(self, key) is not None)

    @property
    def action(self) -> actions.Action:
        """What it does."""
        action: actions.Action = getattr(self, self.verb)
        return action

    @property
    def line(self) -> int:
        """The line of the file it begins at; 0 if it comes from none."""
        return self._origin.line
