"""What a service spec must be, checked in swarmkit's order and refused in its words.

Invariants:
    I1. The first thing wrong is what the user is told; the order below is observable.
    I2. What is accepted here can be stored, encoded and worked with by every component.

Quirks that are kept: the rollback settings are not checked at all; a constraint that can't be
parsed is refused with the parser's text and no code.

Source: swarmkit manager/controlapi/service.go (validateServiceSpec and below), common.go.
Not here: what depends on other objects (names, ports: `services.py`). Not checked because not
modelled: runtimes other than containers, secrets, configs, jobs.
"""

from __future__ import annotations

import re

from simswarm.base.engine import HealthCheck
from simswarm.base.errors import InvalidSpec, Unsupported
from simswarm.base.time import MILLISECOND
from simswarm.manager.controlapi.imagename import is_image_name
from simswarm.model.constraints import parse
from simswarm.model.specs import (
    ContainerSpec,
    EndpointMode,
    EndpointSpec,
    Global,
    Replicated,
    Resources,
    RestartPolicy,
    ServiceMode,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
)

SUPPORTED_MODES: tuple[type[ServiceMode], ...] = (Replicated, Global)
"""Service modes that an orchestrator exists for."""

NAME_LENGTH_LIMIT = 63
NANO_CPUS_MIN = 1_000_000
MEMORY_BYTES_MIN = 4 * 1024 * 1024
REPLICAS_LIMIT = 2**63 - 1
"""Beyond it the number is negative where it is stored."""

_NAME = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")


class InvalidConstraint(InvalidSpec):
    """A placement constraint that can't be parsed."""

    code = "unknown"


def validate_service_spec(spec: ServiceSpec) -> None:
    """Check a spec by itself.

    Raises:
        InvalidSpec: with the text that the user sees.
        Unsupported: a mode that nothing here can run yet.
    """
    _validate_name(spec.name)
    _validate_task(spec.task)
    _validate_mode(spec.mode)
    if spec.update is not None:
        _validate_update(spec.update)
    if spec.endpoint is not None:
        _validate_endpoint(spec.endpoint)


def _validate_name(name: str) -> None:
    if not name:
        raise InvalidSpec("meta: name must be provided")
    if not _NAME.fullmatch(name):
        raise InvalidSpec("name must be valid as a DNS name component")
    if len(name) > NAME_LENGTH_LIMIT:
        raise InvalidSpec("name must be 63 characters or fewer")


def _validate_task(task: TaskSpec) -> None:
    _validate_resources(task.limits)
    _validate_resources(task.reservations)
    if task.restart is not None:
        _validate_restart(task.restart)
    _validate_constraints(task.placement.constraints)
    _validate_container(task.container)


def _validate_resources(resources: Resources) -> None:
    cpus, memory = resources.nano_cpus, resources.memory_bytes
    if cpus != 0 and cpus < NANO_CPUS_MIN:
        raise InvalidSpec(f"invalid cpu value {cpus / 1e9!r}: Must be at least 0.001")
    if memory != 0 and memory < MEMORY_BYTES_MIN:
        raise InvalidSpec(f"invalid memory value {memory}: Must be at least 4MiB")


def _validate_restart(restart: RestartPolicy) -> None:
    if restart.delay is not None and restart.delay < 0:
        raise InvalidSpec("TaskSpec: restart-delay cannot be negative")
    if restart.window is not None and restart.window < 0:
        raise InvalidSpec("TaskSpec: restart-window cannot be negative")


def _validate_constraints(constraints: tuple[str, ...]) -> None:
    try:
        parse(constraints)
    except InvalidSpec as error:
        raise InvalidConstraint(error.message) from None


def _validate_container(container: ContainerSpec) -> None:
    if not container.image:
        raise InvalidSpec("ContainerSpec: image reference must be provided")
    if not is_image_name(container.image):
        raise InvalidSpec(f'ContainerSpec: "{container.image}" is not a valid repository/tag')
    targets: dict[str, None] = {}
    for mount in container.mounts:
        if mount.target in targets:
            raise InvalidSpec(f"ContainerSpec: duplicate mount point: {mount.target}")
        targets[mount.target] = None
    if container.health is not None:
        _validate_health(container.health)


def _validate_health(health: HealthCheck) -> None:
    for name, value in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
    ):
        if value != 0 and value < MILLISECOND:
            raise InvalidSpec(f"ContainerSpec: {name} in HealthConfig cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidSpec("ContainerSpec: Retries in HealthConfig cannot be negative")


def _validate_mode(mode: ServiceMode) -> None:
    if isinstance(mode, Replicated) and not 0 <= mode.replicas <= REPLICAS_LIMIT:
        raise InvalidSpec("Number of replicas must be non-negative")
    if not isinstance(mode, SUPPORTED_MODES):
        raise Unsupported(f"services of mode {type(mode).__name__.lower()} are not supported yet")


def _validate_update(update: UpdateConfig) -> None:
    if update.delay < 0:
        raise InvalidSpec("TaskSpec: update-delay cannot be negative")
    if update.monitor is not None and update.monitor < 0:
        raise InvalidSpec("TaskSpec: update-monitor cannot be negative")
    # written so that "not a number" fails as well
    if not 0 <= update.max_failure_ratio <= 1:
        raise InvalidSpec("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1")


def _validate_endpoint(endpoint: EndpointSpec) -> None:
    published: dict[tuple[int, str], None] = {}
    for port in endpoint.ports:
        if endpoint.mode is EndpointMode.DNSRR and port.mode == "ingress":
            raise InvalidSpec(
                "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"
            )
        if port.published == 0:
            continue
        key = (port.published, port.protocol)
        if key in published:
            raise InvalidSpec("EndpointSpec: duplicate published ports provided")
        published[key] = None
