"""One outgoing stream of a node: everything it sends to one peer on one channel, in order.

    push ──> queue (bounded) ──> head: held? blocked? due? ──> carrier (TCP, or the loopback)
                └─ beyond the limit, or the carrier breaks: all of it is lost, `lost` once

Invariants:
    I1. FIFO: a frame that is held until a write is durable holds all behind it, and no other link.
    I2. At most `STREAM_QUEUE_LIMIT` frames wait; one more breaks the stream.
    I3. A link that nothing passes for its channel's `STREAM_TIMEOUT` while frames wait breaks; a
        cut that heals before lets them arrive late, at TCP's next retransmission.
    I4. A queue that was full says so once it is half empty.

Source: time-outs are swarmkit's deadlines for the calls that each channel carries, as in the
simulator (`sim/fabric/streams.py`), which states the same rules for simulated links.
Not here: sockets (`live/transport.py`), faults (`live/faults.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from simswarm.base.effects import STREAM_QUEUE_LIMIT, Address, Channel, Token
from simswarm.base.entropy import Entropy
from simswarm.base.time import SECOND, Duration
from simswarm.live.background import spawn
from simswarm.live.faults import LinkRule, retransmission, stream_delay

STREAM_TIMEOUT: dict[Channel, Duration] = {
    Channel.CONSENSUS: 2 * SECOND,  # raft.go DefaultNodeConfig: SendTimeout
    Channel.HEARTBEAT: 5 * SECOND,  # agent/session.go: dispatcherRPCTimeout
    Channel.CONTROL: 5 * SECOND,  # agent/session.go: dispatcherRPCTimeout
    Channel.BULK: 20 * SECOND,  # raft.go DefaultNodeConfig: LargeSendTimeout
}


class LinkOwner(Protocol):
    """What a link asks of its node's transport."""

    chance: Entropy

    def is_held(self, token: Token) -> bool:
        """Whether a write is still on its way to the disk."""
        ...

    def is_lost(self, token: Token) -> bool:
        """Whether a write failed: what waits for it never leaves."""
        ...

    def rule(self, target: Address) -> LinkRule:
        """The fault of the way to a peer."""
        ...

    def lost(self, target: Address, channel: Channel) -> None:
        """The stream broke."""
        ...

    def ready(self, target: Address, channel: Channel) -> None:
        """A full queue has room again."""
        ...

    def dropped(self, target: Address, frame: bytes, why: str) -> None:
        """A frame will never arrive: for the trace."""
        ...


class Carrier(Protocol):
    """What brings frames to the peer."""

    async def carry(self, frame: bytes) -> None:
        """Hand one frame over.

        Raises:
            OSError: the peer can't be reached, or the connection broke.
        """
        ...

    def close(self) -> None:
        """Cut the connection, if there is one."""
        ...


class Link:
    """The stream to one peer on one channel."""

    __slots__ = (
        "_carrier",
        "_changed",
        "_due",
        "_owner",
        "_queue",
        "_was_full",
        "_worker",
        "channel",
        "target",
    )

    def __init__(
        self, target: Address, channel: Channel, owner: LinkOwner, carrier: Carrier
    ) -> None:
        self.target = target
        self.channel = channel
        self._owner = owner
        self._carrier = carrier
        self._queue: deque[tuple[bytes, Token, float]] = deque()
        self._changed = asyncio.Event()
        self._due = 0.0
        self._was_full = False
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Frames not handed over yet."""
        return len(self._queue)

    def push(self, frame: bytes, after: Token) -> None:
        """Send a frame behind all others."""
        if len(self._queue) >= STREAM_QUEUE_LIMIT:
            self._owner.dropped(self.target, frame, "queue full")
            self.broke()
            return
        self._queue.append((frame, after, self._when(frame)))
        self._was_full = self._was_full or len(self._queue) >= STREAM_QUEUE_LIMIT
        if self._worker is None:
            self._worker = spawn(self._work())

    def _when(self, frame: bytes) -> float:
        """When this frame may arrive: delayed by the link, never before the one ahead of it."""
        rule = self._owner.rule(self.target)
        now = asyncio.get_running_loop().time()
        if rule == LinkRule() or rule.blocks:
            return self._due if self._due > now else 0.0
        delay = stream_delay(rule, len(frame), self._owner.chance) / SECOND
        self._due = max(self._due, now + delay)
        return self._due

    def nudge(self) -> None:
        """A write became durable, or a rule changed: look again."""
        self._changed.set()

    def broke(self) -> None:
        """Everything that waits is lost; the next frame opens a new stream."""
        for frame, _, _ in self._queue:
            self._owner.dropped(self.target, frame, "stream broke")
        self._queue.clear()
        self._was_full = False
        self._due = 0.0
        self._carrier.close()
        self._owner.lost(self.target, self.channel)
        self._changed.set()

    async def _work(self) -> None:
        try:
            while self._queue:
                item = self._queue[0]
                await self._until_free(item)
                if not self._queue or self._queue[0] is not item:
                    continue  # the stream broke meanwhile
                if self._owner.is_lost(item[1]):
                    self._queue.popleft()
                    continue
                try:
                    await self._carrier.carry(item[0])
                except OSError:
                    if self._queue and self._queue[0] is item:
                        self.broke()
                    continue
                if self._queue and self._queue[0] is item:
                    self._queue.popleft()
                    self._has_room()
        finally:
            self._worker = None

    def _has_room(self) -> None:
        if self._was_full and len(self._queue) <= STREAM_QUEUE_LIMIT // 2:
            self._was_full = False
            self._owner.ready(self.target, self.channel)

    async def _until_free(self, item: tuple[bytes, Token, float]) -> None:
        """Wait while the head is held, blocked or not due; give up on a silent link."""
        _, after, due = item
        loop = asyncio.get_running_loop()
        cut_since: float | None = None
        while self._queue and self._queue[0] is item:
            self._changed.clear()
            now = loop.time()
            if self._owner.is_lost(after):
                return
            if self._owner.is_held(after):
                limit = None
            elif self._owner.rule(self.target).blocks:
                cut_since = now if cut_since is None else cut_since
                limit = cut_since + STREAM_TIMEOUT[self.channel] / SECOND - now
                if limit <= 0:
                    self.broke()
                    return
            elif cut_since is not None:
                due = max(due, cut_since + retransmission(now - cut_since))
                cut_since = None
                continue
            elif due > now:
                limit = due - now
            else:
                return
            await self._change(limit)

    async def _change(self, limit: float | None) -> None:
        try:
            async with asyncio.timeout(limit):
                await self._changed.wait()
        except TimeoutError:
            pass

    def drop(self) -> None:
        """Forget everything and say nothing: the node itself is going."""
        self._queue.clear()
        self._carrier.close()
        self._changed.set()
