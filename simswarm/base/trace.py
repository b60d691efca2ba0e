"""Trace records: what was observed, where and when. The trace is the product.

One record is (t, node, kind, fields); `t` is integer nanoseconds since the swarm was up and
prints as seconds with nine digits. Plots, viewer, notebooks and most checkers read only this.

What commits is recorded by the leader. A new leader can't know which of its predecessor's last
entries that one had recorded before it died, and records them again: `CommittedOnce` drops these
doubles where the records of a whole swarm come together.

Not here: trace files (`scenario/outcome/bundle.py`), the digest (`sim/digest.py`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from simswarm.base.effects import Field
from simswarm.base.time import Instant


class TraceRecord(msgspec.Struct, frozen=True):
    """One observation."""

    t: Instant
    node: str
    kind: str
    fields: tuple[tuple[str, Field], ...]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field, or the default where the record has none of that name."""
        for field, value in self.fields:
            if field == name:
                return value
        return default

    def line(self) -> bytes:
        """The record as one JSON object, without a newline; `t` in seconds, 9 digits."""
        seconds, rest = divmod(abs(self.t), 1_000_000_000)
        sign = "-" if self.t < 0 else ""
        head = f'{{"t":{sign}{seconds}.{rest:09d},"node":'.encode()
        body = msgspec.json.encode({"kind": self.kind} | dict(self.fields))
        return head + msgspec.json.encode(self.node) + b"," + body[1:]


COMMITTED_KINDS = frozenset(
    {
        "task.state",
        "task.message",
        "task.removed",
        "node.state",
        "node.availability",
        "node.role",
        "node.removed",
        "service.spec",
        "service.update",
    }
)
"""Kinds recorded when a log entry is applied; their last field is the entry's `index`."""


class CommittedOnce:
    """Knows which entry's records were seen last."""

    __slots__ = ("_index", "_seen")

    def __init__(self) -> None:
        self._index = 0
        self._seen: dict[tuple[str, tuple[tuple[str, Field], ...]], None] = {}

    def repeats(self, kind: str, fields: tuple[tuple[str, Field], ...]) -> bool:
        """Whether this record was there before, from an earlier leader (or an earlier life)."""
        if kind not in COMMITTED_KINDS or not fields:
            return False
        name, index = fields[-1]
        if name != "index" or not isinstance(index, int):
            return False
        record = (kind, fields)
        if index > self._index:
            self._index = index
            self._seen = {record: None}
            return False
        if index < self._index or record in self._seen:
            return True
        self._seen[record] = None
        return False
