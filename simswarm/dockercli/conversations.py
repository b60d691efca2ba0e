"""Every operator's action as a conversation: scale, update, deploy, drain, label, …

A docker command line, a scenario's action, a notebook and a live run all end here, so that each
asks the swarm in exactly the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simswarm.dockercli.changes import LabelChange, NodeChange, ServiceChange
from simswarm.dockercli.commands import (
    Command,
    CreateCommand,
    NodeUpdateCommand,
    RemoveCommand,
    RollbackCommand,
    ScaleCommand,
    UpdateCommand,
)
from simswarm.dockercli.conversation import Conversation
from simswarm.dockercli.jobs import (
    CreateJob,
    DeployJob,
    NodeJob,
    PruneJob,
    RemoveJob,
    RollbackJob,
    ScaleJob,
    UpdateJob,
)
from simswarm.dockercli.stack import NAMESPACE_LABEL, in_stack
from simswarm.model.specs import Availability, ServiceSpec


def converse(command: Command) -> Conversation:
    """Carry out a docker command line."""
    match command:
        case CreateCommand(spec):
            return create(spec)
        case UpdateCommand(service, change, rolls_back):
            return rollback([service]) if rolls_back else update(service, change)
        case ScaleCommand(services):
            return scale(dict(services))
        case RollbackCommand(service):
            return rollback([service])
        case RemoveCommand(services):
            return remove(services)
        case NodeUpdateCommand(node, change):
            return Conversation([NodeJob(node, change)])


def create(spec: ServiceSpec) -> Conversation:
    """Create a service."""
    return Conversation([CreateJob(spec)])


def scale(services: Mapping[str, int]) -> Conversation:
    """Change numbers of replicas, one service after another; one that fails stops none."""
    jobs = [ScaleJob(name, replicas) for name, replicas in services.items()]
    return Conversation(jobs, keep_going=True)


def update(service: str, change: ServiceChange) -> Conversation:
    """Change a service."""
    return Conversation([UpdateJob(service, change)])


def rollback(services: Sequence[str]) -> Conversation:
    """Go back to services' previous specs."""
    return Conversation([RollbackJob(name) for name in services])


def remove(services: Sequence[str]) -> Conversation:
    """Remove services; one that fails stops none."""
    return Conversation([RemoveJob(name) for name in services], keep_going=True)


def deploy(
    services: Sequence[ServiceSpec], prefix: str | None = None, *, prune: bool = False
) -> Conversation:
    """Create or update the services of a stack.

    Args:
        services: As they are named in the stack file.
        prefix: The stack's name; None: deploy them under their own names and without labels.
        prune: Remove services of the stack that are not among these.
    """
    specs = [spec if prefix is None else in_stack(spec, prefix) for spec in services]
    jobs: list[PruneJob | DeployJob] = [DeployJob(spec) for spec in specs]
    if prune and prefix is not None:
        kept = tuple(spec.name for spec in specs)
        jobs.insert(0, PruneJob(NAMESPACE_LABEL, prefix, kept))
    return Conversation(jobs)


def availability(nodes: Sequence[str], state: Availability) -> Conversation:
    """Drain, pause or activate nodes, one after another; one that fails stops none."""
    jobs = [NodeJob(name, NodeChange(availability=state)) for name in nodes]
    return Conversation(jobs, keep_going=True)


def drain(nodes: Sequence[str]) -> Conversation:
    """Take nodes out of service."""
    return availability(nodes, Availability.DRAIN)


def activate(nodes: Sequence[str]) -> Conversation:
    """Put nodes back into service."""
    return availability(nodes, Availability.ACTIVE)


def pause_node(nodes: Sequence[str]) -> Conversation:
    """Give nodes no new tasks."""
    return availability(nodes, Availability.PAUSE)


def label(
    nodes: Sequence[str], add: Mapping[str, str], remove_keys: Sequence[str] = ()
) -> Conversation:
    """Set and remove labels of nodes, one after another; one that fails stops none."""
    change = NodeChange(LabelChange(tuple(add.items()), tuple(remove_keys)))
    return Conversation([NodeJob(name, change) for name in nodes], keep_going=True)
