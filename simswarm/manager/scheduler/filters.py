"""May a task run on a node? One question each, in Swarm's order, each with its words for "no".

A filter is first shown the task (`prepare`: does the question arise at all?), then nodes.

Source: swarmkit manager/scheduler/filter.go. Not here: plugins of attached networks (tasks have no
attachments yet), cluster volumes (Docker 20.10 has none).
"""

from __future__ import annotations

from typing import Protocol

from simswarm.base.errors import InvalidSpec
from simswarm.manager.scheduler.nodeinfo import NodeInfo, host_ports
from simswarm.model.constraints import Constraint, node_matches, parse
from simswarm.model.objects import NodeState, Task
from simswarm.model.resources import fits, reserves_nothing
from simswarm.model.specs import Availability, Port, Resources

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Filter(Protocol):
    """One question about a task and a node."""

    def prepare(self, task: Task) -> bool:
        """Remember the task; False: nothing to ask, every node passes."""
        ...

    def passes(self, info: NodeInfo) -> bool:
        """Whether the prepared task may run on this node."""
        ...

    def explain(self, nodes: int) -> str:
        """Why so many nodes did not pass."""
        ...


class ReadyFilter:
    """The node is ready and takes tasks."""

    __slots__ = ()

    def prepare(self, task: Task) -> bool:
        """Always asked."""
        return True

    def passes(self, info: NodeInfo) -> bool:
        """Status READY and availability ACTIVE."""
        node = info.node
        return (
            node.status.state == NodeState.READY and node.spec.availability == Availability.ACTIVE
        )

    def explain(self, nodes: int) -> str:
        """`N nodes not available for new tasks`."""
        return f"{_count(nodes)} not available for new tasks"


class ResourceFilter:
    """What the task reserves is left."""

    __slots__ = ("_wanted",)

    def __init__(self) -> None:
        self._wanted = Resources()

    def prepare(self, task: Task) -> bool:
        """Asked when anything is reserved."""
        self._wanted = task.spec.reservations
        return not reserves_nothing(task.spec)

    def passes(self, info: NodeInfo) -> bool:
        """Every reservation is at most what is available."""
        return fits(self._wanted, info.nano_cpus, info.memory_bytes, info.generic)

    def explain(self, nodes: int) -> str:
        """`insufficient resources on N nodes`."""
        return f"insufficient resources on {_count(nodes)}"


class PluginFilter:
    """The node has the volume and log plugins that the task needs."""

    __slots__ = ("_log", "_volumes")

    def __init__(self) -> None:
        self._volumes: tuple[str, ...] = ()
        self._log = ""

    def prepare(self, task: Task) -> bool:
        """Asked when a mount has a driver other than `local`, or the task a log driver."""
        self._volumes = tuple(
            mount.driver
            for mount in task.spec.container.mounts
            if mount.kind == "volume" and mount.driver not in ("", "local")
        )
        self._log = task.spec.log_driver
        return bool(self._volumes or self._log)

    def passes(self, info: NodeInfo) -> bool:
        """Volume plugins must be listed; a log plugin only on nodes that list any. A node that
        describes no engine passes."""
        description = info.node.description
        if description is None or not (description.engine_version or description.plugins):
            return True
        plugins = description.plugins
        if not all(_has_plugin(plugins, "Volume", driver) for driver in self._volumes):
            return False
        lists_logs = any(kind == "Log" for kind, _ in plugins)
        needs_log = lists_logs and self._log not in ("", "none")
        return not needs_log or _has_plugin(plugins, "Log", self._log)

    def explain(self, nodes: int) -> str:
        """`missing plugin on N nodes`."""
        return f"missing plugin on {_count(nodes)}"


class ConstraintFilter:
    """The placement constraints hold."""

    __slots__ = ("_constraints",)

    def __init__(self) -> None:
        self._constraints: tuple[Constraint, ...] = ()

    def prepare(self, task: Task) -> bool:
        """Asked when there are constraints that can be read (the API refuses others)."""
        expressions = task.spec.placement.constraints
        if not expressions:
            return False
        try:
            self._constraints = parse(expressions)
        except InvalidSpec:
            return False
        return True

    def passes(self, info: NodeInfo) -> bool:
        """The node matches all of them."""
        return node_matches(self._constraints, info.node)

    def explain(self, nodes: int) -> str:
        """`scheduling constraints not satisfied on N nodes`."""
        return f"scheduling constraints not satisfied on {_count(nodes)}"


class PlatformFilter:
    """The image exists for the node's platform."""

    __slots__ = ("_platforms",)

    def __init__(self) -> None:
        self._platforms: tuple[tuple[str, str], ...] = ()

    def prepare(self, task: Task) -> bool:
        """Asked when platforms are listed."""
        self._platforms = task.spec.placement.platforms
        return bool(self._platforms)

    def passes(self, info: NodeInfo) -> bool:
        """Any listed (os, architecture) is the node's; an empty part stands for any."""
        description = info.node.description
        if description is None:
            return False
        architecture = _architecture(description.architecture)
        return any(
            wanted_os in ("", description.os)
            and _architecture(wanted_architecture) in ("", architecture)
            for wanted_os, wanted_architecture in self._platforms
        )

    def explain(self, nodes: int) -> str:
        """`unsupported platform on N nodes`."""
        return f"unsupported platform on {_count(nodes)}"


class HostPortFilter:
    """The ports that the task takes on the node itself are free."""

    __slots__ = ("_ports",)

    def __init__(self) -> None:
        self._ports: tuple[Port, ...] = ()

    def prepare(self, task: Task) -> bool:
        """Asked when a host-mode port is published."""
        self._ports = host_ports(task)
        return bool(self._ports)

    def passes(self, info: NodeInfo) -> bool:
        """No tracked task has one of them, of the same protocol."""
        return not any(info.uses_port(port) for port in self._ports)

    def explain(self, nodes: int) -> str:
        """`host-mode port already in use on N nodes`."""
        return f"host-mode port already in use on {_count(nodes)}"


class MaxReplicasFilter:
    """The node holds fewer active tasks of the service than it may."""

    __slots__ = ("_limit", "_service_id")

    def __init__(self) -> None:
        self._limit = 0
        self._service_id = ""

    def prepare(self, task: Task) -> bool:
        """Asked when there is a limit."""
        self._limit = task.spec.placement.max_replicas
        self._service_id = task.service_id
        return self._limit > 0

    def passes(self, info: NodeInfo) -> bool:
        """Fewer than the limit."""
        return info.active_of(self._service_id) < self._limit

    def explain(self, nodes: int) -> str:
        """Swarm's words; it gives no number here."""
        return "max replicas per node limit exceed"


def all_filters() -> tuple[Filter, ...]:
    """Every filter, in the order in which they are asked."""
    return (
        ReadyFilter(),
        ResourceFilter(),
        PluginFilter(),
        ConstraintFilter(),
        PlatformFilter(),
        HostPortFilter(),
        MaxReplicasFilter(),
    )


def _count(nodes: int) -> str:
    return "1 node" if nodes == 1 else f"{nodes} nodes"


def _has_plugin(plugins: tuple[tuple[str, str], ...], kind: str, name: str) -> bool:
    return (kind, name) in plugins or (kind, f"{name}:latest") in plugins


def _architecture(name: str) -> str:
    return _ARCHITECTURES.get(name, name)
