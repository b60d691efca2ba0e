"""A node's sockets: framed TCP for streams, UDP for datagrams, on the loopback only.

    A ── link (B, heartbeat) ──> connection ──> B: hello(A, heartbeat), frame, frame, …
    A ── link (B, consensus) ──> another connection

One connection per peer, channel and direction, opened when something is to be sent: a large
message never stands before a heartbeat. Faults are applied where frames leave (`live/faults.py`).

Invariants:
    I1. Without mutual TLS nothing is said or heard beyond the loopback.
    I2. A new connection of a peer for a channel replaces its old one: frames of a broken stream
        never come after those of the next.
    I3. What a peer sends is judged here only as far as framing goes; a wrong frame ends the
        connection and nothing else.

Not here: order, bounds and holding (`live/link.py`), certificates (not built yet).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Mapping
from typing import Protocol

from simswarm.base.effects import Address, Channel, Token
from simswarm.base.entropy import Entropy
from simswarm.base.errors import RemoteProtocolError, Unavailable, Unsupported
from simswarm.base.time import SECOND
from simswarm.live.background import spawn
from simswarm.live.faults import LinkRule, LinkTable, datagram_copies, datagram_delay
from simswarm.live.framing import (
    MAX_DATAGRAM_BYTES,
    datagram,
    framed,
    hello,
    read_datagram,
    read_frame,
    read_hello,
)
from simswarm.live.link import Link
from simswarm.live.writes import Writes

LOOPBACK = "127.0.0.1"
CONNECT_SECONDS = 3.0
REORDER_SECONDS = 0.02
"""How much later than its successors a reordered datagram arrives."""

Place = tuple[str, int]
"""Host and port (the same for TCP and UDP)."""


class Receiver(Protocol):
    """Whom a transport reports to: the node's driver."""

    def arrived(self, source: Address, channel: Channel, frame: bytes) -> None:
        """A frame came."""
        ...

    def lost(self, target: Address, channel: Channel) -> None:
        """A stream to or from a peer broke."""
        ...

    def ready(self, target: Address, channel: Channel) -> None:
        """A full queue has room again."""
        ...

    def dropped(self, target: Address, frame: bytes, why: str) -> None:
        """A frame will never arrive: for the trace."""
        ...


def require_loopback(host: str) -> None:
    """Refuse to leave the machine.

    Raises:
        Unsupported: `host` is not a loopback address.
    """
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise Unsupported(
            f"address {host}: live nodes speak plain TCP, which is refused beyond the loopback "
            "until mutual TLS is built"
        )


class Transport:
    """All sockets of one node."""

    def __init__(
        self,
        name: Address,
        receiver: Receiver,
        chance: Entropy,
        writes: Writes,
    ) -> None:
        self.name = name
        self.chance = chance
        self.is_held = writes.is_held
        self.is_lost = writes.is_lost
        self._receiver = receiver
        self.places: dict[Address, Place] = {}
        self._rules: dict[Address, LinkRule] = {}
        self._links: dict[tuple[Address, Channel], Link] = {}
        self._incoming: dict[tuple[Address, Channel], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._closed = False

    async def open(self, host: str = LOOPBACK, port: int = 0) -> Place:
        """Listen; port 0 finds one that is free for TCP and UDP.

        Raises:
            Unsupported: `host` is not a loopback address.
            Unavailable: the port is taken.
        """
        require_loopback(host)
        loop = asyncio.get_running_loop()
        for _ in range(1 if port else 20):
            try:
                server = await asyncio.start_server(self._accept, host, port)
                chosen: int = server.sockets[0].getsockname()[1]
                try:
                    self._datagrams, _ = await loop.create_datagram_endpoint(
                        self._protocol, local_addr=(host, chosen)
                    )
                except OSError:
                    server.close()
                    raise
            except OSError:
                continue
            self._server = server
            self.places[self.name] = (host, chosen)
            return host, chosen
        raise Unavailable(f"{self.name}: no free port on {host}" + (f" ({port})" if port else ""))

    def _protocol(self) -> _Datagrams:
        return _Datagrams(self._on_datagram)

    def learn(self, places: Mapping[Address, Place]) -> None:
        """Where peers are. A peer that moved is reached anew.

        Raises:
            Unsupported: a peer beyond the loopback.
        """
        for peer, place in places.items():
            require_loopback(place[0])
            if self.places.get(peer, place) != place:
                for (target, _), link in list(self._links.items()):
                    if target == peer and target != self.name:
                        link.broke()
            self.places[peer] = place

    def obey(self, table: LinkTable) -> None:
        """These faults from now on, and no others."""
        self._rules = dict(table.rules)
        self.nudge()

    # ── sending ──────────────────────────────────────────────────────────────────────────────

    def send(self, target: Address, frame: bytes, channel: Channel, after: Token) -> None:
        """Send a frame on a stream, once the write `after` is durable."""
        assert channel is not Channel.DATAGRAM, "datagrams have no queue"
        if self._closed:
            return
        link = self._links.get((target, channel))
        if link is None:
            link = Link(target, channel, self, self._carrier(target, channel))
            self._links[target, channel] = link
        link.push(frame, after)

    def _carrier(self, target: Address, channel: Channel) -> _Loopback | _Connection:
        if target == self.name:
            return _Loopback(self.name, channel, self._receiver)
        return _Connection(self, target, channel)

    def send_datagram(self, target: Address, frame: bytes) -> None:
        """Send a datagram now; it may be lost, doubled, reordered."""
        place = self.places.get(target)
        if self._closed or place is None or len(frame) > MAX_DATAGRAM_BYTES:
            return
        rule = self.rule(target)
        loop = asyncio.get_running_loop()
        copies = datagram_copies(rule, self.chance)
        if not copies:
            self.dropped(target, frame, "lost")
        for _ in range(copies):
            delay = datagram_delay(rule, len(frame), self.chance) / SECOND
            if rule.reorder and self.chance.integer(1, 1_000_000) <= rule.reorder:
                delay += REORDER_SECONDS
            loop.call_later(delay, self._emit, datagram(self.name, frame), place)

    def _emit(self, data: bytes, place: Place) -> None:
        if self._datagrams is not None and not self._closed:
            self._datagrams.sendto(data, place)

    def nudge(self) -> None:
        """A write became durable: held frames may go."""
        for link in self._links.values():
            link.nudge()

    # ── what links ask ───────────────────────────────────────────────────────────────────────

    def rule(self, target: Address) -> LinkRule:
        """The fault of the way to a peer."""
        return self._rules.get(target, _NO_FAULT)

    def lost(self, target: Address, channel: Channel) -> None:
        """An outgoing stream broke."""
        if not self._closed:
            self._receiver.lost(target, channel)

    def ready(self, target: Address, channel: Channel) -> None:
        """A full queue has room again."""
        if not self._closed:
            self._receiver.ready(target, channel)

    def dropped(self, target: Address, frame: bytes, why: str) -> None:
        """A frame of an outgoing stream is lost."""
        if not self._closed:
            self._receiver.dropped(target, frame, why)

    async def connect(
        self, target: Address, channel: Channel
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection to a peer.

        Raises:
            OSError: it isn't known where the peer is, or it doesn't listen.
        """
        place = self.places.get(target)
        if place is None:
            raise ConnectionError(f"nobody said where {target} is")
        async with asyncio.timeout(CONNECT_SECONDS):  # TimeoutError is an OSError
            reader, writer = await asyncio.open_connection(*place)
        writer.write(framed(hello(self.name, channel)))
        return reader, writer

    def ended(self, target: Address, channel: Channel) -> None:
        """The peer closed a connection of ours."""
        link = self._links.get((target, channel))
        if link is not None and not self._closed:
            link.broke()

    # ── receiving ────────────────────────────────────────────────────────────────────────────

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key: tuple[Address, Channel] | None = None
        try:
            greeting = read_hello(await read_frame(reader))
            key = (greeting.name, greeting.channel)
            before = self._incoming.get(key)
            self._incoming[key] = writer
            if before is not None:
                before.transport.abort()
            while self._incoming.get(key) is writer:
                frame = await read_frame(reader)
                if self._incoming.get(key) is writer and not self._closed:
                    self._receiver.arrived(*key, frame)
        except (RemoteProtocolError, asyncio.IncompleteReadError, OSError):
            pass  # the peer is gone, or speaks something else: either way this stream is over
        finally:
            writer.transport.abort()
            if key is not None and self._incoming.get(key) is writer:
                del self._incoming[key]
                self.lost(*key)

    def _on_datagram(self, data: bytes) -> None:
        with contextlib.suppress(RemoteProtocolError):
            source, frame = read_datagram(data)
            if not self._closed:
                self._receiver.arrived(source, Channel.DATAGRAM, frame)

    async def close(self) -> None:
        """Close everything and say nothing more."""
        self._closed = True
        for link in self._links.values():
            link.drop()
        if self._datagrams is not None:
            self._datagrams.close()
        for writer in list(self._incoming.values()):
            writer.transport.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


class _Connection:
    """The carrier of a link to another node: a TCP connection, opened on demand."""

    def __init__(self, transport: Transport, target: Address, channel: Channel) -> None:
        self._transport = transport
        self._target = target
        self._channel = channel
        self._writer: asyncio.StreamWriter | None = None

    async def carry(self, frame: bytes) -> None:
        """Write a frame, waiting while the peer doesn't read."""
        if self._writer is None:
            reader, writer = await self._transport.connect(self._target, self._channel)
            self._writer = writer
            spawn(self._watch(reader, writer))
        writer = self._writer
        writer.write(framed(frame))
        await writer.drain()

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing comes back on a connection but its end."""
        with contextlib.suppress(OSError):
            await reader.read()
        if self._writer is writer:
            self._transport.ended(self._target, self._channel)

    def close(self) -> None:
        """Cut the connection, if there is one."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None


class _Loopback:
    """The carrier of a node's link to itself."""

    def __init__(self, name: Address, channel: Channel, receiver: Receiver) -> None:
        self._name = name
        self._channel = channel
        self._receiver = receiver

    async def carry(self, frame: bytes) -> None:
        """Deliver at once; not within the step that sent it, as links work in their own task."""
        self._receiver.arrived(self._name, self._channel, frame)

    def close(self) -> None:
        """Nothing to cut."""


class _Datagrams(asyncio.DatagramProtocol):
    """Hands datagrams over; errors of UDP (a port nobody listens on) are losses."""

    def __init__(self, handler: Callable[[bytes], None]) -> None:
        self._handler = handler

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        """A datagram came."""
        self._handler(data)


_NO_FAULT = LinkRule()
