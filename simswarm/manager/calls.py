"""Clients' calls: any manager takes them, the leader carries them out.

                  ┌──────────> LOCAL: this manager leads; the control API has it
    accepted ─────┼──────────> SENT: passed to the leader ──┐
                  └──────────> WAITING: nobody leads        │ lost, or it doesn't lead
                                  ^  looks every 500 ms     │
                                  └─────────────────────────┘

A call is refused for want of a leader only when it begins to wait: if nobody has led for more than
10 ticks by then. Once it waits it goes on waiting, however long that takes, until a leader is
there or its 20 s are over. That is what swarmkit does (`LeaderConn` checks before its loop, not in
it) and what was recorded: a call made as the leader crashed hung for 20 s and ended in
`DeadlineExceeded`; those made after it were refused at once, until there was a leader.

Invariants:
    I1. Every call gets one answer, unless its client has cancelled it.
    I2. No call outlives `CALL_TIMEOUT`; what it asked for may be carried out later all the same.
    I3. What was passed on once is never passed on again: a manager that gets it and doesn't lead
        says so. (swarmkit fails such a call; here it waits again, as after a lost connection.)
    I4. At most `OPEN_CALLS_LIMIT` calls of own clients are open.

A call that was passed on and whose connection broke is sent again, as in swarmkit, although the
first leader may have carried it out: creating a service twice is caught by its name, updating by
its version.

Source: swarmkit manager/state/raft/raft.go (LeaderConn), protobuf/plugin/raftproxy; moby
daemon/cluster/cluster.go (swarmRequestTimeout). swarmkit looks every 1 s before the first attempt
and every 500 ms after a failed one; here it is 500 ms for both.
Not here: what requests do (`controlapi/`), agents' messages (`forward.py`).
"""

from __future__ import annotations

from enum import Enum

from simswarm.base.effects import Address, Call, Channel, Identity, Outbox, TimerKey
from simswarm.base.errors import (
    DeadlineExceeded,
    NoQuorum,
    RemoteProtocolError,
    SimswarmError,
    Unavailable,
)
from simswarm.base.time import MILLISECOND, Duration, Instant
from simswarm.manager.replica import Replica
from simswarm.manager.ticket import Server, Ticket
from simswarm.model.defaults import CALL_TIMEOUT, LOST_QUORUM_TICKS
from simswarm.wire import codec
from simswarm.wire.control import CallFailed, Request, Result
from simswarm.wire.forward import ForwardCall, ForwardedResult, NotLeading

CALLS_TIMER = "calls"
_POLL = TimerKey(CALLS_TIMER, 0, "poll")
_DEADLINE = TimerKey(CALLS_TIMER, 0, "deadline")

POLL_INTERVAL: Duration = 500 * MILLISECOND
"""How often a waiting call looks for a leader. Source: raftproxy pollNewLeaderConn."""
OPEN_CALLS_LIMIT = 8192
"""Calls of own clients that may be open; beyond it they are refused at once."""

NO_LEADER_TEXT = (
    "The swarm does not have a leader. It's possible that too few managers are online. "
    "Make sure more than half of the managers are online."
)
"""Source: swarmkit manager/state/raft/raft.go errLostQuorum."""


class _Place(Enum):
    LOCAL = 1
    SENT = 2
    WAITING = 3


class _OpenCall:
    """A client's call that has no answer yet."""

    __slots__ = ("call", "deadline", "leader", "place")

    def __init__(self, call: Call, deadline: Instant) -> None:
        self.call = call
        self.deadline = deadline
        self.place = _Place.LOCAL
        self.leader: Address = ""
        """Whom it was passed to, when SENT."""


class Calls:
    """The calls of this manager's clients, and on the leader those of other managers' clients."""

    __slots__ = ("_deadline_set", "_open", "_out", "_poll_set", "_replica", "_server", "_waiting")

    def __init__(self, out: Outbox, replica: Replica) -> None:
        self._out = out
        self._replica = replica
        self._server: Server | None = None
        self._open: dict[int, _OpenCall] = {}
        """In order of arrival, and so of deadline."""
        self._waiting: dict[int, bool] = {}
        """Calls that look for a leader; True: for the first time since they lost one."""
        self._deadline_set = False
        self._poll_set = False

    def serve_with(self, server: Server) -> None:
        """Set who carries requests out while this manager leads."""
        self._server = server

    # ── this manager's clients ───────────────────────────────────────────────────────────────

    def accept(self, call: Call) -> None:
        """A client calls."""
        if len(self._open) >= OPEN_CALLS_LIMIT:
            error = Unavailable(f"{OPEN_CALLS_LIMIT} calls are waiting at this manager already")
            self._out.reply(call.id, _failed(error))
            return
        opened = _OpenCall(call, self._out.now.mono + CALL_TIMEOUT)
        self._open[call.id] = opened
        if not self._deadline_set:
            self._deadline_set = True
            self._out.set_timer(_DEADLINE, CALL_TIMEOUT)
        self._dispatch(opened, begins=True)

    def cancel(self, id: int) -> None:
        """The client is gone. What it asked for is carried out all the same, once begun."""
        self._open.pop(id, None)
        self._waiting.pop(id, None)

    def on_result(self, source: Address, message: ForwardedResult) -> None:
        """The leader has answered."""
        opened = self._sent_to(source, message.id)
        if opened is not None:
            del self._open[message.id]
            self._out.reply_frame(message.id, message.frame)

    def on_not_leading(self, source: Address, id: int) -> None:
        """The manager we took for the leader is none."""
        opened = self._sent_to(source, id)
        if opened is not None:
            self._wait(opened, begins=True)

    def peer_lost(self, target: Address) -> None:
        """The stream to a manager broke: what it was to answer must be asked again."""
        for opened in tuple(self._open.values()):
            if opened.place is _Place.SENT and opened.leader == target:
                self._wait(opened, begins=True)

    def on_timer(self, name: str) -> None:
        """Look for a leader again, or end what has waited too long."""
        if name == _DEADLINE.name:
            self._expire()
        else:
            self._poll()

    def shutdown(self) -> None:
        """The node stops: no answer will come."""
        for id in tuple(self._open):
            self._fail(id, Unavailable("the manager is shutting down"))

    # ── on the leader ────────────────────────────────────────────────────────────────────────

    def serve(self, source: Address, message: ForwardCall) -> None:
        """Another manager passes its client's call on."""
        if self._replica.is_leading:
            self._handle(Ticket(message.id, source), message.identity, message.frame)
        else:
            self._out.send(source, NotLeading(id=message.id), Channel.CONTROL)

    def answer(self, ticket: Ticket, result: Result) -> None:
        """A request is done: tell whoever asked."""
        if ticket.via:
            reply = ForwardedResult(ticket.id, codec.encode(result))
            self._out.send(ticket.via, reply, Channel.CONTROL)
        elif ticket.id in self._open:
            del self._open[ticket.id]
            self._out.reply(ticket.id, result)

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _dispatch(self, opened: _OpenCall, *, begins: bool) -> None:
        """Take a call to the leader; `begins`: if there is none, it begins to wait now."""
        call = opened.call
        leader = self._replica.leads_elsewhere
        if self._replica.is_leading:
            opened.place = _Place.LOCAL
            self._handle(Ticket(call.id), call.identity, call.frame)
        elif leader is not None:
            opened.place, opened.leader = _Place.SENT, leader
            forward = ForwardCall(call.id, call.identity, call.frame)
            self._out.send(leader, forward, Channel.CONTROL)
        elif begins and self._replica.ticks_without_leader > LOST_QUORUM_TICKS:
            self._fail(call.id, NoQuorum(NO_LEADER_TEXT))
        else:
            self._wait(opened, begins=False)

    def _wait(self, opened: _OpenCall, *, begins: bool) -> None:
        opened.place = _Place.WAITING
        self._waiting[opened.call.id] = begins
        if not self._poll_set:
            self._poll_set = True
            self._out.set_timer(_POLL, POLL_INTERVAL)

    def _poll(self) -> None:
        self._poll_set = False
        waiting, self._waiting = self._waiting, {}
        for id, begins in waiting.items():
            self._dispatch(self._open[id], begins=begins)

    def _expire(self) -> None:
        now = self._out.now.mono
        self._deadline_set = False
        for id, opened in tuple(self._open.items()):
            if opened.deadline > now:
                self._deadline_set = True
                self._out.set_timer(_DEADLINE, opened.deadline - now)
                return
            self._fail(id, DeadlineExceeded("context deadline exceeded"))

    def _handle(self, ticket: Ticket, identity: Identity, frame: bytes) -> None:
        assert self._server is not None, "a leading manager has a control API"
        try:
            request = codec.decode(frame)
        except RemoteProtocolError as error:
            self.answer(ticket, _failed(error))
            return
        if isinstance(request, Request):
            self._server.handle(ticket, identity, request)
        else:
            stray = RemoteProtocolError("not a request of the control API")
            self.answer(ticket, _failed(stray))

    def _sent_to(self, leader: Address, id: int) -> _OpenCall | None:
        opened = self._open.get(id)
        if opened is None or opened.place is not _Place.SENT or opened.leader != leader:
            return None
        return opened

    def _fail(self, id: int, error: SimswarmError) -> None:
        del self._open[id]
        self._waiting.pop(id, None)
        self._out.reply(id, _failed(error))


def _failed(error: SimswarmError) -> CallFailed:
    return CallFailed(error.code, error.message)
