"""One agent's session with the dispatcher, through one manager at a time.

              ┌────────────────── back-off over ───────────────┐
              ▼                                                │
    OPENING ──SessionMessage──▶ OPEN (heartbeat ⇄ rest) ──▶ WAITING
       └────────refused, 5 s without answer, stream broken─────▲

Whatever goes wrong on an open session ends the whole of it, and the next one may go to another
manager. The back-off begins at 0, grows to 100 ms + 2 × itself (at most 8 s) with every failure,
is drawn uniformly below that, and is forgotten once registered. A node that is a manager itself
talks to its own manager, which passes everything on to the leader.

Invariants:
    I1. One timer: it means the end of the back-off, the limit of the opening, the next
        heartbeat, or the limit of the last one, depending on the phase.
    I2. Assignments reach the owner without a gap; after one, the stream is opened again and
        nothing passes until the complete set is there.
    I3. What comes from another manager than the current one, or names another session, is
        ignored.

Source: swarmkit agent/session.go, agent/agent.go (run), connectionbroker/broker.go. The stale
`AppliesTo` after a gap (a known quirk there) is cleared here.
Not here: what the messages mean for tasks (`worker.py`), reports (`reporter.py`).
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from simswarm.agent.remotes import OBSERVATION_WEIGHT, Remotes
from simswarm.base.effects import Address, Channel, Outbox, TimerKey
from simswarm.base.entropy import Entropy
from simswarm.base.time import Duration
from simswarm.model.defaults import (
    DISPATCHER_RPC_TIMEOUT,
    SESSION_BACKOFF_INITIAL,
    SESSION_BACKOFF_MAX,
)
from simswarm.model.objects import NodeDescription
from simswarm.wire import codec
from simswarm.wire.dispatcher import (
    Assignments,
    AssignmentsKind,
    Heartbeat,
    HeartbeatReply,
    OpenAssignments,
    OpenSession,
    SessionMessage,
    SessionRefused,
    TaskStatusAccepted,
    ToAgent,
)

SESSION_TIMER = TimerKey("agent", 0, "session")
_BEATS = (Channel.HEARTBEAT, Channel.CONTROL)
"""The streams a session consists of."""


class Phase(Enum):
    """Where the session stands."""

    WAITING = 1
    OPENING = 2
    OPEN = 3


class SessionOwner(Protocol):
    """Who wants to know what comes in."""

    def on_registered(self) -> None:
        """A session is open; the message that opened it follows as `on_session_message`."""
        ...

    def on_session_message(self, message: SessionMessage) -> None:
        """The node's own object and the managers, first and whenever they change."""
        ...

    def on_assignments(self, message: Assignments) -> None:
        """The complete set, or the next changes."""
        ...

    def on_status_taken(self, request: int) -> None:
        """The managers have a status report, or no longer care for it."""
        ...

    def on_session_lost(self) -> None:
        """The session is over."""
        ...


class Session:
    """The connection of one agent to the dispatcher."""

    __slots__ = (
        "_awaiting",
        "_backoff",
        "_beat",
        "_description",
        "_entropy",
        "_local",
        "_node_id",
        "_out",
        "_owner",
        "_remotes",
        "_results_in",
        "_synchronizing",
        "id",
        "phase",
        "target",
    )

    def __init__(
        self,
        owner: SessionOwner,
        out: Outbox,
        entropy: Entropy,
        remotes: Remotes,
        *,
        node_id: str,
        description: NodeDescription,
        local: Address | None,
    ) -> None:
        """`local`: the address of this node's own manager, if it has one."""
        self._owner = owner
        self._out = out
        self._entropy = entropy
        self._remotes = remotes
        self._node_id = node_id
        self._description = description
        self._local = local
        self._backoff: Duration = 0
        self._awaiting = False
        """Whether the last heartbeat has no answer yet."""
        self._beat = b""
        """The heartbeat of this session as a frame: the same bytes every time."""
        self._results_in = ""
        self._synchronizing = False
        self.phase = Phase.WAITING
        self.target: Address = ""
        self.id = ""
        """The current session, or the last one: it is offered again."""

    def start(self) -> None:
        """Open the first session at once."""
        self._open()

    def restart(self, description: NodeDescription) -> None:
        """The node describes itself otherwise now: register anew, without blame."""
        self._description = description
        if self.phase is not Phase.WAITING:
            self._end()
            self._wait()

    def close(self, reason: str) -> None:
        """Something failed: give the session up and build another after the back-off."""
        if self.phase is Phase.WAITING:
            return
        if self.target != self._local:
            self._remotes.observe_if_known(self.target, -OBSERVATION_WEIGHT)
        self._end(reason)
        self._backoff = min(SESSION_BACKOFF_INITIAL + 2 * self._backoff, SESSION_BACKOFF_MAX)
        self._wait()

    def on_timer(self) -> None:
        """The session's timer: what it means depends on the phase."""
        if self.phase is Phase.WAITING:
            self._open()
        elif self.phase is Phase.OPENING:
            self.close("session initiation timed out")
        elif self._awaiting:
            self.close("heartbeat timed out")
        else:
            self._send_heartbeat()

    def peer_lost(self, peer: Address, channel: Channel) -> None:
        """A stream broke; if it is one of the session's, the session is over."""
        if peer == self.target and channel in _BEATS:
            self.close("connection lost")

    def receive(self, source: Address, message: ToAgent) -> None:
        """A message from a manager."""
        if source != self.target or self.phase is Phase.WAITING:
            return
        match message:
            case HeartbeatReply(session_id, period):
                if self._is_current(session_id) and self._awaiting:
                    self._awaiting = False
                    self._out.set_timer(SESSION_TIMER, max(0, period))
            case Assignments():
                if self._is_current(message.session_id):
                    self._on_assignments(message)
            case TaskStatusAccepted(session_id, request):
                if self._is_current(session_id):
                    self._owner.on_status_taken(request)
            case SessionMessage():
                self._on_session_message(message)
            case SessionRefused():
                self._on_refused(message)

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _is_current(self, session_id: str) -> bool:
        return self.phase is Phase.OPEN and session_id == self.id

    def _open(self) -> None:
        target = self._local or self._remotes.select()
        if target is None:
            self._out.set_timer(SESSION_TIMER, SESSION_BACKOFF_MAX)
            return
        self.target = target
        self.phase = Phase.OPENING
        message = OpenSession(self._node_id, self.id, self._description)
        self._out.send(target, message, Channel.CONTROL)
        self._out.set_timer(SESSION_TIMER, DISPATCHER_RPC_TIMEOUT)

    def _wait(self) -> None:
        self.phase = Phase.WAITING
        delay = self._entropy.integer(0, self._backoff - 1) if self._backoff else 0
        self._out.set_timer(SESSION_TIMER, delay)

    def _end(self, reason: str = "") -> None:
        was_open = self.phase is Phase.OPEN
        self.phase = Phase.WAITING
        if was_open:
            self._out.observe("agent.session", manager=self.target, to="closed", message=reason)
            self._owner.on_session_lost()

    def _on_session_message(self, message: SessionMessage) -> None:
        if self.phase is Phase.OPENING:
            self.phase = Phase.OPEN
            self.id = message.session_id
            self._backoff = 0
            self._beat = codec.encode(Heartbeat(self._node_id, self.id))
            self._out.observe("agent.session", manager=self.target, to="open", message="")
            self._send_heartbeat()
            self._open_assignments()
            self._owner.on_registered()
        elif message.session_id != self.id:
            return
        self._owner.on_session_message(message)

    def _on_refused(self, message: SessionRefused) -> None:
        # a refusal without a session id comes from a manager that has no idea of sessions
        if message.session_id not in ("", self.id):
            return
        if message.request and message.code == "not found":
            self._owner.on_status_taken(message.request)
        else:
            self.close(message.message)

    def _on_assignments(self, message: Assignments) -> None:
        if message.kind is AssignmentsKind.INCREMENTAL:
            if self._synchronizing:
                return
            if message.applies_to != self._results_in:
                self._open_assignments()
                return
        self._synchronizing = False
        self._results_in = message.results_in
        self._owner.on_assignments(message)

    def _send_heartbeat(self) -> None:
        self._awaiting = True
        self._out.send_frame(self.target, self._beat, Channel.HEARTBEAT)
        self._out.set_timer(SESSION_TIMER, DISPATCHER_RPC_TIMEOUT)

    def _open_assignments(self) -> None:
        self._synchronizing = True
        self._results_in = ""
        message = OpenAssignments(self._node_id, self.id)
        self._out.send(self.target, message, Channel.CONTROL)
