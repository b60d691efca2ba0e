"""What the store holds: objects = spec + status + meta.

Objects are frozen; an update stores a new version. `Meta.version` is the commit index at which
the writing transaction began (swarmkit store/memory.go:touchMeta). Timestamps are wall-clock
nanoseconds of the manager or node that set them.

Source: swarmkit api/objects.proto. Not here: networks, secrets, configs (later layers).
"""

from __future__ import annotations

from enum import IntEnum

from simswarm.base.time import Instant
from simswarm.base.values import Labels, Value
from simswarm.model.specs import (
    ClusterSpec,
    EndpointSpec,
    GenericResource,
    NodeRole,
    NodeSpec,
    Resources,
    ServiceSpec,
    TaskSpec,
)
from simswarm.model.taskstate import TaskState


class NodeState(IntEnum):
    """How a node looks to the dispatcher."""

    UNKNOWN = 0
    DOWN = 1
    READY = 2
    DISCONNECTED = 3


class UpdateState(IntEnum):
    """How far an update has come."""

    UNKNOWN = 0
    UPDATING = 1
    PAUSED = 2
    COMPLETED = 3
    ROLLBACK_STARTED = 4
    ROLLBACK_PAUSED = 5
    ROLLBACK_COMPLETED = 6


class Meta(Value, frozen=True):
    """Bookkeeping of the store."""

    version: int = 0
    created_at: Instant = 0
    updated_at: Instant = 0


class NodeDescription(Value, frozen=True):
    """What a node says of itself at registration."""

    hostname: str = ""
    os: str = "linux"
    architecture: str = "x86_64"
    resources: Resources = Resources()
    engine_version: str = ""
    engine_labels: Labels = ()
    plugins: tuple[tuple[str, str], ...] = ()
    """(type, name) pairs, such as ("Network", "overlay")."""


class NodeStatus(Value, frozen=True):
    """What the dispatcher thinks of a node."""

    state: NodeState = NodeState.UNKNOWN
    message: str = ""
    address: str = ""


class Node(Value, frozen=True, tag=1):
    """A machine of the swarm. `role` is the observed one, `spec.role` the desired one."""

    id: str
    spec: NodeSpec
    meta: Meta = Meta()
    description: NodeDescription | None = None
    status: NodeStatus = NodeStatus()
    role: NodeRole = NodeRole.WORKER

    @property
    def name(self) -> str:
        """The host name, else the spec's name, else the id."""
        if self.description is not None and self.description.hostname:
            return self.description.hostname
        return self.spec.name or self.id


class UpdateStatus(Value, frozen=True):
    """The update of a service: its state and the text Swarm shows."""

    state: UpdateState
    message: str = ""
    started_at: Instant | None = None
    completed_at: Instant | None = None


class Service(Value, frozen=True, tag=2):
    """A service. `spec_version` counts store versions of the spec, for rollback and restarts."""

    id: str
    spec: ServiceSpec
    meta: Meta = Meta()
    spec_version: int | None = None
    previous_spec: ServiceSpec | None = None
    previous_spec_version: int | None = None
    update_status: UpdateStatus | None = None


class ContainerStatus(Value, frozen=True):
    """What the engine said of a task's container."""

    id: str = ""
    pid: int = 0
    exit_code: int | None = None


class TaskStatus(Value, frozen=True):
    """What its owner last observed of a task."""

    state: TaskState
    timestamp: Instant = 0
    message: str = ""
    error: str = ""
    container: ContainerStatus | None = None
    applied_by: str = ""
    applied_at: Instant | None = None


class Task(Value, frozen=True, tag=3):
    """One unit of scheduling. `slot` 0: a task of a global service."""

    id: str
    spec: TaskSpec
    service_id: str
    service_name: str
    status: TaskStatus
    desired_state: TaskState
    slot: int = 0
    node_id: str = ""
    meta: Meta = Meta()
    spec_version: int | None = None
    endpoint: EndpointSpec | None = None
    generic: tuple[GenericResource, ...] = ()
    service_labels: Labels = ()


class Cluster(Value, frozen=True, tag=4):
    """The swarm itself; there is one."""

    id: str
    spec: ClusterSpec
    meta: Meta = Meta()


StoredObject = Node | Service | Task | Cluster
