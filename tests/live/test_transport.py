"""Framed TCP between two transports, and what faults do to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simswarm.base.effects import STREAM_QUEUE_LIMIT, Address, Channel
from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import Unsupported
from simswarm.base.time import MILLISECOND
from simswarm.live import link
from simswarm.live.faults import LinkRule, LinkTable
from simswarm.live.framing import MAX_FRAME_BYTES, framed, hello
from simswarm.live.transport import Transport
from simswarm.live.writes import Writes

CONSENSUS, HEARTBEAT = Channel.CONSENSUS, Channel.HEARTBEAT
BULK, DATAGRAM = Channel.BULK, Channel.DATAGRAM


class Peer:
    """A transport and everything it reports."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: list[tuple[Any, ...]] = []
        self.writes = Writes()
        self.drops: list[tuple[str, bytes, str]] = []
        self._changed = asyncio.Event()
        self.transport = Transport(name, self, SeededEntropy(1), self.writes)

    def arrived(self, source: Address, channel: Channel, frame: bytes) -> None:
        self._note("arrived", source, channel, frame)

    def lost(self, target: Address, channel: Channel) -> None:
        self._note("lost", target, channel)

    def ready(self, target: Address, channel: Channel) -> None:
        self._note("ready", target, channel)

    def dropped(self, target: Address, frame: bytes, why: str) -> None:
        self.drops.append((target, frame, why))

    def _note(self, *entry: Any) -> None:
        self.log.append(entry)
        self._changed.set()

    def frames(self, channel: Channel | None = None) -> list[bytes]:
        return [
            entry[3] for entry in self.log if entry[0] == "arrived" and channel in (None, entry[2])
        ]

    async def until(self, count: int, channel: Channel | None = None) -> list[bytes]:
        while len(self.frames(channel)) < count:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 20)
        return self.frames(channel)

    async def told(self, *entry: Any) -> None:
        while entry not in self.log:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 20)

    def send(self, target: str, frame: bytes, channel: Channel = CONSENSUS, after: int = 0) -> None:
        self.transport.send(target, frame, channel, after)


@asynccontextmanager
async def peers(*names: str) -> AsyncIterator[list[Peer]]:
    made = [Peer(name) for name in names]
    places = {peer.name: await peer.transport.open() for peer in made}
    for peer in made:
        peer.transport.learn(places)
    yield made
    for peer in made:
        await peer.transport.close()


def test_frames_arrive_in_order_with_their_sender(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            sent = [b"%d" % n for n in range(500)]
            for frame in sent:
                a.send("b", frame)
            assert await b.until(500) == sent
            assert {entry[1] for entry in b.log} == {"a"}
            b.send("a", b"back")
            assert await a.until(1) == [b"back"]

    run(script())


def test_a_node_reaches_itself(run: Any) -> None:
    async def script() -> None:
        async with peers("a") as (a,):
            a.send("a", b"1")
            assert a.log == []
            a.send("a", b"2")
            assert await a.until(2) == [b"1", b"2"]

    run(script())


def test_a_held_frame_holds_its_own_channel_only(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.writes.begin(7)
            a.send("b", b"held", after=7)
            a.send("b", b"behind")
            a.send("b", b"beat", HEARTBEAT)
            assert await b.until(1) == [b"beat"]
            await asyncio.sleep(0.05)
            assert b.frames() == [b"beat"]
            a.writes.end(7, failed=False)
            a.transport.nudge()
            assert (await b.until(3))[1:] == [b"held", b"behind"]

    run(script())


def test_what_waits_for_a_failed_write_never_leaves_and_what_stands_behind_it_does(
    run: Any,
) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.writes.begin(7)
            a.send("b", b"lost", after=7)
            a.send("b", b"behind")
            await asyncio.sleep(0.02)
            a.writes.end(7, failed=True)
            a.transport.nudge()
            assert await b.until(1) == [b"behind"]

    run(script())


def test_a_big_message_does_not_delay_a_heartbeat(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            for _ in range(3):
                a.send("b", bytes(MAX_FRAME_BYTES // 2), BULK)
            a.send("b", b"beat", HEARTBEAT)
            await b.until(1, HEARTBEAT)
            assert len(b.frames(BULK)) < 3
            await b.until(3, BULK)

    run(script())


def test_a_full_queue_breaks_the_stream_and_a_queue_with_room_again_says_so(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.writes.begin(1)
            for _ in range(STREAM_QUEUE_LIMIT):
                a.send("b", b"x", after=1)
            assert a.log == []
            a.writes.end(1, failed=False)
            a.transport.nudge()
            await b.until(STREAM_QUEUE_LIMIT)
            assert a.log == [("ready", "b", CONSENSUS)]
            a.writes.begin(2)
            for _ in range(STREAM_QUEUE_LIMIT + 1):
                a.send("b", b"y", after=2)
            assert a.log[1:] == [("lost", "b", CONSENSUS)]
            whys = [why for _, _, why in a.drops]
            assert whys == ["queue full"] + STREAM_QUEUE_LIMIT * ["stream broke"]
            a.writes.end(2, failed=False)
            a.transport.nudge()
            a.send("b", b"fresh")
            assert (await b.until(STREAM_QUEUE_LIMIT + 1))[-1] == b"fresh"

    run(script())


def test_a_peer_that_is_not_there_is_lost_and_found_again_when_it_listens(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.send("nobody", b"x")
            await a.told("lost", "nobody", CONSENSUS)
            a.send("b", b"1")
            await b.until(1)
            await b.transport.close()
            await a.told("lost", "b", CONSENSUS)
            a.log.clear()
            a.send("b", b"2")
            await a.told("lost", "b", CONSENSUS)
            again = Peer("b")
            a.transport.learn({"b": await again.transport.open()})
            a.send("b", b"3")
            assert await again.until(1) == [b"3"]
            await again.transport.close()

    run(script())


def test_the_end_of_an_incoming_stream_is_told(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.send("b", b"1", HEARTBEAT)
            await b.until(1)
            await a.transport.close()
            await b.told("lost", "a", HEARTBEAT)

    run(script())


def test_a_cut_link_holds_frames_until_it_heals(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.transport.obey(LinkTable((("b", LinkRule(cut=True)),)))
            a.send("b", b"1")
            b.send("a", b"back")  # the fault is one-way
            await a.until(1)
            await asyncio.sleep(0.05)
            assert b.frames() == []
            a.transport.obey(LinkTable())
            assert await b.until(1) == [b"1"]

    run(script())


def test_a_link_that_stays_cut_breaks(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(link.STREAM_TIMEOUT, CONSENSUS, 100 * MILLISECOND)

    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.transport.obey(LinkTable((("b", LinkRule(loss=1_000_000)),)))
            a.send("b", b"1")
            await a.told("lost", "b", CONSENSUS)
            a.transport.obey(LinkTable())
            a.send("b", b"2")
            assert await b.until(1) == [b"2"]

    run(script())


def test_latency_delays_every_frame_alike_and_keeps_the_order(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            rule = LinkRule(latency=100 * MILLISECOND, jitter=50 * MILLISECOND)
            a.transport.obey(LinkTable((("b", rule),)))
            loop = asyncio.get_running_loop()
            start = loop.time()
            sent = [b"%d" % n for n in range(50)]
            for frame in sent:
                a.send("b", frame)
            assert await b.until(50) == sent
            assert 0.05 <= loop.time() - start < 1.5  # not one latency after another

    run(script())


def test_loss_on_a_stream_is_delay_and_on_datagrams_is_loss(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.transport.obey(LinkTable((("b", LinkRule(loss=300_000)),)))
            for n in range(5):
                a.send("b", b"%d" % n)
            assert await b.until(5) == [b"%d" % n for n in range(5)]
            for _ in range(200):
                a.transport.send_datagram("b", b"d")
            await asyncio.sleep(0.2)
            assert 80 < len(b.frames(DATAGRAM)) < 190

    run(script())


def test_datagrams_can_be_doubled(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            a.transport.obey(LinkTable((("b", LinkRule(duplicate=1_000_000)),)))
            a.transport.send_datagram("b", b"d")
            assert await b.until(2) == [b"d", b"d"]

    run(script())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org", "::"])
def test_beyond_the_loopback_everything_is_refused(run: Any, host: str) -> None:
    async def script() -> None:
        peer = Peer("a")
        with pytest.raises(Unsupported, match="loopback"):
            await peer.transport.open(host)
        with pytest.raises(Unsupported, match="loopback"):
            peer.transport.learn({"b": (host, 1)})

    run(script())


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        framed(b""),
        framed(b"\xc1garbage"),
        framed(hello("c", CONSENSUS)[:-1]),
        framed(hello("c", CONSENSUS).replace(b"\x01", b"\x09", 1)),
        framed(hello("c", CONSENSUS)) + b"\xff\xff\xff\xff",
    ],
)
def test_what_is_no_node_is_cut_off_and_harms_nobody(run: Any, garbage: bytes) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            reader, writer = await asyncio.open_connection(*b.transport.places["b"])
            writer.write(garbage)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            a.send("b", b"fine")
            assert await b.until(1) == [b"fine"]

    run(script())


def test_garbage_datagrams_are_dropped(run: Any) -> None:
    async def script() -> None:
        async with peers("a", "b") as (a, b):
            place = b.transport.places["b"]
            for data in (b"", b"x", b"\x00\x05hello", b"\xff\xff"):
                a.transport._emit(data, place)
            a.transport.send_datagram("b", b"fine")
            assert await b.until(1) == [b"fine"]

    run(script())
