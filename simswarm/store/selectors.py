"""What can be looked up, and by which index: a closed set of questions.

Source: swarmkit manager/state/store/by.go and the index tables of tasks.go, services.go, nodes.go.
"""

from __future__ import annotations

from collections.abc import Hashable

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


def index_of(selector: Selector) -> tuple[str, IndexValue] | None:
    """The index and the value in it that answer a selector; None for `All`."""
    match selector:
        case ByName(name):
            return "name", name.lower()
        case BySpecName(name):
            return "spec name", name
        case ByService(service_id):
            return "service", service_id
        case ByNode(node_id):
            return "node", node_id
        case BySlot(service_id, slot):
            return "slot", (service_id, slot)
        case ByState(state):
            return "state", int(state)
        case ByDesiredState(state):
            return "desired", int(state)
        case _:
            return None


def index_values(item: StoredObject) -> tuple[IndexValue, ...]:
    """Under which value an object stands in each index of its kind.

    States stand as plain numbers: an `IntEnum` hashes by its name, in Python code.
    """
    if isinstance(item, Task):
        service_id = item.service_id
        return (
            service_id,
            item.node_id,
            (service_id, item.slot),
            int(item.status.state),
            int(item.desired_state),
        )
    if isinstance(item, Node):
        return item.name.lower(), item.spec.name
    if isinstance(item, Service | Cluster):
        return (item.spec.name.lower(),)
    raise AssertionError(f"unknown kind of object: {type(item).__name__}")


def is_found_by(item: StoredObject, selector: Selector) -> bool:
    """Whether a selector names this object."""
    wanted = index_of(selector)
    if wanted is None:
        return True
    index, value = wanted
    names = INDEXES[type(item)]
    return index in names and index_values(item)[names.index(index)] == value
