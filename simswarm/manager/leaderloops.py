"""Which control loops a leader runs, and in which order they are told of changes.

    dispatcher · allocator · scheduler · replicated and global orchestrator · reaper · enforcer

The order is fixed, so that runs repeat; no loop may depend on it, because in the real Swarm each
runs in a goroutine of its own.

Source: swarmkit manager/manager.go (becomeLeader).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from simswarm.base.effects import Address, Identity, Outbox
from simswarm.base.entropy import Entropy
from simswarm.manager.allocator import Allocator
from simswarm.manager.dispatcher.dispatcher import Dispatcher
from simswarm.manager.loop import ControlLoop
from simswarm.manager.orchestrator.enforcer import ConstraintEnforcer
from simswarm.manager.orchestrator.global_services import GlobalOrchestrator
from simswarm.manager.orchestrator.reaper import TaskReaper
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.manager.route import Courier, Route
from simswarm.manager.scheduler import Scheduler
from simswarm.store import Store
from simswarm.wire.dispatcher import FromAgent

Managers = Callable[[], tuple[tuple[Address, int], ...]]


class AgentLoop(ControlLoop, Protocol):
    """The control loop that agents talk to: the dispatcher, or in tests a fake."""

    def receive(self, route: Route, identity: Identity, message: FromAgent) -> None:
        """An agent says something."""
        ...

    def peer_lost(self, via: Address) -> None:
        """The stream to an agent, or to the manager it talks through, broke."""
        ...


class LeaderContext(NamedTuple):
    """What loops are made of. `epoch` names this leadership in their timers."""

    store: Store
    out: Outbox
    courier: Courier
    entropy: Entropy
    epoch: int
    node_name: str
    managers: Managers
    """Every manager's address with its weight, for agents to choose from."""


class LeaderLoops(NamedTuple):
    """All loops of one leadership."""

    agents: AgentLoop
    others: tuple[ControlLoop, ...]

    @property
    def in_order(self) -> tuple[ControlLoop, ...]:
        """All of them, in the order in which they are told of changes."""
        return (self.agents, *self.others)


LoopFactory = Callable[[LeaderContext], LeaderLoops]


def leader_loops(lead: LeaderContext) -> LeaderLoops:
    """The loops of a manager that has just become leader."""
    dispatcher = Dispatcher(
        lead.store,
        lead.out,
        lead.courier,
        lead.entropy.fork("dispatcher"),
        lead.epoch,
        node_name=lead.node_name,
        managers=lead.managers,
    )
    store, out, epoch, fork = lead.store, lead.out, lead.epoch, lead.entropy.fork
    return LeaderLoops(
        dispatcher,
        (
            Allocator(store, out, epoch),
            Scheduler(store, out, fork("scheduler"), epoch),
            ReplicatedOrchestrator(store, out, fork("replicated"), epoch),
            GlobalOrchestrator(store, out, fork("global"), epoch),
            TaskReaper(store, out, epoch),
            ConstraintEnforcer(store, out, epoch),
        ),
    )
