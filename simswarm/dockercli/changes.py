"""What an update changes in a service's or a node's spec, and the spec it makes of it.

A change is a frozen value: from flags of `docker service update`, or from a scenario's `update`.
What is None or empty stays as it is.

Source: docker/cli cli/command/service/update.go (updateService and below), node/update.go.
Not here: reading flags (`serviceflags.py`), the conversation with a manager (`conversation.py`).
"""

from __future__ import annotations

from typing import Any, TypeVar

from simswarm.base.engine import HealthCheck
from simswarm.base.time import Duration
from simswarm.base.values import Labels, Value, labels, replace
from simswarm.model.defaults import RESTART_DELAY, UPDATE_MONITOR
from simswarm.model.specs import (
    Availability,
    ContainerSpec,
    EndpointMode,
    EndpointSpec,
    FailureAction,
    GenericResource,
    Mount,
    NodeSpec,
    Placement,
    Port,
    Replicated,
    Resources,
    RestartCondition,
    RestartPolicy,
    ServiceMode,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
    UpdateOrder,
)

ValueT = TypeVar("ValueT", bound=Value)


class Refused(Exception):
    """docker itself refuses the change; the text is what it prints."""


class PolicyChange(Value, frozen=True):
    """Changes of an update or rollback configuration."""

    parallelism: int | None = None
    delay: Duration | None = None
    failure_action: FailureAction | None = None
    monitor: Duration | None = None
    max_failure_ratio: float | None = None
    order: UpdateOrder | None = None


class RestartChange(Value, frozen=True):
    """Changes of a restart policy."""

    condition: RestartCondition | None = None
    delay: Duration | None = None
    max_attempts: int | None = None
    window: Duration | None = None


class HealthChange(Value, frozen=True):
    """Changes of a health check. `off`: no health check, whatever the image says."""

    test: tuple[str, ...] | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    retries: int | None = None
    start_period: Duration | None = None
    off: bool = False


class ResourceChange(Value, frozen=True):
    """Changes of limits or reservations. Generic resources are added by kind."""

    nano_cpus: int | None = None
    memory_bytes: int | None = None
    generic_add: tuple[GenericResource, ...] = ()
    generic_rm: tuple[str, ...] = ()


class ListChange(Value, frozen=True):
    """Texts to add to a list and to take out of it."""

    add: tuple[str, ...] = ()
    rm: tuple[str, ...] = ()


class LabelChange(Value, frozen=True):
    """Labels to set and to take away."""

    add: Labels = ()
    rm: tuple[str, ...] = ()


class ServiceChange(Value, frozen=True):
    """All that an update may change in a service."""

    image: str | None = None
    replicas: int | None = None
    entrypoint: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    env: ListChange = ListChange()
    labels: LabelChange = LabelChange()
    container_labels: LabelChange = LabelChange()
    hostname: str | None = None
    constraints: ListChange = ListChange()
    preferences: ListChange = ListChange()
    max_replicas: int | None = None
    limits: ResourceChange = ResourceChange()
    reservations: ResourceChange = ResourceChange()
    restart: RestartChange = RestartChange()
    update: PolicyChange = PolicyChange()
    rollback: PolicyChange = PolicyChange()
    health: HealthChange = HealthChange()
    stop_grace: Duration | None = None
    stop_signal: str | None = None
    ports_add: tuple[Port, ...] = ()
    ports_rm: tuple[Port, ...] = ()
    networks: ListChange = ListChange()
    mounts_add: tuple[Mount, ...] = ()
    mounts_rm: tuple[str, ...] = ()
    endpoint_mode: EndpointMode | None = None
    force: bool = False


class NodeChange(Value, frozen=True):
    """All that `docker node update` may change in a node."""

    labels: LabelChange = LabelChange()
    availability: Availability | None = None


NOTHING = ServiceChange()


def changed_service(spec: ServiceSpec, change: ServiceChange) -> ServiceSpec:
    """The spec after a change.

    Raises:
        Refused: docker itself refuses it.
    """
    return replace(
        spec,
        task=_task(spec.task, change),
        mode=_mode(spec, change.replicas, change.max_replicas),
        labels=_labels(spec.labels, change.labels),
        update=_policy(spec.update, change.update),
        rollback=_policy(spec.rollback, change.rollback),
        endpoint=_endpoint(spec.endpoint, change),
    )


def changed_node(spec: NodeSpec, change: NodeChange) -> NodeSpec:
    """The spec after a change.

    Raises:
        Refused: a label to be removed isn't there.
    """
    known = dict(spec.labels)
    for key in change.labels.rm:
        if key not in known:
            raise Refused(f"key {key} doesn't exist in node's labels")
    availability = spec.availability if change.availability is None else change.availability
    return replace(spec, labels=_labels(spec.labels, change.labels), availability=availability)


def _mode(spec: ServiceSpec, replicas: int | None, max_replicas: int | None) -> ServiceMode:
    is_replicated = isinstance(spec.mode, Replicated)
    if replicas is not None and not is_replicated:
        raise Refused("replicas can only be used with replicated mode")
    if max_replicas and not is_replicated:
        raise Refused("replicas-max-per-node can only be used with replicated mode")
    return spec.mode if replicas is None else Replicated(replicas)


def _task(task: TaskSpec, change: ServiceChange) -> TaskSpec:
    return replace(
        task,
        container=_container(task.container, change),
        reservations=_resources(task.reservations, change.reservations),
        limits=_resources(task.limits, change.limits),
        restart=_restart(task.restart, change.restart),
        placement=_placement(task.placement, change),
        networks=_list(task.networks, change.networks),
        force_update=task.force_update + (1 if change.force else 0),
    )


def _container(container: ContainerSpec, change: ServiceChange) -> ContainerSpec:
    return replace(
        container,
        image=_or(change.image, container.image),
        command=_or(change.entrypoint, container.command),
        args=_or(change.args, container.args),
        env=_env(container.env, change.env),
        hostname=_or(change.hostname, container.hostname),
        labels=_labels(container.labels, change.container_labels),
        health=_health(container.health, change.health),
        stop_grace=_or(change.stop_grace, container.stop_grace),
        stop_signal=_or(change.stop_signal, container.stop_signal),
        mounts=_mounts(container.mounts, change),
    )


def _or(new: Any, old: Any) -> Any:
    return old if new is None else new


def _list(old: tuple[str, ...], change: ListChange) -> tuple[str, ...]:
    kept = [one for one in old if one not in change.rm]
    kept += [one for one in change.add if one not in kept]
    return tuple(kept)


def _env(old: tuple[str, ...], change: ListChange) -> tuple[str, ...]:
    """Variables by name: set ones replace what was there, in their place."""
    by_name = {one.partition("=")[0]: one for one in old}
    for one in change.add:
        by_name[one.partition("=")[0]] = one
    for name in change.rm:
        by_name.pop(name.partition("=")[0], None)
    return tuple(by_name.values())


def _labels(old: Labels, change: LabelChange) -> Labels:
    kept = dict(old)
    for key in change.rm:
        kept.pop(key, None)
    kept.update(change.add)
    return labels(kept)


def _resources(old: Resources, change: ResourceChange) -> Resources:
    kept = [
        one
        for one in old.generic
        if one.kind not in change.generic_rm
        and all(one.kind != new.kind for new in change.generic_add)
    ]
    return Resources(
        nano_cpus=old.nano_cpus if change.nano_cpus is None else change.nano_cpus,
        memory_bytes=old.memory_bytes if change.memory_bytes is None else change.memory_bytes,
        generic=(*kept, *change.generic_add),
    )


def _restart(old: RestartPolicy | None, change: RestartChange) -> RestartPolicy | None:
    if change == RestartChange():
        return old
    base = old or RestartPolicy(RestartCondition.ANY, RESTART_DELAY, 0, None)
    return _overlay(base, change)


def _policy(old: UpdateConfig | None, change: PolicyChange) -> UpdateConfig | None:
    if change == PolicyChange():
        return old
    return _overlay(old or UpdateConfig(parallelism=1, monitor=UPDATE_MONITOR), change)


def _overlay(base: ValueT, change: Value) -> ValueT:
    """A value with the fields of a change that are given; both have the same fields."""
    given = {
        field: getattr(change, field)
        for field in change.__struct_fields__
        if getattr(change, field) is not None
    }
    return replace(base, **given)


def _placement(old: Placement, change: ServiceChange) -> Placement:
    preferences = [one for one in old.preferences if one not in change.preferences.rm]
    return replace(
        old,
        constraints=_list(old.constraints, change.constraints),
        preferences=(*preferences, *change.preferences.add),
        max_replicas=_or(change.max_replicas, old.max_replicas),
    )


def _health(old: HealthCheck | None, change: HealthChange) -> HealthCheck | None:
    if change == HealthChange():
        return old
    given = [change.test, change.interval, change.timeout, change.retries, change.start_period]
    if change.off:
        if any(one is not None for one in given):
            raise Refused("--no-healthcheck conflicts with --health-* options")
        return HealthCheck(test=("NONE",))
    base = old or HealthCheck()
    if base.test == ("NONE",):
        base = replace(base, test=())
    return HealthCheck(
        test=base.test if change.test is None else change.test,
        interval=base.interval if change.interval is None else change.interval,
        timeout=base.timeout if change.timeout is None else change.timeout,
        retries=base.retries if change.retries is None else change.retries,
        start_period=base.start_period if change.start_period is None else change.start_period,
    )


def _mounts(old: tuple[Mount, ...], change: ServiceChange) -> tuple[Mount, ...]:
    new = {one.target: one for one in change.mounts_add}
    kept = [one for one in old if one.target not in change.mounts_rm and one.target not in new]
    return (*kept, *new.values())


def _endpoint(old: EndpointSpec | None, change: ServiceChange) -> EndpointSpec | None:
    if not change.ports_add and not change.ports_rm and change.endpoint_mode is None:
        return old
    base = old or EndpointSpec()
    gone = [(port.target, port.protocol) for port in change.ports_rm]
    ports = dict.fromkeys((*base.ports, *change.ports_add))
    kept = [port for port in ports if (port.target, port.protocol) not in gone]
    mode = base.mode if change.endpoint_mode is None else change.endpoint_mode
    return EndpointSpec(mode, tuple(sorted(kept, key=_by_number)))


def _by_number(port: Port) -> tuple[int, int, str]:
    return port.published, port.target, port.protocol
