"""What users ask for: the specs of services, tasks, nodes and the cluster.

A spec is never changed in place: an update stores a whole new one. `None` means "not given", so
that a default can be told from a value. Durations are nanoseconds.

Source: swarmkit api/specs.proto. Not here: validation (`manager/controlapi`), defaults
(`defaults.py`).
"""

from __future__ import annotations

from enum import IntEnum

from simswarm.base.engine import HealthCheck
from simswarm.base.time import Duration
from simswarm.base.values import Labels, Value


class NodeRole(IntEnum):
    """What a node is in the swarm."""

    WORKER = 0
    MANAGER = 1


class Membership(IntEnum):
    """Whether a node was let in."""

    PENDING = 0
    ACCEPTED = 1


class Availability(IntEnum):
    """Whether a node takes tasks."""

    ACTIVE = 0
    PAUSE = 1
    DRAIN = 2


class RestartCondition(IntEnum):
    """When an ended task is replaced."""

    NONE = 0
    ON_FAILURE = 1
    ANY = 2


class FailureAction(IntEnum):
    """What an update does about failing tasks."""

    PAUSE = 0
    CONTINUE = 1
    ROLLBACK = 2


class UpdateOrder(IntEnum):
    """Whether the old task stops before the new one starts."""

    STOP_FIRST = 0
    START_FIRST = 1


class EndpointMode(IntEnum):
    """How a service's name resolves."""

    VIP = 0
    DNSRR = 1


class GenericResource(Value, frozen=True):
    """A countable (`value` empty) or named resource."""

    kind: str
    count: int = 0
    value: str = ""


class Resources(Value, frozen=True):
    """An amount: CPU in billionths, memory in bytes, generic resources by kind."""

    nano_cpus: int = 0
    memory_bytes: int = 0
    generic: tuple[GenericResource, ...] = ()


class RestartPolicy(Value, frozen=True):
    """How ended tasks are replaced. `max_attempts` 0: no limit. `window` 0: since ever."""

    condition: RestartCondition = RestartCondition.ANY
    delay: Duration | None = None
    max_attempts: int = 0
    window: Duration | None = None


class Placement(Value, frozen=True):
    """Where tasks may run, and how they spread. Preferences are label keys, outermost first."""

    constraints: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()
    max_replicas: int = 0
    platforms: tuple[tuple[str, str], ...] = ()


class Port(Value, frozen=True):
    """A published port. `mode` is `ingress` or `host`."""

    target: int
    published: int = 0
    protocol: str = "tcp"
    mode: str = "ingress"
    name: str = ""


class Mount(Value, frozen=True):
    """A mount: recorded, without effect so far."""

    kind: str
    source: str
    target: str
    read_only: bool = False
    driver: str = ""
    """Volume driver; `local` and none need no plugin."""


class ContainerSpec(Value, frozen=True):
    """What runs in a task."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    hostname: str = ""
    labels: Labels = ()
    health: HealthCheck | None = None
    stop_grace: Duration | None = None
    stop_signal: str = ""
    mounts: tuple[Mount, ...] = ()


class TaskSpec(Value, frozen=True):
    """What every task of a service is made from. A change of it replaces tasks."""

    container: ContainerSpec
    reservations: Resources = Resources()
    limits: Resources = Resources()
    restart: RestartPolicy | None = None
    placement: Placement = Placement()
    networks: tuple[str, ...] = ()
    force_update: int = 0
    log_driver: str = ""


class UpdateConfig(Value, frozen=True):
    """How an update (or a rollback) proceeds. `parallelism` 0: all at once."""

    parallelism: int = 0
    delay: Duration = 0
    failure_action: FailureAction = FailureAction.PAUSE
    monitor: Duration | None = None
    max_failure_ratio: float = 0.0
    order: UpdateOrder = UpdateOrder.STOP_FIRST


class Replicated(Value, frozen=True, tag="replicated"):
    """So many tasks, anywhere."""

    replicas: int = 1


class Global(Value, frozen=True, tag="global"):
    """One task on every eligible node."""


ServiceMode = Replicated | Global


class EndpointSpec(Value, frozen=True):
    """How a service is reached."""

    mode: EndpointMode = EndpointMode.VIP
    ports: tuple[Port, ...] = ()


class ServiceSpec(Value, frozen=True):
    """A service as the user describes it."""

    name: str
    task: TaskSpec
    mode: ServiceMode = Replicated(1)
    labels: Labels = ()
    update: UpdateConfig | None = None
    rollback: UpdateConfig | None = None
    endpoint: EndpointSpec | None = None


class NodeSpec(Value, frozen=True):
    """A node as the operator wants it."""

    name: str = ""
    labels: Labels = ()
    role: NodeRole = NodeRole.WORKER
    membership: Membership = Membership.ACCEPTED
    availability: Availability = Availability.ACTIVE


class ClusterSpec(Value, frozen=True):
    """Settings of the whole swarm that can change while it runs."""

    name: str = "default"
    task_history_limit: int = 5
    dispatcher_heartbeat: Duration = 5_000_000_000
    snapshot_interval: int = 10_000
    snapshot_keep: int = 500
