"""Clients' calls: a request goes to one node, an answer comes back, or none does.

Invariants:
    I1. A caller is told exactly once how its call ended: an answer, or None (the node was down or
        went down, or the time was up); never within `call`, nor within a node's step.
    I2. A call whose time is up, or that is given up, is cancelled at the node.

Source: a client holds a connection to its node's socket; when the node dies, so does the
connection. Not here: what can be asked (`wire/control.py`), retries (`scenario/`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from simswarm.base.effects import Call, Identity, Reply
from simswarm.base.time import Duration
from simswarm.base.values import Value
from simswarm.sim.driver import Host
from simswarm.sim.kernel import SimEnvironment
from simswarm.wire import codec
from simswarm.wire.control import Result

ReadAnswer = Callable[[bytes], Any]
"""Reads a reply's frame: what nodes answer is theirs."""
CLIENT = Identity("client")
OnReply = Callable[[Result | None], None]


class _Open(NamedTuple):
    host: Host
    frame: bytes
    on_reply: OnReply


class Calls:
    """All calls of a world that are not answered yet."""

    __slots__ = ("_env", "_last", "_open", "_read")

    def __init__(self, env: SimEnvironment, read: ReadAnswer = codec.decode) -> None:
        self._env = env
        self._read = read
        self._open: dict[int, _Open] = {}
        self._last = 0

    def call(self, host: Host, request: Value, on_reply: OnReply, timeout: Duration) -> int:
        """Ask a node; returns the id to cancel it by."""
        self._last += 1
        id = self._last
        self._open[id] = _Open(host, codec.encode(request), on_reply)
        self._env.call_in(0, self._begin, id)
        self._env.call_in(timeout, self._on_timeout, id)
        return id

    def cancel(self, id: int) -> None:
        """Give a call up: its caller will not be told anything."""
        call = self._open.pop(id, None)
        if call is not None:
            call.host.cancel_call(id)

    def replied(self, reply: Reply) -> None:
        """A node answers."""
        self._env.call_in(0, self._answer, reply)

    def node_lost(self, name: str) -> None:
        """A node went down."""
        for id, call in self._open.items():
            if call.host.name == name:
                self._env.call_in(0, self._fail, id)

    def _begin(self, id: int) -> None:
        call = self._open.get(id)
        if call is None:
            return
        if call.host.up:
            call.host.call(Call(id, CLIENT, call.frame))
        else:
            self._fail(id)

    def _answer(self, reply: Reply) -> None:
        call = self._open.get(reply.call)
        if call is None:
            return
        if reply.last:
            del self._open[reply.call]
        call.on_reply(self._read(reply.frame))

    def _on_timeout(self, id: int) -> None:
        call = self._open.get(id)
        if call is not None:
            call.host.cancel_call(id)
            self._fail(id)

    def _fail(self, id: int) -> None:
        call = self._open.pop(id, None)
        if call is not None:
            call.on_reply(None)
