"""One node as one operating-system process: `python -m simswarm.live.node_process CONFIG.json`.

    start ──> listen, reach the engine ──> control socket open, `Listening`
          ──> Start(places) ──> boot from disk ──> runs until Stop, Halt or a signal

Exit codes: 0 stopped in good order · 3 the node halted itself · 2 it could not start · 70 a bug
(the traceback is in the node's log).

Invariants:
    I1. A process serves one node for one boot; another boot is another process.
    I2. Everything observed is in the trace file at the end of the turn in which it happened.

Not here: the node (`node/`), the loop (`live/driver.py`), who starts this (`live/supervisor.py`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simswarm.base.effects import Effect, Field, Identity
from simswarm.base.entropy import Entropy
from simswarm.base.errors import RemoteProtocolError, SimswarmError
from simswarm.base.time import Instant, Now
from simswarm.live.control import (
    Answer,
    Booted,
    CancelCall,
    ClientCall,
    Halted,
    Links,
    Listening,
    Moved,
    Order,
    ProcessConfig,
    Report,
    Start,
    Stop,
    UseImages,
    line,
    read_config,
    read_order,
)
from simswarm.live.driver import Driver, World
from simswarm.live.engine import Engine, docker_wanted
from simswarm.live.scripted import ScriptedEngine
from simswarm.live.system import SystemClock, SystemEntropy
from simswarm.live.traces import TraceWriter
from simswarm.live.transport import Place
from simswarm.live.watch import RaftSeen, WatchedNode, boot_watched
from simswarm.model.config import NodeConfig
from simswarm.store import Change

TRACE_FILE = "trace.ndjson"
DISK_FOLDER = "disk"
STOP_SECONDS = 5.0
"""How long a node may take to stop in good order."""
MAX_LINE_BYTES = 64 * 1024 * 1024
STOPPED, REFUSED, HALTED, BUG = 0, 2, 3, 70

FULL_ONLY = ("raft.commit", "raft.apply")
"""Kinds that a trace of level `normal` leaves out."""


class NodeProcess:
    """The driver of one node, its control socket and its trace."""

    def __init__(self, config: ProcessConfig) -> None:
        self._config = config
        self._clock = SystemClock()
        self._full = config.level == "full"
        self._trace = TraceWriter(Path(config.folder) / TRACE_FILE)
        self._flushing = False
        self._stopping = False
        self._connections: list[asyncio.StreamWriter] = []
        self._calls: dict[int, tuple[asyncio.StreamWriter, int]] = {}
        self._place: Place = ("", 0)
        self._server: asyncio.Server | None = None
        self._over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._engine = _engine(config)
        world = World(
            clock=self._clock,
            entropy=SystemEntropy(),
            engine=self._engine,
            folder=Path(config.folder) / DISK_FOLDER,
            every_message=self._full,
        )
        self._driver = Driver(config.node, world, self, self._boot_node)

    async def run(self) -> int:
        """Serve until the end; the exit code."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_bug)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        self._place = await self._driver.open()
        Path(self._config.socket).unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(
            self._serve, self._config.socket, limit=MAX_LINE_BYTES
        )
        code = await self._over
        await self._close()
        return code

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._connections:
            writer.close()
        await self._driver.close()
        Path(self._config.socket).unlink(missing_ok=True)
        self._trace.close()

    def _stop(self) -> None:
        """Stop in good order, or after a while in any."""
        self._stopping = True
        if self._driver.node is None:
            self._end(STOPPED)
            return
        self._driver.shut_down()
        asyncio.get_running_loop().call_later(STOP_SECONDS, self._end, STOPPED)

    def _end(self, code: int) -> None:
        if not self._over.done():
            self._over.set_result(code)

    def _on_bug(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        print(context.get("message", "failed"), file=sys.stderr)
        if error is not None:
            traceback.print_exception(error, file=sys.stderr)
        self._trace.flush()
        sys.stderr.flush()
        os._exit(BUG)  # as a crash: nothing of a broken node shall go on

    # ── what the driver reports ──────────────────────────────────────────────────────────────

    def record(self, at: Instant, kind: str, fields: tuple[tuple[str, Field], ...]) -> None:
        """A trace record."""
        if self._full or kind not in FULL_ONLY:
            self._trace.record(at, kind, fields)
            self._flush_soon()

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """This manager has applied an entry."""
        self._trace.applied(self._clock.now().mono, index, changes)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._trace.flush()

    def replied(self, call: int, frame: bytes, last: bool) -> None:
        """An answer for a client."""
        known = self._calls.get(call)
        if known is None:
            return  # the client went away
        writer, id = known
        if last:
            del self._calls[call]
        self._say(writer, Answer(id, frame, last))

    def halted(self, reason: str) -> None:
        """The node stopped itself."""
        print(f"halted: {reason}", file=sys.stderr)
        for writer in self._connections:
            self._say(writer, Halted(reason))
        self._end(STOPPED if self._stopping else HALTED)

    # ── control ──────────────────────────────────────────────────────────────────────────────

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.append(writer)
        name = self._config.node.name
        booted = self._driver.node is not None
        self._say(writer, Listening(name, os.getpid(), self._place, booted))
        try:
            while text := await reader.readline():
                self._obey(writer, read_order(text))
        except (RemoteProtocolError, OSError, ValueError) as error:
            print(f"control connection: {error}", file=sys.stderr)
        finally:
            self._connections.remove(writer)
            self._forget(writer)
            writer.close()

    def _forget(self, writer: asyncio.StreamWriter) -> None:
        """A supervisor went away: so did its clients."""
        for call in [call for call, (owner, _) in self._calls.items() if owner is writer]:
            del self._calls[call]
            self._driver.cancel_call(call)

    @staticmethod
    def _say(writer: asyncio.StreamWriter, report: Report) -> None:
        if not writer.is_closing():
            writer.write(line(report))

    def _obey(self, writer: asyncio.StreamWriter, order: Order) -> None:
        match order:
            case Start(places):
                self._driver.transport.learn(dict(places))
                if self._driver.node is None:
                    self._driver.boot(SystemEntropy())
                self._say(writer, Booted())
            case Moved(places):
                self._driver.transport.learn(dict(places))
            case Links(table):
                self._driver.transport.obey(table)
            case ClientCall(id, client, frame):
                call = self._driver.call(frame, Identity(client))
                self._calls[call] = (writer, id)
            case CancelCall(id):
                for call, known in self._calls.items():
                    if known == (writer, id):
                        del self._calls[call]
                        self._driver.cancel_call(call)
                        break
            case UseImages(images):
                self._engine.use_images(dict(images))
            case Stop():
                self._stop()

    def _boot_node(
        self, config: NodeConfig, disk: Mapping[str, bytes], entropy: Entropy, now: Now
    ) -> tuple[WatchedNode, list[Effect]]:
        """Boot the node with everything about it that a supervisor may want to follow."""
        watched, effects = boot_watched(config, disk, entropy, now, self._seen)
        if watched.node.manager is not None:
            watched.node.manager.store.watch(self)
        return watched, effects

    def _seen(self, seen: RaftSeen) -> None:
        """This manager's Raft did something."""
        self._trace.seen(self._clock.now().mono, seen)
        self._flush_soon()


def _engine(config: ProcessConfig) -> Engine:
    if config.engine == "none":
        return ScriptedEngine()
    with docker_wanted():
        from simswarm.live.docker import DockerEngine, connect

    return DockerEngine(connect(), config.swarm, config.node.name)


async def _serve(config: ProcessConfig) -> int:
    try:
        return await NodeProcess(config).run()
    except SimswarmError as error:
        print(f"can't start: {error}", file=sys.stderr)
        return REFUSED


def main(path: str) -> int:
    """Run the node that a configuration file describes; the exit code."""
    try:
        config = read_config(Path(path).read_bytes())
    except (OSError, SimswarmError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return REFUSED
    return asyncio.run(_serve(config))


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread that waits for the engine must not keep the process
