"""What is right: everything that must hold while members are hunted, looked at in every step.

    the four promises of Raft, durable before acknowledged        simswarm/check/
    one vote a term            a member's vote in a term is for one candidate, also across crashes
    committed is durable       what is committed was durable on a majority
    elected by a majority      a majority's votes of that term have left for who leads it
    known to be durable        what a member believes to be on its disk is there
    own term                   a leader commits by counting only entries of its own term
    one history                equal registers at equal index
    no contradiction           no member finds that what it committed and its leader disagree
    linearizable               what clients were told (judged at the end, `clients.py`)

The first violation ends the run: an oracle raises `Found`.

Invariants:
    I1. It looks and never touches.
    I2. O(1) a step, but where votes are given, entries written or committed.

Source: raft-and-faults catalogue of invariants; PAPER figure 3.
Not here: whether the group recovers (`run.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simswarm.base.effects import Effect, Input, Send, Token, Write, Written
from simswarm.base.time import Instant
from simswarm.base.trace import TraceRecord
from simswarm.check.durability import TAG_AT, DurableBeforeAcknowledged
from simswarm.check.invariant import Invariant, Violation
from simswarm.check.raft_safety import RaftSafety
from simswarm.hunt.node import HuntNode
from simswarm.raft import Raft, RequestVote, RequestVoteReply, Role
from simswarm.sim.driver import Host
from simswarm.wire import codec

_LEADER = Role.LEADER
VOTE_REQUEST, VOTE, ACKNOWLEDGEMENT = 22, 23, 25
_WATCHED = bytes([VOTE_REQUEST, VOTE, ACKNOWLEDGEMENT])
"""Tags of the messages that promise something."""


class Found(Exception):
    """Something that must hold doesn't."""

    def __init__(self, invariant: str, message: str) -> None:
        super().__init__(f"{invariant}: {message}")
        self.invariant = invariant
        self.message = message


class Ballot:
    """A vote that waits for its write."""

    __slots__ = ("after", "candidate", "term")

    def __init__(self, term: int, candidate: int, after: Token) -> None:
        self.term = term
        self.candidate = candidate
        self.after = after


class OneVoteATerm:
    """Follows the votes that have left each member."""

    __slots__ = ("_cast", "_waiting")

    def __init__(self) -> None:
        self._cast: dict[tuple[str, int], int] = {}
        self._waiting: dict[str, list[Ballot]] = {}

    def sent(self, member: str, send: Send, durable: Token) -> None:
        """A member asks for a vote request or a vote to be sent."""
        message = codec.decode(send.frame)
        if isinstance(message, RequestVote):
            ballot = Ballot(message.term, message.source, send.after)
        elif isinstance(message, RequestVoteReply) and message.granted:
            ballot = Ballot(message.term, message.target, send.after)
        else:
            return
        if ballot.after <= durable:
            self._count(member, ballot)
        else:
            self._waiting.setdefault(member, []).append(ballot)

    def written(self, member: str, durable: Token) -> None:
        """Votes that waited for this write leave."""
        waiting = self._waiting.get(member)
        if not waiting:
            return
        self._waiting[member] = [ballot for ballot in waiting if ballot.after > durable]
        for ballot in waiting:
            if ballot.after <= durable:
                self._count(member, ballot)

    def voters(self, term: int, candidate: int) -> list[str]:
        """Whose votes for a candidate have left."""
        return [
            member for (member, at), vote in self._cast.items() if (at, vote) == (term, candidate)
        ]

    def crashed(self, member: str) -> None:
        """What had not left will never leave."""
        self._waiting.pop(member, None)

    def _count(self, member: str, ballot: Ballot) -> None:
        first = self._cast.setdefault((member, ballot.term), ballot.candidate)
        if first != ballot.candidate:
            message = f"{member} voted for m{first} and for m{ballot.candidate}"
            raise Found("one vote a term", f"{message} in term {ballot.term}")


class Oracles:
    """Observes a world of hunted members."""

    __slots__ = (
        "_committed",
        "_digested",
        "_digests",
        "_durable",
        "_led",
        "_majority",
        "_members",
        "_safety",
        "_votes",
        "counters",
        "durability",
        "strikes",
    )

    def __init__(self, clock: Callable[[], Instant], members: tuple[str, ...]) -> None:
        self._safety = RaftSafety(clock)
        self.durability = DurableBeforeAcknowledged(clock)
        self._votes = OneVoteATerm()
        self._members = members
        self._majority = len(members) // 2 + 1
        self._committed = 0
        self._digests: dict[int, tuple[bytes, str]] = {}
        """By index: what the first member to apply it held then, and who that was."""
        self._digested: dict[str, int] = {}
        self._durable: dict[str, Token] = {}
        self._led: dict[str, tuple[int, int]] = {}
        """The last term that a member led, and its commit index then."""
        self.counters: dict[str, int] = {"elections": 0, "commits": 0}
        """What a run has seen."""
        for invariant in (*self._safety.invariants, self.durability):
            invariant.announce = _found

    @property
    def committed(self) -> int:
        """The highest committed index."""
        return self._safety.committed

    def on_boot(self, host: Host, image: Mapping[str, bytes], effects: list[Effect]) -> None:
        """A member has booted from this disk image."""
        assert isinstance(host.node, HuntNode)
        records = host.node.recovered
        self._durable[host.name] = 0
        self._safety.booted(host.name, records)
        self.durability.booted(host.name, records)
        self._digested[host.name] = 0
        self._look(host, effects)

    def on_step(self, host: Host, given: Input, effects: list[Effect]) -> None:
        """A member has taken a step; its effects are not performed yet."""
        if type(given) is Written:
            self.durability.written(host.name, given)
            if given.error is None:
                self._durable[host.name] = given.token
                self._votes.written(host.name, given.token)
                self._on_written(host)
        self._look(host, effects)

    def on_record(self, record: TraceRecord) -> None:
        """Elections are counted."""
        if record.kind == "raft.role" and ("role", "leader") in record.fields:
            self.counters["elections"] += 1

    def on_crash(self, host: Host) -> None:
        """What had not left it never will."""
        self._votes.crashed(host.name)

    def _look(self, host: Host, effects: list[Effect]) -> None:
        node = host.node
        assert isinstance(node, HuntNode)
        name, raft = host.name, node.raw.raft
        if raft.contradiction:
            raise Found("no contradiction", f"{name}: {raft.contradiction}")
        # what it writes first: a promise may rest on a write of the same step
        for effect in effects:
            if type(effect) is Write:
                self._safety.wrote(name, effect)
                self.durability.wrote(name, effect)
            elif type(effect) is Send and effect.frame[TAG_AT] in _WATCHED:
                if effect.frame[TAG_AT] != VOTE_REQUEST:
                    self.durability.sent(name, effect)
                if effect.frame[TAG_AT] != ACKNOWLEDGEMENT:
                    self._votes.sent(name, effect, self._durable[name])
        if raft.role is _LEADER:
            self._on_leader(name, raft)
        self._safety.stepped(name, raft)
        if self._safety.committed > self._committed:
            self._on_commit(name)
        if node.registers.index != self._digested[name]:
            self._on_applied(name, node)

    def _on_written(self, host: Host) -> None:
        node = host.node
        assert isinstance(node, HuntNode)
        believed, durable = node.raw.raft.log.persisted, self.durability.durable(host.name)
        if believed > durable:
            message = f"{host.name} counts on entry {believed}; its disk holds {durable}"
            raise Found("known to be durable", message)

    def _on_leader(self, name: str, raft: Raft) -> None:
        term, commit = self._led.get(name, (0, 0))
        if (term, commit) == (raft.term, raft.commit):
            return
        self._led[name] = (raft.term, raft.commit)
        if term != raft.term:
            voters = dict.fromkeys([name, *self._votes.voters(raft.term, raft.id)])
            if len(voters) < self._majority:
                message = f"{name} leads term {raft.term} with the votes of {', '.join(voters)}"
                raise Found("elected by a majority", message)
        elif (of := raft.log.term_at(raft.commit)) != term:
            message = f"{name}, leader of term {term}, committed entry {raft.commit} of term {of}"
            raise Found("own term", message)

    def _on_commit(self, name: str) -> None:
        self._committed = committed = self._safety.committed
        self.counters["commits"] = committed
        holding = [
            member
            for member in self._members
            if self.durability.durable(member) >= committed
            and self._safety.agrees(member, committed)
        ]
        if len(holding) < self._majority:
            where = ", ".join(holding) or "nobody"
            message = f"{name} committed entry {committed}; it is durable on {where}"
            raise Found("committed is durable", message)

    def _on_applied(self, name: str, node: HuntNode) -> None:
        index = self._digested[name] = node.registers.index
        digest, first = self._digests.setdefault(index, (node.registers.digest, name))
        if digest != node.registers.digest:
            message = f"{name} and {first} hold different registers at index {index}"
            raise Found("one history", message)


def _found(invariant: Invariant, violation: Violation) -> None:
    raise Found(invariant.name, violation.message)
