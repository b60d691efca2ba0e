"""The story of a run: a fixed vocabulary of sentences, made from trace records alone.

    records ──> Story.tell ──> lines (t, sentence, remark)

The same sentences serve a terminal, a screen reader and a viewer's captions. What happens many
times over (tasks of one service) is told once, by its result. A line may be put in before later
ones once its end is known: how long there was no leader is told where the leader was lost.

Invariants:
    I1. Equal traces give equal stories.
    I2. A line's time is that of the record it tells of.

Not here: colours and layout (`cli/show.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simswarm.base.time import SECOND, Duration, Instant
from simswarm.base.trace import TraceRecord
from simswarm.scenario.narration.storytasks import ServiceTelling

REPEATS = 5
"""How often a sentence of one kind is told of one subject before it is only counted."""
STAYS_RELEVANT: Duration = SECOND
"""For so long what follows an event is remarked to be its doing."""


class Line:
    """One sentence. `alarm` lines stand out; `remark` says what it belongs to."""

    __slots__ = ("alarm", "remark", "t", "text")

    def __init__(self, t: Instant, text: str, remark: str = "", *, alarm: bool = False) -> None:
        self.t = t
        self.text = text
        self.remark = remark
        self.alarm = alarm


class Story:
    """Tells records one after the other."""

    __slots__ = (
        "_down",
        "_event",
        "_event_at",
        "_leader",
        "_lost",
        "_managers",
        "_services",
        "_tellers",
        "_told",
        "_up",
        "lines",
    )

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._services = ServiceTelling(self._say)
        self._leader = ""
        self._lost: Line | None = None
        self._event = ""
        self._event_at: Instant = -1
        self._down: dict[str, None] = {}
        self._managers: dict[str, None] = {}
        self._up = False
        self._told: dict[str, int] = {}
        self._tellers: dict[str, Callable[[TraceRecord], None]] = {
            "event": self._on_event,
            "swarm.up": self._on_up,
            "raft.role": self._on_role,
            "process.crash": self._on_crash,
            "process.restart": self._on_restart,
            "process.pause": self._on_pause,
            "process.resume": self._on_resume,
            "network.partition": self._on_partition,
            "network.link": self._on_link,
            "network.heal": self._on_heal,
            "node.state": self._on_node_state,
            "node.availability": self._on_availability,
            "node.role": self._on_node_role,
            "disk.fault": self._on_disk,
            "clock.fault": self._on_clock,
            "call": self._on_call,
            "invariant": self._on_invariant,
            "task.state": self._services.on_task,
            "task.removed": self._services.on_removed,
            "task.message": self._services.on_message,
            "service.spec": self._services.on_spec,
            "service.update": self._services.on_update,
        }

    def tell(self, records: Iterable[TraceRecord]) -> list[Line]:
        """Tell all of these, and what was still pending."""
        for record in records:
            self.on_record(record)
        self.close()
        return self.lines

    def on_record(self, record: TraceRecord) -> None:
        """Tell one record, if there is something to tell."""
        teller = self._tellers.get(record.kind)
        if teller is not None:
            self._services.catch_up(record.t)
            teller(record)

    def close(self) -> None:
        """The run is over."""
        self._services.close()
        if self._lost is not None:
            self._lost.text = "no leader from here on: nothing can be scheduled"

    def _say(self, t: Instant, text: str) -> None:
        """Add a line in order of time."""
        if not self._up:
            return
        remark = ""
        if self._event and 0 <= t - self._event_at <= STAYS_RELEVANT:
            remark, self._event = f"event {self._event}", ""
        self._insert(Line(t, text, remark))

    def _insert(self, line: Line) -> None:
        place = len(self.lines)
        while place and self.lines[place - 1].t > line.t:
            place -= 1
        self.lines.insert(place, line)

    def _say_rarely(self, t: Instant, key: str, text: str) -> None:
        """Add a line unless its like has been told often enough."""
        count = self._told[key] = self._told.get(key, 0) + 1
        if count < REPEATS:
            self._say(t, text)
        elif count == REPEATS:
            self._say(t, f"{text} (again and again; not told any more)")

    # ── the scenario's own ───────────────────────────────────────────────────────────────────

    def _on_up(self, record: TraceRecord) -> None:
        self._up = True
        self._leader = str(record.get("leader", ""))
        self._managers[self._leader] = None
        self._services.swarm_is_up()
        self._say(record.t, f"swarm is up, leader {self._leader}, term {record.get('term')}")

    def _on_event(self, record: TraceRecord) -> None:
        text, id = str(record.get("text", "")), record.get("id") or ""
        if record.get("undone"):
            self._event, self._event_at = f"{id} ends" if id else "", record.t
            return
        self._event, self._event_at = str(id), record.t
        if record.get("action") in TOLD_BY_THEMSELVES and not record.get("remark"):
            return
        self._say(record.t, str(record.get("remark") or text))

    def _on_call(self, record: TraceRecord) -> None:
        error = record.get("error") or ""
        command = record.get("method", "")
        if error:
            self._say_rarely(record.t, f"call {command}", f"{command}: {one_line(str(error))}")

    def _on_invariant(self, record: TraceRecord) -> None:
        text = f"{record.get('name')} is violated: {record.get('message')}"
        self._insert(Line(record.t, text, alarm=True))

    # ── Raft ─────────────────────────────────────────────────────────────────────────────────

    def _on_role(self, record: TraceRecord) -> None:
        role, node = record.get("role"), record.node
        self._managers[node] = None
        if not self._up:
            return
        if role == "leader":
            if self._lost is not None:
                gap = record.t - self._lost.t
                tail = "nothing can be scheduled, running tasks go on"
                self._lost.text = f"no leader for {span(gap)}: {tail}"
                self._lost = None
            again = " again" if node == self._leader else ""
            self._say(record.t, f"{node} is leader{again}, term {record.get('term')}")
            self._leader = node
        elif node == self._leader:
            if node not in self._down:
                self._say(record.t, f"{node} steps down")
            self._lose_leader(record.t)
        elif role == "follower" and node in self._down:
            del self._down[node]
            self._say(record.t, f"{node} is back, now follower")

    def _lose_leader(self, t: Instant) -> None:
        self._leader = ""
        if self._lost is None:
            self._lost = Line(t, "", alarm=True)
            self.lines.append(self._lost)

    # ── processes, network, nodes ────────────────────────────────────────────────────────────

    def _on_crash(self, record: TraceRecord) -> None:
        node = record.node
        how = {"unsynced": "loses power", "disk": "burns down, its disk is gone"}
        self._down[node] = None
        self._say(record.t, f"{node} {how.get(str(record.get('lose')), 'is killed')}")
        if node == self._leader:
            self._lose_leader(record.t)

    def _on_restart(self, record: TraceRecord) -> None:
        # a manager is told to be back when it says what it is
        if record.node not in self._managers:
            self._say(record.t, f"{record.node} boots")

    def _on_pause(self, record: TraceRecord) -> None:
        self._say(record.t, f"{record.node} freezes")

    def _on_resume(self, record: TraceRecord) -> None:
        self._say(record.t, f"{record.node} goes on")

    def _on_partition(self, record: TraceRecord) -> None:
        sides = " | ".join(str(group).replace(",", " ") for group in record.get("groups", ()))
        self._say(record.t, f"the network splits: {sides}")

    def _on_link(self, record: TraceRecord) -> None:
        sources, targets = (" ".join(record.get(name, ())) for name in ("sources", "targets"))
        if int(record.get("loss") or 0) >= WHOLE:
            self._say(record.t, f"links are cut: {_ends(sources)} to {_ends(targets)}")
            return
        worse = [
            f"{int(record.get(name) or 0) / 1e4:g}% {word}"
            for name, word in (("loss", "lost"), ("duplicate", "doubled"), ("reorder", "late"))
            if record.get(name)
        ]
        if record.get("latency"):
            around = f" ± {span(record.get('jitter'))}" if record.get("jitter") else ""
            worse.insert(0, f"+{span(record.get('latency'))}{around}")
        what = ", ".join(worse)
        self._say(record.t, f"links get worse, {_ends(sources)} to {_ends(targets)}: {what}")

    def _on_heal(self, record: TraceRecord) -> None:
        self._say(record.t, "the network heals")

    def _on_node_state(self, record: TraceRecord) -> None:
        subject, state, was = record.get("subject"), record.get("to"), record.get("from")
        if state == "down":
            why = record.get("message") or ""
            self._say(record.t, f"{subject} is down ({why})" if why else f"{subject} is down")
        elif state == "ready" and was == "down":
            self._down.pop(str(subject), None)
            self._say(record.t, f"{subject} is ready again")

    def _on_availability(self, record: TraceRecord) -> None:
        words = {"drain": "is drained", "pause": "gets no new tasks", "active": "takes tasks again"}
        if record.get("from") is not None:
            subject, to = record.get("subject"), str(record.get("to"))
            self._say(record.t, f"{subject} {words.get(to, to)}")

    def _on_node_role(self, record: TraceRecord) -> None:
        if record.get("from") is not None:
            self._say(record.t, f"{record.get('subject')} is a {record.get('to')} now")

    def _on_disk(self, record: TraceRecord) -> None:
        self._say(record.t, f"disk of {record.node}: {_fields(record)}")

    def _on_clock(self, record: TraceRecord) -> None:
        self._say(record.t, f"clock of {record.node}: {_fields(record)}")


TOLD_BY_THEMSELVES = (
    *("crash", "restart", "pause", "resume", "partition", "link", "heal", "disk", "clock"),
    *("drain", "activate", "pause_node", "scale", "update", "rollback", "remove", "deploy"),
)
"""Actions whose effects are told when they show, with the event as their remark."""


WHOLE = 1_000_000


def _ends(names: str) -> str:
    """One end of a link fault: a few names, or how many."""
    count = len(names.split())
    return names if count <= 3 else f"{count} nodes"


def one_line(text: str) -> str:
    """The first line of a text, shortened."""
    first = " ".join(text.split("\n", 1)[0].split())
    return first if len(first) <= 90 else first[:89] + "…"


def span(duration: Duration) -> str:
    """A span in the story: `14.2 s`, `300 ms`, `2m05s`."""
    if duration < SECOND:
        return f"{duration / 1e6:.0f} ms"
    if duration < 100 * SECOND:
        return f"{duration / 1e9:.1f} s"
    minutes, rest = divmod(duration // SECOND, 60)
    return f"{minutes}m{rest:02d}s"


def _fields(record: TraceRecord) -> str:
    return ", ".join(f"{name} {value}" for name, value in record.fields if value not in (None, ""))
