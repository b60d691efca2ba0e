"""The settings one node boots with. Everything else it learns from its disk and its peers.

Until joining is real, managers boot from a bootstrap configuration: the member list is given,
and one of them (`campaign`) stands for election at once.
"""

from __future__ import annotations

from simswarm.base.effects import Address
from simswarm.base.time import Duration
from simswarm.base.values import Value
from simswarm.model.defaults import (
    ELECTION_TICKS,
    HEARTBEAT_TICKS,
    LOG_ENTRIES_FOR_SLOW_FOLLOWERS,
    RAFT_TICK,
    SNAPSHOT_INTERVAL,
    WAL_SEGMENT_BYTES,
)
from simswarm.model.objects import NodeDescription
from simswarm.model.specs import ClusterSpec, NodeRole


class RaftSettings(Value, frozen=True):
    """Raft's clock and limits as Swarm names them. `tick` in nanoseconds, the rest in ticks."""

    tick: Duration = RAFT_TICK
    election_ticks: int = ELECTION_TICKS
    heartbeat_ticks: int = HEARTBEAT_TICKS
    check_quorum: bool = True
    pre_vote: bool = False
    snapshot_interval: int = SNAPSHOT_INTERVAL
    snapshot_keep: int = LOG_ENTRIES_FOR_SLOW_FOLLOWERS
    segment_bytes: int = WAL_SEGMENT_BYTES


class Member(Value, frozen=True):
    """A manager in the bootstrap member list."""

    raft_id: int
    name: str
    address: Address


class NodeConfig(Value, frozen=True):
    """How a node boots."""

    name: str
    address: Address
    role: NodeRole
    managers: tuple[Address, ...]
    """Whom to ask to be let in."""
    members: tuple[Member, ...] = ()
    """The bootstrap member list; empty for workers."""
    campaign: bool = False
    """Stand for election at the first boot without waiting: this node initialises the swarm."""
    description: NodeDescription = NodeDescription()
    raft: RaftSettings = RaftSettings()
    cluster: ClusterSpec = ClusterSpec()
    """What the cluster object is created with, by the first leader."""
    unlock_key: str = ""
    """Opens a manager's keys, as people write it down; empty for one that is not locked."""
