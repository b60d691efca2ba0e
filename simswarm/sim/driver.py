"""The simulated driver of one node: performs its effects, feeds it inputs, one step at a time.

    network, timers, disk, engine, clients ──> inbox ──> Node.step(input, now) ──> effects
                                                 │                                    │
                        paused, or still busy: wait in order     performed after `service_time`

Invariants:
    I1. A node's step is never entered within another: what an effect leads to at once becomes an
        input through the kernel's queue.
    I2. Inputs are given in the order in which they arrived. A timer that was set again or
        cancelled, a command that was cancelled, while they waited, are not given.
    I3. A crash drops the node object, its timers, its inbox, and every effect that was held or not
        performed yet; it keeps the disk as `disk.py` says. The next boot has its own entropy.
    I4. The digest gets every step's bytes when the step is taken, whatever becomes of its effects.

Source: the vocabulary's rules (`base/effects.py`). Its live twin is `live/driver.py`.
Not here: what the world does to nodes (`world.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec

from simswarm.base.effects import (
    Call,
    CallCancelled,
    CancelEngine,
    CancelTimer,
    Channel,
    Deliver,
    Effect,
    EngineEvent,
    EngineResult,
    Halt,
    Input,
    Observe,
    PeerLost,
    Reply,
    RunEngine,
    Send,
    SetTimer,
    Shutdown,
    StreamReady,
    Token,
    UseCredentials,
    Write,
    Written,
)
from simswarm.base.engine import ContainerConfig, EngineOccurrence, Outcome
from simswarm.base.entropy import Entropy
from simswarm.base.errors import Unsupported
from simswarm.base.time import Duration, Now
from simswarm.base.trace import TraceRecord
from simswarm.model.config import NodeConfig
from simswarm.sim.digest import Digest, StepRecord
from simswarm.sim.distributions import Draws, sampler
from simswarm.sim.fabric.network import Network
from simswarm.sim.fabric.profiles import Profile
from simswarm.sim.fabric.streams import Datagrams, Stream
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.machine.clock import Clock, ClockModel
from simswarm.sim.machine.disk import Disk, Lose
from simswarm.sim.machine.engine import Engine
from simswarm.sim.machine.holding import Holding
from simswarm.sim.machine.images import Images
from simswarm.sim.machine.timers import Timer, Timers
from simswarm.sim.recorder import Fields, Recorder


class SteppedNode(Protocol):
    """What is driven: `node.Node`, or a stand-in in tests."""

    def step(self, given: Input, now: Now) -> list[Effect]:
        """React to one input."""
        ...


Boot = Callable[[NodeConfig, Mapping[str, bytes], Entropy, Now], tuple[SteppedNode, list[Effect]]]
"""Makes a node from its disk: `Node.boot`."""


class Observer(Protocol):
    """Watches a world. It looks, and never touches."""

    def on_boot(self, host: Host, image: Mapping[str, bytes], effects: list[Effect]) -> None:
        """A node has booted from this disk image."""
        ...

    def on_step(self, host: Host, given: Input, effects: list[Effect]) -> None:
        """A node has taken a step; its effects are not performed yet."""
        ...

    def on_record(self, record: TraceRecord) -> None:
        """A record was added to the trace."""
        ...

    def on_crash(self, host: Host) -> None:
        """A node went down; its object is gone, its disk is what the crash left."""
        ...


class ReplySink(Protocol):
    """Where answers to clients' calls go."""

    def replied(self, reply: Reply) -> None:
        """A node answers a call."""
        ...

    def node_lost(self, name: str) -> None:
        """A node went down; its open calls will not be answered."""
        ...


class Shared:
    """What all hosts of one world have in common."""

    __slots__ = (
        "boot",
        "calls",
        "digest",
        "entropy",
        "env",
        "images",
        "network",
        "observers",
        "recorder",
    )

    def __init__(self, env: SimEnvironment, entropy: Entropy, boot: Boot) -> None:
        self.env = env
        self.entropy = entropy
        self.boot = boot
        self.images = Images()
        self.observers: list[Observer] = []
        self.network: Network
        self.digest: Digest
        self.recorder: Recorder
        self.calls: ReplySink


class _Parcel(NamedTuple):
    """A frame that has arrived and was not read yet."""

    way: Stream | Datagrams
    frame: bytes


class _Performance(NamedTuple):
    """Effects of a step that took its time."""

    incarnation: int
    effects: list[Effect]


_Item = _Parcel | Timer | Input

_encode = msgspec.msgpack.Encoder().encode
_UNHASHED: frozenset[type] = frozenset((SetTimer, CancelTimer, Observe))
"""Effects that show elsewhere in the digest (a timer when it fires), or must not count."""


class Host:
    """One machine: a node (while it is up), its disk, clock, engine and place in the network."""

    __slots__ = (
        "_blocked",
        "_commands",
        "_halted",
        "_holding",
        "_inbox",
        "_serving",
        "_shared",
        "_stalled",
        "_timers",
        "boot_number",
        "clock",
        "config",
        "disk",
        "engine",
        "name",
        "node",
        "paused",
        "port",
        "service_time",
        "zone",
    )

    def __init__(
        self, shared: Shared, config: NodeConfig, profile: Profile, clock: ClockModel, zone: str
    ) -> None:
        name = config.name
        entropy = shared.entropy
        self._shared = shared
        self.config = config
        self.name = name
        self.zone = zone
        self.port = shared.network.attach(config.address, zone, self)
        self.clock = Clock(clock)
        draws = Draws(entropy.fork(f"disk/{name}"))
        self.disk = Disk(shared.env, draws, sampler(profile.fsync), self)
        self.engine = Engine(shared.env, shared.images, entropy.fork(f"engine/{name}"), self)
        self.node: SteppedNode | None = None
        self.boot_number = 0
        """How often it has booted; also names the boot that is up."""
        self.paused = False
        self.service_time: Duration = 0
        """How long a step keeps it busy; its effects are performed when that is over."""
        self._timers = Timers(shared.env, self.clock, self._on_timer)
        self._holding = Holding()
        self._commands: dict[int, None] = {}
        self._inbox: deque[_Item] = deque()
        self._blocked = False
        """Inputs wait: it is paused, busy, or about to go through its inbox."""
        self._serving = False
        self._stalled: list[Effect] = []
        self._halted: str | None = None

    @property
    def up(self) -> bool:
        """Whether there is a node; it may be paused."""
        return self.node is not None

    # ── life ─────────────────────────────────────────────────────────────────────────────────

    def boot(self) -> None:
        """Start the node from what its disk holds."""
        assert self.node is None, "a node that is up can't boot"
        shared = self._shared
        self.boot_number += 1
        shared.network.booted(self.port)
        image = self.disk.load()
        entropy = shared.entropy.fork(f"node/{self.name}/boot{self.boot_number}")
        now = self.clock.now(shared.env.now)
        self.node, effects = shared.boot(self.config, image, entropy, now)
        if shared.digest.add(self._bytes("boot", effects)):
            self._describe("boot", effects)
        for observer in shared.observers:
            observer.on_boot(self, image, effects)
        self._perform(effects)

    def crash(self, lose: Lose, *, silent: bool) -> None:
        """End the node at once. `silent`: its whole host, so that no peer is told."""
        assert self.node is not None, "a node that is down can't crash"
        shared = self._shared
        self.node = None
        self._timers.drop()
        self._holding = Holding()
        self._commands.clear()
        for item in self._inbox:
            if isinstance(item, _Parcel):
                item.way.consumed()
        self._inbox.clear()
        self._stalled = []
        self._blocked = self._serving = self.paused = False
        self._halted = None
        self.disk.crash(lose)
        self.engine.crash(wipe=lose == "disk")
        shared.network.crashed(self.port, silent=silent)
        shared.calls.node_lost(self.name)
        for observer in shared.observers:
            observer.on_crash(self)

    def pause(self) -> None:
        """Stop running: inputs wait. Clocks, disk, engine and the network's kernel go on."""
        self.paused = self._blocked = True

    def resume(self) -> None:
        """Run on: first what was about to be done, then what waited, in order."""
        self.paused = False
        self._shared.env.call_in(0, self._go_on, self.port.incarnation)

    def _go_on(self, incarnation: int) -> None:
        """Perform what was stalled, then read the inbox."""
        if incarnation != self.port.incarnation or self.paused or self._serving:
            return
        stalled, self._stalled = self._stalled, []
        self._perform(stalled)
        self._read_inbox()

    def _read_inbox(self) -> None:
        self._blocked = False
        while self._inbox and not self._blocked and self.node is not None:
            self._take(self._inbox.popleft())

    # ── inputs ───────────────────────────────────────────────────────────────────────────────

    def deliver(self, way: Stream | Datagrams, frame: bytes) -> None:
        """A frame has arrived."""
        if self._blocked:
            self._inbox.append(_Parcel(way, frame))
            return
        way.consumed()
        source = way.source
        self._step(Deliver(source.name, source.identity, frame))

    def lost(self, target: str, channel: Channel) -> None:
        """A stream to or from a peer broke."""
        self.give(PeerLost(target, channel))

    def ready(self, target: str, channel: Channel) -> None:
        """A stream that was full has room again."""
        self.give(StreamReady(target, channel))

    def written(self, token: Token, error: str | None) -> None:
        """A write is durable, or failed."""
        self.give(Written(token, error))

    def engine_result(self, id: int, outcome: Outcome) -> None:
        """An engine command ended."""
        self.give(EngineResult(id, outcome))

    def engine_event(self, occurrence: EngineOccurrence) -> None:
        """Something happened to a container by itself."""
        self.give(EngineEvent(occurrence))

    def call(self, call: Call) -> None:
        """A client's request."""
        self.give(call)

    def cancel_call(self, id: int) -> None:
        """The client went away."""
        self.give(CallCancelled(id))

    def shut_down(self) -> None:
        """Ask the node to stop in good order."""
        self.give(Shutdown())

    def _on_timer(self, timer: Timer) -> None:
        if self._blocked:
            if not timer.waiting:
                timer.waiting = True
                self._inbox.append(timer)
            return
        self._step(timer.fired)
        self._timers.forget(timer)

    def give(self, given: Input) -> None:
        """Give the node an input, or let it wait. A node that is down gets nothing."""
        if self.node is None:
            return
        if self._blocked:
            self._inbox.append(given)
        else:
            self._take(given)

    def _take(self, item: _Item) -> None:
        """Give the node what has waited its turn."""
        if type(item) is Written:
            self._settle(item)
            self._step(item)
        elif isinstance(item, _Parcel):
            self.deliver(item.way, item.frame)
        elif isinstance(item, Timer):
            if item.waiting:
                item.waiting = False
                self._on_timer(item)
        elif type(item) is EngineResult:
            if item.id in self._commands:
                del self._commands[item.id]
                self._step(item)
        else:
            self._step(item)

    def _settle(self, written: Written) -> None:
        """What a write held back may go."""
        for effect in self._holding.settled(written.token, failed=written.error is not None):
            if type(effect) is Send:
                self._send(effect)
            elif type(effect) is Reply:
                self._shared.calls.replied(effect)

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    def _step(self, given: Input) -> None:
        node, shared = self.node, self._shared
        assert node is not None, "a node that is down takes no step"
        try:
            effects = node.step(given, self.clock.now(shared.env.now))
        except Exception as error:
            error.add_note(f"in {self.name}, step {shared.digest.steps + 1}: {given!r:.500}")
            raise
        if shared.digest.add(self._bytes(given, effects)):
            self._describe(given, effects)
        for observer in shared.observers:
            observer.on_step(self, given, effects)
        if self.service_time:
            self._serving = self._blocked = True
            performance = _Performance(self.port.incarnation, effects)
            shared.env.call_in(self.service_time, self._on_served, performance)
        elif effects:
            self._perform(effects)

    def _on_served(self, performance: _Performance) -> None:
        """A step that took its time is over."""
        incarnation, effects = performance
        if incarnation != self.port.incarnation:
            return
        self._serving = False
        if self.paused:
            self._stalled = effects
            return
        self._perform(effects)
        if self.node is not None and not self.paused:
            self._read_inbox()

    def _bytes(self, given: Input | str, effects: list[Effect]) -> bytes:
        """A step as the digest has it."""
        hashed = effects and [effect for effect in effects if type(effect) not in _UNHASHED]
        return _encode((self._shared.env.now, self.port.index, given, hashed))

    def _describe(self, given: Input | str, effects: list[Effect]) -> None:
        words = tuple(repr(effect) for effect in effects)
        given_words = given if isinstance(given, str) else repr(given)
        digest, now = self._shared.digest, self._shared.env.now
        digest.records.append(StepRecord(digest.steps, now, self.name, given_words, words))

    # ── effects ──────────────────────────────────────────────────────────────────────────────

    def _perform(self, effects: list[Effect]) -> None:
        holding, network, port = self._holding, self._shared.network, self.port
        for effect in effects:
            # not `isinstance`: for a class of msgspec's a miss costs ten times a hit
            if type(effect) is Send:
                if (effect.after or holding.held) and holding.holds(effect):
                    continue
                network.send(port, effect.target, effect.channel, effect.frame)
            elif type(effect) is SetTimer:
                self._timers.set(effect.key, effect.at)
            elif type(effect) is Observe:
                self._shared.recorder.record(self.name, effect.kind, effect.fields)
            elif type(effect) is Write:
                holding.writing(effect.token)
                self.disk.write(effect)
            else:
                self._perform_rarer(effect)
                if self._halted is not None:
                    break
        if self._halted is not None:
            reason, self._halted = self._halted, None
            fields = (("targets", (self.name,)), ("lose", "nothing"), ("reason", reason))
            self._shared.recorder.record(self.name, "process.crash", fields)
            self.crash("nothing", silent=False)

    def _send(self, send: Send) -> None:
        self._shared.network.send(self.port, send.target, send.channel, send.frame)

    def _perform_rarer(self, effect: Effect) -> None:
        match effect:
            case CancelTimer(key):
                self._timers.cancel(key)
            case Reply():
                if not self._holding.holds(effect):
                    self._shared.calls.replied(effect)
            case RunEngine(id, command):
                self._commands[id] = None
                self.engine.run(id, command)
            case CancelEngine(id):
                self._commands.pop(id, None)
                self.engine.cancel(id)
            case Halt(reason):
                self._halted = reason
            case UseCredentials():
                raise Unsupported("simulated nodes have no credentials yet: UseCredentials")
            case _:
                raise AssertionError(f"not handled here: {effect!r}")

    # ── what its engine did, for the trace ───────────────────────────────────────────────────

    def engine_acted(self, action: str, config: ContainerConfig, exit_code: int | None) -> None:
        """The engine did something to a container."""
        fields: Fields = (*_subject(config), ("action", action), ("exit_code", exit_code))
        if action == "start":
            # a container with a health check is not healthy before its first success
            fields = (*fields, ("healthy", self.engine.health_of(config.name)))
        self._shared.recorder.record(self.name, "engine.container", fields)

    def engine_health(self, config: ContainerConfig, *, healthy: bool) -> None:
        """A health check came to a verdict."""
        fields = (*_subject(config), ("healthy", healthy))
        self._shared.recorder.record(self.name, "engine.health", fields)

    def set_drift(self, drift: int) -> None:
        """Let its monotonic clock run at another rate."""
        self.clock.set_drift(drift, self._shared.env.now)
        self._timers.rearm()


def _subject(config: ContainerConfig) -> tuple[tuple[str, str | int | None], ...]:
    return (
        ("task", config.task),
        ("service", config.service),
        ("slot", config.slot),
        ("image", config.image),
    )
