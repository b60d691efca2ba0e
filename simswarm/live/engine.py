"""How a node process works with a container engine: one lane per task, deadlines, giving up.

    RunEngine ──> the task's lane (FIFO) ──> Engine.run(command) ──> EngineResult
                                └─ CancelEngine: no result; the lane goes on when the call is over

Invariants:
    I1. Commands for one task run one after another in the order given; tasks don't wait for each
        other here (the engine bounds how many calls it has open).
    I2. Every command ends in one outcome: its own, or `Failed(temporary)` at its deadline; or in
        none, if it was cancelled.
    I3. A cancelled command that has reached the engine may still take effect; the next command of
        the task begins only after it has.
    I4. What happens to a container while it is being started is told after the start's outcome.

Not here: Docker (`live/docker.py`), an engine without containers (`live/scripted.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from simswarm.base.engine import (
    CreateContainer,
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
from simswarm.base.errors import Unavailable
from simswarm.base.time import MINUTE, SECOND, Duration, format_duration
from simswarm.base.values import Value
from simswarm.live.background import spawn

DEADLINE: Duration = 2 * MINUTE
"""For a command that only talks to the engine, on top of what it waits for by its nature."""
PULL_DEADLINE: Duration = 30 * MINUTE


@contextmanager
def docker_wanted() -> Iterator[None]:
    """Around an import of `live/docker.py`, which needs the extra `live`.

    Raises:
        Unavailable: it isn't installed.
    """
    try:
        yield
    except ImportError as error:
        hint = "pip install 'simswarm[live]'"
        raise Unavailable(f"real containers need the package {error.name}: {hint}") from None


class Subject(Value, frozen=True):
    """The container of an `engine.container` record: what it was made for."""

    task: str
    service: str
    slot: int | None
    image: str
    """As the service names it, also where another image stands in for it."""
    checked: bool = False
    """Whether it has a health check."""


class EngineListener(Protocol):
    """What an engine tells by itself."""

    def occurred(self, occurrence: EngineOccurrence) -> None:
        """Something happened to a container that the node must know."""
        ...

    def acted(self, action: str, subject: Subject, exit_code: int | None) -> None:
        """The engine did something (create start die stop kill remove): for the trace."""
        ...

    def judged(self, subject: Subject, *, healthy: bool) -> None:
        """A health check came to a verdict: for the trace."""
        ...


class Engine(Protocol):
    """A container engine as one node sees it: only the node's own containers."""

    async def open(self, listener: EngineListener) -> None:
        """Reach the engine and begin to listen to it."""
        ...

    def use_images(self, images: Mapping[str, str]) -> None:
        """Which images stand in for those that services name, from now on."""
        ...

    async def run(self, command: EngineCommand) -> Outcome:
        """Perform one command. Cancelled, it returns only when nothing of it is under way."""
        ...

    async def close(self) -> None:
        """Stop listening; containers stay as they are."""
        ...


class EngineSink(Protocol):
    """Whom lanes report to: the node's driver."""

    def engine_result(self, id: int, outcome: Outcome) -> None:
        """A command ended."""
        ...

    def engine_event(self, occurrence: EngineOccurrence) -> None:
        """Something happened to a container by itself."""
        ...

    def engine_acted(self, action: str, subject: Subject, exit_code: int | None) -> None:
        """The engine did something: for the trace."""
        ...

    def engine_health(self, subject: Subject, *, healthy: bool) -> None:
        """A health check came to a verdict: for the trace."""
        ...


class _Running(NamedTuple):
    id: int
    command: EngineCommand
    work: asyncio.Task[Outcome]


class Lanes:
    """The commands of one node's tasks on their way through the engine."""

    def __init__(self, engine: Engine, sink: EngineSink) -> None:
        self._engine = engine
        self._sink = sink
        self._lanes: dict[str, deque[tuple[int, EngineCommand]]] = {}
        self._running: dict[str, _Running] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._held: dict[str, list[EngineOccurrence]] = {}
        self._health: dict[str, HealthCheck] = {}

    async def open(self) -> None:
        """Reach the engine."""
        await self._engine.open(self)

    def submit(self, id: int, command: EngineCommand) -> None:
        """Queue a command behind the others of its task."""
        task = _task_of(command)
        self._lanes.setdefault(task, deque()).append((id, command))
        if task not in self._workers:
            self._workers[task] = spawn(self._work(task))

    def cancel(self, id: int) -> None:
        """Give a command up, queued or running. An unknown id is a command that has ended."""
        for task, lane in self._lanes.items():
            for waiting in lane:
                if waiting[0] == id:
                    lane.remove(waiting)
                    return
            running = self._running.get(task)
            if running is not None and running.id == id:
                running.work.cancel()
                return

    def occurred(self, occurrence: EngineOccurrence) -> None:
        """Pass on what the engine told; about a container that is being started, afterwards."""
        running = self._running.get(occurrence.task)
        if running is not None and isinstance(running.command, StartContainer):
            self._held.setdefault(occurrence.task, []).append(occurrence)
        else:
            self._sink.engine_event(occurrence)

    def acted(self, action: str, subject: Subject, exit_code: int | None) -> None:
        """Pass on what is for the trace."""
        self._sink.engine_acted(action, subject, exit_code)

    def judged(self, subject: Subject, *, healthy: bool) -> None:
        """Pass on what is for the trace."""
        self._sink.engine_health(subject, healthy=healthy)

    async def _work(self, task: str) -> None:
        lane = self._lanes[task]
        try:
            while lane:
                id, command = lane.popleft()
                work = spawn(self._within_deadline(command))
                self._running[task] = _Running(id, command, work)
                await asyncio.wait([work])
                del self._running[task]
                if not work.cancelled() and work.exception() is None:
                    self._sink.engine_result(id, work.result())
                for occurrence in self._held.pop(task, []):
                    self._sink.engine_event(occurrence)
        finally:
            del self._lanes[task], self._workers[task]

    async def _within_deadline(self, command: EngineCommand) -> Outcome:
        limit = self._deadline(command)
        try:
            async with asyncio.timeout(limit / SECOND):
                return await self._engine.run(command)
        except TimeoutError:
            return Failed(f"the engine took over {format_duration(limit)}", temporary=True)

    def _deadline(self, command: EngineCommand) -> Duration:
        match command:
            case PullImage():
                return PULL_DEADLINE
            case CreateContainer(config):
                if config.health is not None and not config.health.is_off:
                    self._health[config.task] = config.health
                return DEADLINE
            case StartContainer(task=task):
                return DEADLINE + _until_judged(self._health.get(task))
            case StopContainer(grace=grace):
                return DEADLINE + grace
            case RemoveContainer(task=task):
                self._health.pop(task, None)
                return DEADLINE
            case ListContainers():
                return DEADLINE

    async def close(self) -> None:
        """Give everything up and leave the engine."""
        for lane in self._lanes.values():
            lane.clear()
        for running in list(self._running.values()):
            running.work.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
        await self._engine.close()


def _until_judged(health: HealthCheck | None) -> Duration:
    """How long a health check may take to call a container unhealthy (Docker's defaults where
    the check leaves them open: interval and timeout 30 s, 3 retries)."""
    if health is None:
        return 0
    once = (health.interval or 30 * SECOND) + (health.timeout or 30 * SECOND)
    return health.start_period + (health.retries or 3) * once


def _task_of(command: EngineCommand) -> str:
    match command:
        case CreateContainer(config):
            return config.task
        case ListContainers():
            return ""
        case _:
            return command.task
