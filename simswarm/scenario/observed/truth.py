"""What is really so, whatever the managers believe: containers, processes, who leads.

Kept from trace records alone (`engine.container`, `process.*`, `raft.role`, `call`), so the same
code follows a simulated and a live swarm.

Invariants:
    I1. A container counts from its `start` to its `die`, or to the crash of its node.
    I2. With a health check it counts as healthy only from the check's first success on.

Not here: what is committed (`facts.py`).
"""

from __future__ import annotations

from simswarm.base.time import Instant
from simswarm.base.trace import TraceRecord


class Container:
    """One container that runs."""

    __slots__ = ("healthy", "image", "node", "service", "slot", "task")

    def __init__(self, record: TraceRecord) -> None:
        self.task: str = record.get("task", "")
        self.service: str = record.get("service", "")
        self.slot: int | None = record.get("slot")
        self.image: str = record.get("image", "")
        self.node = record.node
        self.healthy = record.get("healthy") is not False


class LastCommand:
    """The newest client command that a node has answered, or failed to."""

    __slots__ = ("at", "error", "method", "ok", "result")

    def __init__(self, record: TraceRecord) -> None:
        self.at = record.t
        self.method: str = record.get("method", "") or ""
        self.result: str = record.get("result", "") or ""
        self.error: str = record.get("error", "") or ""
        self.ok = not self.error


class LeaderChange:
    """A manager won an election."""

    __slots__ = ("at", "leader", "term")

    def __init__(self, at: Instant, leader: str, term: int) -> None:
        self.at = at
        self.leader = leader
        self.term = term


class Truth:
    """What runs, who is up, who leads."""

    __slots__ = (
        "_healthy_on",
        "_leaders",
        "containers",
        "down",
        "healthy",
        "last_commands",
        "leader_changes",
        "paused",
        "revision",
        "roles",
        "term",
        "worst_term",
    )

    def __init__(self) -> None:
        self.revision = 0
        self.containers: dict[tuple[str, str], Container] = {}
        """(Node, task) → container."""
        self.healthy: dict[str, int] = {}
        """Service → containers that run and are healthy."""
        self._healthy_on: dict[tuple[str, str], int] = {}
        self.down: dict[str, None] = {}
        """Nodes whose process has crashed."""
        self.paused: dict[str, None] = {}
        self.roles: dict[str, tuple[str, int]] = {}
        """Manager → (role, term), as it last said itself."""
        self.term = 0
        self.leader_changes: list[LeaderChange] = []
        self._leaders: dict[int, dict[str, None]] = {}
        self.worst_term = 0
        """The most different leaders that any one term has had."""
        self.last_commands: dict[str, LastCommand] = {}

    def is_up(self, node: str) -> bool:
        """Whether a node's process runs and is not paused."""
        return node not in self.down and node not in self.paused

    def healthy_on(self, service: str, node: str) -> int:
        """Healthy containers of a service on one node."""
        return self._healthy_on.get((service, node), 0)

    @property
    def leader(self) -> str:
        """The leader with the highest term among the managers that are up, or ""."""
        found, highest = "", -1
        for name, (role, term) in self.roles.items():
            if role == "leader" and term > highest and name not in self.down:
                found, highest = name, term
        return found

    @property
    def changes_since_up(self) -> int:
        """Elections won since the swarm is up."""
        return sum(change.at > 0 for change in self.leader_changes)

    def leader_since(self, instant: Instant) -> LeaderChange | None:
        """The first election won at or after this moment."""
        for change in self.leader_changes:
            if change.at >= instant:
                return change
        return None

    def on_record(self, record: TraceRecord) -> None:
        """Take in a record; those of other kinds change nothing."""
        match record.kind:
            case "engine.container":
                self._container(record)
            case "engine.health":
                self._health(record)
            case "raft.role":
                self._role(record)
            case "process.crash":
                self._crashed(record)
            case "process.restart":
                self.down.pop(record.node, None)
            case "process.pause":
                self.paused[record.node] = None
            case "process.resume":
                self.paused.pop(record.node, None)
            case "call":
                target = record.get("target", "") or record.node
                self.last_commands[target] = LastCommand(record)
            case _:
                return
        self.revision += 1

    def _container(self, record: TraceRecord) -> None:
        key = (record.node, record.get("task", ""))
        match record.get("action"):
            case "start":
                container = Container(record)
                self.containers[key] = container
                self._count(container, 1)
            case "die":
                gone = self.containers.pop(key, None)
                if gone is not None:
                    self._count(gone, -1)

    def _health(self, record: TraceRecord) -> None:
        container = self.containers.get((record.node, record.get("task", "")))
        healthy = bool(record.get("healthy"))
        if container is not None and container.healthy != healthy:
            self._count(container, -1)
            container.healthy = healthy
            self._count(container, 1)

    def _count(self, container: Container, sign: int) -> None:
        if container.healthy:
            service, place = container.service, (container.service, container.node)
            self.healthy[service] = self.healthy.get(service, 0) + sign
            self._healthy_on[place] = self._healthy_on.get(place, 0) + sign

    def _role(self, record: TraceRecord) -> None:
        role, term = str(record.get("role", "")), int(record.get("term", 0))
        self.roles[record.node] = (role, term)
        self.term = max(self.term, term)
        if role != "leader":
            return
        self.leader_changes.append(LeaderChange(record.t, record.node, term))
        leaders = self._leaders.setdefault(term, {})
        leaders[record.node] = None
        self.worst_term = max(self.worst_term, len(leaders))

    def _crashed(self, record: TraceRecord) -> None:
        self.down[record.node] = None
        self.paused.pop(record.node, None)
        if record.node in self.roles:
            self.roles[record.node] = ("", self.roles[record.node][1])
        for key in [key for key in self.containers if key[0] == record.node]:
            self._count(self.containers.pop(key), -1)
