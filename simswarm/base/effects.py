"""The boundary between protocol and world: what a node receives and what it asks for.

    input ──> Node.step(input, now) ──> [effect, …]

Nothing is performed inside a handler. A component records effects in the node's `Outbox`; a
driver (simulated or live) performs them after the step and turns their completion into inputs.
Both unions are closed and frozen early: adding to them means touching two drivers.

Invariants:
    I1. `after=token` holds an effect until that write is durable, and a crash drops it:
        persist-before-send is data, not discipline.
    I2. Streams are FIFO per (target, channel); a held or large message on one channel never
        delays another channel. Datagrams may be lost, doubled and reordered.
    I3. A peer's queue is bounded (`STREAM_QUEUE_LIMIT`); beyond it the stream breaks: `PeerLost`.
    I4. Timers run on `now.mono` only. Setting a key again moves its deadline.
    I5. Messages cross the boundary as encoded frames: nothing mutable leaks between nodes.

Not here: the frames themselves (`wire/codec.py`), engine commands (`base/engine.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from simswarm.base.engine import EngineCommand, EngineOccurrence, Outcome
from simswarm.base.time import Duration, Instant, Now
from simswarm.base.values import Value

Address: TypeAlias = str
"""Where a node can be reached; by convention its name (`m1`). Live maps it to a socket."""
Token: TypeAlias = int
"""Names one write of one boot. 0 is no write."""
Field: TypeAlias = str | int | float | bool | tuple[str, ...] | tuple[int, ...] | None

STREAM_QUEUE_LIMIT = 4096
"""Messages that wait for one peer on one channel; beyond it the stream breaks.
Source: swarmkit manager/state/raft/transport/peer.go."""


class Channel(IntEnum):
    """Delivery classes. All but DATAGRAM are streams."""

    CONSENSUS = 0
    """Raft appends and votes."""
    HEARTBEAT = 1
    """Liveness: Raft and dispatcher heartbeats."""
    CONTROL = 2
    """Sessions, assignments, status, control API."""
    BULK = 3
    """Snapshots."""
    DATAGRAM = 4
    """Gossip."""


class Identity(Value, frozen=True):
    """Who is at the other end, as proven to the driver. Empty fields: not proven yet."""

    name: str
    node_id: str = ""
    role: str = ""


class TimerKey(NamedTuple):
    """Names a timer: the component, its leadership epoch (0 outside), and which one."""

    owner: str
    epoch: int
    name: str


# ── inputs: world → node ─────────────────────────────────────────────────────────────────────


class Deliver(Value, frozen=True, tag="deliver"):
    """A frame from a peer."""

    source: Address
    identity: Identity
    frame: bytes


class PeerLost(Value, frozen=True, tag="peer-lost"):
    """The stream to or from a peer broke; what was queued on it is lost."""

    target: Address
    channel: Channel


class StreamReady(Value, frozen=True, tag="stream-ready"):
    """A send queue that was full has room again."""

    target: Address
    channel: Channel


class TimerFired(Value, frozen=True, tag="timer"):
    """A timer's deadline has passed."""

    key: TimerKey


class Written(Value, frozen=True, tag="written"):
    """A write is durable, or failed."""

    token: Token
    error: str | None = None


class EngineResult(Value, frozen=True, tag="engine-result"):
    """How an engine command ended."""

    id: int
    outcome: Outcome


class EngineEvent(Value, frozen=True, tag="engine-event"):
    """Something happened to a container by itself."""

    occurrence: EngineOccurrence


class Call(Value, frozen=True, tag="call"):
    """A client's request: an encoded `wire.control` request."""

    id: int
    identity: Identity
    frame: bytes


class CallCancelled(Value, frozen=True, tag="call-cancelled"):
    """The client went away; its answer is no longer wanted."""

    id: int


class Shutdown(Value, frozen=True, tag="shutdown"):
    """Stop in good order."""


Input = (
    Deliver
    | PeerLost
    | StreamReady
    | TimerFired
    | Written
    | EngineResult
    | EngineEvent
    | Call
    | CallCancelled
    | Shutdown
)


# ── effects: node → world ────────────────────────────────────────────────────────────────────


class Send(Value, frozen=True, tag="send"):
    """Send a frame to a peer."""

    target: Address
    frame: bytes
    channel: Channel
    after: Token = 0


class Reply(Value, frozen=True, tag="reply"):
    """Answer a call: an encoded `wire.control` result. `last=False` for a stream's chunks."""

    call: int
    frame: bytes
    last: bool = True
    after: Token = 0


class SetTimer(Value, frozen=True, tag="set-timer"):
    """Fire `key` when `now.mono` reaches `at`; replaces an earlier setting of the key."""

    key: TimerKey
    at: Instant


class CancelTimer(Value, frozen=True, tag="cancel-timer"):
    """Forget a timer; harmless if it is not set."""

    key: TimerKey


class WriteMode(IntEnum):
    """How a write changes its file."""

    APPEND = 0
    REPLACE = 1
    """Atomically: after a crash the file is the old or the new one."""
    REMOVE = 2


class Write(Value, frozen=True, tag="write"):
    """Make records durable in a file, then answer `Written(token)`."""

    file: str
    mode: WriteMode
    records: tuple[bytes, ...]
    token: Token


class RunEngine(Value, frozen=True, tag="run-engine"):
    """Ask the container engine for something; answered by `EngineResult(id)`."""

    id: int
    command: EngineCommand


class CancelEngine(Value, frozen=True, tag="cancel-engine"):
    """Give up a command: no `EngineResult` will come; what it did so far stays."""

    id: int


class UseCredentials(Value, frozen=True, tag="use-credentials"):
    """Present these credentials to peers from now on (certificate chain and key, encoded)."""

    certificate: bytes
    key: bytes
    trust: bytes


class Observe(Value, frozen=True, tag="observe"):
    """A trace record: a dotted kind and its fields in a fixed order."""

    kind: str
    fields: tuple[tuple[str, Field], ...]


class Halt(Value, frozen=True, tag="halt"):
    """This node can't go on; the driver stops it as if it had crashed."""

    reason: str


Effect = (
    Send
    | Reply
    | SetTimer
    | CancelTimer
    | Write
    | RunEngine
    | CancelEngine
    | UseCredentials
    | Observe
    | Halt
)


class Outbox:
    """Where the components of one node record what they ask of the world during a step.

    `now` is the time of the step; components read it here. `encode` turns a message into a
    frame (the codec is above this layer, so it is handed in).
    """

    __slots__ = ("_effects", "_encode", "_engine_id", "_token", "now")

    def __init__(self, encode: Callable[[Value], bytes], now: Now) -> None:
        self.now = now
        self._encode = encode
        self._effects: list[Effect] = []
        self._token = 0
        self._engine_id = 0

    def send(self, target: Address, message: Value, channel: Channel, after: Token = 0) -> None:
        """Send a message to a peer (or to this very node, over its loopback)."""
        self._effects.append(Send(target, self._encode(message), channel, after))

    def send_frame(self, target: Address, frame: bytes, channel: Channel, after: Token = 0) -> None:
        """Send a frame that is encoded already (relays, and one message to many peers)."""
        self._effects.append(Send(target, frame, channel, after))

    def reply(self, call: int, result: Value, *, last: bool = True, after: Token = 0) -> None:
        """Answer a client's call."""
        self._effects.append(Reply(call, self._encode(result), last, after))

    def reply_frame(self, call: int, frame: bytes) -> None:
        """Answer a client's call with a result that is encoded already (relays)."""
        self._effects.append(Reply(call, frame))

    def set_timer(self, key: TimerKey, delay: Duration) -> None:
        """Fire `key` in `delay` nanoseconds of this node's monotonic clock."""
        self._effects.append(SetTimer(key, self.now.mono + delay))

    def cancel_timer(self, key: TimerKey) -> None:
        """Forget a timer."""
        self._effects.append(CancelTimer(key))

    def write(self, file: str, mode: WriteMode, records: tuple[bytes, ...]) -> Token:
        """Write records and return the token that `Written` and `after` name."""
        self._token += 1
        self._effects.append(Write(file, mode, records, self._token))
        return self._token

    def run_engine(self, command: EngineCommand) -> int:
        """Ask the engine for something and return the id its result will carry."""
        self._engine_id += 1
        self._effects.append(RunEngine(self._engine_id, command))
        return self._engine_id

    def cancel_engine(self, id: int) -> None:
        """Give up an engine command."""
        self._effects.append(CancelEngine(id))

    def observe(self, kind: str, **fields: Field) -> None:
        """Record an observation for the trace."""
        self._effects.append(Observe(kind, tuple(fields.items())))

    def halt(self, reason: str) -> None:
        """Ask to be stopped: going on would be wrong."""
        self._effects.append(Halt(reason))

    def drain(self) -> list[Effect]:
        """All effects recorded since the last drain, in order."""
        drained = self._effects
        self._effects = []
        return drained
