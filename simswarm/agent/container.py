"""How a task becomes a container: its name, labels, limits and health check.

Source: moby daemon/cluster/executor/container/container.go (name, labels, config).
"""

from __future__ import annotations

from simswarm.base.engine import ContainerConfig
from simswarm.base.time import Duration
from simswarm.base.values import labels
from simswarm.model.defaults import STOP_GRACE
from simswarm.model.objects import Task


def container_name(task: Task) -> str:
    """`<service>.<slot or node id>.<task id>`."""
    return f"{task.service_name}.{task.slot or task.node_id}.{task.id}"


def container_config(task: Task) -> ContainerConfig:
    """What the engine needs to create a task's container."""
    spec = task.spec.container
    name = container_name(task)
    swarm_labels = {
        "com.docker.swarm.node.id": task.node_id,
        "com.docker.swarm.service.id": task.service_id,
        "com.docker.swarm.service.name": task.service_name,
        "com.docker.swarm.task": "",
        "com.docker.swarm.task.id": task.id,
        "com.docker.swarm.task.name": name,
    }
    return ContainerConfig(
        name=name,
        image=spec.image,
        task=task.id,
        service=task.service_name,
        slot=task.slot or None,
        command=spec.command,
        args=spec.args,
        env=spec.env,
        labels=labels({**dict(spec.labels), **swarm_labels}),
        health=spec.health,
        nano_cpus=task.spec.limits.nano_cpus,
        memory_bytes=task.spec.limits.memory_bytes,
    )


def stop_grace(task: Task) -> Duration:
    """How long a container may take to end by itself."""
    grace = task.spec.container.stop_grace
    return STOP_GRACE if grace is None else grace
