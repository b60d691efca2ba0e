"""Reading and changing the settings of the whole swarm.

Source: swarmkit manager/controlapi/cluster.go (UpdateCluster, validateClusterSpec).
Not here: certificates, tokens, unlock keys (they come with the CA).
"""

from __future__ import annotations

from typing import ClassVar

from simswarm.base.errors import InvalidSpec, NotFound
from simswarm.base.values import Value, replace
from simswarm.manager.controlapi.services import INVALID_ARGUMENT
from simswarm.model.objects import Cluster
from simswarm.model.specs import ClusterSpec
from simswarm.store import Tx, View
from simswarm.wire.control import ClusterResult, UpdateCluster

CLUSTER_NAME = "default"
"""Source: swarmkit manager/state/store/clusters.go DefaultClusterName."""


class UpdateClusterWrite(Value, frozen=True):
    """Replace the cluster's spec."""

    name: ClassVar[str] = "controlapi.update_cluster"
    id: str
    version: int
    spec: ClusterSpec

    def __call__(self, tx: Tx) -> None:
        """Raises: NotFound, SequenceConflict."""
        cluster = tx.get(Cluster, self.id)
        if cluster is None:
            raise NotFound(f"cluster {self.id} not found")
        meta = replace(cluster.meta, version=self.version)
        tx.update(replace(cluster, meta=meta, spec=self.spec))

    def result(self, view: View) -> ClusterResult:
        """The cluster as stored."""
        cluster = view.get(Cluster, self.id)
        assert cluster is not None, "it was just committed"
        return ClusterResult(cluster)


def update_cluster(request: UpdateCluster) -> UpdateClusterWrite:
    """The write that a request asks for.

    Raises:
        InvalidSpec: no id or version, or a setting that can't be.
    """
    if not request.id or not request.version:
        raise InvalidSpec(INVALID_ARGUMENT)
    if request.spec.dispatcher_heartbeat < 0:
        raise InvalidSpec("heartbeat time period cannot be a negative duration")
    if request.spec.name != CLUSTER_NAME:
        raise InvalidSpec("modification of cluster name is not allowed")
    return UpdateClusterWrite(request.id, request.version, request.spec)


def get_cluster(view: View) -> ClusterResult:
    """The cluster object.

    Raises:
        NotFound: no leader has made one yet.
    """
    for cluster in view.find(Cluster):
        return ClusterResult(cluster)
    raise NotFound(f"cluster {CLUSTER_NAME} not found")
