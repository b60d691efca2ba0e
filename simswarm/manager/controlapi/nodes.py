"""Changing a node's spec: availability and labels.

Source: swarmkit manager/controlapi/node.go (UpdateNode).
Not built yet: promoting and demoting (Raft membership follows the role), removing nodes.
"""

from __future__ import annotations

from typing import ClassVar

from simswarm.base.errors import InvalidSpec, NotFound, Unsupported
from simswarm.base.values import Value, replace
from simswarm.manager.controlapi.services import INVALID_ARGUMENT
from simswarm.model.objects import Node
from simswarm.model.specs import NodeSpec
from simswarm.store import Tx, View
from simswarm.wire.control import NodeResult, UpdateNode


class UpdateNodeWrite(Value, frozen=True):
    """Replace a node's spec."""

    name: ClassVar[str] = "controlapi.update_node"
    id: str
    version: int
    spec: NodeSpec

    def __call__(self, tx: Tx) -> None:
        """Raises: NotFound, Unsupported (role), SequenceConflict."""
        node = tx.get(Node, self.id)
        if node is None:
            raise NotFound(f"node {self.id} not found")
        if self.spec.role is not node.spec.role:
            raise Unsupported("promote and demote are not supported yet")
        tx.update(replace(node, meta=replace(node.meta, version=self.version), spec=self.spec))

    def result(self, view: View) -> NodeResult:
        """The node as stored."""
        node = view.get(Node, self.id)
        assert node is not None, "it was just committed"
        return NodeResult(node)


def update_node(request: UpdateNode) -> UpdateNodeWrite:
    """The write that a request asks for.

    Raises:
        InvalidSpec: no id, or no version.
    """
    if not request.id or not request.version:
        raise InvalidSpec(INVALID_ARGUMENT)
    return UpdateNodeWrite(request.id, request.version, request.spec)
