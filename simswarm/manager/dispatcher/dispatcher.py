"""The dispatcher: tells agents what to run, hears from them, and declares the silent ones down.

    OpenSession ─▶ node READY written ─▶ SessionMessage ─▶ heartbeats, assignments, reports
    deadline missed ─▶ node DOWN written, session gone ─▶ 24 h later its tasks are orphaned

A new leader knows nobody: every node that isn't DOWN becomes UNKNOWN and has six periods to
register. All of it lives in memory and dies with the leadership.

Invariants:
    I1. A session is announced only when READY is committed.
    I2. A node is declared DOWN exactly three (UNKNOWN: six) drawn periods after it was last
        heard of, never while its registration is being written.
    I3. Nothing an agent sends raises: it is answered or refused.

Source: swarmkit manager/dispatcher/dispatcher.go.
Not here: what managers make of a DOWN node (orchestrator), relaying (`manager/forward.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simswarm.base.effects import Address, Channel, Identity, Outbox, TimerKey
from simswarm.base.entropy import Entropy
from simswarm.base.values import Value
from simswarm.manager.dispatcher.assignments import AssignmentStream
from simswarm.manager.dispatcher.sessions import (
    NODE_NOT_FOUND,
    NODE_NOT_REGISTERED,
    NOT_ITS_NODE,
    NOT_ITS_TASK,
    OWNER,
    STOPPED,
    Entry,
    Refusal,
    Sessions,
)
from simswarm.manager.dispatcher.status import MarkUnknown, NodeUpdate, Orphan, Updates, chunks
from simswarm.manager.route import Courier, Route
from simswarm.model.defaults import (
    ASSIGNMENT_BATCH_CHANGES,
    ASSIGNMENT_BATCH_INTERVAL,
    HEARTBEAT_PERIOD,
    ORPHAN_AFTER,
)
from simswarm.model.objects import Cluster, Node, NodeState, NodeStatus, Task
from simswarm.model.taskstate import TaskState
from simswarm.store import ByNode, Change, Deleted, Store, Updated
from simswarm.wire.dispatcher import (
    FromAgent,
    Heartbeat,
    HeartbeatReply,
    OpenAssignments,
    OpenSession,
    SessionMessage,
    SessionRefused,
    TaskStatusAccepted,
    UpdateTaskStatus,
)

Managers = Callable[[], tuple[tuple[Address, int], ...]]

HEARTBEAT_FAILURE = "heartbeat failure"
UNKNOWN_HEARTBEAT_FAILURE = 'heartbeat failure for node in "unknown" state'


class Opening(Value, frozen=True):
    """A session that waits for READY to be committed."""

    route: Route
    name: str
    session_id: str
    """What the agent offered."""
    update: NodeUpdate


class Dispatcher:
    """The leader's control loop for agents."""

    __slots__ = (
        "_announced",
        "_courier",
        "_down",
        "_epoch",
        "_managers",
        "_openings",
        "_out",
        "_sessions",
        "_store",
        "_updates",
    )
    owner = OWNER

    def __init__(
        self,
        store: Store,
        out: Outbox,
        courier: Courier,
        entropy: Entropy,
        epoch: int,
        *,
        node_name: str,
        managers: Managers,
    ) -> None:
        """`node_name` is this manager's own; `managers` gives all members with their weights."""
        self._store = store
        self._out = out
        self._courier = courier
        self._epoch = epoch
        self._managers = managers
        self._announced = managers()
        self._sessions = Sessions(out, entropy, epoch)
        self._updates = Updates(store, out, epoch, node_name=node_name, waiter=self)
        self._openings: dict[str, Opening] = {}
        self._down: dict[str, TimerKey] = {}
        """Orphan timers of nodes that are down, by node id."""

    # ── life of the loop ─────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Expect everybody who isn't down, and say in the store that we don't know."""
        for cluster in self._store.find(Cluster):
            self._take_period(cluster)
        unknown: list[str] = []
        for node in self._store.find(Node):
            if node.status.state == NodeState.DOWN:
                self._watch_for_orphans(node.id)
            else:
                self._sessions.expect(node.id)
                unknown.append(node.id)
        for run in chunks(unknown):
            self._store.update(MarkUnknown(run))

    def stop(self) -> None:
        """Leadership is lost: agents must look for the new leader."""
        for entry in self._sessions.all():
            if entry.session_id and not entry.broken:
                self._refuse(entry.route, entry.session_id, STOPPED)
            self._sessions.drop(entry.node_id)
        for opening in self._openings.values():
            self._refuse(opening.route, opening.session_id, STOPPED)
        self._openings.clear()
        for key in self._down.values():
            self._out.cancel_timer(key)
        self._down.clear()
        self._updates.stop()

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """Pass on what concerns an agent: its tasks and its own node object."""
        for change in changes:
            item = change.object
            if isinstance(item, Task):
                entry = self._sessions.get(item.node_id)
                if entry is not None and entry.stream is not None:
                    self._on_task(entry, entry.stream, change)
            elif isinstance(item, Node):
                self._on_node(item, deleted=isinstance(change, Deleted))
            elif isinstance(item, Cluster):
                self._take_period(item)

    def on_timer(self, name: str) -> None:
        """The flush beat, or a node's deadline, batch or orphan timer."""
        if name == "updates":
            self._updates.flush()
            return
        kind, _, node_id = name.partition("/")
        if kind == "expiry":
            self._on_expiry(node_id)
        elif kind == "batch":
            entry = self._sessions.get(node_id)
            if entry is not None and entry.stream is not None and entry.stream.modifications:
                self._send_assignments(entry, entry.stream)
        elif kind == "orphan" and self._down.pop(node_id, None) is not None:
            self._orphan(node_id)

    def managers_changed(self) -> None:
        """The list of members may have changed: tell the agents if it did."""
        managers = self._managers()
        if managers == self._announced:
            return
        self._announced = managers
        for entry in self._sessions.all():
            node = self._store.get(Node, entry.node_id)
            if entry.session_id and node is not None:
                self._send_session(entry, node)

    def peer_lost(self, via: Address) -> None:
        """A stream broke: what was sent through that peer may be lost.

        Nothing is said now, for there is no way to say it: the agent notices by itself, or is
        refused at its next heartbeat.
        """
        for entry in self._sessions.all():
            if (entry.route.via or entry.route.origin) == via:
                self._close_stream(entry)
                entry.broken = True

    # ── what agents send ─────────────────────────────────────────────────────────────────────

    def receive(self, route: Route, identity: Identity, message: FromAgent) -> None:
        """An agent's message, that came along `route` from someone proven to be `identity`."""
        if isinstance(message, OpenSession):
            self._open(route, identity, message)
            return
        entry = self._sessions.check(message.node_id, message.session_id, identity)
        if isinstance(entry, Refusal):
            request = message.request if isinstance(message, UpdateTaskStatus) else 0
            self._refuse(route, message.session_id, entry, request)
            return
        match message:
            case Heartbeat():
                reply = HeartbeatReply(entry.session_id, self._sessions.beat(entry))
                self._courier.send(route, reply, Channel.HEARTBEAT)
            case UpdateTaskStatus():
                self._on_statuses(route, entry, message)
            case OpenAssignments():
                self._on_open_assignments(route, entry)

    def _open(self, route: Route, identity: Identity, message: OpenSession) -> None:
        entry = self._sessions.get(message.node_id)
        offered = message.session_id
        if entry is not None and not entry.admits(offered, self._out.now.mono):
            text = f"node {message.node_id} exceeded rate limit count of registrations"
            self._refuse(route, offered, Refusal("unavailable", text))
            return
        node = self._store.get(Node, message.node_id)
        if node is None:
            self._refuse(route, offered, NODE_NOT_FOUND)
            return
        if not _owns(identity, node):
            self._refuse(route, offered, NOT_ITS_NODE)
            return
        if node.id in self._down:
            self._out.cancel_timer(self._down.pop(node.id))
        status = NodeStatus(NodeState.READY, "", route.origin)
        update = NodeUpdate(node.id, status, message.description)
        self._openings[node.id] = Opening(route, identity.name, offered, update)
        self._updates.put_node(update)

    def on_nodes_written(self, updates: tuple[NodeUpdate, ...]) -> None:
        """READY is committed: the sessions that waited for it begin."""
        for update in updates:
            opening = self._openings.get(update.node_id)
            if opening is None or opening.update is not update:
                continue
            del self._openings[update.node_id]
            node = self._store.get(Node, update.node_id)
            if node is None:
                self._refuse(opening.route, opening.session_id, NODE_NOT_FOUND)
            else:
                self._send_session(self._begin(opening), node)

    def _begin(self, opening: Opening) -> Entry:
        node_id = opening.update.node_id
        entry = self._sessions.get(node_id)
        if entry is not None:
            self._close_stream(entry)
        if entry is None or not entry.holds(opening.session_id):
            return self._sessions.register(node_id, opening.name, opening.route)
        entry.route = opening.route
        entry.name = opening.name
        entry.broken = False
        self._sessions.beat(entry)
        return entry

    def _on_open_assignments(self, route: Route, entry: Entry) -> None:
        self._close_stream(entry)
        entry.route = route
        entry.stream = AssignmentStream(entry.session_id)
        for task in self._store.find(Task, ByNode(entry.node_id)):
            entry.stream.put(task)
        self._courier.send(route, entry.stream.message(), Channel.CONTROL)

    def _on_statuses(self, route: Route, entry: Entry, message: UpdateTaskStatus) -> None:
        known = []
        for task_id, status in message.updates:
            task = self._store.get(Task, task_id)
            if task is None:
                continue
            if task.node_id != entry.node_id:
                self._refuse(route, entry.session_id, NOT_ITS_TASK, message.request)
                return
            known.append((task_id, status))
        self._updates.put_statuses(known)
        accepted = TaskStatusAccepted(entry.session_id, message.request)
        self._courier.send(route, accepted, Channel.CONTROL)

    # ── what becomes of nodes ────────────────────────────────────────────────────────────────

    def _on_expiry(self, node_id: str) -> None:
        entry = self._sessions.get(node_id)
        # an agent whose registration waits for its commit is alive; the session moves the deadline
        if entry is None or node_id in self._openings:
            return
        failure = HEARTBEAT_FAILURE if entry.session_id else UNKNOWN_HEARTBEAT_FAILURE
        self._sessions.drop(node_id)
        if self._store.get(Node, node_id) is None:
            return
        self._watch_for_orphans(node_id)
        self._updates.put_node(NodeUpdate(node_id, NodeStatus(NodeState.DOWN, failure)))

    def _watch_for_orphans(self, node_id: str) -> None:
        key = TimerKey(OWNER, self._epoch, f"orphan/{node_id}")
        self._down[node_id] = key
        self._out.set_timer(key, ORPHAN_AFTER)

    def _orphan(self, node_id: str) -> None:
        lost = [
            task.id
            for task in self._store.find(Task, ByNode(node_id))
            if TaskState.ASSIGNED <= task.status.state <= TaskState.RUNNING
        ]
        for run in chunks(lost):
            self._store.update(Orphan(run))

    def _on_node(self, node: Node, *, deleted: bool) -> None:
        entry = self._sessions.get(node.id)
        if deleted:
            self._sessions.drop(node.id)
            if node.id in self._down:
                self._out.cancel_timer(self._down.pop(node.id))
            if entry is not None and entry.session_id:
                self._refuse(entry.route, entry.session_id, NODE_NOT_REGISTERED)
        elif entry is not None and entry.session_id and node.id not in self._openings:
            self._send_session(entry, node)

    def _on_task(self, entry: Entry, stream: AssignmentStream, change: Change) -> None:
        item = change.object
        assert isinstance(item, Task)
        # tasks are never created as ASSIGNED, so creations are no news to an agent
        if isinstance(change, Updated):
            modified = stream.put(item)
        else:
            modified = isinstance(change, Deleted) and stream.remove(item.id)
        if not modified:
            return
        if stream.modifications >= ASSIGNMENT_BATCH_CHANGES:
            self._out.cancel_timer(entry.batch_key)
            self._send_assignments(entry, stream)
        else:
            self._out.set_timer(entry.batch_key, ASSIGNMENT_BATCH_INTERVAL)

    def _take_period(self, cluster: Cluster) -> None:
        self._sessions.period = cluster.spec.dispatcher_heartbeat or HEARTBEAT_PERIOD

    # ── sending ──────────────────────────────────────────────────────────────────────────────

    def _send_session(self, entry: Entry, node: Node) -> None:
        message = SessionMessage(entry.session_id, node, self._announced)
        self._courier.send(entry.route, message, Channel.CONTROL)

    def _send_assignments(self, entry: Entry, stream: AssignmentStream) -> None:
        self._courier.send(entry.route, stream.message(), Channel.CONTROL)

    def _close_stream(self, entry: Entry) -> None:
        if entry.stream is not None and entry.stream.modifications:
            self._out.cancel_timer(entry.batch_key)
        entry.stream = None

    def _refuse(self, route: Route, session_id: str, why: Refusal, request: int = 0) -> None:
        refused = SessionRefused(session_id, why.code, why.message, request)
        self._courier.send(route, refused, Channel.CONTROL)

    def check_invariants(self) -> None:
        """What must hold between steps."""
        for entry in self._sessions.all():
            assert entry.node_id not in self._down, "a node is in touch and being given up"
            if entry.stream is not None:
                assert entry.session_id, "assignments without a session"
                assert not entry.broken, "assignments on a broken way"
                entry.stream.check_invariants()


def _owns(identity: Identity, node: Node) -> bool:
    """Whether a node object is the caller's: proven by id, else (until then) by name."""
    if identity.node_id:
        return identity.node_id == node.id
    if not identity.name:
        return False
    hostname = node.description.hostname if node.description is not None else ""
    return identity.name in (hostname, node.spec.name)
