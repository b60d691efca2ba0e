"""Taking a live swarm down: processes, containers, files, from what its folder and its labels say.

Works without the supervisor that started it, after a Ctrl-C, a crash or a reboot, and as often
as one likes.

Invariants:
    I1. Only processes with this folder in their command line and containers with this swarm's
        label are touched.
    I2. Processes go first: no node makes containers while they are removed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simswarm.base.errors import Unavailable
from simswarm.base.values import Value
from simswarm.live.engine import Subject, docker_wanted
from simswarm.live.supervisor.state import StateFolder

if TYPE_CHECKING:
    from simswarm.live.docker import Sweeper

STOP_SECONDS = 5.0
"""How long processes may take to end by themselves."""


left_running: list[subprocess.Popen[bytes]] = []
"""Children of this process that outlived their handle: kept until they have ended, since a child
that is collected while it runs complains."""


class Swept(Value, frozen=True):
    """What was found and removed. `warning`: what could not be, and why."""

    processes: int
    containers: int
    warning: str = ""


def sweep(state: StateFolder, *, keep: bool = False, gently: bool = True) -> Swept:
    """Stop everything of a swarm; with `keep` its files stay.

    Raises:
        NotFound: no such swarm.
    """
    if state.path.exists() and not state.exists:  # its supervisor died while it claimed the folder
        state.delete()
        return Swept(0, 0)
    record = state.load()
    processes = _end_processes(state, gently=gently)
    containers, warning = 0, ""
    if record.engine == "docker":
        try:
            containers = remove_containers(record.label)
        except Unavailable as error:
            warning = f"containers labelled simswarm.swarm={record.label} may be left: {error}"
    if not warning and not keep:
        state.delete()
    return Swept(processes, containers, warning)


def _end_processes(state: StateFolder, *, gently: bool) -> int:
    found = state.processes()
    for pid in found:
        signals = [signal.SIGCONT, signal.SIGTERM] if gently else [signal.SIGKILL]
        for number in signals:
            send_signal(pid, number)
    limit = time.monotonic() + STOP_SECONDS
    while state.processes():
        if time.monotonic() > limit:
            for pid in state.processes():
                send_signal(pid, signal.SIGKILL)
        time.sleep(0.02)
    left_running[:] = [child for child in left_running if child.poll() is None]
    return len(found)


def send_signal(pid: int, number: signal.Signals) -> None:
    """Signal a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def is_there(pid: int) -> bool:
    """Whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def remove_containers(label: str) -> int:
    """Remove all containers of a swarm; how many.

    Raises:
        Unavailable: there is no engine.
    """
    with _sweeper() as sweeper:
        return sweeper.remove(label)


def kill_containers(label: str, node: str) -> list[Subject]:
    """End a node's containers at once; which.

    Raises:
        Unavailable: there is no engine.
    """
    with _sweeper() as sweeper:
        return sweeper.kill(label, node)


def kill_task(label: str, task: str) -> None:
    """End a task's container at once.

    Raises:
        Unavailable: there is no engine.
    """
    with _sweeper() as sweeper:
        sweeper.kill_task(label, task)


@contextlib.contextmanager
def _sweeper() -> Iterator[Sweeper]:
    with docker_wanted():
        from simswarm.live.docker import Sweeper, connect

    client = connect()
    try:
        yield Sweeper(client)
    finally:
        client.close()
