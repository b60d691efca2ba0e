"""The engine commands on a real Docker engine, through lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from simswarm.base.engine import (
    ContainerConfig,
    ContainerDied,
    ContainerUnhealthy,
    CreateContainer,
    Done,
    EngineCommand,
    EngineOccurrence,
    Failed,
    HealthCheck,
    ListContainers,
    Outcome,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from simswarm.base.time import MILLISECOND, SECOND
from simswarm.live.docker import DockerEngine, Sweeper
from simswarm.live.engine import Lanes, Subject

pytestmark = pytest.mark.live


class Bench:
    """A node's lanes on the real engine, and everything they report."""

    def __init__(self, client: Any, swarm: str, node: str, images: dict[str, str]) -> None:
        engine = DockerEngine(client, swarm, node)
        engine.use_images(images)
        self.lanes = Lanes(engine, self)
        self.log: list[object] = []
        self.acts: list[tuple[str, Subject, int | None]] = []
        self._changed = asyncio.Event()
        self._id = 0

    def engine_result(self, id: int, outcome: Outcome) -> None:
        self.log.append((id, outcome))
        self._changed.set()

    def engine_event(self, occurrence: EngineOccurrence) -> None:
        self.log.append(occurrence)
        self._changed.set()

    def engine_acted(self, action: str, subject: Subject, exit_code: int | None) -> None:
        self.acts.append((action, subject, exit_code))
        self._changed.set()

    def engine_health(self, subject: Subject, *, healthy: bool) -> None:
        self.acts.append(("healthy" if healthy else "unhealthy", subject, None))
        self._changed.set()

    def submit(self, command: EngineCommand) -> int:
        self._id += 1
        self.lanes.submit(self._id, command)
        return self._id

    async def until(self, found: Callable[[], Any]) -> Any:
        while not (result := found()):
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 30)
        return result

    async def do(self, command: EngineCommand) -> Outcome:
        id = self.submit(command)
        (outcome,) = await self.until(
            lambda: [entry[1] for entry in self.log if isinstance(entry, tuple) and entry[0] == id]
        )
        return outcome

    async def occurrence(self, kind: type[EngineOccurrence]) -> Any:
        found = await self.until(lambda: [entry for entry in self.log if isinstance(entry, kind)])
        return found[0]


@pytest.fixture
def swarm(engine: Any) -> Iterator[str]:
    name = f"test-{uuid4().hex[:8]}"
    yield name
    Sweeper(engine).remove(name)
    assert engine.containers(all=True, filters={"label": f"simswarm.swarm={name}"}) == []


def config(image: str = "shop/web:1", task: str = "t1", **words: Any) -> ContainerConfig:
    name = f"web.1.{task}-{uuid4().hex[:6]}"
    return ContainerConfig(name=name, image=image, task=task, service="web", slot=1, **words)


def test_a_container_lives_from_create_to_remove(
    run: Any, engine: Any, images: dict[str, str], swarm: str
) -> None:
    async def script() -> None:
        bench = Bench(engine, swarm, "w1", {"shop/web:1": images["web"]})
        await bench.lanes.open()
        assert await bench.do(PullImage("shop/web:1", "t1")) == Done()
        created = await bench.do(CreateContainer(config()))
        assert isinstance(created, Done)
        started = await bench.do(StartContainer(created.container, "t1"))
        assert isinstance(started, Done)
        assert started.pid > 0
        assert isinstance(await bench.do(StopContainer(created.container, "t1", SECOND)), Done)
        died = await bench.occurrence(ContainerDied)
        assert died == ContainerDied(created.container, "t1", 0)
        listed = await bench.do(ListContainers())
        assert isinstance(listed, Done)
        (info,) = listed.containers
        assert (info.container, info.task, info.running) == (created.container, "t1", False)
        assert isinstance(await bench.do(RemoveContainer(created.container, "t1")), Done)
        await bench.until(lambda: [act for act in bench.acts if act[0] == "remove"])
        assert [act[0] for act in bench.acts] == ["create", "start", "die", "stop", "remove"]
        assert bench.acts[2][1:] == (Subject("t1", "web", 1, "shop/web:1"), 0)
        missing = await bench.do(StartContainer(created.container, "t1"))
        assert isinstance(missing, Failed)
        assert missing.missing
        await bench.lanes.close()

    run(script())


def test_an_absent_image_is_missing_and_never_pulled(
    run: Any, engine: Any, images: dict[str, str], swarm: str
) -> None:
    async def script() -> None:
        bench = Bench(engine, swarm, "w1", {})
        await bench.lanes.open()
        outcome = await bench.do(PullImage("simswarm-test/absent:1", "t1"))
        assert outcome == Failed("No such image: simswarm-test/absent:1", missing=True)
        outcome = await bench.do(CreateContainer(config("simswarm-test/absent:1")))
        assert outcome == Failed("No such image: simswarm-test/absent:1", missing=True)
        await bench.lanes.close()

    run(script())


def test_an_exit_code_is_reported_and_a_command_that_is_not_there_is_a_failed_start(
    run: Any, engine: Any, images: dict[str, str], swarm: str
) -> None:
    async def script() -> None:
        bench = Bench(engine, swarm, "w1", {"ends": images["ends"]})
        await bench.lanes.open()
        created = await bench.do(CreateContainer(config("ends", env=("CODE=7", "K=0.1"))))
        assert isinstance(created, Done)
        assert isinstance(await bench.do(StartContainer(created.container, "t1")), Done)
        assert (await bench.occurrence(ContainerDied)).exit_code == 7
        created = await bench.do(CreateContainer(config("ends", "t2", command=("/no/such",))))
        assert isinstance(created, Done)
        failed = await bench.do(StartContainer(created.container, "t2"))
        assert isinstance(failed, Failed)
        assert failed.exit_code == 127
        await bench.lanes.close()

    run(script())


def test_a_start_with_a_health_check_ends_when_it_is_healthy_or_unhealthy(
    run: Any, engine: Any, images: dict[str, str], swarm: str
) -> None:
    def check(test: str) -> HealthCheck:
        return HealthCheck(
            ("CMD-SHELL", test), interval=200 * MILLISECOND, timeout=5 * SECOND, retries=1
        )

    async def script() -> None:
        bench = Bench(engine, swarm, "w1", {"web": images["web"]})
        await bench.lanes.open()
        flag = "/bin/busybox test ! -e /tmp/sick"
        created = await bench.do(CreateContainer(config("web", "good", health=check(flag))))
        assert isinstance(created, Done)
        started = await bench.do(StartContainer(created.container, "good"))
        assert isinstance(started, Done)
        assert started.pid > 0
        assert [act[0] for act in bench.acts] == ["create", "start", "healthy"]
        made = engine.exec_create(created.container, ["/bin/busybox", "touch", "/tmp/sick"])
        engine.exec_start(made["Id"])
        sick = await bench.occurrence(ContainerUnhealthy)
        assert sick == ContainerUnhealthy(created.container, "good")

        bad = config("web", "bad", health=check("/bin/busybox false"))
        created = await bench.do(CreateContainer(bad))
        assert isinstance(created, Done)
        outcome = await bench.do(StartContainer(created.container, "bad"))
        assert isinstance(outcome, Failed)
        assert "unhealthy" in outcome.error

        dies = config("ends", "dies", health=check("/bin/busybox true"), env=("K=0",))
        bench2 = Bench(engine, swarm, "w2", {"ends": images["ends"]})
        await bench2.lanes.open()
        created = await bench2.do(CreateContainer(dies))
        assert isinstance(created, Done)
        outcome = await bench2.do(StartContainer(created.container, "dies"))
        if isinstance(outcome, Failed):  # unless the check was quicker than the exit
            assert outcome.exit_code == 1
            later = [entry for entry in bench2.log if isinstance(entry, ContainerDied)]
            assert bench2.log.index((2, outcome)) < bench2.log.index(later[0])
        await bench.lanes.close()
        await bench2.lanes.close()

    run(script())


def test_a_node_sees_only_its_own_containers(
    run: Any, engine: Any, images: dict[str, str], swarm: str
) -> None:
    async def script() -> None:
        mine = Bench(engine, swarm, "w1", {"web": images["web"]})
        other = Bench(engine, swarm, "w2", {"web": images["web"]})
        await mine.lanes.open()
        await other.lanes.open()
        created = await mine.do(CreateContainer(config("web")))
        assert isinstance(created, Done)
        await mine.until(lambda: mine.acts)
        assert await other.do(ListContainers()) == Done()
        assert other.acts == []
        await mine.lanes.close()
        await other.lanes.close()

    run(script())


def test_a_create_that_was_not_noted_is_found_again(
    run: Any, engine: Any, images: dict[str, str], swarm: str
) -> None:
    async def script() -> None:
        bench = Bench(engine, swarm, "w1", {"web": images["web"]})
        await bench.lanes.open()
        twice = config("web")
        first = await bench.do(CreateContainer(twice))
        assert await bench.do(CreateContainer(twice)) == first
        foreign = Bench(engine, swarm, "w2", {"web": images["web"]})
        await foreign.lanes.open()
        assert isinstance(await foreign.do(CreateContainer(twice)), Failed)
        await bench.lanes.close()
        await foreign.lanes.close()

    run(script())


def test_a_cancelled_wait_for_health_gives_no_result_and_frees_the_lane(
    run: Any, engine: Any, images: dict[str, str], swarm: str
) -> None:
    async def script() -> None:
        bench = Bench(engine, swarm, "w1", {"web": images["web"]})
        await bench.lanes.open()
        never = HealthCheck(("CMD-SHELL", "/bin/busybox false"), 60 * SECOND, SECOND, 3)
        created = await bench.do(CreateContainer(config("web", health=never)))
        assert isinstance(created, Done)
        start = bench.submit(StartContainer(created.container, "t1"))
        await bench.until(lambda: [act for act in bench.acts if act[0] == "start"])
        bench.lanes.cancel(start)
        assert isinstance(await bench.do(StopContainer(created.container, "t1", SECOND)), Done)
        assert all(not isinstance(entry, tuple) or entry[0] != start for entry in bench.log)
        await bench.lanes.close()

    run(script())
