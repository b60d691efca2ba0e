"""Clients' calls to live nodes: a request goes to one process, an answer comes back, or none does.

Invariants:
    I1. A caller is told exactly once how its call ended: an answer, or None (the node was down or
        went down, or the time was up); never within `call`.
    I2. An answer is told when what led to it has been observed as well.

Not here: what can be asked (`wire/control.py`), the node's side (`node_process.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

from simswarm.base.time import Duration, Instant
from simswarm.base.values import Value
from simswarm.live.control import Answer, CancelCall, ClientCall
from simswarm.live.supervisor.clockwork import LiveEnvironment
from simswarm.live.supervisor.host import LiveHost
from simswarm.wire import codec
from simswarm.wire.control import Result

CLIENT = "client"
OnReply = Callable[[Result | None], None]


class _Open(NamedTuple):
    host: LiveHost
    on_reply: OnReply


class LiveCalls:
    """All calls that are not answered yet."""

    def __init__(self, env: LiveEnvironment, real: Callable[[], Instant]) -> None:
        """`real`: the machine's time, which the observed time of `env` follows."""
        self._env = env
        self._real = real
        self._open: dict[int, _Open] = {}
        self._last = 0

    def call(self, host: LiveHost, request: Value, on_reply: OnReply, timeout: Duration) -> int:
        """Ask a node; returns the id to cancel it by."""
        self._last += 1
        id = self._last
        self._open[id] = _Open(host, on_reply)
        self._env.call_in(timeout if host.up else 0, self._on_timeout, id)
        host.tell(ClientCall(id, CLIENT, codec.encode(request)))
        return id

    def cancel(self, id: int) -> None:
        """Give a call up: its caller will not be told anything."""
        call = self._open.pop(id, None)
        if call is not None:
            call.host.tell(CancelCall(id))

    def answered(self, answer: Answer) -> None:
        """A node answers."""
        self._env.call_at(self._real(), self._on_answer, answer)

    def node_lost(self, host: LiveHost) -> None:
        """A node's process is gone."""
        for id, call in self._open.items():
            if call.host is host:
                self._env.call_at(self._real(), self._on_timeout, id)

    def _on_answer(self, answer: Answer) -> None:
        call = self._open.get(answer.id)
        if call is None:
            return
        if answer.last:
            del self._open[answer.id]
        call.on_reply(cast("Result", codec.decode(answer.frame)))

    def _on_timeout(self, id: int) -> None:
        call = self._open.get(id)
        if call is not None:
            self.cancel(id)
            call.on_reply(None)
