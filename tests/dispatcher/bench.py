"""A dispatcher on a bench: a store whose proposals commit when told, timers fired by hand."""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import CancelTimer, Identity, Observe, Outbox, Send, SetTimer
from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import SimswarmError
from simswarm.base.time import MILLISECOND, Now
from simswarm.base.values import Value, replace
from simswarm.manager.dispatcher import Dispatcher
from simswarm.manager.route import Courier, Route
from simswarm.model.objects import Cluster, Node, NodeDescription, Task, TaskStatus
from simswarm.model.specs import ClusterSpec, ContainerSpec, NodeSpec, TaskSpec
from simswarm.model.taskstate import TaskState
from simswarm.store import ObjectChange, Store
from simswarm.wire import codec
from simswarm.wire.dispatcher import (
    FromAgent,
    Heartbeat,
    OpenAssignments,
    OpenSession,
    SessionMessage,
)
from simswarm.wire.forward import FromLeader

EPOCH = 7
START = 1_000_000 * MILLISECOND


class Committer:
    """A proposer that commits at once, or holds proposals until `release`."""

    def __init__(self) -> None:
        self.store: Store | None = None
        self.index = 0
        self.held: Sequence[ObjectChange] | None = None
        self.holding = False
        self.leading = True
        self.log: list[tuple[str, int]] = []

    def can_propose(self) -> bool:
        return self.leading

    def propose(self, name: str, changes: Sequence[ObjectChange]) -> None:
        self.log.append((name, len(changes)))
        if self.holding:
            self.held = changes
        else:
            self._commit(changes)

    def release(self) -> None:
        self.holding = False
        if self.held is not None:
            held, self.held = self.held, None
            self._commit(held)

    def commit_index(self) -> int:
        return self.index

    def _commit(self, changes: Sequence[ObjectChange]) -> None:
        assert self.store is not None
        self.index += 1
        self.store.apply(changes, self.index)
        self.store.finish()


class Seed(Value, frozen=True):
    """A write that puts objects, whether they exist or not."""

    items: tuple[Node | Task | Cluster, ...]

    @property
    def name(self) -> str:
        return "test.seed"

    def __call__(self, tx) -> None:
        for item in self.items:
            stored = tx.get(type(item), item.id)
            if stored is None:
                tx.create(item)
            else:
                tx.update(replace(item, meta=stored.meta))


class Delete(Value, frozen=True):
    """A write that deletes an object."""

    kind: str
    id: str

    @property
    def name(self) -> str:
        return "test.delete"

    def __call__(self, tx) -> None:
        tx.delete({"Node": Node, "Task": Task}[self.kind], self.id)


class Bench:
    """The dispatcher, its store, and the world as far as it needs one."""

    def __init__(self, *items: Node | Task | Cluster, seed: int = 1, start: bool = True) -> None:
        self.out = Outbox(codec.encode, Now(START, START))
        self.committer = Committer()
        self.store = Store(self.committer, self.clock)
        self.committer.store = self.store
        self.managers: tuple[tuple[str, int], ...] = (("m1", 10), ("m2", 10))
        self.sent: list[tuple[str, Value]] = []
        self.timers: dict[str, int] = {}
        self.put(*items)
        self.dispatcher = Dispatcher(
            self.store,
            self.out,
            Courier(self.out),
            SeededEntropy(seed),
            EPOCH,
            node_name="m1",
            managers=self.list_managers,
        )
        self.store.watch(self.dispatcher)
        if start:
            self.dispatcher.start()
            self.drain()

    def clock(self) -> Now:
        return self.out.now

    def list_managers(self) -> tuple[tuple[str, int], ...]:
        return self.managers

    def put(self, *items: Node | Task | Cluster) -> None:
        self.store.update(Seed(items))
        self.drain()

    def delete(self, kind: str, id: str) -> None:
        self.store.update(Delete(kind, id))
        self.drain()

    def lose_leadership(self, error: SimswarmError) -> None:
        self.committer.leading = False
        self.store.unwatch(self.dispatcher)
        self.dispatcher.stop()
        self.store.refuse(error)
        self.drain()

    def receive(self, origin: str, message: FromAgent, via: str = "") -> None:
        self.dispatcher.receive(Route(origin, via), Identity(origin), message)
        self.drain()

    def drain(self) -> None:
        if hasattr(self, "dispatcher"):
            self.dispatcher.check_invariants()
        for effect in self.out.drain():
            match effect:
                case Send(target, frame, _, _):
                    message = codec.decode(frame)
                    if isinstance(message, FromLeader):
                        target, message = message.target, codec.decode(message.frame)
                    self.sent.append((target, message))
                case SetTimer(key, at):
                    assert key.owner == "dispatcher"
                    assert key.epoch == EPOCH
                    self.timers[key.name] = at
                case CancelTimer(key):
                    self.timers.pop(key.name, None)
                case Observe():
                    pass
                case _:
                    raise AssertionError(effect)

    def take(self, kind: type | None = None, target: str = "") -> list:
        """What was sent since the last look (of one kind, to one node)."""
        sent, self.sent = self.sent, []
        return [
            message
            for to, message in sent
            if (kind is None or isinstance(message, kind)) and (not target or to == target)
        ]

    def run(self, span: int) -> None:
        """Let time pass and fire what comes due, in order."""
        end = self.out.now.mono + span
        while self.timers:
            name, at = min(self.timers.items(), key=lambda item: (item[1], item[0]))
            if at > end:
                break
            del self.timers[name]
            self.out.now = Now(at, at)
            self.dispatcher.on_timer(name)
            self.drain()
        self.out.now = Now(end, end)

    def register(self, name: str, session_id: str = "", via: str = "") -> str:
        """Open a session and return its id."""
        self.receive(name, OpenSession(f"id-{name}", session_id, describe(name)), via)
        self.run(100 * MILLISECOND)
        return self.take(SessionMessage, name)[-1].session_id

    def beat(self, name: str, session_id: str) -> None:
        self.receive(name, Heartbeat(f"id-{name}", session_id))

    def open_assignments(self, name: str, session_id: str, via: str = "") -> None:
        self.receive(name, OpenAssignments(f"id-{name}", session_id), via)

    def node(self, name: str) -> Node:
        node = self.store.get(Node, f"id-{name}")
        assert node is not None
        return node

    def task(self, id: str) -> Task:
        task = self.store.get(Task, id)
        assert task is not None
        return task


def describe(name: str) -> NodeDescription:
    return NodeDescription(hostname=name)


def a_node(name: str, **fields) -> Node:
    return Node(f"id-{name}", NodeSpec(name=name), description=describe(name), **fields)


def a_task(id: str, node: str, state: TaskState = TaskState.ASSIGNED, **fields) -> Task:
    fields.setdefault("desired_state", TaskState.RUNNING)
    return Task(
        id=id,
        spec=TaskSpec(ContainerSpec("img:1")),
        service_id="svc",
        service_name="web",
        status=TaskStatus(state),
        slot=1,
        node_id=f"id-{node}" if node else "",
        **fields,
    )


def a_cluster(period: int) -> Cluster:
    return Cluster("c1", ClusterSpec(dispatcher_heartbeat=period))
