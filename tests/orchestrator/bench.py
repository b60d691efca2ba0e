"""A bench for control loops: a store whose proposals commit at once, and a clock with timers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from simswarm.base.effects import CancelTimer, Outbox, SetTimer, TimerKey
from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import SECOND, Now
from simswarm.base.values import replace
from simswarm.manager.loop import ControlLoop
from simswarm.model.objects import (
    Cluster,
    Meta,
    Node,
    NodeDescription,
    NodeState,
    NodeStatus,
    Service,
    Task,
    TaskStatus,
)
from simswarm.model.specs import (
    Availability,
    ClusterSpec,
    ContainerSpec,
    NodeSpec,
    Replicated,
    Resources,
    ServiceSpec,
    TaskSpec,
)
from simswarm.model.taskstate import TaskState
from simswarm.store import ALL, ObjectChange, Outcome, Put, Selector, Store, Tx, Updated

START = Now(mono=1_000 * SECOND, wall=1_700_000_000 * SECOND)


class AtOnce:
    """A proposer whose proposals commit immediately; it remembers them."""

    def __init__(self) -> None:
        self.store: Store | None = None
        self.committed: list[tuple[str, tuple[ObjectChange, ...]]] = []

    def can_propose(self) -> bool:
        return True

    def propose(self, name: str, changes: Sequence[ObjectChange]) -> None:
        assert self.store is not None
        self.committed.append((name, tuple(changes)))
        self.store.apply(changes, len(self.committed))
        self.store.finish()

    def commit_index(self) -> int:
        return len(self.committed)


class Step:
    """A write made of a function, for tests."""

    def __init__(self, change: Callable[[Tx], Any]) -> None:
        self.name = "test.step"
        self._change = change
        self.error: Exception | None = None

    def __call__(self, tx: Tx) -> None:
        self._change(tx)

    def on_outcome(self, write: object, outcome: Outcome) -> None:
        self.error = outcome.error


class StatesOnlyRise:
    """Watches every change: neither a task's state nor its desired state ever goes back."""

    def on_changes(self, changes: Sequence[object], index: int) -> None:
        for change in changes:
            if isinstance(change, Updated) and isinstance(change.object, Task):
                old, new = change.old, change.object
                assert isinstance(old, Task)
                assert old.status.state <= new.status.state, f"{old} -> {new}"
                assert old.desired_state <= new.desired_state, f"{old} -> {new}"


class Bench:
    """Store, clock and timers around the loops under test."""

    def __init__(self, seed: int = 1, *, states_only_rise: bool = True) -> None:
        self.proposer = AtOnce()
        self.out = Outbox(lambda value: b"", START)
        self.store = Store(self.proposer, lambda: self.out.now)
        self.proposer.store = self.store
        if states_only_rise:
            self.store.watch(StatesOnlyRise())
        self.entropy = SeededEntropy(seed)
        self.timers: dict[TimerKey, int] = {}
        self.loops: dict[str, ControlLoop] = {}

    # -- running -----------------------------------------------------------------------------

    def start(self, *loops: ControlLoop) -> None:
        for loop in loops:
            self.loops[loop.owner] = loop
            self.store.watch(loop)
        for loop in loops:
            loop.start()
        self._take_timers()

    def stop(self) -> None:
        for loop in self.loops.values():
            self.store.unwatch(loop)
            loop.stop()
        self.loops.clear()
        self._take_timers()

    def run(self, seconds: float) -> None:
        """Let time pass; timers fire in order."""
        until = self.out.now.mono + round(seconds * SECOND)
        while self.timers:
            at, key = min((at, key) for key, at in self.timers.items())
            if at > until:
                break
            del self.timers[key]
            self._advance(max(at, self.out.now.mono))
            self.loops[key.owner].on_timer(key.name)
            self._take_timers()
        self._advance(until)

    def change(self, step: Callable[[Tx], Any]) -> None:
        write = Step(step)
        self.store.update(write, write)
        self._take_timers()
        if write.error is not None:
            raise write.error

    def _advance(self, mono: int) -> None:
        now = self.out.now
        self.out.now = Now(mono, now.wall + mono - now.mono)

    def _take_timers(self) -> None:
        for effect in self.out.drain():
            if isinstance(effect, SetTimer):
                self.timers[effect.key] = effect.at
            elif isinstance(effect, CancelTimer):
                self.timers.pop(effect.key, None)

    # -- objects -----------------------------------------------------------------------------

    def put(self, *items: Any) -> None:
        """Create objects, or replace those that are there."""

        def write(tx: Tx) -> None:
            for item in items:
                stored = tx.get(type(item), item.id)
                if stored is None:
                    tx.create(item)
                else:
                    tx.update(replace(item, meta=stored.meta))

        self.change(write)

    def load(self, *items: Any) -> None:
        """Put objects in as they are, metadata included, as a log entry would."""
        self.proposer.committed.append(("test.load", ()))
        changes = [Put(item) for item in items]
        self.store.apply(changes, len(self.proposer.committed))
        self._take_timers()

    def delete(self, kind: type, id: str) -> None:
        self.change(lambda tx: tx.delete(kind, id))

    def set_state(self, task: Task, state: TaskState, **status: Any) -> None:
        """As the dispatcher does when an agent reports."""
        now = self.out.now.wall
        fields: dict[str, Any] = {"timestamp": now, "applied_at": now, **status}

        def write(tx: Tx) -> None:
            stored = tx.get(Task, task.id)
            assert stored is not None
            tx.update(replace(stored, status=replace(stored.status, state=state, **fields)))

        self.change(write)

    def task(self, id: str) -> Task:
        found = self.store.get(Task, id)
        assert found is not None
        return found

    def tasks(self, selector: Selector = ALL) -> list[Task]:
        return self.store.find(Task, selector)

    def service(self, id: str = "web") -> Service:
        found = self.store.get(Service, id)
        assert found is not None
        return found

    def live(self, service_id: str = "web") -> list[Task]:
        """Tasks of a service that shall run."""
        return [
            task
            for task in self.tasks()
            if task.service_id == service_id and task.desired_state <= TaskState.RUNNING
        ]


def node(id: str, **fields: Any) -> Node:
    """A node that is ready; `resources` goes into its description."""
    resources = fields.pop("resources", Resources(4_000_000_000, 8 << 30))
    labels = fields.pop("labels", {})
    availability = fields.pop("availability", Availability.ACTIVE)
    state = fields.pop("state", NodeState.READY)
    return Node(
        id,
        NodeSpec(labels=tuple(sorted(labels.items())), availability=availability),
        description=fields.pop("description", NodeDescription(id, resources=resources)),
        status=NodeStatus(state, address=fields.pop("address", "")),
        **fields,
    )


def spec(**fields: Any) -> TaskSpec:
    """A task spec; `image` goes into its container."""
    return TaskSpec(ContainerSpec(fields.pop("image", "img:1")), **fields)


def service(id: str = "web", replicas: int = 1, **fields: Any) -> Service:
    """A replicated service whose name is its id; `task`, `update`, `rollback` go to its spec."""
    version = fields.pop("version", 1)
    fields.setdefault("task", spec())
    fields.setdefault("mode", Replicated(replicas))
    return Service(id, ServiceSpec(id, **fields), spec_version=version)


def task(id: str, of: Service, slot: int = 1, **fields: Any) -> Task:
    """A task of a service, stamped at the start of the bench's clock."""
    state = fields.pop("state", TaskState.NEW)
    at = fields.pop("at", START.wall)
    fields.setdefault("desired_state", TaskState.RUNNING)
    fields.setdefault("spec", of.spec.task)
    fields.setdefault("spec_version", of.spec_version)
    fields.setdefault("endpoint", of.spec.endpoint)
    return Task(
        id=id,
        service_id=of.id,
        service_name=of.spec.name,
        status=TaskStatus(state, at),
        slot=slot,
        meta=Meta(0, at, at),
        **fields,
    )


def cluster(history: int = 5) -> Cluster:
    return Cluster("cluster", ClusterSpec(task_history_limit=history))
