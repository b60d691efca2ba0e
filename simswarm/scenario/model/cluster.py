"""The swarm a scenario runs on: its nodes, their zones, the network between them, its settings.

Nodes are `m1…` (managers) and `w1…` (workers). Zones are dealt round-robin, managers and workers
apart, and become the label `zone`. Managers run tasks unless drained, as in Swarm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from simswarm.base.values import Labels, Value, labels
from simswarm.model.defaults import (
    ELECTION_TICKS,
    HEARTBEAT_PERIOD,
    HEARTBEAT_TICKS,
    LOG_ENTRIES_FOR_SLOW_FOLLOWERS,
    RAFT_TICK,
    SNAPSHOT_INTERVAL,
    TASK_HISTORY_LIMIT,
)
from simswarm.model.specs import GenericResource, NodeRole
from simswarm.scenario.grammar.durations import SignedSpan, Span, Spread
from simswarm.scenario.grammar.forms import Frozen, Read, Short, wrong
from simswarm.scenario.grammar.quantities import (
    AnyText,
    Bandwidth,
    Count,
    Cpus,
    Drift,
    Flag,
    Memory,
    Positive,
    Share,
    Text,
)

Profile: TypeAlias = Literal["perfect", "lan", "wan", "flaky"]


class Link(Frozen):
    """What a link does to the messages on it; what is not given stays as it is."""

    latency: Spread | None = None
    """One way."""
    jitter: Span | None = None
    """Up to so much is added to the latency, drawn for every message."""
    loss: Share | None = None
    duplicate: Share | None = None
    reorder: Share | None = None
    bandwidth: Bandwidth | None = None


class Network(Short, Link):
    """The network: a profile, and what differs from it."""

    short: ClassVar[str] = "profile"
    profile: Profile = "lan"


class Clock(Frozen):
    """How a node's clock is wrong from the start."""

    skew: SignedSpan = 0
    """How far the wall clock is ahead."""
    drift: Drift = 0
    """How much too fast both clocks run."""


def _amount(value: object) -> int | tuple[str, ...]:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise wrong("E103", "a generic resource is a count, or a list of the pieces' names")


Amount = Annotated[int | tuple[str, ...], Read(_amount, None, {"type": ["integer", "array"]})]
"""A generic resource: a count, or the names of the pieces."""


class NodeSettings(Frozen):
    """What is particular about one node."""

    labels: Mapping[str, AnyText] = Field(default_factory=dict)
    zone: Text | None = None
    cpus: Cpus | None = None
    memory: Memory | None = None
    generic: Mapping[str, Amount] = Field(default_factory=dict)
    """Generic resources."""
    clock: Clock = Clock()
    service_time: Span = 0
    """What a step costs the node; 0: processing is free."""


class RaftTuning(Frozen):
    """Raft's settings as Swarm names them; `tick` scales its clock."""

    tick: Annotated[Span, Field(ge=1_000_000)] = RAFT_TICK
    election_tick: Positive = ELECTION_TICKS
    heartbeat_tick: Positive = HEARTBEAT_TICKS
    check_quorum: Flag = True
    pre_vote: Flag = False
    snapshot_interval: Positive = SNAPSHOT_INTERVAL
    log_entries_for_slow_followers: Count = LOG_ENTRIES_FOR_SLOW_FOLLOWERS

    @model_validator(mode="after")
    def _patience_outlasts_heartbeats(self) -> RaftTuning:
        if self.election_tick <= self.heartbeat_tick:
            message = "election_tick must be larger than heartbeat_tick"
            given = self.model_fields_set
            key = "election_tick" if "election_tick" in given else "heartbeat_tick"
            raise wrong("E105", message, "Swarm has 10 and 1", key=key)
        return self


class Machine(Value, frozen=True):
    """One node as it is set up."""

    name: str
    role: NodeRole
    zone: str | None
    labels: Labels
    """With the label `zone`, if there are zones."""
    nano_cpus: int | None
    memory_bytes: int | None
    generic: tuple[GenericResource, ...]
    skew: int
    drift_ppm: int
    service_time: int


class Cluster(Frozen):
    """The swarm at the start of the run."""

    managers: Annotated[Count, Field(ge=1, le=99)] = 3
    workers: Annotated[Count, Field(le=100_000)] = 3
    zones: tuple[Text, ...] = ()
    nodes: Mapping[str, NodeSettings] = Field(default_factory=dict)
    network: Network = Network()
    between_zones: Link | None = None
    """What differs on links between nodes of different zones."""
    raft: RaftTuning = RaftTuning()
    dispatcher_heartbeat: Annotated[Span, Field(ge=100_000_000)] = HEARTBEAT_PERIOD
    task_history: Count = TASK_HISTORY_LIMIT
    engine: Text = "20.10"
    """The Docker Engine whose Swarm's rules apply where versions differ."""

    @property
    def manager_names(self) -> tuple[str, ...]:
        """`m1`, `m2`, …"""
        return tuple(f"m{number}" for number in range(1, self.managers + 1))

    @property
    def worker_names(self) -> tuple[str, ...]:
        """`w1`, `w2`, …"""
        return tuple(f"w{number}" for number in range(1, self.workers + 1))

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All nodes, managers first, each with its zone and its settings."""
        managers = [(name, NodeRole.MANAGER) for name in self.manager_names]
        workers = [(name, NodeRole.WORKER) for name in self.worker_names]
        return tuple(
            self.machine(name, role, index)
            for group in (managers, workers)
            for index, (name, role) in enumerate(group)
        )

    def machine(self, name: str, role: NodeRole, index: int) -> Machine:
        """A node's set-up; `index` is its place among the nodes of its role, from 0."""
        settings = self.nodes.get(name, NodeSettings())
        zone = settings.zone or (self.zones[index % len(self.zones)] if self.zones else None)
        own = dict(settings.labels)
        if zone is not None:
            own.setdefault("zone", zone)
        return Machine(
            name=name,
            role=role,
            zone=zone,
            labels=labels(own),
            nano_cpus=settings.cpus,
            memory_bytes=settings.memory,
            generic=_generic(settings.generic),
            skew=settings.clock.skew,
            drift_ppm=settings.clock.drift,
            service_time=settings.service_time,
        )


def _generic(kinds: Mapping[str, int | tuple[str, ...]]) -> tuple[GenericResource, ...]:
    found: list[GenericResource] = []
    for kind, amount in kinds.items():
        if isinstance(amount, int):
            found.append(GenericResource(kind, count=amount))
        else:
            found.extend(GenericResource(kind, value=name) for name in amount)
    return tuple(found)
