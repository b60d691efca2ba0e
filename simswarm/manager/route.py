"""Where an agent is, as the leader sees it: directly, or behind the manager it talks to."""

from __future__ import annotations

from simswarm.base.effects import Address, Channel, Outbox
from simswarm.base.values import Value
from simswarm.wire import codec
from simswarm.wire.forward import FromLeader


class Route(Value, frozen=True):
    """`via` empty: `origin` sent to this manager itself; else to that manager, which relays."""

    origin: Address
    via: Address = ""


class Courier:
    """Sends messages along routes."""

    __slots__ = ("_out",)

    def __init__(self, out: Outbox) -> None:
        self._out = out

    def send(self, route: Route, message: Value, channel: Channel) -> None:
        """Send to the route's origin, through its manager if there is one between."""
        if route.via:
            relay = FromLeader(route.origin, codec.encode(message), channel)
            self._out.send(route.via, relay, channel)
        else:
            self._out.send(route.origin, message, channel)
