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

IndexKey = tuple[str, Hashable]


def index_key(selector: Selector) -> IndexKey | None:
    """The index entry that answers a selector; None for `All`."""
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


def index_keys(item: StoredObject) -> tuple[IndexKey, ...]:
    """All index entries under which an object is found."""
    if isinstance(item, Task):
        return (
            ("service", item.service_id),
            ("node", item.node_id),
            ("slot", (item.service_id, item.slot)),
            ("state", int(item.status.state)),
            ("desired", int(item.desired_state)),
        )
    if isinstance(item, Node):
        return (("name", item.name.lower()), ("spec name", item.spec.name))
    if isinstance(item, Service | Cluster):
        return (("name", item.spec.name.lower()),)
    raise AssertionError(f"unknown kind of object: {type(item).__name__}")
