"""The live driver: one node of one process on asyncio.

    socket, file, engine, clock, client ──> input ──> Node.step(input, now) ──> effects
                                                                                   │ performed here
        transport.send · disk.write · timers · lanes.submit · replies · trace  <───┘

The same loop as the simulator's (`sim/driver.py`), with real things behind the effects.

Invariants:
    I1. One step at a time; nothing is performed inside one.
    I2. What a step sends `after` a write leaves when the write is durable; a crash drops it.
    I3. A failed write ends the node: first it is told, then it is stopped, whatever it answers.
    I4. After `crash` or `Halt` nothing reaches the node and nothing leaves it.
    I5. A step that takes longer than `SLOW_STEP` is recorded as `live.slow_step`.

Not here: the process around it (`live/node_process.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, assert_never

from simswarm.base.effects import (
    Address,
    Call,
    CallCancelled,
    CancelEngine,
    CancelTimer,
    Channel,
    Deliver,
    Effect,
    EngineEvent,
    EngineResult,
    Field,
    Halt,
    Identity,
    Input,
    Observe,
    PeerLost,
    Reply,
    RunEngine,
    Send,
    SetTimer,
    Shutdown,
    StreamReady,
    TimerFired,
    TimerKey,
    Token,
    UseCredentials,
    Write,
    Written,
)
from simswarm.base.engine import EngineOccurrence, Outcome
from simswarm.base.entropy import Entropy
from simswarm.base.errors import RemoteProtocolError
from simswarm.base.time import MILLISECOND, SECOND, Duration, Instant, Now
from simswarm.live.disk import LiveDisk
from simswarm.live.engine import Engine, Lanes, Subject
from simswarm.live.system import Clock
from simswarm.live.timers import Timers
from simswarm.live.transport import LOOPBACK, Place, Transport
from simswarm.live.writes import Writes
from simswarm.model.config import NodeConfig
from simswarm.wire import codec

SLOW_STEP: Duration = 50 * MILLISECOND
INPUTS_A_TURN = 64
"""Steps before sockets and timers get their turn again."""
NO_CREDENTIALS = "credentials can't be used: mutual TLS isn't built"


def subject_fields(subject: Subject) -> dict[str, Field]:
    """What records say about a container."""
    return {
        "task": subject.task,
        "service": subject.service,
        "slot": subject.slot,
        "image": subject.image,
    }


class Steppable(Protocol):
    """What a driver needs of a node."""

    def step(self, given: Input, now: Now) -> list[Effect]:
        """Take one input, answer with what the world shall do."""
        ...


class Boot(Protocol):
    """How a node comes to life: `Node.boot`."""

    def __call__(
        self, config: NodeConfig, disk: Mapping[str, bytes], entropy: Entropy, now: Now
    ) -> tuple[Steppable, list[Effect]]:
        """A node from its disk, and what it wants done first."""
        ...


class DriverSink(Protocol):
    """Whom a driver reports to: the process around it."""

    def record(self, at: Instant, kind: str, fields: tuple[tuple[str, Field], ...]) -> None:
        """A trace record; `at` on the monotonic clock."""
        ...

    def replied(self, call: int, frame: bytes, last: bool) -> None:
        """An answer to a client's call."""
        ...

    def halted(self, reason: str) -> None:
        """The node stopped itself; this driver is dead."""
        ...


class World(NamedTuple):
    """What a driver puts its node into."""

    clock: Clock
    entropy: Entropy
    engine: Engine
    folder: Path
    host: str = LOOPBACK
    port: int = 0
    every_message: bool = False
    """Record what the network does with every frame."""


class Driver:
    """Feeds one node its inputs and performs its effects."""

    def __init__(self, config: NodeConfig, world: World, sink: DriverSink, boot: Boot) -> None:
        self.config = config
        self.node: Steppable | None = None
        self._world = world
        self._sink = sink
        self._boot = boot
        self._inbox: deque[Input] = deque()
        self._pumping = False
        self._timers = Timers(world.clock, self._on_timer)
        self._fired: set[TimerKey] = set()
        self._writes = Writes()
        self._held_datagrams: list[Send] = []
        self._replies: dict[int, deque[Reply]] = {}
        self._calls = 0
        self.dead = False
        self.disk = LiveDisk(world.folder, self._on_written)
        self.transport = Transport(
            config.address, self, world.entropy.fork("transport"), self._writes
        )
        self._lanes = Lanes(world.engine, self)

    # ── life ─────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> Place:
        """Listen and reach the engine; where peers find this node."""
        place = await self.transport.open(self._world.host, self._world.port)
        await self._lanes.open()
        return place

    def boot(self, entropy: Entropy) -> None:
        """Bring the node to life from its disk."""
        assert self.node is None, "a driver boots its node once"
        image = self.disk.load()
        now = self._world.clock.now()
        self.node, effects = self._boot(self.config, image, entropy, now)
        self._perform(effects, now)
        self._pump_soon()

    def shut_down(self) -> None:
        """Ask the node to stop in good order; it ends with `Halt`."""
        self._feed(Shutdown())

    def crash(self) -> None:
        """Stop at once, as SIGKILL does: nothing is flushed, no one is told."""
        self.dead = True
        self.node = None
        self._inbox.clear()
        self._timers.clear()

    async def close(self) -> None:
        """Free sockets, threads and the directory."""
        self.crash()
        await self.transport.close()
        await self._lanes.close()
        await self.disk.close()

    # ── clients ──────────────────────────────────────────────────────────────────────────────

    def call(self, frame: bytes, identity: Identity) -> int:
        """A client's request; answers go to the sink under the returned id."""
        self._calls += 1
        self._feed(Call(self._calls, identity, frame))
        return self._calls

    def cancel_call(self, id: int) -> None:
        """The client went away."""
        self._feed(CallCancelled(id))

    # ── what the world reports ───────────────────────────────────────────────────────────────

    def arrived(self, source: Address, channel: Channel, frame: bytes) -> None:
        """A frame came. Until certificates are real the name in the hello is the identity."""
        self._note("net.delivered", source, self.config.address, frame, "")
        self._feed(Deliver(source, Identity(source), frame))

    def lost(self, target: Address, channel: Channel) -> None:
        """A stream broke."""
        self._feed(PeerLost(target, channel))

    def ready(self, target: Address, channel: Channel) -> None:
        """A full queue has room again."""
        self._feed(StreamReady(target, channel))

    def dropped(self, target: Address, frame: bytes, why: str) -> None:
        """A frame will never arrive."""
        self._note("net.dropped", self.config.address, target, frame, why)

    def _note(self, kind: str, source: Address, target: Address, frame: bytes, why: str) -> None:
        if self._world.every_message:
            message, size = _name_of(frame), len(frame)
            self.observe(kind, source=source, target=target, message=message, size=size, why=why)

    def engine_result(self, id: int, outcome: Outcome) -> None:
        """An engine command ended."""
        self._feed(EngineResult(id, outcome))

    def engine_event(self, occurrence: EngineOccurrence) -> None:
        """Something happened to a container."""
        self._feed(EngineEvent(occurrence))

    def engine_acted(self, action: str, subject: Subject, exit_code: int | None) -> None:
        """The engine did something: a record of the driver's own."""
        fields = {**subject_fields(subject), "action": action, "exit_code": exit_code}
        if action == "start" and subject.checked:
            fields["healthy"] = False
        self.observe("engine.container", **fields)

    def engine_health(self, subject: Subject, *, healthy: bool) -> None:
        """A health check came to a verdict: a record of the driver's own."""
        self.observe("engine.health", **subject_fields(subject), healthy=healthy)

    def observe(self, kind: str, **fields: Field) -> None:
        """A record of the driver's own."""
        if not self.dead:
            self._sink.record(self._world.clock.now().mono, kind, tuple(fields.items()))

    def _on_written(self, token: Token, error: str | None) -> None:
        if self.dead:
            return
        self._writes.end(token, failed=error is not None)
        self._release()
        self._feed(Written(token, error))

    def _release(self) -> None:
        """A write is durable, or failed: what waited for it goes, or is dropped."""
        self.transport.nudge()
        waiting, self._held_datagrams = self._held_datagrams, []
        for send in waiting:
            self._send_datagram(send)
        for call in list(self._replies):
            self._answer(call)

    # ── the loop ─────────────────────────────────────────────────────────────────────────────

    def _feed(self, given: Input) -> None:
        if self.dead:
            return
        self._inbox.append(given)
        self._pump_soon()

    def _pump_soon(self) -> None:
        if not self._pumping and self.node is not None and self._inbox:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        for _ in range(INPUTS_A_TURN):
            if not self._inbox or self.node is None:
                break
            given = self._inbox.popleft()
            if isinstance(given, TimerFired):
                if given.key not in self._fired:
                    continue  # cancelled or set again while it waited here
                self._fired.discard(given.key)
            self._step(self.node, given)
        self._pumping = False
        self._pump_soon()

    def _step(self, node: Steppable, given: Input) -> None:
        now = self._world.clock.now()
        effects = node.step(given, now)
        took = self._world.clock.now().mono - now.mono
        self._perform(effects, now)
        if took > SLOW_STEP:
            name = type(given).__name__
            self.observe("live.slow_step", input=name, duration=took / SECOND)
        if isinstance(given, Written) and given.error is not None and not self.dead:
            self._halt(f"write failed: {given.error}")

    def _perform(self, effects: list[Effect], now: Now) -> None:
        """Perform a step's effects in order; a `Halt` among them comes last."""
        reason: str | None = None
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case SetTimer(key, at):
                    self._fired.discard(key)
                    self._timers.set(key, at)
                case CancelTimer(key):
                    self._fired.discard(key)
                    self._timers.cancel(key)
                case Write(token=token):
                    self._writes.begin(token)
                    self.disk.write(effect)
                case Observe(kind, fields):
                    self._sink.record(now.mono, kind, fields)
                case Reply(call):
                    self._replies.setdefault(call, deque()).append(effect)
                    self._answer(call)
                case RunEngine(id, command):
                    self._lanes.submit(id, command)
                case CancelEngine(id):
                    self._cancel_engine(id)
                case UseCredentials():
                    reason = reason or NO_CREDENTIALS
                case Halt(text):
                    reason = reason or text
                case _:
                    assert_never(effect)
        if reason is not None:
            self._halt(reason)

    def _halt(self, reason: str) -> None:
        self.crash()
        self._sink.halted(reason)

    # ── effects ──────────────────────────────────────────────────────────────────────────────

    def _send(self, send: Send) -> None:
        self._note("net.sent", self.config.address, send.target, send.frame, "")
        if send.channel is not Channel.DATAGRAM:
            self.transport.send(send.target, send.frame, send.channel, send.after)
        else:
            self._send_datagram(send)

    def _send_datagram(self, send: Send) -> None:
        if self._writes.is_held(send.after):
            self._held_datagrams.append(send)
        elif not self._writes.is_lost(send.after):
            self.transport.send_datagram(send.target, send.frame)

    def _answer(self, call: int) -> None:
        """Answers to one call leave in order, each when its write is durable."""
        waiting = self._replies[call]
        while waiting and not self._writes.is_held(waiting[0].after):
            reply = waiting.popleft()
            if self._writes.is_lost(reply.after):
                continue
            self._sink.replied(call, reply.frame, reply.last)
        if not waiting:
            del self._replies[call]

    def _on_timer(self, key: TimerKey) -> None:
        self._fired.add(key)
        self._feed(TimerFired(key))

    def _cancel_engine(self, id: int) -> None:
        """No result will come, not even one that waits in the inbox."""
        self._lanes.cancel(id)
        for given in self._inbox:
            if isinstance(given, EngineResult) and given.id == id:
                self._inbox.remove(given)
                break


def _name_of(frame: bytes) -> str:
    try:
        return type(codec.decode(frame)).__name__
    except RemoteProtocolError:
        return "?"
