"""Nothing that a client was told is done gets lost, whoever is killed when."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from simswarm.base.time import MILLISECOND, SECOND
from simswarm.base.values import replace
from simswarm.live.supervisor.state import StateFolder
from simswarm.live.supervisor.sweep import sweep
from simswarm.live.supervisor.world import LiveWorld
from simswarm.model.objects import Service
from simswarm.model.specs import ContainerSpec, Replicated, ServiceSpec, TaskSpec
from simswarm.scenario.liveplay import form_swarm, start_swarm
from simswarm.scenario.model.cluster import Cluster, RaftTuning
from simswarm.wire.control import (
    CallFailed,
    CreateService,
    ListServices,
    ServiceList,
    ServiceResult,
    UpdateService,
)

MANAGERS = ("m1", "m2", "m3")


class Clients:
    """Clients that create services and raise a counter in them, and note what was acknowledged."""

    def __init__(self, world: LiveWorld, chance: random.Random, count: int) -> None:
        self.world = world
        self.chance = chance
        self.stopping = False
        self.open = 0
        self.acknowledged: dict[str, int] = {}
        """Service → the highest counter that was acknowledged."""
        self.answers = 0
        for number in range(count):
            _Client(self, number).create()

    def manager(self) -> str:
        up = [name for name in MANAGERS if self.world.hosts[name].up]
        return self.chance.choice(up or list(MANAGERS))


class _Client:
    def __init__(self, clients: Clients, number: int) -> None:
        self.clients = clients
        self.number = number
        self.made = 0
        self.counter = 0
        self.service: Service | None = None

    def create(self) -> None:
        if self.clients.stopping:
            return
        self.made += 1
        self.counter = 0
        task = TaskSpec(ContainerSpec("none:1"))
        spec = ServiceSpec(f"s{self.number}-{self.made}", task, Replicated(0))
        self._ask(CreateService(spec))

    def raise_counter(self, service: Service) -> None:
        self.counter += 1
        spec = replace(service.spec, labels=(("counter", str(self.counter)),))
        self._ask(UpdateService(service.id, service.meta.version, spec))

    def _ask(self, request: Any) -> None:
        clients = self.clients
        clients.open += 1
        clients.world.call(clients.manager(), request, self.on_reply, 5 * SECOND)

    def on_reply(self, result: Any) -> None:
        clients = self.clients
        clients.open -= 1
        if isinstance(result, ServiceResult):
            clients.answers += 1
            name = result.service.spec.name
            clients.acknowledged[name] = max(clients.acknowledged.get(name, 0), self.counter)
            if not clients.stopping and self.counter < 5:
                self.raise_counter(result.service)
                return
        else:
            assert result is None or isinstance(result, CallFailed)
        # what became of it is unknown: go on with another service, not too fast
        clients.world.env.call_in(50 * MILLISECOND, self._next, None)

    def _next(self, _: None) -> None:
        self.create()


def kill_and_check(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    cluster = Cluster(managers=3, workers=0, raft=RaftTuning.model_validate({"tick": "50ms"}))
    state = StateFolder("kills", folder)
    world = start_swarm(state, cluster, "none")
    try:
        form_swarm(world, cluster)
        clients = Clients(world, chance, 4)
        for number in range(kills):
            world.run(world.now + chance.randrange(50, 1500) * MILLISECOND)
            # now and then all at once: then only what is on the disks is left
            victims = MANAGERS if number % 10 == 3 else (chance.choice(MANAGERS),)
            for name in victims:
                assert world.crash(name)
            world.run(world.now + chance.randrange(0, 600) * MILLISECOND)
            for name in victims:
                assert world.restart(name)
            world.wait_booted()
        clients.stopping = True
        while clients.open:
            world.run(world.now + 100 * MILLISECOND)
        stored = _stored(world)
        assert clients.answers > 5 * kills
        lost = {
            name: (counter, stored.get(name))
            for name, counter in clients.acknowledged.items()
            if stored.get(name, -1) < counter
        }
        assert lost == {}, f"seed {seed}"
    finally:
        world.close()
        sweep(state, gently=False)


def _stored(world: LiveWorld) -> dict[str, int]:
    """Every service with its counter, as the swarm says once it has calmed down."""
    for _ in range(100):
        found: list[Any] = []
        world.call("m1", ListServices(), found.append, 5 * SECOND)
        while not found:
            world.run(world.now + 50 * MILLISECOND)
        if isinstance(found[0], ServiceList):
            return {
                service.spec.name: int(dict(service.spec.labels).get("counter", 0))
                for service in found[0].services
            }
        world.run(world.now + 200 * MILLISECOND)
    raise AssertionError("the swarm never answered")


def test_nothing_acknowledged_is_lost_over_a_few_kills(tmp_path: Path) -> None:
    kill_and_check(tmp_path, kills=4, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2])
def test_nothing_acknowledged_is_lost_over_fifty_kills(tmp_path: Path, seed: int) -> None:
    kill_and_check(tmp_path, kills=50, seed=seed)
