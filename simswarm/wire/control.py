"""The control API: what clients may ask of a manager, and the answers.

A request arrives as `Call.frame` and ends in one `Reply.frame`: the result of its kind, or
`CallFailed`. A manager that doesn't lead passes it to the leader.

Source: swarmkit api/control.proto. Not here: names and id prefixes as docker resolves them
(`dockercli/`, later the Engine API).
"""

from __future__ import annotations

from simswarm.base.values import Value
from simswarm.model.objects import Cluster, Node, Service, Task
from simswarm.model.specs import ClusterSpec, NodeSpec, ServiceSpec


class CreateService(Value, frozen=True, tag=40):
    """Create a service. Answer: `ServiceResult`."""

    spec: ServiceSpec


class UpdateService(Value, frozen=True, tag=41):
    """Replace a service's spec; `version` is the one read. `rollback`: back to the previous spec;
    `spec` isn't used then, but judged all the same: send the current one, as docker does.
    Answer: `ServiceResult`."""

    id: str
    version: int
    spec: ServiceSpec
    rollback: bool = False


class RemoveService(Value, frozen=True, tag=42):
    """Remove a service by id. Answer: `Removed`."""

    id: str


class ListServices(Value, frozen=True, tag=43):
    """Services with these names or ids; empty: all. Answer: `ServiceList`."""

    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


class ListTasks(Value, frozen=True, tag=44):
    """Tasks of these services and nodes (ids); empty: all. Answer: `TaskList`."""

    service_ids: tuple[str, ...] = ()
    node_ids: tuple[str, ...] = ()


class ListNodes(Value, frozen=True, tag=45):
    """Nodes with these names or ids; empty: all. Answer: `NodeList`."""

    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


class UpdateNode(Value, frozen=True, tag=46):
    """Replace a node's spec; `version` is the one read. Answer: `NodeResult`."""

    id: str
    version: int
    spec: NodeSpec


class GetCluster(Value, frozen=True, tag=47):
    """The cluster object. Answer: `ClusterResult`."""


class UpdateCluster(Value, frozen=True, tag=48):
    """Replace the cluster's spec; `version` is the one read. Answer: `ClusterResult`."""

    id: str
    version: int
    spec: ClusterSpec


class ServiceResult(Value, frozen=True, tag=60):
    """A service as stored."""

    service: Service


class ServiceList(Value, frozen=True, tag=61):
    """Services in order of id."""

    services: tuple[Service, ...]


class TaskList(Value, frozen=True, tag=62):
    """Tasks in order of id."""

    tasks: tuple[Task, ...]


class ManagerStatus(Value, frozen=True):
    """A manager as the Raft member list knows it; computed when read, never stored."""

    name: str
    raft_id: int
    address: str
    leader: bool
    reachable: bool


class NodeList(Value, frozen=True, tag=63):
    """Nodes in order of id, and the managers among them."""

    nodes: tuple[Node, ...]
    managers: tuple[ManagerStatus, ...]


class NodeResult(Value, frozen=True, tag=64):
    """A node as stored."""

    node: Node


class ClusterResult(Value, frozen=True, tag=65):
    """The cluster as stored."""

    cluster: Cluster


class Removed(Value, frozen=True, tag=66):
    """It is gone."""

    id: str


class CallFailed(Value, frozen=True, tag=67):
    """The request was refused, or its outcome is unknown: `code` as in `base.errors`."""

    code: str
    message: str


Request = (
    CreateService
    | UpdateService
    | RemoveService
    | ListServices
    | ListTasks
    | ListNodes
    | UpdateNode
    | GetCluster
    | UpdateCluster
)
Result = (
    ServiceResult
    | ServiceList
    | TaskList
    | NodeList
    | NodeResult
    | ClusterResult
    | Removed
    | CallFailed
)
