"""One machine of the swarm: a plain object with one entry point.

    boot(config, disk, entropy, now)          step(input, now) ──▶ [effect, …]
         │                                         │
         ├─ manager (if it is one)       Deliver ──┤ decode, gate ──▶ manager | agent | joiner
         └─ agent, once it has joined    timers ───┤ by owner
                                         engine ───┤ agent
                                         calls ────┘ manager

Nothing is performed in here: components record effects in the outbox, and the driver performs them
when the step is over. A crash drops the object and keeps the disk.

Invariants:
    I1. `step` is not re-entered, and the monotonic clock never goes back.
    I2. Nothing that a peer or a client sends raises: what can't be read or may not be sent is
        dropped and observed.
    I3. A write that fails stops the node: what it believes durable must be so.

Source: swarmkit node/node.go. Not here: promotion and demotion while running.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast, get_args

from simswarm.agent import Agent
from simswarm.agent.agent import AGENT_TIMERS
from simswarm.base.effects import (
    Address,
    Call,
    CallCancelled,
    Channel,
    Deliver,
    Effect,
    EngineEvent,
    EngineResult,
    Input,
    Outbox,
    PeerLost,
    Shutdown,
    StreamReady,
    TimerFired,
    Written,
)
from simswarm.base.entropy import Entropy
from simswarm.base.errors import RemoteProtocolError, StorageCorrupt
from simswarm.base.time import Now
from simswarm.manager.manager import Manager
from simswarm.model.config import NodeConfig
from simswarm.model.specs import NodeRole
from simswarm.node.identity import Gate
from simswarm.node.join import JOIN_OWNER, Joiner, Membership, recall
from simswarm.wire import codec
from simswarm.wire.codec import Message
from simswarm.wire.control import CallFailed
from simswarm.wire.dispatcher import FromAgent, SessionRefused, ToAgent
from simswarm.wire.join import JoinAccepted, JoinRefused, JoinRequest

NOT_A_MANAGER_TEXT = (
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster "
    "state. Please run this command on a manager node or promote the current node to a manager."
)
"""Source: moby daemon/cluster/cluster.go (errSwarmNotManager)."""
_TO_AGENT: frozenset[type] = frozenset(get_args(ToAgent))


class Node:
    """A machine: the manager half, if it is a manager, and the agent half."""

    __slots__ = (
        "_disk",
        "_entropy",
        "_gate",
        "_halted",
        "_joiner",
        "_out",
        "_stepping",
        "_stopping",
        "agent",
        "config",
        "manager",
    )

    def __init__(self, config: NodeConfig, entropy: Entropy, now: Now) -> None:
        self.config = config
        self.manager: Manager | None = None
        self.agent: Agent | None = None
        """Present once this machine has joined."""
        self._entropy = entropy
        self._out = Outbox(codec.encode, now)
        self._gate = Gate(config)
        self._joiner = Joiner(config, self._out)
        self._disk: Mapping[str, bytes] = {}
        """What the agent recovers from; dropped once it has."""
        self._stepping = False
        self._stopping = False
        self._halted = False

    @classmethod
    def boot(
        cls, config: NodeConfig, disk: Mapping[str, bytes], entropy: Entropy, now: Now
    ) -> tuple[Node, list[Effect]]:
        """A machine comes up with what its disk holds; returns it and its first effects.

        `entropy` must be this boot's own. A disk that no crash explains ends in `Halt`.
        """
        node = cls(config, entropy, now)
        try:
            node._boot(disk)
        except StorageCorrupt as error:
            node._refuse_disk(error)
        return node, node._out.drain()

    @property
    def role(self) -> NodeRole:
        """What this machine is: as its session says, before that as it was configured."""
        if self.agent is not None and self.agent.node is not None:
            return self.agent.node.role
        return self.config.role

    @property
    def node_id(self) -> str:
        """The id under which this machine is in the swarm; empty before."""
        return self.agent.node_id if self.agent is not None else ""

    def step(self, given: Input, now: Now) -> list[Effect]:
        """React to one input; the returned effects are to be performed in order."""
        assert not self._stepping, "a step within a step"
        assert now.mono >= self._out.now.mono, "the monotonic clock went back"
        self._out.now = now
        if self._halted:
            return []
        self._stepping = True
        _REACTIONS[type(given)](self, given)
        if self._stopping and not self._halted:
            self._stop_when_written()
        self._stepping = False
        return self._out.drain()

    def check_invariants(self) -> None:
        """What must hold between steps, in every part."""
        assert not self._stepping, "checked within a step"
        if self.manager is not None and not self._halted:
            self.manager.check_invariants()
        if self.agent is not None:
            self.agent.check_invariants()

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _boot(self, disk: Mapping[str, bytes]) -> None:
        membership = recall(disk)
        self._disk = disk
        if self.config.members:
            self.manager = Manager(self.config, disk, self._out, self._entropy.fork("manager"))
            self.manager.boot()
        if membership is None:
            self._joiner.ask()
        else:
            self._join(membership)

    def _join(self, membership: Membership) -> None:
        config = self.config
        self.agent = Agent(
            config,
            membership.node_id,
            self._disk,
            self._out,
            self._entropy.fork("agent"),
            managers=config.managers,
            local=config.address if self.manager is not None else None,
        )
        self._disk = {}
        self.agent.boot()

    def _deliver(self, given: Deliver) -> None:
        source, identity = given.source, given.identity
        try:
            message = codec.decode(given.frame)
        except RemoteProtocolError as error:
            self._drop("net.malformed", source, error.message)
            return
        if not self._gate.admits(identity, message):
            self._drop("net.refused", source, f"{type(message).__name__} from {identity.name}")
        elif type(message) in _TO_AGENT:
            if self.agent is not None:
                self.agent.deliver(source, cast("ToAgent", message))
        elif type(message) is JoinAccepted:
            self._joiner.accepted(source, message)
        elif type(message) is JoinRefused:
            pass  # the joiner's timer asks the next manager
        elif self.manager is None:
            self._not_a_manager(source, message)
        else:
            self.manager.deliver(source, identity, message, given.frame)

    def _not_a_manager(self, source: Address, message: Message) -> None:
        if isinstance(message, FromAgent):
            refused = SessionRefused(message.session_id, "unavailable", NOT_A_MANAGER_TEXT)
            self._out.send(source, refused, Channel.CONTROL)
        elif isinstance(message, JoinRequest):
            self._out.send(source, JoinRefused("unavailable", NOT_A_MANAGER_TEXT), Channel.CONTROL)

    def _timer(self, given: TimerFired) -> None:
        key = given.key
        if key.owner in AGENT_TIMERS:
            if self.agent is not None:
                self.agent.timer(key)
        elif key.owner == JOIN_OWNER:
            self._joiner.ask()
        elif self.manager is not None:
            self.manager.timer(key)

    def _written(self, given: Written) -> None:
        token, error = given.token, given.error
        ours = self.manager is not None and self.manager.written(token, error)
        if error is not None:
            self._halt(f"write or fsync failed: {error}", observed=ours)
        elif not ours:
            membership = self._joiner.written(token)
            if membership is not None and self.agent is None:
                try:
                    self._join(membership)
                except StorageCorrupt as damage:
                    self._refuse_disk(damage)
            elif self.agent is not None:
                self.agent.written(token)

    def _engine_result(self, given: EngineResult) -> None:
        if self.agent is not None:
            self.agent.engine_result(given.id, given.outcome)

    def _engine_event(self, given: EngineEvent) -> None:
        if self.agent is not None:
            self.agent.engine_event(given.occurrence)

    def _peer_lost(self, given: PeerLost) -> None:
        if self.manager is not None:
            self.manager.peer_lost(given.target, given.channel)
        if self.agent is not None:
            self.agent.peer_lost(given.target, given.channel)

    def _stream_ready(self, given: StreamReady) -> None:
        """Nothing here waits for room: a full queue ends in `PeerLost`."""

    def _call(self, call: Call) -> None:
        if self.manager is not None and not self._stopping:
            self.manager.call(call)
        else:
            self._out.reply(call.id, CallFailed("unavailable", NOT_A_MANAGER_TEXT))

    def _call_cancelled(self, given: CallCancelled) -> None:
        if self.manager is not None:
            self.manager.call_cancelled(given.id)

    def _shutdown(self, given: Shutdown) -> None:
        self._stopping = True
        if self.manager is not None:
            self.manager.shutdown()
        if self.agent is not None:
            self.agent.shutdown()

    def _stop_when_written(self) -> None:
        if self.agent is None or not self.agent.unwritten:
            self._halt("shutdown")

    def _halt(self, reason: str, *, observed: bool = False) -> None:
        """Go no further. `observed`: a component has asked for it already."""
        self._halted = True
        if not observed:
            self._out.halt(reason)

    def _refuse_disk(self, error: StorageCorrupt) -> None:
        """Nothing that was begun on a damaged disk leaves this node."""
        self._out.drain()
        self._halt(error.message)

    def _drop(self, kind: str, source: Address, message: str) -> None:
        self._out.observe(kind, source=source, message=message)


_Reaction = Callable[[Node, Any], None]
_REACTIONS: Mapping[type, _Reaction] = {
    Deliver: Node._deliver,
    PeerLost: Node._peer_lost,
    StreamReady: Node._stream_ready,
    TimerFired: Node._timer,
    Written: Node._written,
    EngineResult: Node._engine_result,
    EngineEvent: Node._engine_event,
    Call: Node._call,
    CallCancelled: Node._call_cancelled,
    Shutdown: Node._shutdown,
}
"""What each input leads to. A table, because this is on the path of every step."""
assert set(_REACTIONS) == set(get_args(Input))
