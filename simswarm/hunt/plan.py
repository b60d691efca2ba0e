"""What one hunt does: a group of members, its clients, and a list of faults. All of it in a file.

    plan = settings (how many members, which network, …) + faults, each with its own instant

A plan is all that a run depends on: `seed` gives the low-level noise (latencies, which write a
power loss tears, election time-outs), everything else is written out. Leaving a fault out shifts
nothing else, so a list of faults can be shortened one by one.

Invariants:
    I1. plan == read(write(plan)), and equal plans give equal digests.
    I2. Times are whole milliseconds, chances whole per cent: what is printed is what is meant.
    I3. A plan that `read` lets through can be played.

Not here: how plans are drawn (`draw.py`), what a fault does (`nemesis.py`), the file's text
(`planfile.py`).
"""

from __future__ import annotations

from typing import Literal

from simswarm.base.errors import InvalidSpec
from simswarm.base.values import Value

Loses = Literal["nothing", "unsynced", "disk"]
Milliseconds = int
Percent = int

LEADER = "leader"
"""Instead of a name: whoever leads at that moment. Where nobody does, the fault does nothing."""
ANY = "any"
"""Instead of a name: every member."""
MOMENTS = ("vote", "stand", "append", "lead", "commit")
"""At what a strike hits: granting a vote, standing for election, writing entries, winning an
election, raising the commit index as leader."""
TRANSPORTS = ("stream", "datagram")
NETWORKS = ("perfect", "lan", "slow")
OUTSIDES = ("down", "cut", "mute", "deaf")
"""What becomes of members outside the core: switched off; cut off both ways; not heard any more;
hearing nothing any more."""


class Crash(Value, frozen=True, tag="crash"):
    """A member goes down and comes back `down` later; one that lost its disk stays away."""

    at: Milliseconds
    node: str
    lose: Loses
    down: Milliseconds


class Strike(Value, frozen=True, tag="strike"):
    """The same, right after the next step from `at` on in which a member does something."""

    at: Milliseconds
    node: str
    on: str
    lose: Loses
    down: Milliseconds


class PowerLoss(Value, frozen=True, tag="power_loss"):
    """Several members lose power at once: what is not synced is lost."""

    at: Milliseconds
    nodes: tuple[str, ...]
    down: Milliseconds


class Pause(Value, frozen=True, tag="pause"):
    """A member's process stands still for a while."""

    at: Milliseconds
    node: str
    span: Milliseconds


class Partition(Value, frozen=True, tag="partition"):
    """Nothing passes between the groups; `times` more than 1 flaps, as long on as off."""

    at: Milliseconds
    span: Milliseconds
    groups: tuple[tuple[str, ...], ...]
    times: int = 1


class Isolate(Value, frozen=True, tag="isolate"):
    """One member apart: cut off `both` ways, or only what it says (`out`) or hears (`in`). So many
    others as `company` stay with it: those that follow it in the list of members."""

    at: Milliseconds
    span: Milliseconds
    node: str
    way: Literal["both", "in", "out"] = "both"
    company: int = 0


class Link(Value, frozen=True, tag="link"):
    """Links from `source` to `target` are bad; `any` stands for all members."""

    at: Milliseconds
    span: Milliseconds
    source: str
    target: str
    latency: Milliseconds = 0
    jitter: Milliseconds = 0
    loss: Percent = 0
    duplicate: Percent = 0
    reorder: Percent = 0


class BadDisk(Value, frozen=True, tag="disk"):
    """A member's disk is slow, or fails every write (`error`), or has no room (`full`). A write
    that fails ends the member; it comes back when the fault is over."""

    at: Milliseconds
    span: Milliseconds
    node: str
    slow: Milliseconds = 0
    fault: Literal["", "error", "full"] = ""


class BadClock(Value, frozen=True, tag="clock"):
    """A member's clock runs faster (slower, if negative) by so many per cent for a while, and its
    wall clock jumps."""

    at: Milliseconds
    span: Milliseconds
    node: str
    drift: Percent = 0
    jump: Milliseconds = 0


Fault = Crash | Strike | PowerLoss | Pause | Partition | Isolate | Link | BadDisk | BadClock
FAULTS: tuple[type[Fault], ...] = (
    Crash,
    Strike,
    PowerLoss,
    Pause,
    Partition,
    Isolate,
    Link,
    BadDisk,
    BadClock,
)


class Plan(Value, frozen=True):
    """One hunt."""

    seed: int = 1
    """Of the low-level noise."""
    members: int = 3
    tick: Milliseconds = 50
    election_ticks: int = 4
    pre_vote: bool = False
    transport: str = "stream"
    """How Raft's messages travel: streams keep their order; datagrams are lost and doubled."""
    network: str = "perfect"
    message_bytes: int = 65_535
    """What fits in one append; 1: every entry travels alone."""
    inflight: int = 256
    chaos: Milliseconds = 3000
    """How long anything goes. Then the core is healed, and has to recover."""
    clients: int = 2
    think: Milliseconds = 50
    """How long a client waits after an answer, on average."""
    keys: int = 1
    retry: bool = True
    """Clients repeat a command that was not answered, under its old number, at another member."""
    core: int = 0
    """How many members are healed, but at least a majority; 0: all."""
    core_first: int = 0
    """Where the core begins, counted along the members."""
    outside: str = "down"
    stable: bool = False
    """Whether the core must also keep its leader for a while."""
    faults: tuple[Fault, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The members."""
        return tuple(f"m{number}" for number in range(1, self.members + 1))

    @property
    def majority(self) -> int:
        """The smallest number of members that can decide."""
        return self.members // 2 + 1

    @property
    def patience(self) -> Milliseconds:
        """The longest election time-out."""
        return 2 * self.election_ticks * self.tick

    def validate(self) -> None:
        """Check what types don't say.

        Raises:
            InvalidSpec: it can't be played.
        """
        _within("members", self.members, 1, 9)
        _within("tick", self.tick, 1, 60_000)
        _within("election_ticks", self.election_ticks, 2, 100)
        _within("message_bytes", self.message_bytes, 1, 1 << 20)
        _within("inflight", self.inflight, 1, 4096)
        _within("chaos", self.chaos, 0, 3_600_000)
        _within("clients", self.clients, 0, 64)
        _within("think", self.think, 1, 60_000)
        _within("keys", self.keys, 1, 64)
        _among("transport", self.transport, TRANSPORTS)
        _among("network", self.network, NETWORKS)
        _among("outside", self.outside, OUTSIDES)
        known = (*self.names, LEADER, ANY)
        for fault in self.faults:
            _within("at", fault.at, 0, 3_600_000)
            for name in targets(fault):
                _among(type(fault).__name__, name, known)
            if isinstance(fault, Strike):
                _among("on", fault.on, MOMENTS)
            if isinstance(fault, Isolate):
                _within("company", fault.company, 0, self.members)
            if isinstance(fault, BadClock):
                _within("drift", fault.drift, -90, 900)
            if isinstance(fault, Partition):
                placed = [name for group in fault.groups for name in group]
                if len(placed) != len(dict.fromkeys(placed)):
                    raise InvalidSpec("hunt: a member is in two groups of a partition")


def targets(fault: Fault) -> tuple[str, ...]:
    """Whom a fault names."""
    match fault:
        case PowerLoss(nodes=nodes):
            return nodes
        case Partition(groups=groups):
            return tuple(name for group in groups for name in group)
        case Link(source=source, target=target):
            return (source, target)
        case _:
            return (fault.node,)


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidSpec(f"hunt: {name} is {value}, not within {low} to {high}")


def _among(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidSpec(f"hunt: {name} is {value!r}, not one of {', '.join(known)}")
