"""Golden conversations: a script of commands, and beside each what the members then say.

A script line is a command; the lines after it that begin with `  ` are what happened, and are what
the test compares. Commands:

    new 3 [key=value …]     members 1 .. 3 (settings as in RaftConfig); time-outs 10, 11, 12 …
    log 2 1 1 2             (before anything else) member 2 starts with a log of these terms
    campaign 1              member 1 stands for election
    elect 1                 the same, and delivers; only the outcome is written
    tick 1 5                five ticks for member 1 (`tick all 5`)
    propose 1 text          member 1 proposes
    cut 3 / cut 1 4 / heal  nothing to or from member 3, or between 1 and 4 / all arrives again
    slow 2 / persist 2      member 2's disk stalls / its writes end
    restart 2               member 2 starts again from what its disk holds
    deliver                 until nobody has anything to say
    status                  where everybody is
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    HardState,
    LeaderHeartbeat,
    RaftConfig,
    RaftMessage,
    RawNode,
    Ready,
    RequestVote,
    RequestVoteReply,
)
from tests.raft.harness import FixedEntropy, log_of
from tests.raft.observer import Image


@dataclass
class _Host:
    image: Image
    node: RawNode | None = None
    slow: bool = False
    writes: deque[Ready] = field(default_factory=deque)


class Conversation:
    """Runs a script and writes down what is said."""

    def __init__(self) -> None:
        self.hosts: dict[int, _Host] = {}
        self.settings: dict[str, object] = {}
        self.cut: set[tuple[int, int]] = set()
        self.wire: deque[RaftMessage] = deque()
        self.told: list[str] = []

    def run(self, script: str) -> str:
        """The script with its outcome written in anew."""
        written: list[str] = []
        for line in script.splitlines():
            if line.startswith("  "):
                continue
            written.append(line)
            if line and not line.startswith("#"):
                self.told = []
                command, *words = line.split()
                getattr(self, f"do_{command}")(*words)
                written += [f"  {told}" for told in self.told]
        return "\n".join(written) + "\n"

    # ── commands ─────────────────────────────────────────────────────────────────────────────

    def do_new(self, size: str, *settings: str) -> None:
        for setting in settings:
            key, value = setting.split("=")
            self.settings[key] = value == "yes" if value in ("yes", "no") else int(value)
        self.hosts = {id: _Host(Image()) for id in range(1, int(size) + 1)}

    def do_log(self, id: str, *terms: str) -> None:
        entries = log_of(int(term) for term in terms)
        self.hosts[int(id)].image = Image(HardState(entries[-1].term, 0, 0), list(entries))

    def do_campaign(self, id: str) -> None:
        self.node(int(id)).campaign()
        self.collect(int(id))

    def do_tick(self, who: str, times: str) -> None:
        for _ in range(int(times)):
            for id in self.hosts if who == "all" else (int(who),):
                self.node(id).tick()
                self.collect(id)
            self.do_deliver()

    def do_propose(self, id: str, text: str) -> None:
        index = self.node(int(id)).propose(text.encode())
        self.told.append("refused" if index is None else f"taken as {index}")
        self.collect(int(id))

    def do_elect(self, id: str) -> None:
        self.do_campaign(id)
        self.do_deliver()
        self.told = [line for line in self.told if " is leader " in line]

    def do_cut(self, id: str, *others: str) -> None:
        one = int(id)
        for other in map(int, others) if others else self.hosts:
            self.cut |= {(one, other), (other, one)}

    def do_heal(self) -> None:
        self.cut.clear()

    def do_slow(self, id: str) -> None:
        self.hosts[int(id)].slow = True

    def do_persist(self, id: str) -> None:
        self.hosts[int(id)].slow = False
        self.flush(int(id))
        self.collect(int(id))

    def do_restart(self, id: str) -> None:
        host = self.hosts[int(id)]
        host.writes.clear()
        host.slow = False
        host.node = None
        self.collect(int(id))

    def do_deliver(self) -> None:
        for id in self.hosts:
            self.collect(id)
        while self.wire:
            message = self.wire.popleft()
            self.told.append(describe(message))
            if (message.source, message.target) in self.cut:
                self.told[-1] += "  ×"
                continue
            self.node(message.target).step(message)
            self.collect(message.target)

    def do_status(self) -> None:
        for id in self.hosts:
            node = self.node(id)
            raft = node.raft
            terms = " ".join(str(entry.term) for entry in raft.log.entries())
            line = f"{id} {raft.role.name.lower()} term {raft.term} commit {raft.commit} [{terms}]"
            for peer in node.status().peers:
                line += f" {peer.id}:{peer.state.name.lower()}@{peer.match}"
            self.told.append(line)

    # ── the owner's part ─────────────────────────────────────────────────────────────────────

    def node(self, id: int) -> RawNode:
        host = self.hosts[id]
        if host.node is None:
            host.node = RawNode(
                RaftConfig(id, tuple(self.hosts), **self.settings),  # type: ignore[arg-type]
                FixedEntropy(id - 1),
                hard_state=host.image.hard_state,
                entries=host.image.entries,
            )
        return host.node

    def collect(self, id: int) -> None:
        node, host = self.node(id), self.hosts[id]
        while node.has_ready():
            batch = node.ready()
            if batch.soft is not None:
                self.told.append(f"{id} is {batch.soft.role.name.lower()} in {batch.soft.term}")
            if batch.committed:
                self.told.append(f"{id} applies {texts(batch.committed)}")
            self.wire.extend(out.message for out in batch.messages if not out.durable_first)
            host.writes.append(batch)
            if not host.slow:
                self.flush(id)

    def flush(self, id: int) -> None:
        host = self.hosts[id]
        while host.writes:
            batch = host.writes.popleft()
            host.image.write(batch.hard_state, batch.entries, batch.snapshot)
            self.wire.extend(out.message for out in batch.messages if out.durable_first)
            last = batch.entries[-1] if batch.entries else batch.snapshot
            if last is not None:
                self.node(id).persisted(last.term, last.index)


def texts(entries: tuple[Entry, ...]) -> str:
    return " ".join(f"{e.index}:{e.data.decode() or 'no-op'}" for e in entries)


def describe(message: RaftMessage) -> str:
    head = f"{message.source} -> {message.target}  t{message.term}  "
    match message:
        case RequestVote():
            return f"{head}vote for me, my log ends with {message.last_index}/t{message.last_term}"
        case RequestVoteReply():
            return head + ("yes" if message.granted else "no")
        case AppendEntries():
            after = f"after {message.previous_index}/t{message.previous_term}"
            what = texts(message.entries) or "nothing"
            return f"{head}append {what} {after}, committed {message.commit}"
        case AppendEntriesReply(rejected=True):
            hint = f"{message.hint_index}/t{message.hint_term}"
            return f"{head}no match at {message.index}, perhaps at {hint}"
        case AppendEntriesReply():
            return f"{head}have {message.index}"
        case LeaderHeartbeat():
            return f"{head}heartbeat, committed {message.commit}"
        case _:
            return head + "alive"
