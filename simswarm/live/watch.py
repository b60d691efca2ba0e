"""What a node process lets its supervisor see of its manager, so that Raft can be watched live.

    Node.step ──> effects ──┬──> driver
                            └──> RaftSeen: booted(records) · wrote(mode, records) · stepped(…)

The same facts that the simulator's checkers take from a manager in memory, as values in the trace
file: `check/raft_safety.py` follows both. A stepped is told only when it differs from the last.

Not here: the entries that managers apply (`traces.py`), what is concluded (`check/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from simswarm.base.effects import Effect, Input, Write, WriteMode
from simswarm.base.entropy import Entropy
from simswarm.base.time import Now
from simswarm.base.values import Value
from simswarm.manager.manager import Manager
from simswarm.model.config import NodeConfig
from simswarm.node import Node
from simswarm.raft import Index, Role, Term


class RaftBooted(Value, frozen=True, tag="booted"):
    """A manager starts from these records of its log file."""

    records: tuple[bytes, ...]


class RaftWrote(Value, frozen=True, tag="wrote"):
    """A manager asked for these records to be written to its log file."""

    mode: WriteMode
    records: tuple[bytes, ...]


class RaftStepped(Value, frozen=True, tag="stepped"):
    """How a manager stands after a step."""

    committed: Index
    role: Role
    term: Term


RaftSeen = RaftBooted | RaftWrote | RaftStepped

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[RaftSeen] = msgspec.msgpack.Decoder(RaftSeen)
encode_seen = _encode
decode_seen = _decoder.decode


class SeenSink(Protocol):
    """Who is told."""

    def __call__(self, seen: RaftSeen) -> None:
        """Something about this node's Raft."""
        ...


class WatchedNode:
    """A node whose manager is watched."""

    def __init__(self, node: Node, sink: SeenSink) -> None:
        self.node = node
        self._sink = sink
        self._last: RaftStepped | None = None

    def step(self, given: Input, now: Now) -> list[Effect]:
        """The node's own step."""
        effects = self.node.step(given, now)
        if self.node.manager is not None:
            self.look(self.node.manager, effects)
        return effects

    def look(self, manager: Manager, effects: list[Effect]) -> None:
        """Tell what a step did."""
        for effect in effects:
            if isinstance(effect, Write):
                write = manager.replica.wal.in_clear(effect)
                if write is not None:
                    self._sink(RaftWrote(write.mode, write.records))
        raft = manager.replica.raw.raft
        stepped = RaftStepped(raft.log.committed, raft.role, raft.term)
        if stepped != self._last:
            self._last = stepped
            self._sink(stepped)


def boot_watched(
    config: NodeConfig, disk: Mapping[str, bytes], entropy: Entropy, now: Now, sink: SeenSink
) -> tuple[WatchedNode, list[Effect]]:
    """Boot a node and watch it from its first effect on."""
    node, effects = Node.boot(config, disk, entropy, now)
    watched = WatchedNode(node, sink)
    if node.manager is not None:
        sink(RaftBooted(node.manager.replica.recovered))
        watched.look(node.manager, effects)
    return watched, effects
