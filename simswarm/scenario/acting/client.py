"""An operator at a terminal: carries conversations out at some manager, beside the timeline.

    ask(order) ──> attempt: request ─> reply ─> request … ─> Done ──> one `call` record
                      ^                                       │ failed, and it may be tried again
                      └────────────── retry after ────────────┘

Invariants:
    I1. A slow command delays nothing: each has its own attempt under way.
    I2. Every attempt ends in exactly one `call` record, refused ones included.

Not here: what a command asks for (`dockercli/`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simswarm.base.effects import Field
from simswarm.base.time import SECOND, Duration, Instant
from simswarm.base.values import Value
from simswarm.dockercli import Conversation, Done
from simswarm.scenario.observed.scene import Scene
from simswarm.wire.control import Result

PATIENCE: Duration = 60 * SECOND
"""How long the client waits for one answer; managers give up before (`CALL_TIMEOUT`)."""
OUT_OF_SEQUENCE = "update out of sequence"
SEQUENCE_TRIES = 20


class Order:
    """One command to be carried out."""

    __slots__ = (
        "client",
        "event",
        "fatal",
        "host",
        "make",
        "method",
        "on_done",
        "retry",
        "stubborn",
    )

    def __init__(
        self,
        method: str,
        make: Callable[[], Conversation],
        *,
        on_done: Callable[[Done], None] | None = None,
        event: str | None = None,
        host: str | None = None,
        retry: Duration | None = None,
        fatal: tuple[str, ...] = (),
        stubborn: bool = False,
        client: str = "operator",
    ) -> None:
        self.method = method
        """The command in words."""
        self.make = make
        """Makes the conversation afresh for every attempt."""
        self.event = event
        self.host = host
        """The node it is given to; None: any live manager."""
        self.retry = retry
        """Repeat after so long until it succeeds, or fails with one of `fatal`."""
        self.fatal = fatal
        self.stubborn = stubborn
        """An operator's action: what only lost a race with the managers is tried again."""
        self.client = client
        self.on_done = on_done
        """Who is told how it ended in the end."""


class CallWorld(Protocol):
    """What a client needs of a world, simulated or live."""

    @property
    def t(self) -> Instant:
        """Nanoseconds since the swarm was up."""
        ...

    def call(
        self,
        name: str,
        request: Value,
        on_reply: Callable[[Result | None], None],
        timeout: Duration,
    ) -> int:
        """Ask a node."""
        ...

    def observe(self, node: str, kind: str, **fields: Field) -> None:
        """Add a record to the trace."""
        ...


class Alarm(Protocol):
    """Calls back later."""

    def call_in(
        self, delay: Duration, function: Callable[[Order], object], argument: Order
    ) -> None:
        """Call `function(argument)` after a delay."""
        ...


class Clients:
    """All commands under way."""

    __slots__ = ("_alarm", "_scene", "_world", "open")

    def __init__(self, world: CallWorld, alarm: Alarm, scene: Scene) -> None:
        self._world = world
        self._alarm = alarm
        self._scene = scene
        self.open = 0
        """Commands that have not ended, waiting for another try included."""

    def ask(self, order: Order) -> None:
        """Begin to carry an order out."""
        self.open += 1
        _Attempt(self, order, 1).begin()

    def again(self, order: Order) -> None:
        """Another try is due."""
        _Attempt(self, order, 1).begin()

    # ── what attempts need ───────────────────────────────────────────────────────────────────

    def target(self, order: Order) -> str:
        """Which node to ask: the one named, else a live manager, one with a quorum if possible."""
        if order.host is not None:
            return order.host
        members = self._scene.around.members()
        live = [name for name in members if self._scene.truth.is_up(name)]
        useful = [name for name in live if self._scene.in_touch(name)]
        return next(iter(useful or live or members))

    @property
    def now(self) -> Instant:
        """Nanoseconds since the swarm was up."""
        return self._world.t

    def exists(self, name: str) -> bool:
        """Whether there is a node of this name."""
        return name in self._scene.around.nodes()

    def is_up(self, name: str) -> bool:
        """Whether a node's process runs."""
        return self._scene.truth.is_up(name)

    def send(self, target: str, request: Value, attempt: _Attempt) -> None:
        """Ask a node on behalf of an attempt."""
        self._world.call(target, request, attempt.on_reply, PATIENCE)

    def ended(self, attempt: _Attempt, done: Done) -> None:
        """An attempt is over: record it, and try again if that makes sense."""
        order = attempt.order
        self._world.observe(
            attempt.target,
            "call",
            client=order.client,
            event=order.event,
            method=order.method,
            target=attempt.target,
            result=done.output,
            error=done.error or None,
            duration=(self.now - attempt.begun) / 1e9,
        )
        hopeless = any(word in done.error for word in order.fatal)
        if done.error and order.retry is not None and not hopeless:
            self._alarm.call_in(order.retry, self.again, order)
            return
        lost_race = order.stubborn and OUT_OF_SEQUENCE in done.error
        if lost_race and attempt.number < SEQUENCE_TRIES:
            _Attempt(self, order, attempt.number + 1).begin()
            return
        self.open -= 1
        if order.on_done is not None:
            order.on_done(done)


class _Attempt:
    """One try of one order."""

    __slots__ = ("_clients", "_talk", "begun", "number", "order", "target")

    def __init__(self, clients: Clients, order: Order, number: int) -> None:
        self._clients = clients
        self._talk = order.make()
        self.order = order
        self.number = number
        self.target = clients.target(order)
        self.begun = clients.now

    def begin(self) -> None:
        """Send the first request."""
        if self._clients.exists(self.target):
            self._go_on(self._talk.start())
        else:
            self._clients.ended(
                self, Done("", f"error during connect: no such host: {self.target}")
            )

    def on_reply(self, result: Result | None) -> None:
        """An answer, or none."""
        if result is None:
            self._clients.ended(self, Done("", self._silence()))
        else:
            self._go_on(self._talk.on_result(result))

    def _go_on(self, step: Value) -> None:
        if isinstance(step, Done):
            self._clients.ended(self, step)
        else:
            self._clients.send(self.target, step, self)

    def _silence(self) -> str:
        if self._clients.is_up(self.target):
            return f"error during connect: {self.target} does not answer"
        return (
            f"Cannot connect to the Docker daemon at {self.target}. Is the docker daemon running?"
        )
