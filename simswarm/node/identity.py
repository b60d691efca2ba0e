"""Who may send what to a node. Until certificates are real, an identity is a name.

The driver vouches for the name at the other end of a stream. What only managers say to each other
is taken from the managers of the bootstrap member list alone; agents and joiners may be anybody,
and their node must be their own (checked where the node objects are: by the dispatcher for
sessions). A node's role is what its session says.

Source: swarmkit ca/auth.go (AuthorizeForwardedRoleAndOrg). Not here: certificates.
"""

from __future__ import annotations

from typing import get_args

from simswarm.base.effects import Identity
from simswarm.base.values import Value
from simswarm.model.config import NodeConfig
from simswarm.raft import RaftMessage
from simswarm.wire.control import Request, Result
from simswarm.wire.forward import ForwardCall, ForwardedResult, FromLeader, NotLeading, ToLeader

BETWEEN_MANAGERS: frozenset[type] = frozenset(
    (*get_args(RaftMessage), ToLeader, FromLeader, ForwardCall, ForwardedResult, NotLeading)
)
"""What only a manager says to a manager."""
NEVER_SENT: frozenset[type] = frozenset((*get_args(Request), *get_args(Result)))
"""Requests come as calls, not from peers; on the way between managers they are wrapped."""


class Gate:
    """Decides whether a message is taken at all."""

    __slots__ = ("_managers",)

    def __init__(self, config: NodeConfig) -> None:
        self._managers = frozenset(member.name for member in config.members)

    def admits(self, identity: Identity, message: Value) -> bool:
        """Whether this identity may send such a message to this node."""
        kind = type(message)
        if kind in BETWEEN_MANAGERS:
            return identity.name in self._managers
        return kind not in NEVER_SENT and bool(identity.name)
