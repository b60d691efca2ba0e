"""One manager, put together: a replica, what it does for clients and agents, and, while it leads,
the control loops.

                     ┌── Replica (Raft, log, store) ── elected / leading / lost
    messages, calls  ├── Calls ─────── ControlApi
    timers, writes ──┤── Forwarder ─── other managers
                     ├── Admission
                     └── leader loops: dispatcher, allocator, scheduler, orchestrators …

    FOLLOWING ──won──> ELECTED ──caught up──> LEADING ──cluster and own node stored──> loops run
        ^                 │                      │                                        │
        └─────────────────┴──────── lost ────────┴────────────────────────────────────────┘

Every input ends with `Replica.settle`, which hands out what Raft made of it.

Invariants:
    I1. Loops exist only while this manager leads; a timer set in one leadership never reaches a
        loop of another (the epoch is the Raft term).
    I2. What another manager passed on is carried out here or answered with `NotLeading`.
    I3. Messages that only managers send are taken from members alone.

Source: swarmkit manager/manager.go (Run, becomeLeader, becomeFollower).
Not here: what loops do, Raft, the agent half of the same node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from simswarm.base.effects import (
    Address,
    Call,
    Channel,
    Identity,
    Outbox,
    TimerKey,
    Token,
)
from simswarm.base.entropy import Entropy
from simswarm.base.errors import RemoteProtocolError
from simswarm.base.ids import new_id
from simswarm.manager.admission import Admission, InitializeSwarm, own_join
from simswarm.manager.calls import CALLS_TIMER, Calls
from simswarm.manager.controlapi import ControlApi
from simswarm.manager.forward import Forwarder
from simswarm.manager.leaderloops import LeaderContext, LeaderLoops, LoopFactory, leader_loops
from simswarm.manager.loop import ControlLoop
from simswarm.manager.observe import Observer
from simswarm.manager.replica import RAFT_TIMER, Replica
from simswarm.manager.route import Courier, Route
from simswarm.model.config import NodeConfig
from simswarm.raft import RaftMessage
from simswarm.store import Outcome, Store, Write
from simswarm.wire import codec
from simswarm.wire.codec import Message
from simswarm.wire.control import ManagerStatus
from simswarm.wire.dispatcher import (
    FromAgent,
    Heartbeat,
    OpenAssignments,
    OpenSession,
    UpdateTaskStatus,
)
from simswarm.wire.forward import ForwardCall, ForwardedResult, FromLeader, NotLeading, ToLeader
from simswarm.wire.join import JoinRequest

MANAGER_WEIGHT = 10
"""Every manager's weight in what agents are told. Source: swarmkit remotes/remotes.go."""

_FOR_LEADER = (*get_args(FromAgent), JoinRequest)


class Manager:
    """The manager half of a node."""

    __slots__ = (
        "_admission",
        "_calls",
        "_config",
        "_courier",
        "_entropy",
        "_epoch",
        "_factory",
        "_forwarder",
        "_loops",
        "_loops_by_owner",
        "_observer",
        "_out",
        "replica",
        "store",
    )

    def __init__(
        self,
        config: NodeConfig,
        disk: Mapping[str, bytes],
        out: Outbox,
        entropy: Entropy,
        *,
        loops: LoopFactory = leader_loops,
    ) -> None:
        """Recover from the node's files.

        Raises:
            StorageCorrupt: the Raft log is damaged in a way that no crash explains.
            InvalidSpec, Unsupported: the configuration can't work.
        """
        self._config = config
        self._out = out
        self._entropy = entropy
        self._factory = loops
        self.replica = Replica(config, disk, out, entropy.fork("raft"), self)
        self.store: Store = self.replica.store
        self._courier = Courier(out)
        self._calls = Calls(out, self.replica)
        api = ControlApi(self.store, entropy.fork("controlapi"), self._calls, self)
        self._calls.serve_with(api)
        self._forwarder = Forwarder(out, self.replica)
        self._admission = Admission(self.store, self._courier, entropy.fork("admission"))
        self._observer = Observer(self.store, out)
        self._epoch = 0
        """The Raft term in which this manager leads; 0 while it doesn't."""
        self._loops: LeaderLoops | None = None
        self._loops_by_owner: dict[str, ControlLoop] = {}

    @property
    def is_leader(self) -> bool:
        """Whether this manager leads, with everything committed before in its tables."""
        return self.replica.is_leading

    def manager_statuses(self) -> tuple[ManagerStatus, ...]:
        """Every member as this leader sees it, in order of Raft id."""
        leader = self.replica.leader
        return tuple(
            ManagerStatus(
                member.name,
                member.raft_id,
                member.address,
                member == leader,
                self.replica.reachable(member.raft_id),
            )
            for member in self.replica.members
        )

    # ── inputs ───────────────────────────────────────────────────────────────────────────────

    def boot(self) -> None:
        """Begin to take part."""
        self.replica.boot(self._config.campaign)
        self.replica.settle()

    def deliver(self, source: Address, identity: Identity, message: Message, frame: bytes) -> bool:
        """Take a message; False if it is not for the manager half of the node."""
        handler = _HANDLERS.get(type(message))
        if handler is None:
            return False
        handler(self, source, identity, message, frame)
        self.replica.settle()
        return True

    def call(self, call: Call) -> None:
        """A client asks for something."""
        self._calls.accept(call)
        self.replica.settle()

    def call_cancelled(self, id: int) -> None:
        """A client no longer wants its answer."""
        self._calls.cancel(id)

    def timer(self, key: TimerKey) -> None:
        """A timer fired. One that a loop of an earlier leadership left behind is ignored."""
        if key.owner == RAFT_TIMER:
            self.replica.on_tick()
        elif key.owner == CALLS_TIMER:
            self._calls.on_timer(key.name)
        elif key.epoch == self._epoch and key.owner in self._loops_by_owner:
            self._loops_by_owner[key.owner].on_timer(key.name)
        self.replica.settle()

    def written(self, token: Token, error: str | None) -> bool:
        """A write has ended; False if it was none of this manager's."""
        if not self.replica.written(token, error):
            return False
        self.replica.settle()
        return True

    def peer_lost(self, target: Address, channel: Channel) -> None:
        """A stream broke."""
        if channel in (Channel.CONSENSUS, Channel.HEARTBEAT):
            self.replica.peer_lost(target)
        if channel in (Channel.CONTROL, Channel.HEARTBEAT):
            self._forwarder.peer_lost(target)
        if channel is Channel.CONTROL:
            self._calls.peer_lost(target)
            if self._loops is not None:
                self._loops.agents.peer_lost(target)
        self.replica.settle()

    def shutdown(self) -> None:
        """Stop in good order."""
        self._calls.shutdown()
        self._stop_loops()
        self.replica.shutdown()

    def check_invariants(self) -> None:
        """What must hold between steps; cheap enough for every one."""
        assert (self._loops is None) <= (not self._loops_by_owner)
        assert self.replica.is_leading or self._loops is None
        self.replica.check_invariants()

    # ── leadership ───────────────────────────────────────────────────────────────────────────

    def on_elected(self) -> None:
        """The election is won; entries of earlier terms may still be applied."""
        self._observer.start()

    def on_leading(self) -> None:
        """Up to date: make sure that the swarm's own objects are there, then start the loops."""
        self._epoch = self.replica.term
        self._forwarder.leading()
        entropy = self._entropy.fork(f"initialize/{self._epoch}")
        config = self._config
        me = own_join(config.name, config.description)
        initialize = InitializeSwarm(new_id(entropy), config.cluster, new_id(entropy), me)
        self.store.update(initialize, self)

    def on_outcome(self, write: Write, outcome: Outcome) -> None:
        """The swarm's own objects are there, or could not be written (as in swarmkit, loops run
        all the same)."""
        if self._epoch and self._loops is None:
            self._start_loops()

    def on_leadership_lost(self) -> None:
        """Another manager leads, or none."""
        self._epoch = 0
        self._observer.stop()
        self._stop_loops()

    def _start_loops(self) -> None:
        epoch = self._epoch
        loops = self._factory(
            LeaderContext(
                self.store,
                self._out,
                self._courier,
                self._entropy.fork(f"leader/{epoch}"),
                epoch,
                self._config.name,
                self._weighted_managers,
            )
        )
        self._loops = loops
        self._loops_by_owner = {loop.owner: loop for loop in loops.in_order}
        for loop in loops.in_order:
            self.store.watch(loop)
        for loop in loops.in_order:
            loop.start()

    def _stop_loops(self) -> None:
        if self._loops is None:
            return
        for loop in self._loops.in_order:
            self.store.unwatch(loop)
            loop.stop()
        self._loops = None
        self._loops_by_owner = {}

    def _weighted_managers(self) -> tuple[tuple[Address, int], ...]:
        return tuple((member.address, MANAGER_WEIGHT) for member in self.replica.members)

    # ── messages ─────────────────────────────────────────────────────────────────────────────

    def _on_raft(
        self, source: Address, identity: Identity, message: RaftMessage, frame: bytes
    ) -> None:
        self.replica.receive(source, message)

    def _on_agent(
        self, source: Address, identity: Identity, message: FromAgent | JoinRequest, frame: bytes
    ) -> None:
        if self._loops is not None:
            self._lead(Route(source), identity, message)
        elif self.replica.is_leading:
            self._forwarder.refuse(source, message)  # for the moment until the loops run
        else:
            self._forwarder.to_leader(source, identity, message, frame)

    def _on_to_leader(
        self, source: Address, identity: Identity, message: ToLeader, frame: bytes
    ) -> None:
        if not self.replica.is_member(source):
            return
        if self._loops is None:
            self._out.send(source, NotLeading(origin=message.origin), Channel.CONTROL)
            return
        try:
            inner = codec.decode(message.frame)
        except RemoteProtocolError:
            return
        if isinstance(inner, _FOR_LEADER):
            self._lead(Route(message.origin, source), message.identity, inner)

    def _lead(self, route: Route, identity: Identity, message: FromAgent | JoinRequest) -> None:
        assert self._loops is not None
        if isinstance(message, JoinRequest):
            self._admission.on_join(route, message)
        else:
            self._loops.agents.receive(route, identity, message)

    def _on_from_leader(
        self, source: Address, identity: Identity, message: FromLeader, frame: bytes
    ) -> None:
        if self.replica.is_member(source):
            self._forwarder.from_leader(message)

    def _on_forward_call(
        self, source: Address, identity: Identity, message: ForwardCall, frame: bytes
    ) -> None:
        if self.replica.is_member(source):
            self._calls.serve(source, message)

    def _on_forwarded_result(
        self, source: Address, identity: Identity, message: ForwardedResult, frame: bytes
    ) -> None:
        self._calls.on_result(source, message)

    def _on_not_leading(
        self, source: Address, identity: Identity, message: NotLeading, frame: bytes
    ) -> None:
        if message.origin:
            self._forwarder.on_not_leading(source, message.origin)
        else:
            self._calls.on_not_leading(source, message.id)


_Handler = Callable[[Manager, Address, Identity, Any, bytes], None]
_HANDLERS: Mapping[type, _Handler] = {
    **dict.fromkeys(get_args(RaftMessage), Manager._on_raft),
    Heartbeat: Manager._on_agent,
    OpenAssignments: Manager._on_agent,
    OpenSession: Manager._on_agent,
    UpdateTaskStatus: Manager._on_agent,
    JoinRequest: Manager._on_agent,
    ToLeader: Manager._on_to_leader,
    FromLeader: Manager._on_from_leader,
    ForwardCall: Manager._on_forward_call,
    ForwardedResult: Manager._on_forwarded_result,
    NotLeading: Manager._on_not_leading,
}
"""Who takes which message. A table, because this is on the path of every heartbeat."""
