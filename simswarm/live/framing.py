"""Bytes on a socket: length-prefixed frames, and the hello a connection begins with.

    stream    length (4 bytes, big-endian) · frame, over and over; the first frame is a hello
    datagram  length of the hello (2 bytes) · hello · frame

A connection carries frames one way, for one channel. What breaks the format ends the connection:
a peer that doesn't speak this version is told nothing, as it couldn't read it.

Not here: what frames mean (`wire/codec.py`).
"""

from __future__ import annotations

import asyncio
import struct

import msgspec

from simswarm.base.effects import Address, Channel
from simswarm.base.errors import RemoteProtocolError
from simswarm.base.values import Value

MAGIC = "simswarm"
VERSION = 1
MAX_FRAME_BYTES = 64 * 1024 * 1024
"""Above any message of ours (a proposal has at most 1.5 MiB, snapshots travel in chunks)."""
MAX_DATAGRAM_BYTES = 60_000

_LENGTH = struct.Struct(">I")
_HELLO_LENGTH = struct.Struct(">H")


class Hello(Value, frozen=True):
    """Who opens a connection, and what for."""

    magic: str
    version: int
    name: Address
    channel: Channel


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Hello)


def framed(payload: bytes) -> bytes:
    """A frame as it stands in a stream."""
    return _LENGTH.pack(len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame of a stream.

    Raises:
        RemoteProtocolError: a length that no frame of ours has.
        asyncio.IncompleteReadError: the stream ended.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise RemoteProtocolError(f"frame of {length} bytes")
    return await reader.readexactly(length)


def hello(name: Address, channel: Channel) -> bytes:
    """The first frame of a stream."""
    return _encode(Hello(MAGIC, VERSION, name, channel))


def read_hello(payload: bytes) -> Hello:
    """Who is there.

    Raises:
        RemoteProtocolError: not a node of this version.
    """
    try:
        greeting = _decoder.decode(payload)
    except (msgspec.DecodeError, ValueError) as error:
        raise RemoteProtocolError(f"not a hello: {error}") from None
    if greeting.magic != MAGIC or greeting.version != VERSION:
        raise RemoteProtocolError(f"hello of {greeting.magic} version {greeting.version}")
    return greeting


def datagram(name: Address, payload: bytes) -> bytes:
    """A frame and its sender in one datagram."""
    head = hello(name, Channel.DATAGRAM)
    return _HELLO_LENGTH.pack(len(head)) + head + payload


def read_datagram(data: bytes) -> tuple[Address, bytes]:
    """Sender and frame.

    Raises:
        RemoteProtocolError: not a datagram of a node of this version.
    """
    if len(data) < _HELLO_LENGTH.size:
        raise RemoteProtocolError("datagram without a hello")
    (length,) = _HELLO_LENGTH.unpack_from(data)
    end = _HELLO_LENGTH.size + length
    return read_hello(data[_HELLO_LENGTH.size : end]).name, data[end:]
