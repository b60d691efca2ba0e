"""Message soup: Raft members on a network that loses, doubles and reorders, and disks that forget.

No clock and no simulator: whoever drives the soup picks one event after the other. Whatever is
picked, the observer's invariants must hold; `calm` then lets everything arrive, after which the
group must have a leader and one log.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from simswarm.base.entropy import SeededEntropy
from simswarm.raft import Entry, HardState, RaftConfig, RaftMessage, RawNode, ReadState, Role
from simswarm.raft.messages import Snapshot
from tests.raft.observer import Image, Observer, must

CROWD = 60
"""More messages than this under way, and the oldest is lost."""


@dataclass
class Write:
    """A write under way."""

    hard_state: HardState | None
    entries: tuple[Entry, ...]
    snapshot: Snapshot | None = None


@dataclass
class Host:
    """One member with its disk; `node` is None while it is down."""

    id: int
    image: Image
    node: RawNode | None = None
    boots: int = 0
    given: int = 0
    done: int = 0
    writes: deque[Write] = field(default_factory=deque)
    held: deque[tuple[int, RaftMessage, tuple[Entry, ...]]] = field(default_factory=deque)
    """Messages that wait for a write, with the log they were said of."""
    reads: dict[int, int] = field(default_factory=dict)
    """Reads under way, and how far anybody had committed when they were asked for."""


class Soup:
    """A group and what is under way between its members."""

    def __init__(self, size: int, seed: int, **settings: object) -> None:
        settings.setdefault("election_ticks", 3)
        self.members = tuple(range(1, size + 1))
        self.entropy = SeededEntropy(seed)
        self.settings = settings
        self.hosts = [Host(id, Image()) for id in self.members]
        self.images = {host.id: host.image for host in self.hosts}
        self.observer = Observer(self.images, self.members)
        self.wire: list[RaftMessage] = []
        self.proposals = 0
        self.crowd = CROWD
        self.questions = 0
        self.away: list[int] = []
        """Members whose messages are all lost, to and fro."""
        self.answers = 0
        self.installed = 0
        for host in self.hosts:
            self.boot(host)

    def pick(self, number: int) -> Host:
        return self.hosts[number % len(self.hosts)]

    # ── events: each takes any number ────────────────────────────────────────────────────────

    def tick(self, number: int) -> None:
        host = self.pick(number)
        if host.node is not None:
            host.node.tick()
            self.after(host)

    def campaign(self, number: int) -> None:
        host = self.pick(number)
        if host.node is not None:
            host.node.campaign()
            self.after(host)

    def propose(self, number: int) -> None:
        leaders = [h for h in self.hosts if h.node and h.node.raft.role is Role.LEADER]
        if leaders:
            host = leaders[number % len(leaders)]
            self.proposals += 1
            busy = host.node.raft.transferee or host.node.raft.leaves_at
            index = host.node.propose(b"p%d" % self.proposals)
            must((index is None) == bool(busy), "a leader proposes unless it hands over or leaves")
            self.after(host)

    def read(self, number: int) -> None:
        host = self.pick(number)
        if host.node is not None:
            self.questions += 1
            host.reads[self.questions] = len(self.observer.committed)
            if not host.node.read_index(self.questions):
                del host.reads[self.questions]
            self.after(host)

    def cut(self, number: int) -> None:
        """Nothing to or from a member, most often one that leads, until `heal`."""
        leaders = [h for h in self.hosts if h.node and h.node.raft.role is Role.LEADER]
        host = leaders[0] if leaders and number % 3 else self.pick(number)
        self.away = [host.id]
        self.wire = [m for m in self.wire if host.id not in (m.source, m.target)]

    def heal(self, number: int) -> None:
        self.away = []

    def deliver(self, number: int) -> None:
        if self.wire:
            self.hand_over(self.wire.pop(number % len(self.wire)))

    def deliver_oldest(self, number: int) -> None:
        if self.wire:
            self.hand_over(self.wire.pop(0))

    def double(self, number: int) -> None:
        if self.wire:
            self.hand_over(self.wire[number % len(self.wire)])

    def lose(self, number: int) -> None:
        if self.wire:
            self.wire.pop(number % len(self.wire))

    def write(self, number: int) -> None:
        host = self.pick(number)
        if host.writes:
            self.finish_write(host)
            self.after(host)

    def crash(self, number: int) -> None:
        """Unsynced writes are lost, but any number of the oldest may have reached the disk, and of
        the next one the beginning: entries stand before the hard state."""
        host = self.pick(number)
        if host.node is None:
            return
        rest = number // len(self.hosts)
        for _ in range(rest % (len(host.writes) + 1)):
            write = host.writes.popleft()
            host.image.write(write.hard_state, write.entries, write.snapshot)
        if host.writes:
            torn = host.writes[0]
            kept = rest % (len(torn.entries) + 1)
            if kept:
                host.image.write(None, torn.entries[:kept], torn.snapshot)
        host.node = None
        host.reads.clear()
        host.writes.clear()
        host.held.clear()

    def restart(self, number: int) -> None:
        host = self.pick(number)
        if host.node is None:
            self.boot(host)

    # ── what follows from them ───────────────────────────────────────────────────────────────

    def boot(self, host: Host) -> None:
        host.boots += 1
        host.given = host.done = 0
        host.node = RawNode(
            RaftConfig(host.id, self.members, **self.settings),  # type: ignore[arg-type]
            self.entropy.fork(f"{host.id}/{host.boots}"),
            hard_state=host.image.hard_state,
            entries=tuple(host.image.entries),
            snapshot=host.image.snapshot,
        )
        self.observer.on_boot(host.id, host.node)
        self.after(host)

    def hand_over(self, message: RaftMessage) -> None:
        host = self.hosts[message.target - 1]
        if host.node is not None:
            host.node.step(message)
            self.after(host)

    def after(self, host: Host) -> None:
        """Look, take all work, look again."""
        node = host.node
        assert node is not None
        self.look(host, node)
        while node.has_ready():
            batch = node.ready()
            if batch.hard_state is not None or batch.entries or batch.snapshot is not None:
                host.writes.append(Write(batch.hard_state, batch.entries, batch.snapshot))
                host.given += 1
            if batch.snapshot is not None:
                self.observer.on_load(host.id, batch.snapshot)
                self.installed += 1
            log = self.observer.history(node.raft)
            for out in batch.messages:
                if out.durable_first and host.given > host.done:
                    host.held.append((host.given, out.message, log))
                else:
                    self.leave(out.message, log)
            for entry in batch.committed:
                self.observer.on_apply(host.id, entry)
            for state in batch.read_states:
                self.answered(host, state)
            self.look(host, node)

    def answered(self, host: Host, state: ReadState) -> None:
        """A member can answer a read: nothing committed before it was asked may be missing."""
        needed = host.reads.pop(state.request)
        if state.index is not None:
            self.answers += 1
            must(state.index >= needed, f"I15 {host.id} reads {state.index}, not {needed}")
            must(host.node.raft.applied >= state.index, f"I15 {host.id} hasn't applied its read")

    def look(self, host: Host, node: RawNode) -> None:
        must(not node.raft.contradiction, f"I18 at {host.id}: {node.raft.contradiction}")
        self.observer.on_event(host.id, node)
        node.check_invariants()

    def finish_write(self, host: Host) -> None:
        write = host.writes.popleft()
        host.image.write(write.hard_state, write.entries, write.snapshot)
        host.done += 1
        while host.held and host.held[0][0] <= host.done:
            _, message, log = host.held.popleft()
            self.leave(message, log)
        last = write.entries[-1] if write.entries else write.snapshot
        if host.node is not None and last is not None:
            host.node.persisted(last.term, last.index)

    def leave(self, message: RaftMessage, log: tuple[Entry, ...]) -> None:
        self.observer.on_leave(message, log)
        if message.source in self.away or message.target in self.away:
            return
        self.wire.append(message)
        if len(self.wire) > self.crowd:
            self.wire.pop(0)

    # ── the quiet phase ──────────────────────────────────────────────────────────────────────

    def calm(self, rounds: int) -> None:
        """Everybody up; every tick all writes end and everything arrives in order."""
        self.become_quiet()
        for host in self.hosts:
            self.restart(host.id - 1)
        for _ in range(rounds):
            for host in self.hosts:
                self.tick(host.id - 1)
            self.quiesce()

    def become_quiet(self) -> None:
        """Nothing is lost any more."""
        self.away = []
        self.crowd = 1 << 20

    def quiesce(self) -> None:
        for _ in range(10_000):
            busy = [host for host in self.hosts if host.writes]
            if busy:
                self.write(busy[0].id - 1)
            elif self.wire:
                self.deliver_oldest(0)
            else:
                return
        must(False, "the members never stop talking")

    def check_agreement(self) -> None:
        """After calm: one leader, and a new proposal is applied by everybody."""
        leaders = [h for h in self.hosts if h.node and h.node.raft.role is Role.LEADER]
        must(len(leaders) == 1, f"V1 {len(leaders)} leaders after a quiet time")
        node = leaders[0].node
        index = node.propose(b"last")
        self.after(leaders[0])
        self.quiesce()
        for host in self.hosts:
            must(host.node.raft.applied == index, f"V4 member {host.id} lags behind")


EVENTS = {
    "tick": 8,
    "deliver": 35,
    "deliver_oldest": 15,
    "write": 28,
    "propose": 8,
    "double": 4,
    "lose": 5,
    "crash": 1,
    "restart": 8,
    "campaign": 1,
}
"""What may happen, and how often relative to the rest."""


def stir(seed: int, steps: int = 2000, events: dict[str, int] = EVENTS, **settings: object) -> Soup:
    """A soup after that many random events."""
    chance = random.Random(seed)
    size = chance.choice((2, 3, 3, 3, 4, 5))
    settings.setdefault("check_quorum", chance.random() < 0.5)
    settings.setdefault("max_message_bytes", chance.choice((1, 6, 65_535)))
    settings.setdefault("max_inflight", chance.choice((1, 2, 256)))
    soup = Soup(size, seed, **settings)
    for event in chance.choices(list(events), list(events.values()), k=steps):
        getattr(soup, event)(chance.randrange(1 << 16))
    return soup
