"""A stack's services as the swarm knows them: prefixed names, and labels that say whose they are.

Source: docker/cli cli/compose/convert (Namespace.Scope, AddStackLabel, Services).
"""

from __future__ import annotations

from simswarm.base.values import labels, replace
from simswarm.model.specs import Mount, ServiceSpec

NAMESPACE_LABEL = "com.docker.stack.namespace"
IMAGE_LABEL = "com.docker.stack.image"


def scoped(stack: str, name: str) -> str:
    """A name within a stack."""
    return f"{stack}_{name}"


def in_stack(spec: ServiceSpec, stack: str) -> ServiceSpec:
    """A service of a stack file, as `docker stack deploy` sends it for a stack of this name."""
    container = spec.task.container
    mine = {NAMESPACE_LABEL: stack}
    task = replace(
        spec.task,
        container=replace(
            container,
            labels=labels({**dict(container.labels), **mine}),
            mounts=tuple(_scoped_mount(mount, stack) for mount in container.mounts),
        ),
        networks=tuple(scoped(stack, network) for network in spec.task.networks),
    )
    own = {**dict(spec.labels), **mine, IMAGE_LABEL: container.image}
    return replace(spec, name=scoped(stack, spec.name), labels=labels(own), task=task)


def _scoped_mount(mount: Mount, stack: str) -> Mount:
    if mount.kind != "volume" or not mount.source:
        return mount
    return replace(mount, source=scoped(stack, mount.source))
