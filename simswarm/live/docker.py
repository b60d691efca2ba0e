"""One node's containers on a real Docker engine.

Every container carries labels (swarm, node, task, service, slot, image); a node process lists,
hears and touches only those with its own swarm and node. Images are never pulled: `PullImage`
succeeds where the image is present. Containers have no network but loopback, since overlay
networks and ports aren't built yet.

Invariants:
    I1. Blocking calls run in a pool of `POOL` threads; what waits for a container (its health)
        occupies none. A cancelled command returns only when its call is over.
    I2. The event stream is resumed where it broke, so no death is missed while the engine
        restarts.

Source: Docker Engine API 1.41; moby daemon/cluster/executor/container/controller.go (Start waits
for health; unhealthy ends the container). Not here: lanes and deadlines (`live/engine.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import requests
from docker import errors, types, utils

from simswarm.base.engine import (
    ContainerConfig,
    ContainerDied,
    ContainerInfo,
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
from simswarm.base.errors import Unavailable
from simswarm.base.time import SECOND, Duration
from simswarm.live.engine import EngineListener, Subject

POOL = 8
"""Calls to the engine that one node has open at a time."""
CALL_TIMEOUT_SECONDS = 100
"""For one call; a stop gets its grace on top. Below the deadline of a command."""

SWARM, NODE, TASK = "simswarm.swarm", "simswarm.node", "simswarm.task"
SERVICE, SLOT, IMAGE = "simswarm.service", "simswarm.slot", "simswarm.image"
CHECKED = "simswarm.checked"
_ACTIONS = {"create": "create", "start": "start", "die": "die", "stop": "stop", "destroy": "remove"}


def connect() -> Any:
    """A client of the engine that `DOCKER_HOST` names (or the local socket).

    Raises:
        Unavailable: there is no engine, or it doesn't answer.
    """
    settings = utils.kwargs_from_env()
    try:
        _probe(utils.parse_host(settings.get("base_url")))
        client = docker.APIClient(version="auto", timeout=CALL_TIMEOUT_SECONDS, **settings)
        client.ping()
    except (errors.DockerException, requests.RequestException, OSError) as error:
        raise Unavailable(f"no Docker engine: {error}") from None
    return client


def _probe(url: str) -> None:
    """Knock at a Unix socket first: the SDK leaves a socket open where nobody answers.

    Raises:
        OSError: nobody listens there.
    """
    scheme, _, path = url.partition("://")
    if scheme in ("unix", "http+unix"):
        with socket.socket(socket.AF_UNIX) as knock:
            try:
                knock.connect(path)
            except OSError as error:
                raise OSError(f"{path}: {error.strerror}") from None


def has_image(client: Any, image: str) -> bool:
    """Whether the engine has an image."""
    try:
        client.inspect_image(image)
    except (errors.ImageNotFound, errors.APIError):
        return False
    return True


def selection(swarm: str, node: str | None = None) -> dict[str, list[str]]:
    """The label filter of a swarm's containers, or of one node's."""
    chosen = [f"{SWARM}={swarm}"]
    if node is not None:
        chosen.append(f"{NODE}={node}")
    return {"label": chosen}


class DockerEngine:
    """A Docker engine as one node sees it."""

    def __init__(self, client: Any, swarm: str, node: str) -> None:
        self._client = client
        self._swarm = swarm
        self._node = node
        self._images: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(POOL, thread_name_prefix="docker")
        self._listener: EngineListener | None = None
        self._stream: _EventStream | None = None
        self._starting: dict[str, asyncio.Future[Outcome]] = {}
        self._cpus: int = 0

    async def open(self, listener: EngineListener) -> None:
        """Reach the engine and begin to listen to it."""
        self._listener = listener
        info = await self._call(self._client.info)
        self._cpus = info["NCPU"]
        self._stream = _EventStream(self._client, selection(self._swarm, self._node))
        self._stream.begin(asyncio.get_running_loop(), self._on_event)

    def use_images(self, images: Mapping[str, str]) -> None:
        """Which images stand in for those that services name, from now on."""
        self._images = dict(images)

    async def close(self) -> None:
        """Stop listening; containers stay as they are."""
        if self._stream is not None:
            self._stream.end()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, command: EngineCommand) -> Outcome:
        """Perform one command."""
        try:
            match command:
                case PullImage(image):
                    return await self._pull(image)
                case CreateContainer(config):
                    return await self._create(config)
                case StartContainer(container):
                    return await self._start(container)
                case StopContainer(container, grace=grace):
                    return await self._stop(container, grace)
                case RemoveContainer(container):
                    return await self._remove(container)
                case ListContainers():
                    return await self._list()
        except errors.NotFound as error:
            return Failed(_text(error), missing=True)
        except errors.APIError as error:
            return Failed(_text(error))
        except (requests.RequestException, errors.DockerException) as error:
            return Failed(f"the engine can't be reached: {error}", temporary=True)

    # ── commands ─────────────────────────────────────────────────────────────────────────────

    async def _pull(self, image: str) -> Outcome:
        try:
            await self._call(self._client.inspect_image, self._real(image))
        except errors.ImageNotFound:
            return Failed(f"No such image: {image}", missing=True)
        return Done()

    async def _create(self, config: ContainerConfig) -> Outcome:
        host = self._client.create_host_config(
            network_mode="none",
            mem_limit=config.memory_bytes or None,
            nano_cpus=min(config.nano_cpus, self._cpus * 1_000_000_000) or None,
        )
        try:
            made = await self._call(
                self._client.create_container,
                image=self._real(config.image),
                name=config.name,
                entrypoint=list(config.command) or None,
                command=list(config.args) or None,
                environment=list(config.env) or None,
                labels={**dict(config.labels), **self._labels(config)},
                healthcheck=_healthcheck(config.health),
                host_config=host,
            )
        except errors.ImageNotFound:
            return Failed(f"No such image: {config.image}", missing=True)
        except errors.APIError as error:
            if error.status_code != 409:
                raise
            return await self._adopt(config, error)
        return Done(container=made["Id"])

    async def _adopt(self, config: ContainerConfig, error: errors.APIError) -> Outcome:
        """The name is taken: by this very task, if the node crashed between create and its
        note of it."""
        found = await self._call(self._client.inspect_container, config.name)
        labels = found["Config"]["Labels"]
        mine = labels.get(SWARM) == self._swarm and labels.get(NODE) == self._node
        if mine and labels.get(TASK) == config.task:
            return Done(container=found["Id"])
        return Failed(_text(error))

    async def _start(self, container: str) -> Outcome:
        before = await self._state(container)
        if before["Status"] in ("exited", "dead"):  # a container runs once
            code = before["ExitCode"]
            return Failed(f"task: non-zero exit ({code})", exit_code=code)
        judged: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._starting[container] = judged
        try:
            try:
                await self._call(self._client.start, container)
            except errors.APIError as error:
                return await self._not_started(container, error)
            state = await self._state(container)
            health = state.get("Health", {}).get("Status", "none")
            if health not in ("none", "healthy"):
                outcome = await judged
                if isinstance(outcome, Failed):
                    return outcome
            return Done(container=container, pid=state["Pid"])
        finally:
            del self._starting[container]

    async def _state(self, container: str) -> dict[str, Any]:
        found = await self._call(self._client.inspect_container, container)
        state: dict[str, Any] = found["State"]
        return state

    async def _not_started(self, container: str, error: errors.APIError) -> Outcome:
        state = await self._state(container)
        return Failed(_text(error), exit_code=state["ExitCode"])

    async def _stop(self, container: str, grace: Duration) -> Outcome:
        seconds = -(-grace // SECOND)
        await self._call(self._client.stop, container, timeout=seconds)
        return Done(container=container)

    async def _remove(self, container: str) -> Outcome:
        try:
            await self._call(self._client.remove_container, container, v=True, force=True)
        except errors.APIError as error:
            if error.status_code != 409:  # 409: being removed already
                raise
        return Done(container=container)

    async def _list(self) -> Outcome:
        chosen = selection(self._swarm, self._node)
        listed = await self._call(self._client.containers, all=True, filters=chosen)
        infos = []
        for entry in listed:
            with contextlib.suppress(errors.NotFound):
                found = await self._call(self._client.inspect_container, entry["Id"])
                infos.append(_info(found))
        return Done(containers=tuple(sorted(infos, key=lambda info: info.container)))

    # ── events ───────────────────────────────────────────────────────────────────────────────

    def _on_event(self, event: dict[str, Any]) -> None:
        action: str = event["Action"]
        actor = event["Actor"]
        container, labels = actor["ID"], actor["Attributes"]
        subject = _subject(labels)
        if action in _ACTIONS:
            code = int(labels.get("exitCode", 0)) if action == "die" else None
            self._acted(_ACTIONS[action], subject, code)
            if code is not None:
                error = f"task: non-zero exit ({code})"
                self._judge(container, Failed(error, exit_code=code))
                self._tell(ContainerDied(container, subject.task, code))
        elif action == "kill" and labels.get("signal") == "9":
            self._acted("kill", subject, None)
        elif action == "health_status: healthy":
            self._listener_judged(subject, healthy=True)
            self._judge(container, Done(container=container))
        elif action == "health_status: unhealthy":
            self._listener_judged(subject, healthy=False)
            if container in self._starting:
                self._judge(container, Failed("unhealthy container"))
            else:
                self._tell(ContainerUnhealthy(container, subject.task))

    def _judge(self, container: str, outcome: Outcome) -> None:
        judged = self._starting.get(container)
        if judged is not None and not judged.done():
            judged.set_result(outcome)

    def _tell(self, occurrence: EngineOccurrence) -> None:
        if self._listener is not None:
            self._listener.occurred(occurrence)

    def _acted(self, action: str, subject: Subject, code: int | None) -> None:
        if self._listener is not None:
            self._listener.acted(action, subject, code)

    def _listener_judged(self, subject: Subject, *, healthy: bool) -> None:
        if self._listener is not None:
            self._listener.judged(subject, healthy=healthy)

    # ── helpers ──────────────────────────────────────────────────────────────────────────────

    async def _call(self, call: Callable[..., Any], *args: Any, **words: Any) -> Any:
        """A blocking call in the pool; cancelled, it is still waited for (I1)."""
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._pool, lambda: call(*args, **words))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()  # taken note of: nobody else will
            raise

    def _real(self, image: str) -> str:
        """The image that stands in for one, with whatever tag or digest it is asked for."""
        plain = image.partition("@")[0]
        for name in (image, plain, f"{plain}:latest", plain.removesuffix(":latest")):
            if name in self._images:
                return self._images[name]
        return image

    def _labels(self, config: ContainerConfig) -> dict[str, str]:
        return {
            SWARM: self._swarm,
            NODE: self._node,
            TASK: config.task,
            SERVICE: config.service,
            SLOT: "" if config.slot is None else str(config.slot),
            IMAGE: config.image,
            CHECKED: "" if config.health is None or config.health.is_off else "yes",
        }


class _EventStream:
    """The engine's events, read in a thread of its own and handed to the event loop."""

    def __init__(self, client: Any, filters: dict[str, list[str]]) -> None:
        self._client = client
        self._filters = {**filters, "type": ["container"]}
        self._open: Any = None
        self._ended = threading.Event()
        self._since: str | None = None

    def begin(
        self, loop: asyncio.AbstractEventLoop, handler: Callable[[dict[str, Any]], None]
    ) -> None:
        """Open the stream, then read it in the background."""
        self._open = self._connect()
        reader = threading.Thread(
            target=self._read, args=(loop, handler), name="docker-events", daemon=True
        )
        reader.start()

    def end(self) -> None:
        """Close it."""
        self._ended.set()
        if self._open is not None:
            with contextlib.suppress(Exception):  # the stream may be closing by itself
                self._open.close()

    def _connect(self) -> Any:
        return self._client.events(decode=True, since=self._since, filters=self._filters)

    def _read(
        self, loop: asyncio.AbstractEventLoop, handler: Callable[[dict[str, Any]], None]
    ) -> None:
        while not self._ended.is_set():
            try:
                if self._open is None:
                    self._open = self._connect()
                for event in self._open:
                    stamp = event["timeNano"] + 1
                    self._since = f"{stamp // SECOND}.{stamp % SECOND:09d}"
                    loop.call_soon_threadsafe(handler, event)
            except (requests.RequestException, errors.DockerException, OSError, ValueError):
                pass
            except RuntimeError:  # the event loop is gone
                return
            finally:
                self._let_go()
            self._ended.wait(0.5)

    def _let_go(self) -> None:
        """Give the socket back; the library's own `close` only shuts it down."""
        stream, self._open = self._open, None
        response = getattr(stream, "_response", None)
        if response is not None:
            with contextlib.suppress(Exception):  # it may be broken already
                response.close()


class Sweeper:
    """What a supervisor does to the containers of a whole swarm, by label."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def kill(self, swarm: str, node: str) -> list[Subject]:
        """End a node's running containers at once; which."""
        found = self._client.containers(filters=selection(swarm, node))
        return [
            _subject(entry["Labels"])
            for entry in found
            if self._try(self._client.kill, entry["Id"])
        ]

    def remove(self, swarm: str) -> int:
        """Remove every container of a swarm; how many."""
        found = self._client.containers(all=True, filters=selection(swarm))
        removed = 0
        for entry in found:
            removed += self._try(self._client.remove_container, entry["Id"], v=True, force=True)
        return removed

    def kill_task(self, swarm: str, task: str) -> int:
        """End a task's container at once (exit code 137); how many."""
        chosen = {"label": [f"{SWARM}={swarm}", f"{TASK}={task}"]}
        found = self._client.containers(filters=chosen)
        return sum(self._try(self._client.kill, entry["Id"]) for entry in found)

    @staticmethod
    def _try(call: Callable[..., Any], *args: Any, **words: Any) -> bool:
        try:
            call(*args, **words)
        except errors.APIError:  # it ended or went away meanwhile
            return False
        return True


def _healthcheck(health: HealthCheck | None) -> Any:
    if health is None:
        return None
    return types.Healthcheck(
        test=list(health.test) or None,
        interval=health.interval,
        timeout=health.timeout,
        retries=health.retries,
        start_period=health.start_period,
    )


def _subject(labels: Mapping[str, str]) -> Subject:
    slot = labels.get(SLOT, "")
    return Subject(
        task=labels.get(TASK, ""),
        service=labels.get(SERVICE, ""),
        slot=int(slot) if slot else None,
        image=labels.get(IMAGE, ""),
        checked=bool(labels.get(CHECKED)),
    )


def _info(found: dict[str, Any]) -> ContainerInfo:
    state = found["State"]
    health = state.get("Health", {}).get("Status", "none")
    never_ran = state["Status"] == "created"
    return ContainerInfo(
        container=found["Id"],
        task=found["Config"]["Labels"].get(TASK, ""),
        running=state["Running"],
        exit_code=None if state["Running"] or never_ran else state["ExitCode"],
        healthy=None if health == "none" else health == "healthy",
    )


def _text(error: errors.APIError) -> str:
    return str(error.explanation or error)
