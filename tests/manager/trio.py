"""Managers joined by a hand-written driver: messages and writes in order, time by hand.

Writes end at once unless a disk is `held`; messages pass at once unless a link is `cut`; a
message to a manager that is down breaks the stream. Everything is encoded and decoded on the way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from simswarm.base.effects import (
    Call,
    CancelTimer,
    Channel,
    Effect,
    Halt,
    Identity,
    Observe,
    Outbox,
    Reply,
    Send,
    SetTimer,
    TimerKey,
    Write,
    WriteMode,
)
from simswarm.base.entropy import SeededEntropy
from simswarm.base.records import frame_file
from simswarm.base.time import SECOND, Now
from simswarm.manager.leaderloops import LeaderContext, LeaderLoops
from simswarm.manager.manager import Manager
from simswarm.manager.route import Route
from simswarm.model.config import Member, NodeConfig
from simswarm.model.objects import NodeDescription
from simswarm.model.specs import ContainerSpec, NodeRole, Replicated, ServiceSpec, TaskSpec
from simswarm.store import Change
from simswarm.wire import codec
from simswarm.wire.control import CreateService, Result

WALL = 1_767_225_600 * SECOND


class FakeLoop:
    """A leader-only loop that remembers what it was told."""

    owner = "fake"

    def __init__(self, lead: LeaderContext) -> None:
        self.lead = lead
        self.told: list[Any] = []
        self.timers: list[str] = []
        self.received: list[tuple[Route, Any]] = []
        self.lost: list[str] = []
        self.stopped = False

    def start(self) -> None:
        self.lead.out.set_timer(TimerKey("fake", self.lead.epoch, "beat"), 60 * SECOND)

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        assert not self.stopped
        self.told.append((index, tuple(changes)))

    def on_timer(self, name: str) -> None:
        assert not self.stopped
        self.timers.append(name)

    def stop(self) -> None:
        self.stopped = True

    def receive(self, route: Route, identity: Identity, message: Any) -> None:
        self.received.append((route, message))

    def peer_lost(self, via: str) -> None:
        self.lost.append(via)


class Host:
    """One manager's machine: its disk survives it."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.name = config.name
        self.disk: dict[str, list[bytes]] = {}
        self.image: dict[str, bytes] | None = None
        """Bytes to boot from, where a test has damaged them."""
        self.boots = 0
        self.held = False
        self.failing: str | None = None
        self.halted: str | None = None
        self.manager: Manager | None = None
        self.out: Outbox | None = None
        self.timers: dict[TimerKey, int] = {}
        self.unsynced: deque[Write] = deque()
        self.waiting: list[Send] = []
        self.loops: list[FakeLoop] = []
        self.replies: dict[int, Result] = {}
        self.trace: list[tuple[str, dict[str, Any]]] = []
        self.given: list[tuple[str, Any]] = []
        """Messages that were not for a manager: what an agent here would get."""

    def build_loops(self, lead: LeaderContext) -> LeaderLoops:
        loop = FakeLoop(lead)
        self.loops.append(loop)
        return LeaderLoops(loop, ())

    def bytes(self) -> dict[str, bytes]:
        if self.image is not None:
            return self.image
        return {name: frame_file(tuple(records)) for name, records in self.disk.items()}

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.trace if name == kind]


class Trio:
    """A few managers. `m1` stands for election at once, as in a new swarm."""

    def __init__(self, size: int = 3, *, campaign: bool = True, seed: int = 1) -> None:
        names = [f"m{number}" for number in range(1, size + 1)]
        members = tuple(Member(number, name, name) for number, name in enumerate(names, 1))
        self.now = 0
        self.seed = seed
        self.wire: deque[tuple[str, Send]] = deque()
        self.cut: set[tuple[str, str]] = set()
        self.calls = 0
        self.sent: list[tuple[str, Send]] = []
        self.hosts = {
            name: Host(
                NodeConfig(
                    name,
                    name,
                    NodeRole.MANAGER,
                    tuple(names),
                    members,
                    campaign=campaign and name == "m1",
                    description=NodeDescription(name),
                )
            )
            for name in names
        }
        for name in names:
            self.boot(name)
        self.settle()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def manager(self, name: str) -> Manager:
        manager = self.hosts[name].manager
        assert manager is not None
        return manager

    @property
    def leader(self) -> str:
        leaders = [
            host.name for host in self.hosts.values() if host.manager and host.manager.is_leader
        ]
        assert len(leaders) == 1, leaders
        return leaders[0]

    @property
    def followers(self) -> list[str]:
        return [name for name, host in self.hosts.items() if host.manager and name != self.leader]

    # ── the driver ───────────────────────────────────────────────────────────────────────────

    def boot(self, name: str) -> None:
        host = self.hosts[name]
        host.boots += 1
        host.halted = None
        out = Outbox(codec.encode, Now(self.now, WALL + self.now))
        entropy = SeededEntropy(self.seed, f"/{name}/{host.boots}")
        host.out = out
        host.manager = Manager(host.config, host.bytes(), out, entropy, loops=host.build_loops)
        host.image = None
        host.manager.boot()
        self._perform(host)

    def crash(self, name: str, *, kept: int = 0) -> None:
        """Everything in memory is gone, and unsynced writes but for the `kept` oldest, which had
        reached the disk without anybody being told."""
        host = self.hosts[name]
        for _ in range(min(kept, len(host.unsynced))):
            self._store(host, host.unsynced.popleft())
        host.manager = None
        host.timers.clear()
        host.unsynced.clear()
        host.waiting.clear()
        self.wire = deque((source, send) for source, send in self.wire if source != name)
        for other in self.hosts.values():
            for channel in (Channel.CONSENSUS, Channel.HEARTBEAT, Channel.CONTROL):
                self.step(other.name, lambda m, c=channel: m.peer_lost(name, c))

    def step(self, name: str, give: Callable[[Manager], object]) -> None:
        """One step of one manager."""
        host = self.hosts[name]
        if host.manager is None:
            return
        assert host.out is not None
        host.out.now = Now(self.now, WALL + self.now)
        give(host.manager)
        self._perform(host)
        if host.manager is not None:
            host.manager.check_invariants()
            host.manager.store.check_invariants()

    def settle(self, limit: int = 100_000) -> None:
        """Deliver and write until nothing is left to do."""
        while self.act():
            limit -= 1
            assert limit, "the managers never come to rest"

    def act(self) -> bool:
        """Deliver one message or end one write; False if there is nothing to do."""
        if self.wire:
            self._deliver(*self.wire.popleft())
            return True
        busy = [h for h in self.hosts.values() if h.unsynced and not h.held and h.manager]
        if busy:
            self._write(busy[0])
        return bool(busy)

    def advance(self, span: int) -> None:
        """Let time pass."""
        end = self.now + span
        while True:
            self.settle()
            due = [
                (at, host.name, key)
                for host in self.hosts.values()
                for key, at in host.timers.items()
                if at <= end
            ]
            if not due:
                break
            at, name, key = min(due)
            self.now = max(self.now, at)
            del self.hosts[name].timers[key]
            self.step(name, lambda m, k=key: m.timer(k))
        self.now = end

    def call(self, name: str, request: Any) -> int:
        self.calls += 1
        number = self.calls
        call = Call(number, Identity("client"), codec.encode(request))
        self.step(name, lambda m: m.call(call))
        return number

    def ask(self, name: str, request: Any) -> Any:
        """Call and wait for the answer."""
        number = self.call(name, request)
        self.settle()
        return self.hosts[name].replies[number]

    def message(self, source: str, target: str, message: Any) -> None:
        """A message from some agent, or from a stranger."""
        frame = codec.encode(message)
        identity = Identity(source)
        self.step(target, lambda m: m.deliver(source, identity, codec.decode(frame), frame))
        self.settle()

    def _deliver(self, source: str, send: Send) -> None:
        host = self.hosts.get(send.target)
        if host is None or (source, send.target) in self.cut:
            return
        if host.manager is None:
            self.step(source, lambda m: m.peer_lost(send.target, send.channel))
            return
        message = codec.decode(send.frame)
        taken: list[bool] = []
        self.step(
            send.target,
            lambda m: taken.append(m.deliver(source, Identity(source), message, send.frame)),
        )
        if taken == [False]:
            host.given.append((source, message))

    def _write(self, host: Host) -> None:
        write = host.unsynced.popleft()
        if host.failing is not None:
            self.step(host.name, lambda m: m.written(write.token, host.failing))
            return
        self._store(host, write)
        free = [send for send in host.waiting if send.after <= write.token]
        host.waiting = [send for send in host.waiting if send.after > write.token]
        self.wire.extend((host.name, send) for send in free)
        self.step(host.name, lambda m: m.written(write.token, None))

    @staticmethod
    def _store(host: Host, write: Write) -> None:
        if write.mode is WriteMode.REMOVE:
            host.disk.pop(write.file, None)
            return
        if write.mode is WriteMode.REPLACE:
            host.disk[write.file] = []
        host.disk.setdefault(write.file, []).extend(write.records)

    def _perform(self, host: Host) -> None:
        assert host.out is not None
        for effect in host.out.drain():
            self._one(host, effect)

    def _one(self, host: Host, effect: Effect) -> None:
        match effect:
            case Send():
                self.sent.append((host.name, effect))
                pending = [write.token for write in host.unsynced]
                if effect.after in pending:
                    host.waiting.append(effect)
                else:
                    self.wire.append((host.name, effect))
            case Write():
                host.unsynced.append(effect)
            case Reply():
                host.replies[effect.call] = codec.decode(effect.frame)
            case SetTimer():
                host.timers[effect.key] = effect.at
            case CancelTimer():
                host.timers.pop(effect.key, None)
            case Observe():
                host.trace.append((effect.kind, dict(effect.fields)))
            case Halt():
                host.halted = effect.reason
                host.manager = None
                host.timers.clear()
            case _:
                raise AssertionError(effect)


def a_service(name: str = "web", replicas: int = 2, image: str = "nginx:1") -> ServiceSpec:
    return ServiceSpec(name, TaskSpec(ContainerSpec(image)), Replicated(replicas))


def create(name: str = "web", replicas: int = 2) -> CreateService:
    return CreateService(a_service(name, replicas))
