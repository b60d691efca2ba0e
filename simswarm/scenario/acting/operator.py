"""Operators' actions as conversations with a manager, and as the docker command they stand for.

    scale: {web: 12}   ──>   "service scale web=12"  +  the conversation that carries it out

Not here: the conversations (`dockercli/`), who holds them (`client.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import partial
from typing import TypeVar

from simswarm.base.errors import Unsupported
from simswarm.base.values import Value, labels
from simswarm.dockercli import (
    Conversation,
    LabelChange,
    PolicyChange,
    RestartChange,
    ServiceChange,
    conversations,
)
from simswarm.dockercli.changes import ListChange, ResourceChange
from simswarm.model.specs import Availability, FailureAction, RestartCondition, UpdateOrder
from simswarm.scenario.compose import files
from simswarm.scenario.model import actions

MemberT = TypeVar("MemberT", bound=IntEnum)


class Plan(Value, frozen=True):
    """What an operator does: the command in words, and how to make its conversation."""

    command: str
    make: Callable[[], Conversation]


OperatorAction = (
    actions.Deploy
    | actions.Update
    | actions.Scale
    | actions.Rollback
    | actions.Remove
    | actions.Drain
    | actions.PauseNode
    | actions.Activate
    | actions.Label
)


def plan(action: OperatorAction, nodes: Sequence[str]) -> Plan:
    """What to do for an action whose targets mean these nodes.

    Raises:
        Unsupported: removing nodes.
    """
    match action:
        case actions.Deploy():
            return _deploy(action)
        case actions.Update():
            change = service_change(action)
            make = partial(conversations.update, action.service, change)
            return Plan(f"service update {_flags(action)}{action.service}", make)
        case actions.Scale():
            words = " ".join(f"{name}={count}" for name, count in action.services.items())
            return Plan(
                f"service scale {words}", partial(conversations.scale, dict(action.services))
            )
        case actions.Rollback(service=names):
            return Plan(
                f"service rollback {' '.join(names)}", partial(conversations.rollback, names)
            )
        case actions.Remove(service=names) if names is not None:
            return Plan(f"service rm {' '.join(names)}", partial(conversations.remove, names))
        case actions.Remove():
            raise Unsupported("removing nodes is not supported yet")
        case actions.Drain():
            return set_availability(nodes, Availability.DRAIN)
        case actions.PauseNode():
            return set_availability(nodes, Availability.PAUSE)
        case actions.Activate():
            return set_availability(nodes, Availability.ACTIVE)
        case actions.Label():
            return _label(action, nodes)


def set_availability(nodes: Sequence[str], state: Availability) -> Plan:
    """Drain, pause or activate nodes."""
    words = f"node update --availability {state.name.lower()} {' '.join(nodes)}"
    return Plan(words, partial(conversations.availability, tuple(nodes), state))


def _deploy(action: actions.Deploy) -> Plan:
    stack = action.stack
    make = partial(conversations.deploy, stack.services, action.name, prune=action.prune)
    return Plan(f"stack deploy {action.name or stack.name or '(unnamed)'}", make)


def _label(action: actions.Label, nodes: Sequence[str]) -> Plan:
    words = [f"--label-add {key}={value}" for key, value in action.add.items()]
    removed = action.remove or ()
    words += [f"--label-rm {key}" for key in removed]
    make = partial(conversations.label, tuple(nodes), dict(action.add), removed)
    return Plan(f"node update {' '.join(words)} {' '.join(nodes)}", make)


def _flags(action: actions.Update) -> str:
    """The commonest flags in words; the rest shows in the service."""
    flags = []
    if action.image is not None:
        flags.append(f"--image {action.image}")
    if action.replicas is not None:
        flags.append(f"--replicas {action.replicas}")
    flags += [f"--label-add {key}={value}" for key, value in action.labels.items()]
    flags += [f"--env-add {key}={value}" for key, value in action.env.items()]
    flags += [f"--constraint-add {one}" for one in action.constraints]
    if action.force:
        flags.append("--force")
    return "".join(f"{flag} " for flag in flags)


def service_change(action: actions.Update) -> ServiceChange:
    """What an `update` action changes."""
    return ServiceChange(
        image=action.image,
        replicas=action.replicas,
        args=action.command,
        env=ListChange(add=tuple(f"{name}={value}" for name, value in action.env.items())),
        labels=LabelChange(add=_labels(action.labels)),
        constraints=ListChange(add=action.constraints),
        limits=_resources(action.limits),
        reservations=_resources(action.reservations),
        update=_policy(action.update_config),
        rollback=_policy(action.rollback_config),
        restart=_restart(action.restart_policy),
        stop_grace=action.stop_grace_period,
        force=action.force,
    )


def _labels(pairs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return labels(dict(pairs))


def _resources(amount: files.Resources | None) -> ResourceChange:
    if amount is None:
        return ResourceChange()
    return ResourceChange(nano_cpus=amount.cpus, memory_bytes=amount.memory)


def _policy(config: files.UpdateConfig | None) -> PolicyChange:
    if config is None:
        return PolicyChange()
    return PolicyChange(
        parallelism=config.parallelism,
        delay=config.delay,
        failure_action=_member(FailureAction, config.failure_action),
        monitor=config.monitor,
        max_failure_ratio=config.max_failure_ratio,
        order=_member(UpdateOrder, config.order),
    )


def _restart(policy: files.RestartPolicy | None) -> RestartChange:
    if policy is None:
        return RestartChange()
    return RestartChange(
        condition=_member(RestartCondition, policy.condition),
        delay=policy.delay,
        max_attempts=policy.max_attempts,
        window=policy.window,
    )


def _member(kind: type[MemberT], word: str | None) -> MemberT | None:
    """The member of an enumeration that Compose writes as this word."""
    return None if word is None else kind[word.upper().replace("-", "_")]
