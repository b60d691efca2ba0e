"""Raft members back to back, without simulator, disk or clock.

`member` builds one in a given state, `drain` takes its work as a perfect owner would, and `Group`
wires several together: messages in order, at once, unless a link is cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from simswarm.base.entropy import SeededEntropy
from simswarm.raft import Entry, HardState, RaftConfig, RaftMessage, RawNode, Ready, Role


class FixedEntropy(SeededEntropy):
    """Draws the same offset each time: election time-outs a test can count on."""

    __slots__ = ("offset",)

    def __init__(self, offset: int = 0) -> None:
        super().__init__(0)
        self.offset = offset

    def integer(self, low: int, high: int) -> int:
        return min(low + self.offset, high)


def log_of(terms: Iterable[int]) -> tuple[Entry, ...]:
    """A log with these terms; an entry's data tells its place."""
    return tuple(
        Entry(term, index, b"%d.%d" % (term, index)) for index, term in enumerate(terms, 1)
    )


def member(
    id: int = 1,
    members: Sequence[int] = (1, 2, 3),
    *,
    terms: Sequence[int] = (),
    term: int | None = None,
    vote: int = 0,
    commit: int = 0,
    offset: int = 0,
    **settings: object,
) -> RawNode:
    """A member that has just started with this disk: a log of these terms, a term, a vote."""
    if term is None:
        term = max(terms, default=0)
    return RawNode(
        RaftConfig(id, tuple(members), **settings),  # type: ignore[arg-type]
        FixedEntropy(offset),
        hard_state=HardState(term, vote, commit),
        entries=log_of(terms),
    )


def settle(node: RawNode) -> list[Ready]:
    """Take and persist everything; the batches."""
    batches = []
    while node.has_ready():
        batch = node.ready()
        batches.append(batch)
        last = batch.entries[-1] if batch.entries else batch.snapshot
        if last is not None:
            node.persisted(last.term, last.index)
        node.check_invariants()
    return batches


def drain(node: RawNode) -> list[RaftMessage]:
    """Take and persist everything; the messages."""
    return [out.message for batch in settle(node) for out in batch.messages]


def say(node: RawNode, *messages: RaftMessage) -> list[RaftMessage]:
    """Give a member messages; what it answers."""
    for message in messages:
        node.step(message)
    return drain(node)


def terms_of(node: RawNode) -> list[int]:
    return [entry.term for entry in node.raft.log.entries()]


class Group:
    """Members joined by perfect links that can be cut."""

    def __init__(self, nodes: Iterable[RawNode]) -> None:
        self.nodes = {node.raft.id: node for node in nodes}
        self.wire: deque[RaftMessage] = deque()
        self.cut: set[tuple[int, int]] = set()
        self.applied: dict[int, list[Entry]] = {id: [] for id in self.nodes}
        self.seen: list[RaftMessage] = []
        """Everything sent, also what a cut link swallowed."""

    @classmethod
    def of(cls, size: int, **settings: object) -> Group:
        """New members 1 .. size; time-outs 10, 11, 12 …, so that ties are broken by id."""
        members = tuple(range(1, size + 1))
        return cls(member(id, members, offset=id - 1, **settings) for id in members)

    def __getitem__(self, id: int) -> RawNode:
        return self.nodes[id]

    def collect(self, id: int) -> None:
        for batch in settle(self.nodes[id]):
            self.applied[id].extend(batch.committed)
            for out in batch.messages:
                self.seen.append(out.message)
                if (out.message.source, out.message.target) not in self.cut:
                    self.wire.append(out.message)

    def pump(self, limit: int = 10_000) -> None:
        """Deliver until nothing is left to say."""
        for id in self.nodes:
            self.collect(id)
        while self.wire:
            limit -= 1
            assert limit, "the members never stop talking"
            message = self.wire.popleft()
            self.nodes[message.target].step(message)
            self.collect(message.target)

    def tick(self, id: int, times: int = 1) -> None:
        for _ in range(times):
            self.nodes[id].tick()
            self.pump()

    def tick_all(self, times: int = 1) -> None:
        for _ in range(times):
            for node in self.nodes.values():
                node.tick()
            self.pump()

    def elect(self, id: int) -> None:
        self.nodes[id].campaign()
        self.pump()
        assert self.nodes[id].raft.role is Role.LEADER

    def propose(self, id: int, data: bytes) -> int:
        index = self.nodes[id].propose(data)
        assert index is not None
        self.pump()
        return index

    def isolate(self, id: int) -> None:
        for other in self.nodes:
            self.cut |= {(id, other), (other, id)}

    def heal(self) -> None:
        self.cut.clear()

    def leaders(self) -> list[int]:
        return [id for id, node in self.nodes.items() if node.raft.role is Role.LEADER]
