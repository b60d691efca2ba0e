"""The trace of a node process: a file of lines, written after every turn, read while it grows.

    {"at": 812345…, "kind": "raft.role", "fields": {"role": "leader", …}}
    {"at": 812345…, "index": 17, "changes": "…"}          an entry that this manager applied
    {"at": 812345…, "raft": "…"}                          what its Raft did (`watch.py`)

`at` is CLOCK_MONOTONIC, which all processes of a machine share; the reader subtracts the moment
the swarm was up. A file, not a socket, so that a killed node loses nothing of what it observed.

Invariants:
    I1. A reader sees whole lines only.
    I2. Fields keep their order; lists become tuples again.

Not here: merging the nodes' traces (`live/supervisor/world.py`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from simswarm.base.effects import Field
from simswarm.base.errors import RemoteProtocolError
from simswarm.base.time import Instant
from simswarm.base.values import Value
from simswarm.live.watch import RaftSeen, decode_seen, encode_seen
from simswarm.model.objects import StoredObject
from simswarm.store import Change, Created, Deleted, Updated


class AppliedChange(Value, frozen=True):
    """A change as a watcher of the store saw it. Created: `old` is None. Deleted: `new` is."""

    new: StoredObject | None
    old: StoredObject | None


class Observed(Value, frozen=True):
    """One record of a node."""

    at: Instant
    kind: str
    fields: tuple[tuple[str, Field], ...]


class Applied(Value, frozen=True):
    """One entry that a manager applied."""

    at: Instant
    index: int
    changes: tuple[Change, ...]


class Seen(Value, frozen=True):
    """Something that a manager's Raft did."""

    at: Instant
    seen: RaftSeen


Line = Observed | Applied | Seen

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[AppliedChange, ...]).decode


class TraceWriter:
    """Appends lines to a node's trace file."""

    def __init__(self, path: Path) -> None:
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._lines: list[bytes] = []

    def record(self, at: Instant, kind: str, fields: tuple[tuple[str, Field], ...]) -> None:
        """One record, written by the next `flush`."""
        self._lines.append(_encode({"at": at, "kind": kind, "fields": dict(fields)}))

    def applied(self, at: Instant, index: int, changes: Sequence[Change]) -> None:
        """One applied entry, written by the next `flush`."""
        packed = _pack(tuple(_pair(change) for change in changes))
        self._lines.append(_encode({"at": at, "index": index, "changes": packed}))

    def seen(self, at: Instant, seen: RaftSeen) -> None:
        """Something that Raft did, written by the next `flush`."""
        self._lines.append(_encode({"at": at, "raft": encode_seen(seen)}))

    @property
    def waiting(self) -> bool:
        """Whether there is something to flush."""
        return bool(self._lines)

    def flush(self) -> None:
        """Write what has come together."""
        if self._lines:
            content = b"\n".join(self._lines) + b"\n"
            self._lines.clear()
            while content:
                content = content[os.write(self._descriptor, content) :]

    def close(self) -> None:
        """Flush, and close the file."""
        self.flush()
        os.close(self._descriptor)


class TraceReader:
    """Follows a node's trace file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None
        self._rest = b""

    def skip(self) -> None:
        """Read only what comes from now on."""
        while self.read():
            pass

    def read(self) -> list[Line]:
        """What has been written since the last time."""
        if self._file is None:
            if not self._path.exists():
                return []
            self._file = self._path.open("rb", buffering=0)
        content = self._rest + (self._file.read(1 << 20) or b"")
        whole, newline, self._rest = content.rpartition(b"\n")
        if not newline:
            return []
        return [_read(text) for text in whole.split(b"\n")]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _pair(change: Change) -> AppliedChange:
    match change:
        case Created(item):
            return AppliedChange(item, None)
        case Updated(item, old):
            return AppliedChange(item, old)
        case Deleted(item):
            return AppliedChange(None, item)


def _change(pair: AppliedChange) -> Change:
    match pair:
        case AppliedChange(None, old) if old is not None:
            return Deleted(old)
        case AppliedChange(new, None) if new is not None:
            return Created(new)
        case AppliedChange(new, old) if new is not None and old is not None:
            return Updated(new, old)
    raise RemoteProtocolError("a change of nothing")


def _read(text: bytes) -> Line:
    try:
        entry: Any = _decode(text)
        if "kind" in entry:
            fields = tuple((name, _field(value)) for name, value in entry["fields"].items())
            return Observed(entry["at"], entry["kind"], fields)
        if "raft" in entry:
            return Seen(entry["at"], decode_seen(msgspec.convert(entry["raft"], bytes)))
        packed = msgspec.convert(entry["changes"], bytes)
        changes = tuple(_change(pair) for pair in _unpack(packed))
        return Applied(entry["at"], entry["index"], changes)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
        raise RemoteProtocolError(f"not a line of a trace: {error}") from None


def _field(value: Any) -> Field:
    return tuple(value) if isinstance(value, list) else value
