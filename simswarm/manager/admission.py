"""Letting nodes into the swarm, on the leader: until certificates are real, by name.

    JoinRequest(name) ──known──> JoinAccepted(its id)
                      └─new────> write the node object ──committed──> JoinAccepted(new id)

A name stands for one machine: a node that comes back under it gets its old id, and with it its
tasks. The very first leader writes the cluster object and its own node object itself.

Invariants:
    I1. `JoinAccepted` is sent only for a node object that is committed.
    I2. No two node objects have the same `spec.name`.

Source: swarmkit manager/manager.go (becomeLeader, step 1), ca/server.go (IssueNodeCertificate
creates the node object). There the observed role of a manager is raised later, by the role
manager; here a node has the role it joined with from the start.
Not here: tokens and certificates, which replace this; the joiner's side (`node/join.py`).
"""

from __future__ import annotations

from typing import ClassVar

from simswarm.base.effects import Channel
from simswarm.base.entropy import Entropy
from simswarm.base.errors import SimswarmError, Unavailable
from simswarm.base.ids import new_id
from simswarm.base.values import Value, replace
from simswarm.manager.route import Courier, Route
from simswarm.model.objects import Cluster, Node, NodeDescription
from simswarm.model.specs import ClusterSpec, Membership, NodeRole, NodeSpec
from simswarm.store import BySpecName, Outcome, Store, Tx, View, Write
from simswarm.wire.join import JoinAccepted, JoinRefused, JoinRequest


class AdmitNode(Value, frozen=True):
    """Write a node object, unless there is one of this name."""

    name: ClassVar[str] = "admission.admit_node"
    id: str
    request: JoinRequest

    def __call__(self, tx: Tx) -> None:
        """See the class."""
        if node_named(tx, self.request) is None:
            tx.create(_node(self.id, self.request))


class InitializeSwarm(Value, frozen=True):
    """What a new leader makes sure of: that there is a cluster object, and its own node object."""

    name: ClassVar[str] = "manager.become_leader"
    cluster_id: str
    cluster: ClusterSpec
    node_id: str
    node: JoinRequest

    def __call__(self, tx: Tx) -> None:
        """See the class."""
        if not tx.find(Cluster):
            tx.create(Cluster(self.cluster_id, self.cluster))
        if node_named(tx, self.node) is None:
            tx.create(_node(self.node_id, self.node))


class _PendingJoin:
    """Who waits for a node object to be committed."""

    __slots__ = ("_admission", "_request", "_route")

    def __init__(self, admission: Admission, route: Route, request: JoinRequest) -> None:
        self._admission = admission
        self._route = route
        self._request = request

    def on_outcome(self, write: Write, outcome: Outcome) -> None:
        """Committed, or refused."""
        self._admission.decided(self._route, self._request, outcome.error)


class Admission:
    """Answers joiners on the leader."""

    __slots__ = ("_courier", "_entropy", "_store")

    def __init__(self, store: Store, courier: Courier, entropy: Entropy) -> None:
        self._store = store
        self._courier = courier
        self._entropy = entropy

    def on_join(self, route: Route, request: JoinRequest) -> None:
        """A node asks to be let in."""
        if node_named(self._store, request) is not None:
            self.decided(route, request, None)
            return
        admit = AdmitNode(new_id(self._entropy), request)
        self._store.update(admit, _PendingJoin(self, route, request))

    def decided(self, route: Route, request: JoinRequest, error: SimswarmError | None) -> None:
        """The node object is committed, or could not be written."""
        node = node_named(self._store, request)
        clusters = self._store.find(Cluster)
        if error is None and node is not None and clusters:
            self._courier.send(route, JoinAccepted(node.id, clusters[0].id), Channel.CONTROL)
            return
        reason = error or Unavailable("the swarm is not initialised yet")
        refusal = JoinRefused(reason.code, reason.message)
        self._courier.send(route, refusal, Channel.CONTROL)


def node_named(view: View, request: JoinRequest) -> Node | None:
    """The node object of a joiner, if it was here before."""
    found = view.find(Node, BySpecName(request.name))
    return found[0] if found else None


def _description(request: JoinRequest) -> NodeDescription:
    if request.description.hostname:
        return request.description
    return replace(request.description, hostname=request.name)


def _node(id: str, request: JoinRequest) -> Node:
    return Node(
        id,
        NodeSpec(name=request.name, role=request.role, membership=Membership.ACCEPTED),
        description=_description(request),
        role=request.role,
    )


def own_join(name: str, description: NodeDescription) -> JoinRequest:
    """What the first manager would ask of a leader, if there were one."""
    return JoinRequest(name, NodeRole.MANAGER, description)
