"""The agent: one session, one worker, one reporter, composed.

    managers ──assignments──▶ Worker ──▶ TaskManager ⇄ engine
        ▲                       │ status: database, then
        └──────reports──────────┴──▶ Reporter

No manager in reach changes nothing for the tasks: they go on, only restarts wait.

Invariants:
    I1. Every input ends with `finish`: what was recorded is written, and reports are sent
        behind that write.

Source: swarmkit agent/agent.go. The description a node registers with is read once a boot here
(every 20 s there): a changed one comes with `describe`.
Not here: joining (`node/join.py`), certificates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simswarm.agent.remotes import Remotes
from simswarm.agent.reporter import REPORT_TIMER, Reporter
from simswarm.agent.session import SESSION_TIMER, Session
from simswarm.agent.taskdb import TASKS_FILE, TaskDatabase
from simswarm.agent.worker import Worker
from simswarm.base.effects import Address, Channel, Outbox, TimerKey, Token
from simswarm.base.engine import EngineOccurrence, Outcome
from simswarm.base.entropy import Entropy
from simswarm.base.values import replace
from simswarm.model.config import NodeConfig
from simswarm.model.objects import Node, NodeDescription
from simswarm.wire.dispatcher import Assignments, SessionMessage, ToAgent

AGENT_TIMERS = ("agent", "task")
"""Owners of the agent's timers."""


class Agent:
    """The worker side of one node."""

    __slots__ = (
        "_database",
        "_remotes",
        "_reporter",
        "_stopped",
        "_worker",
        "node",
        "node_id",
        "session",
    )

    def __init__(
        self,
        config: NodeConfig,
        node_id: str,
        disk: Mapping[str, bytes],
        out: Outbox,
        entropy: Entropy,
        *,
        managers: Sequence[Address],
        local: Address | None = None,
    ) -> None:
        """`managers`: whom to try first; `local`: this node's address, if it is a manager.

        Raises:
            StorageCorrupt: the task database holds what no crash explains.
        """
        self.node_id = node_id
        self.node: Node | None = None
        """This node's own object, as the managers last sent it."""
        self._stopped = False
        self._database = TaskDatabase(out, disk.get(TASKS_FILE, b""))
        self._reporter = Reporter(out, node_id)
        self._worker = Worker(out, self._database, self._reporter)
        self._remotes = Remotes(entropy.fork("remotes"), managers)
        self.session = Session(
            self,
            out,
            entropy.fork("session"),
            self._remotes,
            node_id=node_id,
            description=_named(config.description, config.name),
            local=local,
        )

    @property
    def unwritten(self) -> bool:
        """Whether something recorded isn't durable yet."""
        return self._database.token != 0

    def boot(self) -> None:
        """Ask the engine what there is, and look for a manager."""
        self._worker.start()
        self.session.start()
        self.finish()

    def deliver(self, source: Address, message: ToAgent) -> None:
        """A manager's message."""
        if not self._stopped:
            self.session.receive(source, message)
            self.finish()

    def timer(self, key: TimerKey) -> None:
        """A timer of the agent fired."""
        if self._stopped:
            return
        if key == SESSION_TIMER:
            self.session.on_timer()
        elif key == REPORT_TIMER:
            self.session.close("status report timed out")
        else:
            self._worker.on_timer(key)
        self.finish()

    def engine_result(self, id: int, outcome: Outcome) -> None:
        """An engine command ended."""
        if not self._stopped:
            self._worker.on_result(id, outcome)
            self.finish()

    def engine_event(self, occurrence: EngineOccurrence) -> None:
        """Something happened to a container."""
        if not self._stopped:
            self._worker.on_event(occurrence)
            self.finish()

    def peer_lost(self, target: Address, channel: Channel) -> None:
        """A stream broke."""
        if not self._stopped:
            self.session.peer_lost(target, channel)
            self.finish()

    def written(self, token: Token) -> None:
        """A write is durable."""
        self._database.written(token)

    def describe(self, description: NodeDescription) -> None:
        """The node describes itself otherwise now: the managers must learn it."""
        if not self._stopped:
            self.session.restart(description)
            self.finish()

    def shutdown(self) -> None:
        """Do nothing any more; containers stay as they are."""
        self._stopped = True

    def finish(self) -> None:
        """The input is dealt with: write what was recorded, then report."""
        self._database.flush()
        self._reporter.pump(self.session, self._database.token)

    # ── what the session tells ───────────────────────────────────────────────────────────────

    def on_registered(self) -> None:
        """Managers may have forgotten everything: report all tasks again."""
        self._worker.report_all()

    def on_session_message(self, message: SessionMessage) -> None:
        """Learn the own node object and the managers; forget managers that aren't listed."""
        self.node = message.node
        for manager, weight in message.managers:
            self._remotes.observe(manager, weight)
        if message.managers:
            self._remotes.keep_only([manager for manager, _ in message.managers])

    def on_assignments(self, message: Assignments) -> None:
        """What this node should run."""
        self._worker.assign(message)

    def on_status_taken(self, request: int) -> None:
        """A report has arrived."""
        self._reporter.taken(request)

    def on_session_lost(self) -> None:
        """What was under way has to be reported again."""
        self._reporter.session_lost()

    def check_invariants(self) -> None:
        """What must hold between steps."""
        self._worker.check_invariants()
        self._reporter.check_invariants()


def _named(description: NodeDescription, name: str) -> NodeDescription:
    if description.hostname:
        return description
    return replace(description, hostname=name)
