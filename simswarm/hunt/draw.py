"""How plans are drawn: swarm testing, through hypothesis.

    which kinds of fault exist at all (each with probability 1/2)
      └─> how many of each
            └─> when, whom, how long, how bad

Leaving whole kinds out finds what "a little of everything" hides: a fault often undoes what
another one was about to show (Groce et al., Swarm Testing, 2012). The simplest choice is always
the harmless one - off, none, three members, a perfect network - so that hypothesis shrinks
towards a run in which nothing happens.

A seed gives the bytes that hypothesis chooses from: the same seed, the same plan.

Invariants:
    I1. Every plan drawn is valid.
    I2. A disk is lost only where a majority keeps theirs, but for one plan in some: then the
        verdict may be `not recoverable`, which is not a violation.

Source: FoundationDB (two levels of chance), TigerBeetle (enabled options a run).
Not here: shrinking of plans found to fail (`shrink.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import InvalidSpec
from simswarm.hunt.plan import (
    ANY,
    LEADER,
    MOMENTS,
    NETWORKS,
    OUTSIDES,
    BadClock,
    BadDisk,
    Crash,
    Fault,
    Isolate,
    Link,
    Loses,
    Partition,
    Pause,
    Plan,
    PowerLoss,
    Strike,
)

DrawFn = Callable[..., int]
BYTES = 4096
"""What a plan is drawn from; it needs some hundreds."""
PROCESS = ("crash", "strike", "power_loss", "pause")
NETWORK = ("partition", "isolate", "link", "weather")
DISK = ("disk", "wipe")
CLOCK = ("clock",)
PROFILES: dict[str, tuple[str, ...]] = {
    "swarm": (*PROCESS, *NETWORK, *DISK, *CLOCK, "churn"),
    "process": (*PROCESS, "churn"),
    "network": (*NETWORK, "churn"),
    "disk": (*DISK, "strike", "power_loss", "crash"),
    "clock": (*CLOCK, "pause", "isolate"),
    "churn": ("churn", "strike", "link"),
    "calm": (),
}
"""Which kinds may exist, by profile."""


class _Chooser:
    """Draws in milliseconds and names of one plan."""

    __slots__ = ("_draw", "chaos", "names", "patience")

    def __init__(self, draw: DrawFn, names: tuple[str, ...], chaos: int, patience: int) -> None:
        self._draw = draw
        self.names = names
        self.chaos = chaos
        self.patience = patience

    def one(self, *options: object) -> object:
        """One of these; the first is the simplest."""
        return options[self._draw(st.integers(0, len(options) - 1))]

    def number(self, low: int, high: int) -> int:
        """A number; `low` is the simplest."""
        return self._draw(st.integers(low, high))

    def yes(self) -> bool:
        """Half the time."""
        return bool(self._draw(st.booleans()))

    def at(self) -> int:
        """A moment of phase A."""
        return 10 * self.number(0, self.chaos // 10)

    def span(self) -> int:
        """From a quarter of an election time-out to four of them."""
        return max(10, self.patience * self.number(1, 16) // 4 // 10 * 10)

    def soon(self) -> int:
        """Down for how long: often back within the same term."""
        return int(str(self.one(10, 50, self.patience // 2, self.patience, 3 * self.patience)))

    def node(self) -> str:
        """Half the time whoever leads."""
        return LEADER if self.yes() else self.names[self.number(0, len(self.names) - 1)]

    def member(self) -> str:
        """Any one, by name."""
        return self.names[self.number(0, len(self.names) - 1)]


def _crash(c: _Chooser) -> list[Fault]:
    lose: Loses = "unsynced" if c.yes() else "nothing"
    return [Crash(c.at(), c.node(), lose, c.soon())]


def _strike(c: _Chooser) -> list[Fault]:
    on = MOMENTS[c.number(0, len(MOMENTS) - 1)]
    node = str(c.one(ANY, LEADER if on in ("append", "lead", "commit") else ANY, c.member()))
    lose: Loses = "unsynced" if c.number(0, 3) else "nothing"
    return [Strike(c.at(), node, on, lose, c.soon())]


def _power_loss(c: _Chooser) -> list[Fault]:
    nodes = tuple(name for name in c.names if c.number(0, 3)) or c.names
    return [PowerLoss(c.at(), nodes, c.soon())]


def _pause(c: _Chooser) -> list[Fault]:
    return [Pause(c.at(), c.node(), c.span())]


def _partition(c: _Chooser) -> list[Fault]:
    # who is in neither group talks to everybody: a bridge
    groups: list[list[str]] = [[], [], []]
    for name in c.names:
        groups[min(2, c.number(0, 4) // 2)].append(name)
    cut = tuple(tuple(group) for group in groups[:2])
    if not all(cut):
        return []
    return [Partition(c.at(), c.span(), cut, c.number(1, 3))]


def _isolate(c: _Chooser) -> list[Fault]:
    ways: tuple[Literal["both", "in", "out"], ...] = ("both", "both", "in", "out")
    return [Isolate(c.at(), c.span(), c.node(), ways[c.number(0, 3)], c.number(0, 3) // 2)]


def _link(c: _Chooser) -> list[Fault]:
    loss = (0, 10, 40, 100)[c.number(0, 3)]
    latency = (0, c.patience // 10, c.patience // 2, 2 * c.patience)[c.number(0, 3)]
    return [
        Link(
            c.at(),
            2 * c.span(),
            ANY if c.yes() else c.node(),
            ANY if c.yes() else c.node(),
            latency=latency,
            jitter=latency,
            loss=loss,
            duplicate=(0, 10, 50)[c.number(0, 2)],
            reorder=(0, 10, 50)[c.number(0, 2)],
        )
    ]


def _weather(c: _Chooser) -> list[Fault]:
    """One bad network for all, from the beginning to the end."""
    latency = (0, c.patience // 50, c.patience // 10, c.patience // 3)[c.number(0, 3)]
    return [
        Link(
            0,
            c.chaos,
            ANY,
            ANY,
            latency=latency,
            jitter=latency,
            loss=(0, 2, 10, 30)[c.number(0, 3)],
            duplicate=(0, 5, 30)[c.number(0, 2)],
            reorder=(0, 5, 30)[c.number(0, 2)],
        )
    ]


def _disk(c: _Chooser) -> list[Fault]:
    fault: Literal["", "error", "full"] = ("", "error", "full")[c.number(0, 2)]
    slow = (0, 20, 100, 400)[c.number(0, 3)] if not fault else 0
    return [BadDisk(c.at(), c.span(), c.node(), slow, fault)]


def _wipe(c: _Chooser) -> list[Fault]:
    return [Crash(c.at(), c.node(), "disk", 0)]


def _clock(c: _Chooser) -> list[Fault]:
    drift = (0, 5, -5, 100, -50)[c.number(0, 4)]
    return [BadClock(c.at(), 2 * c.span(), c.node(), drift, c.number(-5000, 5000))]


def _churn(c: _Chooser) -> list[Fault]:
    """Leader after leader is taken away, in one of several ways, at one rhythm."""
    rhythm = max(10, c.patience * c.number(2, 8) // 4)
    faults: list[Fault] = []
    for turn in range(c.number(2, 6)):
        at = (turn + 1) * rhythm
        match c.number(0, 6):
            case 0:
                faults.append(Isolate(at, c.span(), LEADER))
            case 1:
                faults.append(Crash(at, LEADER, "unsynced", c.soon()))
            case 2:
                faults.append(Pause(at, LEADER, c.span()))
            case 3 | 4:
                faults.append(Isolate(at, c.span(), LEADER, company=1))
            case 5:
                faults.append(Strike(at, LEADER, "append", "nothing", c.soon()))
            case _:
                faults.append(Isolate(at, c.span(), LEADER, "in"))
    return [fault for fault in faults if fault.at < c.chaos]


KINDS: dict[str, tuple[Callable[[_Chooser], list[Fault]], int]] = {
    "crash": (_crash, 5),
    "strike": (_strike, 6),
    "power_loss": (_power_loss, 3),
    "pause": (_pause, 3),
    "partition": (_partition, 3),
    "isolate": (_isolate, 5),
    "link": (_link, 5),
    "weather": (_weather, 1),
    "disk": (_disk, 3),
    "wipe": (_wipe, 2),
    "clock": (_clock, 4),
    "churn": (_churn, 1),
}
"""How a kind is drawn, and at most how often."""


@st.composite
def plans(draw: DrawFn, profile: str = "swarm") -> Plan:
    """Plans of a profile: a strategy like any other of hypothesis."""
    number = st.integers
    members = (3, 5, 3, 5, 4, 3, 5, 2, 1, 7)[draw(number(0, 9))]
    election_ticks = (4, 3, 10, 5)[draw(number(0, 3))]
    tick = (50, 20)[draw(number(0, 1))]
    chaos = (3000, 1500, 6000)[draw(number(0, 2))] * tick // 50
    plan = Plan(
        seed=draw(number(0, (1 << 32) - 1)),
        members=members,
        tick=tick,
        election_ticks=election_ticks,
        pre_vote=draw(number(0, 2)) == 1,
        transport=("stream", "datagram")[draw(number(0, 1))],
        network=NETWORKS[draw(number(0, 2))],
        message_bytes=(65_535, 1, 120)[draw(number(0, 2))],
        inflight=(256, 1, 4)[draw(number(0, 2))],
        chaos=chaos,
        clients=(2, 1, 4, 0)[draw(number(0, 3))],
        think=(50, 10, 200)[draw(number(0, 2))],
        keys=draw(number(1, 3)),
        retry=not draw(st.booleans()),
        core=0 if draw(st.booleans()) else members // 2 + 1,
        core_first=draw(number(0, members - 1)),
        outside=OUTSIDES[draw(number(0, 3))],
        stable=draw(number(0, 3)) == 1,
    )
    chooser = _Chooser(draw, plan.names, chaos, plan.patience)
    faults: list[Fault] = []
    for kind in PROFILES[profile]:
        make, most = KINDS[kind]
        if draw(st.booleans()):
            for _ in range(chooser.number(0, most)):
                faults += make(chooser)
    faults.sort(key=_when)
    return _replace_faults(plan, _within_budget(plan, faults))


def _when(fault: Fault) -> int:
    return fault.at


def _within_budget(plan: Plan, faults: list[Fault]) -> tuple[Fault, ...]:
    """At most as many lost disks as leave a majority - but sometimes one more."""
    spare = plan.members - plan.majority + (plan.seed % 4 == 0)
    kept: list[Fault] = []
    for fault in faults:
        if isinstance(fault, Crash) and fault.lose == "disk":
            spare -= 1
            if spare < 0:
                continue
        kept.append(fault)
    return tuple(kept)


def _replace_faults(plan: Plan, faults: tuple[Fault, ...]) -> Plan:
    from simswarm.base.values import replace

    return replace(plan, faults=faults)


class Drawer:
    """Draws the plan of a seed."""

    __slots__ = ("_drawn", "_feed", "_profile")

    def __init__(self, profile: str) -> None:
        if profile not in PROFILES:
            raise InvalidSpec(f"hunt: no profile {profile!r}; there are {', '.join(PROFILES)}")
        self._profile = profile
        self._drawn: list[Plan] = []
        quiet = settings(
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        self._feed = quiet(given(plans(profile))(self._take)).hypothesis.fuzz_one_input  # type: ignore[attr-defined]

    def _take(self, plan: Plan) -> None:
        self._drawn.append(plan)

    def plan(self, seed: int) -> Plan:
        """The plan of a seed."""
        self._drawn.clear()
        self._feed(SeededEntropy(seed, f"/hunt/{self._profile}").bytes(BYTES))
        assert self._drawn, "a plan needs fewer bytes than it is given"
        return self._drawn[0]


@lru_cache(maxsize=16)
def drawer(profile: str) -> Drawer:
    """The drawer of a profile: making one takes longer than drawing."""
    return Drawer(profile)
