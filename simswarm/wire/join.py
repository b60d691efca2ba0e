"""Asking to be let into the swarm. Until certificates are real a node is admitted by name.

Not here: tokens and certificates; they replace these two messages (`node/join.py`).
"""

from __future__ import annotations

from simswarm.base.values import Value
from simswarm.model.objects import NodeDescription
from simswarm.model.specs import NodeRole


class JoinRequest(Value, frozen=True, tag=100):
    """A node wants in. A name that is known already gets its old id again."""

    name: str
    role: NodeRole
    description: NodeDescription


class JoinAccepted(Value, frozen=True, tag=101):
    """The node is in, under this id."""

    node_id: str
    cluster_id: str


class JoinRefused(Value, frozen=True, tag=102):
    """Not now, or not at all; the joiner tries again, perhaps elsewhere."""

    code: str
    message: str
