"""Who is in touch with the dispatcher: sessions, heartbeat periods, deadlines, rate limit.

    (unknown) ──register──▶ in session ──no heartbeat for 3 periods──▶ (dropped: node down)
        └────────no registration for 6 periods──────────────────────▶ (dropped: node down)

Every heartbeat reply carries the next period, drawn anew, and moves the deadline to three times
that period: a deadline is one timer per node, set again and again (timers are lazy deadlines).

Invariants:
    I1. A session id is never given out twice, and a node has at most one.
    I2. A node in the table has its deadline timer set, unless a registration is being written.
    I3. Only the identity that opened a session may use it.

Source: swarmkit manager/dispatcher/nodes.go, period.go, heartbeat/heartbeat.go.
Not here: what follows from a missed deadline (`dispatcher.py`).
"""

from __future__ import annotations

from simswarm.base.effects import Identity, Outbox, TimerKey
from simswarm.base.entropy import Entropy
from simswarm.base.ids import new_id
from simswarm.base.time import Duration, Instant
from simswarm.base.values import Value
from simswarm.manager.dispatcher.assignments import AssignmentStream
from simswarm.manager.route import Route
from simswarm.model.defaults import (
    GRACE_MULTIPLIER,
    HEARTBEAT_EPSILON,
    HEARTBEAT_PERIOD,
    REGISTRATION_LIMIT,
    REGISTRATION_WINDOW,
    UNKNOWN_GRACE_MULTIPLIER,
)

OWNER = "dispatcher"
NOWHERE = Route("")


class Refusal(Value, frozen=True):
    """Why an agent is sent away, as the API words it."""

    code: str
    message: str


NODE_NOT_REGISTERED = Refusal("not found", "node not registered")
NODE_NOT_FOUND = Refusal("unknown", "node not found")
SESSION_INVALID = Refusal("invalid argument", "session invalid")
STOPPED = Refusal("aborted", "dispatcher is stopped")
NOT_ITS_TASK = Refusal("permission denied", "cannot update a task not assigned this node")
NOT_ITS_NODE = Refusal("permission denied", "node does not belong to the caller")


class Entry:
    """One node in touch (or, with no session id, expected after a change of leader)."""

    __slots__ = (
        "attempts",
        "batch_key",
        "broken",
        "expiry_key",
        "name",
        "node_id",
        "registered_at",
        "route",
        "session_id",
        "stream",
    )

    def __init__(self, node_id: str, epoch: int) -> None:
        self.node_id = node_id
        self.session_id = ""
        self.name = ""
        """The identity that opened the session."""
        self.route = NOWHERE
        self.attempts = 0
        self.registered_at: Instant | None = None
        self.stream: AssignmentStream | None = None
        self.broken = False
        """The way to the agent broke and what was sent may be lost: it must connect again."""
        self.expiry_key = TimerKey(OWNER, epoch, f"expiry/{node_id}")
        self.batch_key = TimerKey(OWNER, epoch, f"batch/{node_id}")

    def holds(self, session_id: str) -> bool:
        """Whether this is the node's session."""
        return bool(session_id) and self.session_id == session_id

    def admits(self, offered: str, now: Instant) -> bool:
        """Whether the node may open a session now: again the one it holds, or a new one.

        New ones are counted and limited; a refused attempt counts but doesn't move the window.
        """
        if self.holds(offered):
            return True
        if self.registered_at is None or now - self.registered_at > REGISTRATION_WINDOW:
            self.attempts = 0
        self.attempts += 1
        if self.attempts > REGISTRATION_LIMIT:
            return False
        self.registered_at = now
        return True


class Sessions:
    """The table of nodes in touch, by node id."""

    __slots__ = ("_entries", "_entropy", "_epoch", "_out", "period")

    def __init__(self, out: Outbox, entropy: Entropy, epoch: int) -> None:
        self._out = out
        self._entropy = entropy
        self._epoch = epoch
        self._entries: dict[str, Entry] = {}
        self.period: Duration = HEARTBEAT_PERIOD
        """As the cluster object has it; the next reply of every node uses it."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, node_id: str) -> Entry | None:
        """The node's entry, if it is in the table."""
        return self._entries.get(node_id)

    def all(self) -> list[Entry]:
        """Every entry, in the order they came in."""
        return list(self._entries.values())

    def check(self, node_id: str, session_id: str, identity: Identity) -> Entry | Refusal:
        """The entry of a session, if it is one, and the caller's own."""
        entry = self._entries.get(node_id)
        if entry is None:
            return NODE_NOT_REGISTERED
        if not entry.holds(session_id) or entry.broken:
            return SESSION_INVALID
        if entry.name != identity.name:
            return NOT_ITS_NODE
        return entry

    def expect(self, node_id: str) -> Entry:
        """Put a node in the table that was known to the previous leader."""
        entry = Entry(node_id, self._epoch)
        self._entries[node_id] = entry
        self._out.set_timer(entry.expiry_key, self._draw_period() * UNKNOWN_GRACE_MULTIPLIER)
        return entry

    def register(self, node_id: str, name: str, route: Route) -> Entry:
        """Give a node a new session; the count of its attempts goes on."""
        entry = Entry(node_id, self._epoch)
        previous = self._entries.get(node_id)
        if previous is not None:
            entry.attempts = previous.attempts
            entry.registered_at = previous.registered_at
        if entry.registered_at is None:
            entry.registered_at = self._out.now.mono
        entry.session_id = new_id(self._entropy)
        entry.name = name
        entry.route = route
        self._entries[node_id] = entry
        self.beat(entry)
        return entry

    def beat(self, entry: Entry) -> Duration:
        """Move a node's deadline and return the period until its next heartbeat is due."""
        period = self._draw_period()
        self._out.set_timer(entry.expiry_key, period * GRACE_MULTIPLIER)
        return period

    def drop(self, node_id: str) -> Entry | None:
        """Take a node out of the table."""
        entry = self._entries.pop(node_id, None)
        if entry is not None:
            self._out.cancel_timer(entry.expiry_key)
            if entry.stream is not None and entry.stream.modifications:
                self._out.cancel_timer(entry.batch_key)
        return entry

    def _draw_period(self) -> Duration:
        # a period set very short must stay positive
        epsilon = min(HEARTBEAT_EPSILON, self.period // 2)
        return self.period + self._entropy.integer(-epsilon, epsilon)
