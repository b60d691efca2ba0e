"""A soup in which all may happen: members come and go, logs are compacted, leaders hand over.

On top of `soup.Soup`: newcomers start with the founders' list and an empty disk; each member makes
snapshots of its state machine (a hash over what it applied) and compacts its log; leaders are asked
to change the membership, simply and jointly, whatever the moment; leadership is handed over.
Whoever was removed goes on running for a while: nobody told it.
"""

from __future__ import annotations

import random

from simswarm.raft import Role
from simswarm.raft.membership import (
    LEAVE,
    ChangeKind,
    ConfChange,
    MemberChange,
    Transition,
    everybody,
)
from simswarm.raft.messages import Membership
from tests.raft.observer import Image, must
from tests.raft.soup import EVENTS, Host, Soup

MOST = 8
"""Members that may ever exist."""
KEEP = 3
"""Entries kept behind a snapshot."""


class Storm(Soup):
    """A group whose membership changes."""

    def __init__(self, size: int, seed: int, **settings: object) -> None:
        settings.setdefault("dynamic", True)
        settings.setdefault("snapshot_ticks", 6)
        self.compactions = 0
        self.handed_over = 0
        super().__init__(size, seed, **settings)

    # ── events ───────────────────────────────────────────────────────────────────────────────

    def leader(self, number: int) -> Host | None:
        leaders = [h for h in self.hosts if h.node and h.node.raft.role is Role.LEADER]
        return leaders[number % len(leaders)] if leaders else None

    def change(self, number: int) -> None:
        """Ask a leader for some change of membership."""
        host = self.leader(number)
        if host is None:
            return
        chance = random.Random(number)
        count = chance.choice((1, 1, 1, 2, 3))
        ids = chance.sample(range(1, MOST + 1), count)
        changes = tuple(MemberChange(chance.choice(list(ChangeKind)), id) for id in ids)
        self.ask(host, ConfChange(changes, chance.choice(list(Transition))))

    def leave_joint(self, number: int) -> None:
        """Ask a leader to leave the joint configuration, if there is one."""
        host = self.leader(number)
        if host is not None:
            self.ask(host, LEAVE)

    def ask(self, host: Host, change: ConfChange) -> None:
        before = host.node.raft.last_index
        why_not = host.node.conf_change_refusal(change)
        index = host.node.propose_conf_change(change)
        must((index is None) == bool(why_not), "a refusal has a reason")
        must(index in (None, before + 1), "a change is the next entry")
        if index is not None:
            while len(self.hosts) < max(0, *(one.id for one in change.changes), len(self.members)):
                self.newcomer()
        self.after(host)

    def newcomer(self) -> None:
        host = Host(len(self.hosts) + 1, Image())
        self.hosts.append(host)
        self.images[host.id] = host.image
        self.boot(host)

    def snapshot(self, number: int) -> None:
        """A member makes a snapshot and compacts its log, in memory and on disk."""
        host = self.pick(number)
        node = host.node
        if node is None or node.raft.applied == 0:
            return
        applied = node.raft.applied
        made = node.make_snapshot(self.observer.state_at(applied))
        self.observer.on_snapshot(host.id, made)
        node.compact(made.index - KEEP)
        # The owner's write of its own snapshot waits for those of the log before it.
        if not host.writes:
            host.image.compact(made, KEEP)
        self.compactions += 1
        self.after(host)

    def transfer(self, number: int) -> None:
        host = self.leader(number)
        if host is not None:
            self.handed_over += host.node.transfer_leadership(1 + number % len(self.hosts))
            self.after(host)

    def unreachable(self, number: int) -> None:
        host = self.leader(number)
        if host is not None:
            peer = 1 + number % len(self.hosts)
            if number % 3:
                host.node.report_snapshot(peer, arrived=number % 2 == 0)
            else:
                host.node.report_unreachable(peer)
            self.after(host)

    # ── the quiet phase ──────────────────────────────────────────────────────────────────────

    def config(self) -> Membership:
        """The newest configuration that is committed."""
        return self.observer.configs[-1][1]

    def calm(self, rounds: int) -> None:
        """As in a soup, but the leader tells those who don't belong, and they stop."""
        self.become_quiet()
        for host in self.hosts:
            self.restart(host.id - 1)
        for _ in range(rounds):
            strangers = self.strangers()
            for host in self.hosts:
                if host.id not in strangers:
                    self.restart(host.id - 1)
                    self.tick(host.id - 1)
                elif host.node is not None:
                    self.crash(host.id - 1)
            self.quiesce()

    def strangers(self) -> list[int]:
        """Who has no place in the configuration of the newest leader; nobody while none leads."""
        leading = [h.node.raft for h in self.hosts if h.node and h.node.raft.role is Role.LEADER]
        if not leading:
            return []
        newest = max(leading, key=lambda raft: raft.term)
        present = (newest.id, *newest.peers)
        return [host.id for host in self.hosts if host.id not in present]

    def check_agreement(self) -> None:
        config = self.config()
        must(not config.outgoing or not config.auto_leave, "V5 a joint configuration stays")
        leaders = [h for h in self.hosts if h.node and h.node.raft.role is Role.LEADER]
        leaders = [h for h in leaders if h.id in everybody(config)]
        must(len(leaders) == 1, f"V1 {len(leaders)} leaders after a quiet time")
        node = leaders[0].node
        must(not node.raft.transferee, "V5 a transfer never ends")
        index = node.propose(b"last")
        self.after(leaders[0])
        self.quiesce()
        for id in everybody(config):
            host = self.hosts[id - 1]
            must(host.node.raft.applied == index, f"V4 member {id} lags behind")
            answers = self.answers
            self.read(id - 1)
            self.quiesce()
            must(self.answers > answers, f"V3 member {id} gets no answer to a read")


STORM = EVENTS | {
    "deliver": 60,
    "deliver_oldest": 50,
    "write": 60,
    "propose": 12,
    "change": 3,
    "read": 6,
    "leave_joint": 1,
    "snapshot": 3,
    "transfer": 1,
    "unreachable": 1,
}


def rage(seed: int, steps: int = 3000, **settings: object) -> Storm:
    """A storm after that many random events."""
    chance = random.Random(seed)
    size = chance.choice((1, 2, 3, 3, 3, 4, 5))
    settings.setdefault("check_quorum", chance.random() < 0.5)
    settings.setdefault("pre_vote", chance.random() < 0.5)
    settings.setdefault("max_message_bytes", chance.choice((1, 6, 65_535)))
    settings.setdefault("max_inflight", chance.choice((1, 2, 256)))
    storm = Storm(size, seed, **settings)
    for event in chance.choices(list(STORM), list(STORM.values()), k=steps):
        getattr(storm, event)(chance.randrange(1 << 16))
    return storm
