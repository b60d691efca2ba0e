"""The part of the story that is about services: many task records, few sentences.

Records of one service that belong together (its tasks are scaled, replaced, started) are taken as
one burst; the sentence about a burst tells what came of it.

Not here: everything else in the story (`story.py`).
"""

from __future__ import annotations

from typing import Protocol

from simswarm.base.time import MILLISECOND, Duration, Instant
from simswarm.base.trace import TraceRecord

BURST: Duration = 500 * MILLISECOND
"""What follows within this belongs together."""
SETTLING: Duration = 100 * MILLISECOND
"""Between a task's failure and its replacement lies an entry or two of the log: whether all run is
told of what stays so for this long."""
REPEATS = 5
LIVE = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running")


class Say(Protocol):
    """Adds a line to the story."""

    def __call__(self, t: Instant, text: str) -> None:
        """A sentence about this moment, which may lie behind others that were told."""
        ...


class _Told:
    """One service as the story knows it."""

    __slots__ = (
        "burst_at",
        "failures",
        "name",
        "reasons",
        "running",
        "runs",
        "settled",
        "tasks",
        "told_wanted",
        "updating",
        "wanted",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: dict[str, tuple[str, str]] = {}
        """Task → (state, desired state)."""
        self.wanted = 0
        """Tasks that are meant to run and have not ended."""
        self.running = 0
        """Tasks that run and are meant to."""
        self.settled = False
        self.updating = False
        self.burst_at: Instant | None = None
        self.told_wanted = 0
        self.failures = 0
        self.reasons: dict[str, None] = {}
        self.runs = 0

    def set_task(self, id: str, state: str, desired: str) -> None:
        """A task is in this state now."""
        self.forget(id)
        self.tasks[id] = (state, desired)
        self._count(state, desired, 1)

    def forget(self, id: str) -> None:
        """A task is no more."""
        known = self.tasks.pop(id, None)
        if known is not None:
            self._count(*known, -1)

    def _count(self, state: str, desired: str, sign: int) -> None:
        if desired in ("ready", "running"):
            self.wanted += sign * (state in LIVE)
            self.running += sign * (state == desired == "running")


class ServiceTelling:
    """Tells of services and their tasks."""

    __slots__ = ("_changed", "_open", "_say", "_services", "_up")

    def __init__(self, say: Say) -> None:
        self._say = say
        self._services: dict[str, _Told] = {}
        self._open: dict[str, None] = {}
        """Services in a burst."""
        self._changed: dict[str, Instant] = {}
        """Services to be looked at once what belongs to this change has been taken in."""
        self._up = False

    def swarm_is_up(self) -> None:
        """What is there now needs no telling."""
        self._up = True
        for service in self._services.values():
            service.told_wanted = service.wanted
            service.settled = service.running == service.wanted
        self._open.clear()
        self._changed.clear()

    def catch_up(self, now: Instant) -> None:
        """Tell what came of instants and bursts that are over by now."""
        for name, t in list(self._changed.items()):
            if now - t > SETTLING:
                del self._changed[name]
                self._look(self._services[name], t)
        for name in list(self._open):
            service = self._services[name]
            assert service.burst_at is not None
            if now - service.burst_at > BURST:
                self._close(service)

    def close(self) -> None:
        """The run is over."""
        for name, t in self._changed.items():
            self._look(self._services[name], t)
        for name in list(self._open):
            self._close(self._services[name])

    def on_task(self, record: TraceRecord) -> None:
        """A task's state or desired state changed."""
        service = self._service(str(record.get("service", "")))
        self._begin(service, record.t)
        state, desired = str(record.get("to")), str(record.get("desired"))
        id = str(record.get("task"))
        before = service.tasks.get(id)
        service.set_task(id, state, desired)
        ended_badly = state in ("failed", "rejected") and (before is None or before[0] != state)
        if ended_badly:
            self._failed(service, record)
        self._changed[service.name] = record.t

    def on_removed(self, record: TraceRecord) -> None:
        """A task is gone from the history."""
        self._service(str(record.get("service", ""))).forget(str(record.get("task")))

    def on_message(self, record: TraceRecord) -> None:
        """A task says why it stays as it is."""
        error = str(record.get("error") or "")
        service = self._service(str(record.get("service", "")))
        if error and error not in service.reasons and len(service.reasons) < REPEATS:
            service.reasons[error] = None
            self._say(record.t, f"{service.name} has tasks that wait: {error}")

    def on_spec(self, record: TraceRecord) -> None:
        """A service was created, changed or removed."""
        service = self._service(str(record.get("service", "")))
        action = record.get("action")
        if action == "create" and self._up:
            replicas = record.get("replicas")
            many = "one task on every node" if replicas is None else _tasks(int(replicas))
            self._say(record.t, f"{service.name} is deployed: {many} of {record.get('image')}")
            service.told_wanted = int(replicas or 0)
        elif action == "remove":
            self._say(record.t, f"{service.name} is removed")
            self._services.pop(service.name, None)
            self._open.pop(service.name, None)
            self._changed.pop(service.name, None)

    def on_update(self, record: TraceRecord) -> None:
        """An update began, paused, ended or is rolled back."""
        service = self._service(str(record.get("service", "")))
        state = str(record.get("to") or "")
        why = str(record.get("message") or "")
        sentence = {
            "updating": f"update of {service.name} begins",
            "paused": f"update of {service.name} is paused: {why}",
            "completed": f"update of {service.name} is complete",
            "rollback_started": f"update of {service.name} is rolled back: {why}",
            "rollback_paused": f"rollback of {service.name} is paused: {why}",
            "rollback_completed": f"rollback of {service.name} is complete",
        }.get(state)
        service.updating = state in ("updating", "rollback_started")
        if sentence:
            self._say(record.t, sentence)

    def _service(self, name: str) -> _Told:
        return self._services.setdefault(name, _Told(name))

    def _begin(self, service: _Told, t: Instant) -> None:
        service.burst_at = t if service.burst_at is None else service.burst_at
        self._open[service.name] = None

    def _look(self, service: _Told, t: Instant) -> None:
        """Tell when a service has come to have what it should have."""
        wanted, running = service.wanted, service.running
        complete = running == wanted
        if complete and not service.settled and wanted and not service.updating:
            self._close(service)
            service.runs += 1
            if service.runs <= REPEATS:
                which = (
                    f"all {wanted} {service.name} tasks run"
                    if wanted > 1
                    else (f"the {service.name} task runs")
                )
                self._say(t, which)
        service.settled = complete

    def _close(self, service: _Told) -> None:
        """A burst is over: tell how many tasks there are to be, if that changed."""
        at, service.burst_at = service.burst_at, None
        self._open.pop(service.name, None)
        wanted = service.wanted
        if at is None or service.updating or wanted == service.told_wanted:
            return
        before, service.told_wanted = service.told_wanted, wanted
        self._say(at, f"{service.name} {before} -> {_tasks(wanted)}")

    def _failed(self, service: _Told, record: TraceRecord) -> None:
        service.failures += 1
        if service.failures > REPEATS:
            return
        slot = record.get("slot")
        name = f"{service.name}.{slot}" if slot else service.name
        code = record.get("exit_code")
        why = str(record.get("error") or "")
        why = why or (f"exit {code}" if code is not None else str(record.get("message") or ""))
        tail = "; more of these are not told" if service.failures == REPEATS else ""
        state = "is rejected" if record.get("to") == "rejected" else "fails"
        self._say(record.t, f"{name} {state} on {record.get('assigned')}: {why}{tail}")


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
