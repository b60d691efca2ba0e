"""Agents' messages through a manager that doesn't lead: a proxy, both ways.

    agent ──frame──> this manager ──ToLeader(agent, frame)────> leader
    agent <──frame── this manager <──FromLeader(agent, frame)── leader

Frames pass unopened. When there is no leader, or the stream to it breaks, the agent is told that
its session is over, and looks for a manager anew.

Invariants:
    I1. What was passed on once is never passed on again.
    I2. An agent is told at most once of each break, and only by the manager it talks to.

Source: swarmkit protobuf/plugin/raftproxy (a proxied stream ends when either half does). There an
agent's message waits for a leader as long as the agent's own 5 s allow; here it is refused at once,
and the agent's back-off does the waiting.
Not here: clients' calls (`calls.py`), what the leader does with messages (`manager.py`).
"""

from __future__ import annotations

from simswarm.base.effects import Address, Channel, Identity, Outbox
from simswarm.base.values import Value
from simswarm.manager.calls import NO_LEADER_TEXT
from simswarm.manager.replica import Replica
from simswarm.wire.dispatcher import FromAgent, Heartbeat, SessionRefused
from simswarm.wire.forward import FromLeader, ToLeader
from simswarm.wire.join import JoinRefused, JoinRequest

LEADER_LOST_TEXT = "the connection to the leader was lost"


class Relayed(Value, frozen=True):
    """What an agent last sent through this manager."""

    joining: bool
    session_id: str
    leader: Address


class Forwarder:
    """Passes agents' messages to the leader and its answers back."""

    __slots__ = ("_out", "_relayed", "_replica")

    def __init__(self, out: Outbox, replica: Replica) -> None:
        self._out = out
        self._replica = replica
        self._relayed: dict[Address, Relayed] = {}
        """One entry an agent that has used this manager."""

    def to_leader(
        self, origin: Address, identity: Identity, message: FromAgent | JoinRequest, frame: bytes
    ) -> None:
        """Pass an agent's message on, or refuse it when nobody leads."""
        leader = self._replica.leads_elsewhere
        relayed = _relayed(message, leader or "")
        if leader is None:
            self._refuse(origin, relayed, NO_LEADER_TEXT)
            return
        self._relayed[origin] = relayed
        beats = isinstance(message, Heartbeat)
        channel = Channel.HEARTBEAT if beats else Channel.CONTROL
        self._out.send(leader, ToLeader(origin, identity, frame), channel)

    def from_leader(self, message: FromLeader) -> None:
        """Pass the leader's answer on to the agent. A joiner gets only one, and is done with."""
        relayed = self._relayed.get(message.target)
        if relayed is not None and relayed.joining:
            del self._relayed[message.target]
        self._out.send_frame(message.target, message.frame, message.channel)

    def refuse(self, origin: Address, message: FromAgent | JoinRequest) -> None:
        """This manager can do nothing for an agent now."""
        self._refuse(origin, _relayed(message, ""), NO_LEADER_TEXT)

    def on_not_leading(self, source: Address, origin: Address) -> None:
        """The manager we passed an agent's message to doesn't lead."""
        self._drop(origin, source, NO_LEADER_TEXT)

    def leading(self) -> None:
        """This manager leads now: agents are its own, and learn of that from the dispatcher."""
        self._relayed.clear()

    def peer_lost(self, target: Address) -> None:
        """The stream to a manager broke: what went through it is over."""
        for origin, relayed in tuple(self._relayed.items()):
            if relayed.leader == target:
                self._drop(origin, target, LEADER_LOST_TEXT)

    def _drop(self, origin: Address, leader: Address, text: str) -> None:
        relayed = self._relayed.get(origin)
        if relayed is not None and relayed.leader == leader:
            del self._relayed[origin]
            self._refuse(origin, relayed, text)

    def _refuse(self, origin: Address, relayed: Relayed, text: str) -> None:
        if relayed.joining:
            self._out.send(origin, JoinRefused("unavailable", text), Channel.CONTROL)
        else:
            refusal = SessionRefused(relayed.session_id, "unavailable", text)
            self._out.send(origin, refusal, Channel.CONTROL)


def _relayed(message: FromAgent | JoinRequest, leader: Address) -> Relayed:
    if isinstance(message, JoinRequest):
        return Relayed(True, "", leader)
    return Relayed(False, message.session_id, leader)
