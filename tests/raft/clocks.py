"""A soup on a clock of its own: ticks of unequal length, delays, pauses, cuts. For leases.

Time is an integer. Each member's ticks last between 100 and 100 + drift percent of it; a paused
member neither ticks nor hears, and when it wakes its owner reports the ticks that never came.
Whenever a leader says that it has a lease it is asked a read, which must not be old.
"""

from __future__ import annotations

import heapq
import random

from simswarm.raft import Role
from tests.raft.observer import must
from tests.raft.soup import Host, Soup

TICK = 100
DRIFT = 20
TROUBLES = ("pause", "cut", "cut", "rift", "rift", "crash", "bounce", "transfer", "campaign")


class Clocks(Soup):
    """Members of three to five, in time."""

    def __init__(self, seed: int, **settings: object) -> None:
        self.chance = random.Random(seed)
        self.now = 0
        self.queue: list[tuple[int, int, str, object]] = []
        self.count = 0
        self.leases = 0
        self.awake: dict[int, int] = {}
        self.gone: dict[int, int] = {}
        self.rifts: dict[frozenset[int], int] = {}
        self.lossy = self.chance.choice((0.0, 0.1))
        self.slow = self.chance.choice((10, 30, 60, 400))
        size = self.chance.choice((3, 3, 4, 5))
        self.period = {
            id: TICK + self.chance.choice((0, DRIFT, self.chance.randint(0, DRIFT)))
            for id in range(1, size + 1)
        }
        settings.setdefault("election_ticks", 5)
        super().__init__(size, seed, lease_reads=True, drift_percent=DRIFT, **settings)
        for host in self.hosts:
            self.later(self.chance.randint(1, TICK), "ticked", host.id)
        self.later(1, "trouble", None)

    def later(self, delay: int, what: str, about: object) -> None:
        self.count += 1
        heapq.heappush(self.queue, (self.now + delay, self.count, what, about))

    def leave(self, message, log) -> None:
        self.observer.on_leave(message, log)
        pair = frozenset((message.source, message.target))
        away = any(self.gone.get(id, 0) > self.now for id in pair)
        if not away and self.rifts.get(pair, 0) <= self.now and self.chance.random() >= self.lossy:
            self.later(self.chance.randint(1, self.slow), "arrives", message)

    def run(self, until: int) -> None:
        while self.queue[0][0] <= until:
            self.now, _, what, about = heapq.heappop(self.queue)
            getattr(self, what)(about)

    # ── what happens ─────────────────────────────────────────────────────────────────────────

    def ticked(self, id: int) -> None:
        host = self.hosts[id - 1]
        self.later(self.period[id], "ticked", id)
        if self.now < self.awake.get(id, 0):
            return
        if host.node is not None:
            host.node.tick()
            self.after(host)
            self.written(host)
            self.ask(host)
        elif self.chance.random() < 0.1:
            self.restart(id - 1)
            self.written(host)

    def arrives(self, message) -> None:
        wakes = self.awake.get(message.target, 0)
        if self.now < wakes:
            self.later(wakes - self.now, "arrives", message)
            return
        host = self.hosts[message.target - 1]
        self.hand_over(message)
        self.written(host)
        self.ask(host)

    def written(self, host: Host) -> None:
        while host.node is not None and host.writes:
            self.finish_write(host)
            self.after(host)

    def ask(self, host: Host) -> None:
        """Propose now and then; read whenever there is a lease."""
        node = host.node
        if node is None or node.raft.role is not Role.LEADER:
            return
        if self.chance.random() < 0.1:
            node.propose(b"%d" % self.count)
        elif node.has_lease:
            self.leases += 1
            newest = max((term for _, term in self.observer.committed), default=0)
            must(newest <= node.raft.term, f"I17 {host.id} has a lease, but {newest} committed")
            self.read(host.id - 1)
        self.after(host)
        self.written(host)

    def trouble(self, _: object) -> None:
        self.later(self.chance.randint(1, 1500), "trouble", None)
        host = self.hosts[self.chance.randrange(len(self.hosts))]
        leading = [h for h in self.hosts if h.node and h.node.raft.role is Role.LEADER]
        if leading and self.chance.random() < 0.5:
            host = leading[0]
        match self.chance.choice(TROUBLES):
            case "pause":
                length = self.chance.randint(1, 3000)
                if self.now >= self.awake.get(host.id, 0):
                    self.awake[host.id] = self.now + length
                    self.later(length, "wakes", (host.id, length))
            case "cut":
                self.cut_off(host)
            case "rift":
                pair = frozenset((host.id, 1 + self.chance.randrange(len(self.hosts))))
                self.rifts[pair] = self.now + self.chance.randint(1000, 5000)
                if self.chance.random() < 0.7:
                    what = self.chance.choice(("cut_off", "bounce"))
                    self.later(self.chance.randint(800, 2500), what, host)
            case "crash":
                self.crash(host.id - 1)
            case "bounce":
                self.bounce(host)
            case "campaign" if host.node is not None:
                host.node.campaign()
                self.after(host)
                self.written(host)
            case "transfer" if host.node is not None:
                host.node.transfer_leadership(1 + self.chance.randrange(len(self.hosts)))
                self.after(host)
                self.written(host)
                if self.chance.random() < 0.5:
                    self.cut_off(host)

    def cut_off(self, host: Host) -> None:
        """Nothing to or from it for a while."""
        self.gone[host.id] = self.now + self.chance.randint(1, 3000)

    def bounce(self, alone: Host) -> None:
        """One is cut off, and some of the others start again at once."""
        self.cut_off(alone)
        for host in self.hosts:
            if host is not alone and self.chance.random() < 0.5:
                self.crash(host.id - 1)
                self.restart(host.id - 1)
                self.written(host)

    def wakes(self, who: tuple[int, int]) -> None:
        id, length = who
        node = self.hosts[id - 1].node
        if node is not None:
            node.late(length // self.period[id] + 1)


def run(seed: int, until: int = 60_000, **settings: object) -> Clocks:
    """A group for that long."""
    clocks = Clocks(seed, **settings)
    clocks.run(until)
    return clocks
