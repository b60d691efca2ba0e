"""An engine without containers: it answers after given times, and keeps a list.

For runs where no Docker engine is wanted (`live up --engine none`), for tests of the live driver
and for the conformance suite. What a process held here ends with the process, as real containers
end when the supervisor kills a node.

Not here: distributions and behaviours of the simulated engine (`sim/machine/engine.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from simswarm.base.engine import (
    ContainerConfig,
    ContainerDied,
    ContainerInfo,
    CreateContainer,
    Done,
    EngineCommand,
    Failed,
    ListContainers,
    Outcome,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from simswarm.base.time import SECOND, Duration
from simswarm.base.values import Value
from simswarm.live.engine import EngineListener, Subject

KILLED, LOST = 137, 255
"""Exit codes: ended by SIGKILL; the engine itself went down."""


class ScriptedTimes(Value, frozen=True):
    """How long the engine itself takes, in nanoseconds."""

    lookup: Duration = 0
    create: Duration = 0
    remove: Duration = 0


class ScriptedImage(Value, frozen=True):
    """How containers of an image behave, in nanoseconds. `pull` None: no such image."""

    pull: Duration | None = 0
    start: Duration = 0
    stop: Duration = 0
    exit_after: Duration | None = None
    exit_code: int = 0


@dataclass(slots=True)
class _Container:
    config: ContainerConfig
    running: bool = False
    exit_code: int | None = None
    end: asyncio.TimerHandle | None = None


class ScriptedEngine:
    """Containers that exist in memory only."""

    def __init__(
        self,
        images: Mapping[str, ScriptedImage] | None = None,
        times: ScriptedTimes | None = None,
    ) -> None:
        self._images = dict(images or {})
        self._times = times or ScriptedTimes()
        self._present: dict[str, None] = {}
        self._containers: dict[str, _Container] = {}
        self._listener: EngineListener | None = None
        self._made = 0

    async def open(self, listener: EngineListener) -> None:
        """Begin to tell the listener."""
        self._listener = listener

    async def close(self) -> None:
        """Forget the listener and whatever was going to happen by itself."""
        self._listener = None
        for container in self._containers.values():
            if container.end is not None:
                container.end.cancel()

    def use_images(self, images: Mapping[str, str]) -> None:
        """Nothing needs standing in for."""

    async def run(self, command: EngineCommand) -> Outcome:
        """Perform one command, taking its time."""
        match command:
            case PullImage(image):
                return await self._pull(image)
            case CreateContainer(config):
                await asyncio.sleep(self._times.create / SECOND)
                return self._create(config)
            case StartContainer(container):
                return await self._start(container)
            case StopContainer(container, grace=grace):
                return await self._stop(container, grace)
            case RemoveContainer(container):
                await asyncio.sleep(self._times.remove / SECOND)
                return self._remove(container)
            case ListContainers():
                await asyncio.sleep(self._times.lookup / SECOND)
                return self._list()
            case _:
                assert_never(command)

    def _behaviour(self, image: str) -> ScriptedImage:
        return self._images.get(image, ScriptedImage())

    async def _pull(self, image: str) -> Outcome:
        duration = self._behaviour(image).pull
        if duration is None or image in self._present:
            await asyncio.sleep(self._times.lookup / SECOND)
        else:
            await asyncio.sleep(duration / SECOND)
            self._present[image] = None
        return Done() if image in self._present else _no_image(image)

    def _create(self, config: ContainerConfig) -> Outcome:
        for name, container in self._containers.items():
            if container.config.name == config.name:  # made before a crash
                return Done(container=name)
        if config.image not in self._present:
            return _no_image(config.image)
        self._made += 1
        name = f"{config.task}-{self._made}"
        self._containers[name] = _Container(config)
        self._act("create", name)
        return Done(container=name)

    async def _start(self, name: str) -> Outcome:
        container = self._containers.get(name)
        if container is None:
            return _missing(name)
        if container.exit_code is not None:  # a container runs once
            code = container.exit_code
            return Failed(f"task: non-zero exit ({code})", exit_code=code)
        if container.running:
            return Done(container=name, pid=1)
        behaviour = self._behaviour(container.config.image)
        await asyncio.sleep(behaviour.start / SECOND)
        container.running = True
        self._act("start", name)
        if behaviour.exit_after is not None:
            container.end = asyncio.get_running_loop().call_later(
                behaviour.exit_after / SECOND, self._die, name, behaviour.exit_code
            )
        return Done(container=name, pid=1)

    async def _stop(self, name: str, grace: Duration) -> Outcome:
        container = self._containers.get(name)
        if container is None:
            return _missing(name)
        if container.running:
            duration = self._behaviour(container.config.image).stop
            await asyncio.sleep(min(duration, grace) / SECOND)
            if duration > grace:
                self._act("kill", name)
            self._die(name, KILLED if duration > grace else 0)
            self._act("stop", name)
        return Done(container=name)

    def _remove(self, name: str) -> Outcome:
        if name not in self._containers:
            return _missing(name)
        if self._containers[name].running:
            self._act("kill", name)
        self._die(name, KILLED)
        self._act("remove", name)
        del self._containers[name]
        return Done(container=name)

    def _list(self) -> Outcome:
        infos = [
            ContainerInfo(name, container.config.task, container.running, container.exit_code)
            for name, container in sorted(self._containers.items())
        ]
        return Done(containers=tuple(infos))

    def crash(self) -> None:
        """The node goes down: its containers end with it, and its next boot finds them dead."""
        for name, container in self._containers.items():
            if container.running:
                container.running, container.exit_code = False, LOST
                if container.end is not None:
                    container.end.cancel()
                self._act("die", name, LOST)
        self._listener = None

    def _die(self, name: str, code: int) -> None:
        container = self._containers[name]
        if not container.running:
            return
        container.running, container.exit_code = False, code
        if container.end is not None:
            container.end.cancel()
        self._act("die", name, code)
        if self._listener is not None:
            self._listener.occurred(ContainerDied(name, container.config.task, code))

    def _act(self, action: str, name: str, code: int | None = None) -> None:
        if self._listener is not None:
            config = self._containers[name].config
            subject = Subject(config.task, config.service, config.slot, config.image)
            self._listener.acted(action, subject, code)


def _no_image(image: str) -> Failed:
    return Failed(f"No such image: {image}", missing=True)


def _missing(name: str) -> Failed:
    return Failed(f"No such container: {name}", missing=True)
