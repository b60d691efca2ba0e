"""How a manager that doesn't lead passes things on: it is a proxy, both ways.

Messages of agents (`ToLeader`, `FromLeader`) and clients' calls (`ForwardCall`,
`ForwardedResult`) are carried as whole frames. What was forwarded once is never forwarded again.

Source: swarmkit protobuf/plugin/raftproxy.
"""

from __future__ import annotations

from simswarm.base.effects import Address, Channel, Identity
from simswarm.base.values import Value


class ToLeader(Value, frozen=True, tag=110):
    """A frame that `origin` sent to this manager, for the leader."""

    origin: Address
    identity: Identity
    frame: bytes


class FromLeader(Value, frozen=True, tag=111):
    """A frame of the leader for `target`, whose stream ends at this manager."""

    target: Address
    frame: bytes
    channel: Channel = Channel.CONTROL
    """The stream it goes on from here, so that relayed heartbeats overtake assignments too."""


class ForwardCall(Value, frozen=True, tag=112):
    """A client's call; `id` is the sender's own number for it."""

    id: int
    identity: Identity
    frame: bytes


class ForwardedResult(Value, frozen=True, tag=113):
    """The answer to a forwarded call."""

    id: int
    frame: bytes


class NotLeading(Value, frozen=True, tag=114):
    """The receiver of something forwarded does not lead (any more): the sender of `origin`'s
    message, or of call `id`, must look again."""

    origin: Address = ""
    id: int = 0
