"""Trace records: what was observed, where and when. The trace is the product.

One record is (t, node, kind, fields); `t` is integer nanoseconds since the swarm was up and
prints as seconds with nine digits. Plots, viewer, notebooks and most checkers read only this.

Not here: trace files (`scenario/bundle.py`), the digest over the execution (`sim/driver.py`).
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
