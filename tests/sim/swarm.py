"""A real swarm in a simulated world, for tests."""

from __future__ import annotations

from simswarm.base.time import SECOND
from simswarm.model.config import Member, NodeConfig
from simswarm.model.specs import ContainerSpec, NodeRole, Replicated, ServiceSpec, TaskSpec
from simswarm.sim.world import World
from simswarm.wire.control import CreateService

UP = 2 * SECOND
"""When `swarm` marks t = 0; it has formed well before."""


def swarm(managers=3, workers=2, seed=1, **settings):
    """Managers that boot from a common member list, and workers; t = 0 is marked."""
    world = World(seed, **settings)
    names = tuple(f"m{number + 1}" for number in range(managers))
    members = tuple(Member(number + 1, name, name) for number, name in enumerate(names))
    for name in names:
        campaign = name == names[0]
        manager = NodeConfig(
            name, name, NodeRole.MANAGER, names, members=members, campaign=campaign
        )
        world.add(manager)
    for number in range(workers):
        name = f"w{number + 1}"
        world.add(NodeConfig(name, name, NodeRole.WORKER, names))
    for name in world.hosts:
        world.boot(name)
    world.run(UP)
    world.mark_origin()
    return world


def create_service(world, name="web", replicas=4):
    """Ask m1 for a service; returns the list that will hold the answer."""
    replies = []
    spec = ServiceSpec(
        name=name, task=TaskSpec(ContainerSpec("nginx:1")), mode=Replicated(replicas)
    )
    world.call("m1", CreateService(spec), replies.append, 20 * SECOND)
    return replies


def running(world, service="web"):
    """Where containers of a service run, as their engines know it."""
    return sorted(
        host.name
        for host in world.hosts.values()
        for container in host.engine.containers.values()
        if container.running and container.config.service == service
    )
