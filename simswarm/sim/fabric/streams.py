"""How frames travel from one node to another: streams as TCP carries them, and datagrams.

    send ─> [held: link cut, or host silent] ─> on the wire ─> arrive ─> the target's inbox
                   └─ too long ─> PeerLost at the sender        └─ nobody there ─> PeerLost

A stream is FIFO per (source, target, channel). What a lossy link loses is sent again after the
retransmission time-out (RTO), doubled each time, and what comes later waits behind it. On a cut
link, or towards a host without power, frames are held; if the way opens again, they go out at
TCP's next retransmission; if the oldest waits longer than the channel's time-out, the stream
breaks. A host that is up without the process, or with another process than the one the stream was
opened to, answers with a reset.

Invariants:
    I1. Frames of one stream arrive in the order sent, each at most once, none after it broke.
    I2. At most `STREAM_QUEUE_LIMIT` frames of a stream are under way or unread; one more breaks
        it. `StreamReady` says that a stream that was full is half empty again.
    I3. A sender learns of a broken stream exactly once. Nothing is told within `send`.
    I4. Datagrams may be lost, doubled and reordered; nobody learns of it.

Source: RTO: RFC 6298 and Linux (TCP_RTO_MIN 200 ms, doubled up to 120 s). Time-outs: swarmkit's
deadlines for the calls that each channel carries, because it never waits for TCP's own.
Simplified: opening a connection takes no time; acknowledgements are not modelled, so a one-way
cut leaves the other direction working (see `docs/model-card.md`).
Not here: which links are cut (`faults.py`), who opens streams (`network.py`).
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from simswarm.base.effects import STREAM_QUEUE_LIMIT, Channel, Identity
from simswarm.base.time import MILLISECOND, SECOND, Duration, Instant
from simswarm.sim.fabric.links import Link
from simswarm.sim.kernel import SimEnvironment

RTO: Duration = 200 * MILLISECOND
"""First retransmission time-out. Source: Linux TCP_RTO_MIN."""
RTO_MAX: Duration = 120 * SECOND
"""Source: Linux TCP_RTO_MAX."""
STREAM_TIMEOUT: dict[Channel, Duration] = {
    Channel.CONSENSUS: 2 * SECOND,  # raft.go DefaultNodeConfig: SendTimeout
    Channel.HEARTBEAT: 5 * SECOND,  # agent/session.go: dispatcherRPCTimeout
    Channel.CONTROL: 5 * SECOND,  # agent/session.go: dispatcherRPCTimeout
    Channel.BULK: 20 * SECOND,  # raft.go DefaultNodeConfig: LargeSendTimeout
}
"""How long a frame may wait for its way to open before its stream breaks. Source: swarmkit."""
DATAGRAM_QUEUE_LIMIT = 512
"""Datagrams unread at a node; more are dropped. Source: about 212 kB of socket buffer (Linux
net.core.rmem_default) in packets of some 400 B."""
DATAGRAM_BACKLOG: Duration = 100 * MILLISECOND
"""A throttled link drops datagrams that would wait longer than this for their turn."""
_UNOPENED = -1
_RESET = -2
"""Pseudo-incarnations of a target: not reached yet; a reset is on its way back."""


class Receiver(Protocol):
    """The node at an end of a stream, as the network sees it."""

    def deliver(self, way: Stream | Datagrams, frame: bytes) -> None:
        """A frame has arrived. The receiver calls `way.consumed()` when it reads it."""
        ...

    def lost(self, target: str, channel: Channel) -> None:
        """A stream to or from a peer broke."""
        ...

    def ready(self, target: str, channel: Channel) -> None:
        """A stream that was full has room again."""
        ...


class Tap(Protocol):
    """Sees every message; only where the trace wants them all."""

    def sent(self, way: Stream | Datagrams, frame: bytes) -> None:
        """A frame was given to the network."""
        ...

    def delivered(self, way: Stream | Datagrams, frame: bytes) -> None:
        """A frame arrived."""
        ...

    def dropped(self, way: Stream | Datagrams, frame: bytes, why: str) -> None:
        """A frame will never arrive."""
        ...


class Port:
    """Where a node is attached to the network."""

    __slots__ = (
        "identity",
        "incarnation",
        "incoming",
        "index",
        "name",
        "outgoing",
        "powered",
        "receiver",
        "running",
        "told",
        "zone",
    )

    def __init__(self, identity: Identity, index: int, zone: str, receiver: Receiver) -> None:
        self.name = identity.name
        self.index = index
        self.zone = zone
        self.receiver = receiver
        self.identity = identity
        self.incarnation = 0
        """Changes with every boot and crash."""
        self.running = False
        """There is a process; it may be paused, its kernel goes on receiving."""
        self.powered = False
        """The host answers for a process that isn't there."""
        self.outgoing: list[dict[str, Stream | Datagrams]] = [{} for _ in Channel]
        """By channel and target."""
        self.incoming: dict[tuple[str, int], Stream] = {}
        """By source and channel."""
        self.told: dict[tuple[str, int], int] = {}
        """By peer and channel: the incarnation of whose end a reset has told."""


class Stream:
    """Frames from one node to another on one channel, in order."""

    __slots__ = (
        "_arrive",
        "_env",
        "_free",
        "_full",
        "_held",
        "_held_since",
        "_returned",
        "_source_incarnation",
        "_tap",
        "_timeout",
        "back",
        "broken",
        "channel",
        "incarnation",
        "link",
        "queued",
        "source",
        "tail",
        "target",
    )

    def __init__(
        self, env: SimEnvironment, source: Port, target: Port, channel: Channel, tap: Tap | None
    ) -> None:
        self._env = env
        self._tap = tap
        self._arrive = self._on_arrival
        self.source = source
        self.target = target
        self.channel = channel
        self.link: Link
        """From source to target."""
        self.back: Link
        """The way back, for resets."""
        self.broken = False
        self.queued = 0
        """Frames sent and not yet read."""
        self.tail: Instant = 0
        """When the last frame on the wire arrives."""
        self.incarnation = target.incarnation if target.running else _UNOPENED
        """The process at the other end; frames for another one are answered by a reset."""
        self._source_incarnation = source.incarnation
        self._full = False
        self._free: Instant = 0
        self._timeout = STREAM_TIMEOUT[channel]
        self._held: deque[bytes] = deque()
        self._held_since: Instant = 0
        self._returned = 0

    def send(self, frame: bytes) -> None:
        """Send a frame after all others."""
        self.queued += 1
        if self._tap is not None:
            self._tap.sent(self, frame)
        if self.queued >= STREAM_QUEUE_LIMIT and self._overflows(frame):
            return
        if self._held or self.link.cut:
            self._hold(frame)
        else:
            self._transmit(frame)

    def _transmit(self, frame: bytes) -> None:
        env, link = self._env, self.link
        now = env.now
        if link.plain:
            at = now + link.delay()
        else:
            delay = self._delay()
            if delay > self._timeout:
                self._hold(frame)
                return
            self._free = link.leaves(len(frame), now, self._free)
            at = self._free + delay
        if at < self.tail:
            at = self.tail
        self.tail = at
        env.call_at(at, self._arrive, frame)

    def _delay(self) -> Duration:
        """Until a frame that has left arrives over a link that loses or jumbles."""
        link = self.link
        latency = link.delay()
        delay = latency + link.out_of_order()
        timeout = RTO + 2 * latency
        while link.loss and delay <= self._timeout and link.draws.happens(link.loss):
            delay += timeout
            timeout = min(2 * timeout, RTO_MAX)
        return delay

    def _on_arrival(self, frame: bytes) -> None:
        if self.broken:
            self._drop(frame, "stream broke")
        elif self.link.cut or self.target.incarnation != self.incarnation:
            self._go_astray(frame)
        else:
            if self._tap is not None:
                self._tap.delivered(self, frame)
            self.target.receiver.deliver(self, frame)

    def _go_astray(self, frame: bytes) -> None:
        """A frame finds the link cut, or not the process it was for."""
        target = self.target
        if self.source.incarnation != self._source_incarnation:
            self._drop(frame, "sender crashed")  # nobody sends it again
        elif self.link.cut:
            self._take_back(frame)
        elif not target.running and not target.powered:
            self._take_back(frame)  # nobody answers: it is sent again and again
        elif self.incarnation == _RESET:
            self._drop(frame, "stream reset")
        elif target.running and self.incarnation == _UNOPENED:
            self.incarnation = target.incarnation
            self._on_arrival(frame)
        elif self.back.cut:
            self._take_back(frame)
        else:
            self._drop(frame, "refused")
            self.incarnation = _RESET
            self._env.call_in(self.back.delay(), self._on_reset, None)

    def _on_reset(self, _: None) -> None:
        if not self.broken:
            self.source.told[self.target.name, self.channel] = self.target.incarnation
            self.close()
            self._tell(None)

    # ── held frames ──────────────────────────────────────────────────────────────────────────

    def _hold(self, frame: bytes) -> None:
        """Keep a frame until the way opens."""
        if not self._held:
            self._begin_holding()
        self._held.append(frame)

    def _take_back(self, frame: bytes) -> None:
        """Keep a frame that was on the wire: before those that were sent after it."""
        if not self._held:
            self._begin_holding()
        self._held.insert(self._returned, frame)
        self._returned += 1

    def _begin_holding(self) -> None:
        self._held_since = self._env.now
        self._returned = 0
        self._env.call_in(self._timeout, self._on_timeout, self._held_since)

    def _on_timeout(self, since: Instant) -> None:
        if self._held and self._held_since == since and not self.broken:
            self.close()
            self._tell(None)

    def release(self) -> None:
        """The way may be open: send what is held at TCP's next retransmission."""
        if not self._held or self.link.cut or not (self.target.running or self.target.powered):
            return
        now = self._env.now
        at, timeout = self._held_since, RTO
        while at <= now:
            at += timeout
            timeout = min(2 * timeout, RTO_MAX)
        self._env.call_at(at, self._on_retransmission, self._held_since)

    def _on_retransmission(self, since: Instant) -> None:
        if self.broken or not self._held or self._held_since != since or self.link.cut:
            return
        waiting, self._held = self._held, deque()
        for frame in waiting:
            if self._held:
                self._held.append(frame)  # one got lost again: the others stay behind it
            else:
                self._transmit(frame)

    # ── the end of a stream, and its limit ───────────────────────────────────────────────────

    def close(self) -> None:
        """Break: what is under way is lost, and a later `Send` opens a new stream."""
        self.broken = True
        for frame in self._held:
            self._drop(frame, "stream broke")
        self._held.clear()
        name, channel = self.target.name, self.channel
        if self.source.outgoing[channel].get(name) is self:
            del self.source.outgoing[channel][name]
        if self.target.incoming.get((self.source.name, channel)) is self:
            del self.target.incoming[self.source.name, channel]

    def abandon(self) -> None:
        """The source crashed: what is on the wire may still arrive, what it held is lost."""
        for frame in self._held:
            self._drop(frame, "sender crashed")
        self._held.clear()
        if self.target.incoming.get((self.source.name, self.channel)) is self:
            del self.target.incoming[self.source.name, self.channel]

    def _tell(self, _: None) -> None:
        source = self.source
        if source.running and source.incarnation == self._source_incarnation:
            source.receiver.lost(self.target.name, self.channel)

    def _overflows(self, frame: bytes) -> bool:
        if self.queued <= STREAM_QUEUE_LIMIT:
            self._full = True
            return False
        self._drop(frame, "queue full")
        self.close()
        self._env.call_in(0, self._tell, None)
        at = max(self.tail, self._env.now + self.link.delay())
        self._env.call_at(at, self._on_end, self.target.incarnation)
        return True

    def _on_end(self, incarnation: int) -> None:
        """The target sees the connection closed."""
        if self.target.incarnation == incarnation and self.target.running and not self.link.cut:
            self.target.receiver.lost(self.source.name, self.channel)

    def consumed(self) -> None:
        """The target has read a frame."""
        self.queued -= 1
        if self._full and self.queued <= STREAM_QUEUE_LIMIT // 2:
            self._full = False
            self._env.call_in(0, self._on_room, None)

    def _on_room(self, _: None) -> None:
        source = self.source
        if source.running and source.incarnation == self._source_incarnation and not self.broken:
            source.receiver.ready(self.target.name, self.channel)

    def _drop(self, frame: bytes, why: str) -> None:
        if self._tap is not None:
            self._tap.dropped(self, frame, why)


class Datagrams:
    """Frames from one node to another that may be lost, doubled and reordered."""

    __slots__ = (
        "_arrive",
        "_env",
        "_free",
        "_tap",
        "channel",
        "link",
        "queued",
        "source",
        "target",
    )

    def __init__(self, env: SimEnvironment, source: Port, target: Port, tap: Tap | None) -> None:
        self._env = env
        self._tap = tap
        self._arrive = self._on_arrival
        self._free: Instant = 0
        self.source = source
        self.target = target
        self.channel = Channel.DATAGRAM
        self.link: Link
        self.queued = 0
        """Frames arrived and not yet read."""

    def send(self, frame: bytes) -> None:
        """Send a frame; what becomes of it nobody will say."""
        link = self.link
        if self._tap is not None:
            self._tap.sent(self, frame)
        if link.cut:
            self._drop(frame, "link cut")
        elif link.plain:
            self._env.call_in(link.delay(), self._arrive, frame)
        elif link.loss and link.draws.happens(link.loss):
            self._drop(frame, "lost")
        else:
            self._scatter(frame)

    def _scatter(self, frame: bytes) -> None:
        link, now = self.link, self._env.now
        free = link.leaves(len(frame), now, self._free)
        if free - now > DATAGRAM_BACKLOG:
            self._drop(frame, "throttled")
            return
        self._free = free
        copies = 2 if link.duplicate and link.draws.happens(link.duplicate) else 1
        for _ in range(copies):
            delay = free - now + link.delay() + link.out_of_order()
            self._env.call_in(delay, self._arrive, frame)

    def _on_arrival(self, frame: bytes) -> None:
        if self.link.cut:
            self._drop(frame, "link cut")
        elif not self.target.running:
            self._drop(frame, "nobody there")
        elif self.queued >= DATAGRAM_QUEUE_LIMIT:
            self._drop(frame, "buffer full")
        else:
            self.queued += 1
            if self._tap is not None:
                self._tap.delivered(self, frame)
            self.target.receiver.deliver(self, frame)

    def consumed(self) -> None:
        """The target has read a frame."""
        self.queued -= 1

    def _drop(self, frame: bytes, why: str) -> None:
        if self._tap is not None:
            self._tap.dropped(self, frame, why)


assert set(STREAM_TIMEOUT) == set(Channel) - {Channel.DATAGRAM}
