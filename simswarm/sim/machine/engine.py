"""A node's container engine: what Docker would do, with times drawn for each container.

    run(id, command) ──> the task's lane (FIFO) ──> begin … end ──> EngineResult(id)
                                                └── die, unhealthy ──> EngineEvent

Invariants:
    I1. Commands for one task are performed one after another in the order given; tasks don't wait
        for each other, but for an image that another is pulling already.
    I2. Every command ends in one outcome, unless it is cancelled or the node crashes.
    I3. A cancelled pull or wait for health frees its lane at once. Another cancelled command goes
        on without an outcome, and the next one of its task begins when it is over.
    I4. `die` is told once for every start; about a container that is being started, after the
        start's outcome.
    I5. A crash of the node ends every container (255 in the next listing, as dockerd has it) and
        forgets every command. A pause ends nothing: containers go on.

Source: moby daemon/cluster/executor/container; timings of Docker 20.10.24 (see the model card).
Not here: how images behave (`images.py`), one container (`containers.py`).
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import NamedTuple, Protocol, assert_never

from simswarm.base.engine import (
    ContainerConfig,
    ContainerDied,
    ContainerUnhealthy,
    CreateContainer,
    Done,
    EngineCommand,
    EngineOccurrence,
    Failed,
    ListContainers,
    Outcome,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from simswarm.base.entropy import Entropy
from simswarm.base.time import MILLISECOND, Duration, Instant
from simswarm.sim.distributions import Distribution, Draws, sampler
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.machine.containers import Container, unhealthy_after
from simswarm.sim.machine.images import CannotStart, Images, Missing, NeverHealthy

LOOKUP_TIME: Duration = 20 * MILLISECOND
"""Finding out that an image is there, that there is none, or what containers there are."""
CREATE_TIME: Duration = 50 * MILLISECOND
REMOVE_TIME: Duration = 200 * MILLISECOND
"""Source: Docker 20.10.24, shortest times recorded between events."""
CANNOT_START = 127
KILLED = 137
LOST = 255
"""Exit codes: no such command; SIGKILL; the engine itself went down."""
_UNHEALTHY_TEXT = "unhealthy container"
_CANNOT_START_TEXT = (
    "failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: exec: no such file or directory: unknown"
)


class EngineSink(Protocol):
    """Whom an engine tells: the node's driver."""

    def engine_result(self, id: int, outcome: Outcome) -> None:
        """A command ended."""
        ...

    def engine_event(self, occurrence: EngineOccurrence) -> None:
        """Something happened to a container by itself."""
        ...

    def engine_acted(self, action: str, config: ContainerConfig, exit_code: int | None) -> None:
        """The engine did something (create start die stop kill remove): for the trace."""
        ...

    def engine_health(self, config: ContainerConfig, *, healthy: bool) -> None:
        """A health check came to a verdict: for the trace."""
        ...


class _Operation:
    """A command on its way."""

    __slots__ = ("begun", "cancelled", "command", "id", "over", "told_after")

    def __init__(self, id: int, command: EngineCommand) -> None:
        self.id = id
        self.command = command
        self.begun = False
        self.cancelled = False
        self.over = False
        self.told_after: list[EngineOccurrence] = []
        """What happened to the container while it was being started."""


class _Ending(NamedTuple):
    """A container that was asked to stop, and how it will end."""

    operation: _Operation
    container: Container
    exit_code: int


class Engine:
    """The engine of one node. Its images and containers outlive the node's boots."""

    def __init__(
        self, env: SimEnvironment, images: Images, entropy: Entropy, sink: EngineSink
    ) -> None:
        self._env = env
        self._images = images
        self._entropy = entropy
        self._sink = sink
        self.containers: dict[str, Container] = {}
        self._by_name: dict[str, Container] = {}
        self._present: dict[str, None] = {}
        self._pulling: dict[str, Instant] = {}
        self._lanes: dict[str, deque[_Operation]] = {}
        """By task; the first of each lane is under way."""
        self._operations: dict[int, _Operation] = {}
        self._made = 0
        self._pulls = 0

    def health_of(self, name: str) -> bool | None:
        """Whether the container of this name is healthy; None if it has no health check."""
        container = self._by_name.get(name)
        return None if container is None else container.healthy

    # ── commands ─────────────────────────────────────────────────────────────────────────────

    def run(self, id: int, command: EngineCommand) -> None:
        """Begin a command, or queue it behind the others of its task."""
        operation = self._operations[id] = _Operation(id, command)
        lane = self._lanes.setdefault(_task_of(command), deque())
        lane.append(operation)
        if len(lane) == 1:
            self._begin(operation)

    def cancel(self, id: int) -> None:
        """Give a command up. An unknown id is a command that has ended."""
        operation = self._operations.pop(id, None)
        if operation is None:
            return
        operation.cancelled = True
        lane = self._lanes[_task_of(operation.command)]
        if operation is not lane[0]:
            lane.remove(operation)
            return
        match operation.command:
            case PullImage():
                self._end(operation, Done())
            case StartContainer(id_):
                container = self.containers.get(id_)
                if container is not None and container.running:
                    self._end(operation, Done())

    def _begin(self, operation: _Operation) -> None:
        operation.begun = True
        command = operation.command
        match command:
            case PullImage(image):
                self._pull(operation, image)
            case CreateContainer():
                self._env.call_in(CREATE_TIME, self._create, operation)
            case StartContainer():
                self._start(operation)
            case StopContainer():
                self._stop(operation)
            case RemoveContainer():
                self._env.call_in(REMOVE_TIME, self._remove, operation)
            case ListContainers():
                self._env.call_in(LOOKUP_TIME, self._list, operation)
            case _:
                assert_never(command)

    def _end(self, operation: _Operation, outcome: Outcome) -> None:
        """A command is over: tell its outcome, then what waited for it, then begin the next."""
        if operation.over:
            return
        operation.over = True
        task = _task_of(operation.command)
        lane = self._lanes[task]
        assert lane[0] is operation, "commands of a task end in order"
        lane.popleft()
        if not operation.cancelled:
            del self._operations[operation.id]
            self._sink.engine_result(operation.id, outcome)
        for occurrence in operation.told_after:
            self._sink.engine_event(occurrence)
        # told first, begun later: what the sink was told may have led to further commands,
        # a cancel, or a crash
        if self._lanes.get(task) is lane:
            if not lane:
                del self._lanes[task]
            elif not lane[0].begun:
                self._begin(lane[0])

    # ── images ───────────────────────────────────────────────────────────────────────────────

    def _pull(self, operation: _Operation, image: str) -> None:
        behaviour = self._images.of(image)
        now = self._env.now
        if image in self._present or isinstance(behaviour.pull, Missing):
            self._env.call_in(LOOKUP_TIME, self._pulled, operation)
            return
        ready = self._pulling.get(image, 0)
        if ready <= now:
            self._pulls += 1
            ready = now + self._draw(behaviour.pull, f"pull/{self._pulls}")
            self._pulling[image] = ready
        self._env.call_at(ready, self._pulled, operation)

    def _pulled(self, operation: _Operation) -> None:
        if operation.over or not isinstance(operation.command, PullImage):
            return
        image = operation.command.image
        if image not in self._present and isinstance(self._images.of(image).pull, Missing):
            self._end(operation, Failed(f"No such image: {image}", missing=True))
            return
        self._present[image] = None
        self._end(operation, Done())

    # ── create, remove, list ─────────────────────────────────────────────────────────────────

    def _create(self, operation: _Operation) -> None:
        if operation.over or not isinstance(operation.command, CreateContainer):
            return
        config = operation.command.config
        existing = self._by_name.get(config.name)
        if existing is not None:  # made before a crash, which forgot the outcome
            self._end(operation, Done(container=existing.id))
        elif config.image not in self._present:
            self._end(operation, Failed(f"No such image: {config.image}", missing=True))
        else:
            container = Container(self._new_id(config), config, self._images.of(config.image))
            self.containers[container.id] = self._by_name[config.name] = container
            self._sink.engine_acted("create", config, None)
            self._end(operation, Done(container=container.id))

    def _new_id(self, config: ContainerConfig) -> str:
        self._made += 1
        return blake2b(f"{config.name}/{self._made}".encode(), digest_size=32).hexdigest()

    def _remove(self, operation: _Operation) -> None:
        if operation.over or not isinstance(operation.command, RemoveContainer):
            return
        container = self.containers.get(operation.command.container)
        if container is None:
            self._end(operation, _no_such(operation.command.container))
            return
        if container.running:
            self._sink.engine_acted("kill", container.config, None)
            self._die(container, KILLED)
        del self.containers[container.id]
        del self._by_name[container.config.name]
        self._sink.engine_acted("remove", container.config, None)
        self._end(operation, Done(container=container.id))

    def _list(self, operation: _Operation) -> None:
        if not operation.over:
            infos = tuple(self.containers[id].info() for id in sorted(self.containers))
            self._end(operation, Done(containers=infos))

    # ── start ────────────────────────────────────────────────────────────────────────────────

    def _start(self, operation: _Operation) -> None:
        assert isinstance(operation.command, StartContainer)
        container = self.containers.get(operation.command.container)
        if container is None:
            self._env.call_in(LOOKUP_TIME, self._not_found, operation)
        elif container.ran:
            self._env.call_in(LOOKUP_TIME, self._started, operation)
        else:
            container.behaviour = self._images.of(container.config.image)
            start = container.behaviour.start
            if isinstance(start, CannotStart):
                delay = LOOKUP_TIME
            else:
                delay = self._draw(start, f"{container.config.task}/start")
            self._env.call_in(delay, self._started, operation)

    def _started(self, operation: _Operation) -> None:
        """The command has been run, or can't be; or it was running already."""
        if operation.over or not isinstance(operation.command, StartContainer):
            return
        container = self.containers[operation.command.container]
        if not container.ran:
            if isinstance(container.behaviour.start, CannotStart):
                container.fail_to_start(CANNOT_START)
                self._end(operation, Failed(_CANNOT_START_TEXT, exit_code=CANNOT_START))
                return
            self._come_up(container)
        elif not container.running:
            self._end(operation, _exited(container))
            return
        if operation.cancelled or container.healthy is not False:
            self._end(operation, _running(container))
        # else: the health check will end it

    def _come_up(self, container: Container) -> None:
        """It runs; what it will do by itself is decided now."""
        container.start()
        self._sink.engine_acted("start", container.config, None)
        behaviour, task = container.behaviour, container.config.task
        if behaviour.exit is not None:
            delay = self._draw(behaviour.exit.after, f"{task}/exit")
            self._env.call_in(delay, self._on_exit, container)
        if not container.is_checked:
            return
        if isinstance(behaviour.healthy, NeverHealthy):
            delay = unhealthy_after(container.config.health)
        else:
            delay = self._draw(behaviour.healthy, f"{task}/healthy")
        if delay:
            self._env.call_in(delay, self._on_health, container)
        else:
            self._judge(container)

    def _judge(self, container: Container) -> bool:
        """The verdict of the health check."""
        healthy = not isinstance(container.behaviour.healthy, NeverHealthy)
        container.healthy = healthy
        self._sink.engine_health(container.config, healthy=healthy)
        return healthy

    def _on_health(self, container: Container) -> None:
        if not container.running:
            return
        healthy = self._judge(container)
        waiting = self._starting(container)
        if waiting is not None:
            self._end(waiting, _running(container) if healthy else Failed(_UNHEALTHY_TEXT))
        elif not healthy:
            occurrence = ContainerUnhealthy(container.id, container.config.task)
            self._sink.engine_event(occurrence)

    def _on_exit(self, container: Container) -> None:
        if container.running and container.behaviour.exit is not None:
            self._die(container, container.behaviour.exit.code)

    def _starting(self, container: Container) -> _Operation | None:
        """The start of this container that is under way, if there is one."""
        lane = self._lanes.get(container.config.task)
        if lane and isinstance(lane[0].command, StartContainer):
            return lane[0] if lane[0].command.container == container.id else None
        return None

    def _not_found(self, operation: _Operation) -> None:
        if operation.over:
            return
        match operation.command:
            case StartContainer(id) | StopContainer(id):
                self._end(operation, _no_such(id))

    # ── stop, and other ends ─────────────────────────────────────────────────────────────────

    def _stop(self, operation: _Operation) -> None:
        assert isinstance(operation.command, StopContainer)
        container = self.containers.get(operation.command.container)
        if container is None:
            self._env.call_in(LOOKUP_TIME, self._not_found, operation)
            return
        if not container.running:
            ending = _Ending(operation, container, 0)
            self._env.call_in(LOOKUP_TIME, self._stopped, ending)
            return
        task, grace = container.config.task, operation.command.grace
        duration = self._draw(container.behaviour.stop, f"{task}/stop")
        if duration <= grace:
            self._env.call_in(duration, self._stopped, _Ending(operation, container, 0))
        else:
            self._env.call_in(grace, self._stopped, _Ending(operation, container, KILLED))

    def _stopped(self, ending: _Ending) -> None:
        operation, container, exit_code = ending
        if operation.over:
            return
        if container.running:
            if exit_code == KILLED:
                self._sink.engine_acted("kill", container.config, None)
            self._die(container, exit_code)
            if container.config.task not in self._lanes:
                return  # what was told of its end ended the node
            self._sink.engine_acted("stop", container.config, None)
        self._end(operation, Done(container=container.id))

    def _die(self, container: Container, exit_code: int) -> None:
        container.end(exit_code)
        self._sink.engine_acted("die", container.config, exit_code)
        occurrence = ContainerDied(container.id, container.config.task, exit_code)
        waiting = self._starting(container)
        if waiting is not None:
            waiting.told_after.append(occurrence)
            self._end(waiting, _exited(container))
        else:
            self._sink.engine_event(occurrence)

    def exit(self, task: str, exit_code: int) -> bool:
        """Make a task's container end by itself. False: it has none that runs."""
        for container in self.containers.values():
            if container.config.task == task and container.running:
                self._die(container, exit_code)
                return True
        return False

    def crash(self, *, wipe: bool) -> None:
        """The node went down: no container runs on, no command is remembered. With `wipe`, its
        images and containers are gone."""
        for lane in self._lanes.values():
            for operation in lane:
                operation.over = True
        self._lanes.clear()
        self._operations.clear()
        self._pulling.clear()
        for container in self.containers.values():
            if container.running:
                container.end(LOST)
                self._sink.engine_acted("die", container.config, LOST)
        if wipe:
            self.containers.clear()
            self._by_name.clear()
            self._present.clear()

    def _draw(self, distribution: Distribution, name: str) -> Duration:
        """A duration from the stream of this name, so that no other draw shifts it."""
        source = sampler(distribution)
        if source.constant:
            return source.least
        return source.at(Draws(self._entropy.fork(name)).next())


def _task_of(command: EngineCommand) -> str:
    match command:
        case CreateContainer(config):
            return config.task
        case ListContainers():
            return ""
        case _:
            return command.task


def _no_such(container: str) -> Failed:
    return Failed(f"No such container: {container}", missing=True)


def _running(container: Container) -> Done:
    return Done(container=container.id, pid=1)


def _exited(container: Container) -> Failed:
    code = container.exit_code
    return Failed(f"task: non-zero exit ({code})", exit_code=code)
