"""What the managers must learn of tasks: the latest status of each, until they have it.

Statuses wait in a map, one per task; one report is under way at a time. A session that ends
puts back what was under way, unless something newer waits already.

Invariants:
    I1. Of one task, statuses are reported in an order in which the state never falls.
    I2. The last status of a task is reported in the end, if a session lasts long enough.
    I3. A report leaves only when the status is durable here.

Source: swarmkit agent/reporter.go, agent/session.go (one status per call).
"""

from __future__ import annotations

from simswarm.agent.session import Phase, Session
from simswarm.base.effects import Channel, Outbox, TimerKey, Token
from simswarm.model.defaults import DISPATCHER_RPC_TIMEOUT
from simswarm.model.objects import TaskStatus
from simswarm.wire.dispatcher import UpdateTaskStatus

REPORT_TIMER = TimerKey("agent", 0, "report")


class Reporter:
    """Statuses on their way to the managers."""

    __slots__ = ("_node_id", "_out", "_request", "_sent", "_waiting")

    def __init__(self, out: Outbox, node_id: str) -> None:
        self._out = out
        self._node_id = node_id
        self._waiting: dict[str, TaskStatus] = {}
        self._sent: tuple[str, TaskStatus] | None = None
        self._request = 0

    def put(self, task_id: str, status: TaskStatus) -> None:
        """A status to be reported, unless it is older than the one that waits."""
        waiting = self._waiting.get(task_id)
        if waiting is None or waiting.state <= status.state:
            self._waiting[task_id] = status

    def forget(self, task_id: str) -> None:
        """The task is no longer the node's: nobody asks for its status."""
        self._waiting.pop(task_id, None)
        if self._sent is not None and self._sent[0] == task_id:
            self._sent = None
            self._out.cancel_timer(REPORT_TIMER)

    def pump(self, session: Session, after: Token) -> None:
        """Send the next report if none is under way; it leaves when `after` is durable."""
        if self._sent is not None or not self._waiting or session.phase is not Phase.OPEN:
            return
        task_id = next(iter(self._waiting))
        status = self._waiting.pop(task_id)
        self._sent = (task_id, status)
        self._request += 1
        report = UpdateTaskStatus(self._node_id, session.id, self._request, ((task_id, status),))
        self._out.send(session.target, report, Channel.CONTROL, after)
        self._out.set_timer(REPORT_TIMER, DISPATCHER_RPC_TIMEOUT)

    def taken(self, request: int) -> None:
        """The managers have what was under way."""
        if self._sent is not None and request == self._request:
            self._sent = None
            self._out.cancel_timer(REPORT_TIMER)

    def session_lost(self) -> None:
        """What was under way must be sent again, unless there is news."""
        if self._sent is not None:
            task_id, status = self._sent
            self._sent = None
            self._waiting.setdefault(task_id, status)
            self._out.cancel_timer(REPORT_TIMER)

    def check_invariants(self) -> None:
        """What is under way is not newer than what waits."""
        if self._sent is not None:
            task_id, status = self._sent
            waiting = self._waiting.get(task_id)
            assert waiting is None or waiting.state >= status.state, "a report was overtaken"
