"""A swarm of whole nodes in memory: messages, writes and an engine with fixed delays, one heap."""

from __future__ import annotations

import heapq
from typing import Any

from simswarm.base.effects import (
    Call,
    CancelEngine,
    CancelTimer,
    Deliver,
    Effect,
    EngineEvent,
    EngineResult,
    Halt,
    Identity,
    Input,
    Observe,
    PeerLost,
    Reply,
    RunEngine,
    Send,
    SetTimer,
    TimerFired,
    TimerKey,
    Write,
    WriteMode,
    Written,
)
from simswarm.base.engine import (
    ContainerDied,
    ContainerInfo,
    CreateContainer,
    Done,
    EngineCommand,
    ListContainers,
    Outcome,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from simswarm.base.entropy import SeededEntropy
from simswarm.base.records import frame_file
from simswarm.base.time import MILLISECOND, SECOND, Now
from simswarm.base.values import replace
from simswarm.model.config import Member, NodeConfig
from simswarm.model.specs import NodeRole
from simswarm.node import Node
from simswarm.wire import codec

WALL = 1_767_225_600 * SECOND
LATENCY, SYNC = 1 * MILLISECOND, 2 * MILLISECOND
TIMES: dict[type, int] = {
    ListContainers: 20 * MILLISECOND,
    PullImage: 2 * SECOND,
    CreateContainer: 50 * MILLISECOND,
    StartContainer: 500 * MILLISECOND,
    StopContainer: 100 * MILLISECOND,
    RemoveContainer: 200 * MILLISECOND,
}


class Machine:
    """What outlives a node's boots."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.name = config.name
        self.node: Node | None = None
        self.boots = 0
        self.disk: dict[str, list[bytes]] = {}
        self.containers: dict[str, ContainerInfo] = {}
        self.timers: dict[TimerKey, int] = {}
        self.pending: dict[int, Write] = {}
        self.held: list[Send] = []
        self.cancelled: set[int] = set()
        self.halted = ""
        self.broken_disk = False


class Swarm:
    """Nodes `m1…` and `w1…`; `m1` initialises the swarm."""

    def __init__(self, managers: int = 3, workers: int = 2, seed: int = 1) -> None:
        self.seed = seed
        self.now = 0
        self.steps = 0
        self._order = 0
        self._queue: list[tuple[int, int, str, int, Any]] = []
        self.trace: list[tuple[int, str, str, dict[str, Any]]] = []
        self.replies: dict[int, Any] = {}
        self.calls = 0
        self._cut: dict[tuple[str, str], None] = {}
        self._stuck: list[tuple[str, int, Send]] = []
        """What was sent over a cut link, by whom and in which boot: a stream loses nothing."""
        self._streams: dict[tuple[str, str, int], tuple[int, int]] = {}
        """The boots of both ends of a stream: one that outlived an end is broken."""
        names = [f"m{n}" for n in range(1, managers + 1)]
        members = tuple(Member(n, name, name) for n, name in enumerate(names, 1))
        self.machines: dict[str, Machine] = {}
        for name in names:
            campaign = name == "m1"
            self.add(NodeConfig(name, name, NodeRole.MANAGER, tuple(names), members, campaign))
        for n in range(1, workers + 1):
            self.add(NodeConfig(f"w{n}", f"w{n}", NodeRole.WORKER, tuple(names)))

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def add(self, config: NodeConfig) -> None:
        self.machines[config.name] = Machine(config)
        self.boot(config.name)

    def boot(self, name: str) -> None:
        machine = self.machines[name]
        machine.boots += 1
        machine.halted = ""
        image = {file: frame_file(tuple(records)) for file, records in machine.disk.items()}
        entropy = SeededEntropy(self.seed, f"/{name}/{machine.boots}")
        machine.node, effects = Node.boot(machine.config, image, entropy, self._clock())
        self._perform(machine, effects)

    def crash(self, name: str, *, containers: bool = True) -> None:
        machine = self.machines[name]
        self._streams = {key: ends for key, ends in self._streams.items() if key[0] != name}
        machine.node = None
        machine.timers.clear()
        machine.pending.clear()
        machine.held.clear()
        machine.cancelled.clear()
        if containers:
            for task, info in machine.containers.items():
                if info.running:
                    machine.containers[task] = replace(info, running=False, exit_code=255)

    def cut(self, one: str, other: str) -> None:
        """Nothing passes between two machines; it waits, as TCP would have it."""
        self._cut[one, other] = None

    def heal(self) -> None:
        """Everything passes again, what waited first."""
        self._cut.clear()
        stuck, self._stuck = self._stuck, []
        for name, boots, send in stuck:
            machine = self.machines[name]
            if machine.node is not None and machine.boots == boots:
                self._send(machine, send)

    def node(self, name: str) -> Node:
        node = self.machines[name].node
        assert node is not None
        return node

    def run(self, span: int) -> None:
        end = self.now + span
        while self._queue and self._queue[0][0] <= end:
            at, _, name, boot, given = heapq.heappop(self._queue)
            self.now = at
            machine = self.machines[name]
            if machine.node is not None and machine.boots == boot:
                self._give(machine, given)
        self.now = end

    def run_until(self, condition, limit: int = 120 * SECOND) -> int:
        """Run until something holds; how long that took."""
        start = self.now
        while not condition():
            assert self.now - start < limit, "it never came to that"
            self.run(10 * MILLISECOND)
        return self.now - start

    def call(self, name: str, request: Any) -> Any:
        """A client's call; its answer."""
        self.calls += 1
        number = self.calls
        self.give(name, Call(number, Identity("client"), codec.encode(request)))
        self.run_until(lambda: number in self.replies, 30 * SECOND)
        return self.replies[number]

    def give(self, name: str, given: Input) -> None:
        """An input, now."""
        self._at(0, name, given)

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [fields for _, _, found, fields in self.trace if found == kind]

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _clock(self) -> Now:
        return Now(self.now, WALL + self.now)

    def _at(self, delay: int, name: str, given: Any) -> None:
        self._order += 1
        boots = self.machines[name].boots
        heapq.heappush(self._queue, (self.now + delay, self._order, name, boots, given))

    def _give(self, machine: Machine, given: Any) -> None:
        assert machine.node is not None
        match given:
            case TimerFired(key):
                if machine.timers.get(key) != self.now:
                    return
                del machine.timers[key]
            case Written(token):
                self._sync(machine, machine.pending.pop(token))
                if machine.broken_disk:
                    given = Written(token, "Input/output error")
            case RunEngine(id, command):
                if id in machine.cancelled:
                    return
                given = EngineResult(id, self._perform_engine(machine, command))
        self.steps += 1
        effects = machine.node.step(given, self._clock())
        machine.node.check_invariants()
        self._perform(machine, effects)

    def _sync(self, machine: Machine, write: Write) -> None:
        kept = [] if write.mode is WriteMode.REPLACE else machine.disk.get(write.file, [])
        machine.disk[write.file] = [*kept, *write.records]
        free = [send for send in machine.held if send.after not in machine.pending]
        machine.held = [send for send in machine.held if send.after in machine.pending]
        for send in free:
            self._send(machine, send)

    def _send(self, machine: Machine, send: Send) -> None:
        target = self.machines.get(send.target)
        way = (machine.name, send.target)
        if target is None:
            return
        if way in self._cut or way[::-1] in self._cut:
            self._stuck.append((machine.name, machine.boots, send))
            return
        stream, ends = (*way, send.channel), (machine.boots, target.boots)
        broken = self._streams.get(stream, ends) != ends
        self._streams[stream] = ends
        if target.node is None or broken:
            self._streams.pop(stream)
            self._at(LATENCY, machine.name, PeerLost(send.target, send.channel))
            return
        deliver = Deliver(machine.name, Identity(machine.name), send.frame)
        self._at(LATENCY, send.target, deliver)

    def _perform(self, machine: Machine, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    if effect.after in machine.pending:
                        machine.held.append(effect)
                    else:
                        self._send(machine, effect)
                case Write(token=token):
                    machine.pending[token] = effect
                    self._at(SYNC, machine.name, Written(token))
                case SetTimer(key, at):
                    assert at >= self.now
                    machine.timers[key] = at
                    self._at(at - self.now, machine.name, TimerFired(key))
                case CancelTimer(key):
                    machine.timers.pop(key, None)
                case RunEngine():
                    self._at(TIMES[type(effect.command)], machine.name, effect)
                case CancelEngine(id):
                    machine.cancelled.add(id)
                case Reply():
                    self.replies[effect.call] = codec.decode(effect.frame)
                case Observe():
                    fields = dict(effect.fields)
                    self.trace.append((self.now, machine.name, effect.kind, fields))
                case Halt():
                    machine.halted = effect.reason
                    self.crash(machine.name, containers=False)
                    return
                case _:
                    raise AssertionError(effect)

    def _perform_engine(self, machine: Machine, command: EngineCommand) -> Outcome:
        containers = machine.containers
        match command:
            case ListContainers():
                return Done(containers=tuple(containers.values()))
            case CreateContainer(config):
                containers[config.task] = ContainerInfo(f"c-{config.task}", config.task, False)
                return Done(container=f"c-{config.task}")
            case StartContainer(container, task):
                containers[task] = ContainerInfo(container, task, True)
                return Done(pid=1)
            case StopContainer(container, task):
                if containers[task].running:
                    self.exit(machine.name, task, 0)
            case RemoveContainer(_, task):
                del containers[task]
        return Done()

    def exit(self, name: str, task: str, code: int) -> None:
        """A container ends."""
        machine = self.machines[name]
        info = machine.containers[task]
        machine.containers[task] = replace(info, running=False, exit_code=code)
        self.give(name, EngineEvent(ContainerDied(info.container, task, code)))
