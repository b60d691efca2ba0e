"""What can be looked up, and by which index: a closed set of questions.

Source: swarmkit manager/state/store/by.go and the index tables of tasks.go, services.go, nodes.go.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from simswarm.base.values import Value
from simswarm.model.objects import Cluster, Node, Service, StoredObject, Task
from simswarm.model.taskstate import TaskState


class All(Value, frozen=True):
    """Every object of the kind."""


class ByName(Value, frozen=True):
    """Services by name, nodes by host name; compared lower-cased."""

    name: str


class BySpecName(Value, frozen=True):
    """Nodes by the name in their spec: the one they were admitted under."""

    name: str


class ByService(Value, frozen=True):
    """Tasks of a service."""

    service_id: str


class ByNode(Value, frozen=True):
    """Tasks on a node."""

    node_id: str


class BySlot(Value, frozen=True):
    """Tasks in one slot of a service."""

    service_id: str
    slot: int


class ByState(Value, frozen=True):
    """Tasks with this observed state."""

    state: TaskState


class ByDesiredState(Value, frozen=True):
    """Tasks with this desired state."""

    state: TaskState


Selector = All | ByName | BySpecName | ByService | ByNode | BySlot | ByState | ByDesiredState
ALL = All()

IndexValue = Hashable

INDEXES: dict[type[StoredObject], tuple[str, ...]] = {
    Task: ("service", "node", "slot", "state", "desired"),
    Node: ("name", "spec name"),
    Service: ("name",),
    Cluster: ("name",),
}
"""The indexes of each kind; `index_values` gives their values in this order."""


_PLACES: Mapping[type, Callable[[Any], tuple[str, IndexValue]]] = {
    ByName: lambda by: ("name", by.name.lower()),
    BySpecName: lambda by: ("spec name", by.name),
    ByService: lambda by: ("service", by.service_id),
    ByNode: lambda by: ("node", by.node_id),
    BySlot: lambda by: ("slot", (by.service_id, by.slot)),
    ByState: lambda by: ("state", int(by.state)),
    ByDesiredState: lambda by: ("desired", int(by.state)),
}
"""A table, because this is asked for every question to the store."""


def index_of(selector: Selector) -> tuple[str, IndexValue] | None:
    """The index and the value in it that answer a selector; None for `All`."""
    place = _PLACES.get(type(selector))
    return None if place is None else place(selector)


def index_values(item: StoredObject) -> tuple[IndexValue, ...]:
    """Under which value an object stands in each index of its kind.

    States stand as plain numbers, so that nobody needs the members to ask.
    """
    # not `isinstance`: for a class of msgspec's a miss costs ten times a hit
    if type(item) is Task:
        service_id = item.service_id
        return (
            service_id,
            item.node_id,
            (service_id, item.slot),
            int(item.status.state),
            int(item.desired_state),
        )
    if type(item) is Service or type(item) is Cluster:
        return (item.spec.name.lower(),)
    if type(item) is Node:
        return item.name.lower(), item.spec.name
    raise AssertionError(f"unknown kind of object: {type(item).__name__}")


def is_found_by(item: StoredObject, selector: Selector) -> bool:
    """Whether a selector names this object."""
    wanted = index_of(selector)
    if wanted is None:
        return True
    index, value = wanted
    names = INDEXES[type(item)]
    return index in names and index_values(item)[names.index(index)] == value
