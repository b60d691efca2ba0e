"""One registry: message class ↔ tag ↔ canonical bytes. Used by every network, disk and trace.

A frame is `format version (1 byte) · feature level of the sender (1 byte) · MessagePack array`,
whose first element is the class's tag. There are no maps: the same value has one encoding.
A log entry's data is a `Proposal`; a log record is an `Entry` or a `HardState`.

Invariants:
    I1. decode(encode(m)) == m, and encode(decode(f)) == f for every frame we made.
    I2. Tags are unique over the registry (checked at import by msgspec).
    I3. An unknown tag or version is an error value's cause, never skipped; but fields that a
        newer version appended to a known message are (`feature_level` says what to expect).
    I4. No bytes make `decode` raise anything but `RemoteProtocolError`.

Not here: how records are framed in files (`base/records.py`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from simswarm.base.errors import RemoteProtocolError, StorageCorrupt
from simswarm.base.values import Value
from simswarm.raft.messages import Entry, HardState, RaftMessage
from simswarm.store.changes import ObjectChange
from simswarm.wire.control import Request, Result
from simswarm.wire.dispatcher import FromAgent, ToAgent
from simswarm.wire.forward import ForwardCall, ForwardedResult, FromLeader, NotLeading, ToLeader
from simswarm.wire.join import JoinAccepted, JoinRefused, JoinRequest

FORMAT_VERSION = 1
FEATURE_LEVEL = 1
"""Raised when nodes learn to say something new; used only once every manager announces it."""

Message = (
    RaftMessage
    | Request
    | Result
    | FromAgent
    | ToAgent
    | JoinRequest
    | JoinAccepted
    | JoinRefused
    | ToLeader
    | FromLeader
    | ForwardCall
    | ForwardedResult
    | NotLeading
)
LogRecord = Entry | HardState


class Proposal(Value, frozen=True):
    """The data of a log entry: one write of a store."""

    request: int
    """Cluster-unique: the proposing leader's term and its count of proposals in it."""
    name: str
    changes: tuple[ObjectChange, ...]


NOT_A_VALUE = (msgspec.DecodeError, ValueError, RecursionError)
"""What decoding foreign bytes can raise; the last for nesting that no message has."""

_HEAD = bytes([FORMAT_VERSION, FEATURE_LEVEL])
_encode = msgspec.msgpack.Encoder().encode
# msgspec accepts a union type as a value; mypy has no way to say that
_messages: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Message)
_records: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(LogRecord)
_proposals = msgspec.msgpack.Decoder(Proposal)


def encode(message: Value) -> bytes:
    """A message as a frame."""
    return _HEAD + _encode(message)


def decode(frame: bytes) -> Message:
    """A frame as a message.

    Raises:
        RemoteProtocolError: another format version, or not the encoding of any message.
    """
    if len(frame) < 3 or frame[0] != FORMAT_VERSION:
        raise RemoteProtocolError("frame of an unknown format version")
    try:
        message: Message = _messages.decode(frame[2:])
    except NOT_A_VALUE as error:
        raise RemoteProtocolError(f"not a message: {error}") from None
    return message


def feature_level(frame: bytes) -> int:
    """The feature level that the sender of a frame announces."""
    return frame[1]


def encode_record(record: LogRecord) -> bytes:
    """A log record's payload."""
    return _encode(record)


def decode_record(payload: bytes) -> LogRecord:
    """A log record.

    Raises:
        StorageCorrupt: the checksum was right but the content is none we know.
    """
    try:
        record: LogRecord = _records.decode(payload)
    except NOT_A_VALUE as error:
        raise StorageCorrupt(f"log record of an unknown kind: {error}") from None
    return record


def encode_proposal(proposal: Proposal) -> bytes:
    """The data of a log entry."""
    return _encode(proposal)


@lru_cache(maxsize=16)
def decode_proposal(data: bytes) -> Proposal:
    """The write in a log entry. Where several managers share a process, they apply the same
    entries at about the same time, and what they share is frozen.

    Raises:
        StorageCorrupt: a kind of change that this version doesn't know: stop, never skip.
    """
    try:
        return _proposals.decode(data)
    except NOT_A_VALUE as error:
        raise StorageCorrupt(f"log entry of an unknown kind: {error}") from None
