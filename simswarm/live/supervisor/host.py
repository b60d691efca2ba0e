"""A supervisor's handle of one node: its process, its control connection, its trace.

    absent ──start──> starting ──Listening──> listening ──Start──> up ──kill, halt──> absent

Orders given before the connection is there wait for it; orders to a process that is gone are
lost, as with a machine that has no power.

Invariants:
    I1. The journal names a process before and after it is started (`live/supervisor/state.py`).
    I2. An order to a stopped (SIGSTOP) process waits in its socket.

Not here: the swarm as a whole (`world.py`), the process itself (`live/node_process.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from simswarm.base.errors import RemoteProtocolError
from simswarm.live.control import (
    Listening,
    Order,
    ProcessConfig,
    Report,
    line,
    read_report,
    write_config,
)
from simswarm.live.node_process import MAX_LINE_BYTES
from simswarm.live.supervisor.state import MODULE, StateFolder
from simswarm.live.supervisor.sweep import is_there, left_running, send_signal
from simswarm.live.traces import TraceReader
from simswarm.live.transport import Place

CONNECT_SECONDS = 30.0
"""How long a process may take from its start to its control socket."""
_POLL_SECONDS = 0.02


class LiveHost:
    """One node of a live swarm."""

    def __init__(
        self, config: ProcessConfig, state: StateFolder, heard: Callable[[LiveHost, Report], None]
    ) -> None:
        self.process_config = config
        self.config = config.node
        self.name = config.node.name
        self.boot_number = 0
        self.paused = False
        self.up = False
        """Its process runs (or is paused): it was started and has not ended."""
        self.place: Place | None = None
        self.pid = 0
        self.trace = TraceReader(state.trace_file(self.name))
        self._state = state
        self._heard = heard
        self._child: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: list[bytes] = []
        self._link: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        """Whether the process has said where its node listens."""
        return self._writer is not None

    # ── the process ──────────────────────────────────────────────────────────────────────────

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start a process for the node's next boot."""
        assert not self.up, "it runs already"
        self.boot_number += 1
        self._state.node(self.name)
        config_file = self._state.config_file(self.name)
        config_file.write_bytes(write_config(self.process_config))
        Path(self.process_config.socket).unlink(missing_ok=True)
        self._state.note(starting=self.name, boot=self.boot_number)
        with (self._state.node(self.name) / "log").open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the supervisor is not for the nodes
            )
        self.pid = self._child.pid
        self.up, self.paused = True, False
        self._state.note(started=self.name, boot=self.boot_number, pid=self.pid)
        self._link = loop.create_task(self._converse())

    def attach(self, loop: asyncio.AbstractEventLoop, pid: int) -> None:
        """Take over a process that another supervisor started."""
        self.pid, self.up = pid, True
        self.boot_number = max(self.boot_number, 1)
        self._link = loop.create_task(self._converse())

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)
        self._gone("killed")

    def pause(self) -> None:
        """SIGSTOP."""
        self.paused = True
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.paused = False
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.up:
            send_signal(self.pid, number)

    def ended(self) -> int | None:
        """The exit code if the process ended by itself since the last look."""
        if not self.up:
            return None
        code = self._exit_code()
        if code is not None:
            self._gone(f"ended with {code}")
        return code

    def _exit_code(self) -> int | None:
        if self._child is not None:
            return self._child.poll()
        return None if is_there(self.pid) else -1  # another supervisor's child: nobody says

    def _gone(self, how: str) -> None:
        self.up = self.paused = False
        self.place = None
        self._state.note(ended=self.name, boot=self.boot_number, pid=self.pid, how=how)
        if self._child is not None:
            self._child.wait()
            self._child = None
        self._disconnect()

    def log_tail(self, lines: int = 5) -> str:
        """The end of what the process wrote."""
        path = self._state.node(self.name) / "log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])

    # ── the conversation ─────────────────────────────────────────────────────────────────────

    def tell(self, order: Order) -> None:
        """Give an order; it waits for the connection if need be."""
        if not self.up:
            return
        if self._writer is None:
            self._waiting.append(line(order))
        else:
            self._writer.write(line(order))

    async def _converse(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await self._connect()
        except TimeoutError:
            return  # whoever waits for `listening` gives up by itself
        try:
            while text := await reader.readline():
                report = read_report(text)
                if isinstance(report, Listening):
                    self.place, self.pid = report.place, report.pid
                    self._writer = writer
                    for order in self._waiting:
                        writer.write(order)
                    self._waiting.clear()
                self._heard(self, report)
        except (OSError, RemoteProtocolError, ValueError):
            pass
        finally:
            if self._writer is writer:
                self._writer = None
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            with contextlib.suppress(OSError):
                path = self.process_config.socket
                return await asyncio.open_unix_connection(path, limit=MAX_LINE_BYTES)
            await asyncio.sleep(_POLL_SECONDS)

    def _disconnect(self) -> None:
        self._waiting.clear()
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None
        if self._link is not None:
            self._link.cancel()
            self._link = None

    def close(self) -> None:
        """Let go of the process: it runs on."""
        self._disconnect()
        self.trace.close()
        if self._child is not None and self._child.poll() is None:
            left_running.append(self._child)
