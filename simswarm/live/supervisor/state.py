"""A live swarm's folder: what was started, so that it can be stopped whatever happened since.

    .simswarm/live/NAME/
        swarm.json          the swarm: its label, its nodes, how they are run
        journal.ndjson      one line for every process started or ended, written before and after
        nodes/m1/           config.json, disk/, trace.ndjson, log
        sockets ->          control sockets (elsewhere if this path is too long for a socket)

Invariants:
    I1. `swarm.json`, and with it the label of all containers, is on disk before anything starts.
    I2. A process is found even if its supervisor was killed between starting it and noting it:
        by the path of its configuration in its command line.
    I3. A process id from the journal is used only if that process still has that command line.

Not here: stopping things (`live/supervisor/sweep.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from simswarm.base.errors import FailedPrecondition, InvalidSpec, NotFound
from simswarm.base.time import Instant
from simswarm.base.values import Value
from simswarm.live.control import ProcessConfig
from simswarm.live.node_process import DISK_FOLDER, TRACE_FILE

DEFAULT_ROOT = Path(".simswarm/live")
SOCKET_PATH_LIMIT = 100
"""Bytes; a Unix socket's address holds 108."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")
MODULE = "simswarm.live.node_process"


class SwarmRecord(Value, frozen=True):
    """What `swarm.json` says."""

    name: str
    label: str
    """Unique: two swarms of one name on one engine must not touch each other's containers."""
    engine: str
    sockets: str
    nodes: tuple[ProcessConfig, ...]
    created_by: int
    """The process id of the supervisor."""
    origin: Instant = 0
    """CLOCK_MONOTONIC when the swarm was up; 0 before."""


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(SwarmRecord)


class StateFolder:
    """The folder of one live swarm."""

    def __init__(self, name: str, root: Path = DEFAULT_ROOT) -> None:
        if not _NAME.fullmatch(name):
            raise InvalidSpec(f"'{name}' can't be the name of a swarm: letters, digits, - _ .")
        self.name = name
        self.root = root.absolute()
        self.path = self.root / name

    @property
    def exists(self) -> bool:
        """Whether a swarm of this name was started and not taken down."""
        return (self.path / "swarm.json").exists()

    def create(self, engine: str) -> SwarmRecord:
        """Claim the folder.

        Raises:
            FailedPrecondition: a swarm of this name is there.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            self.path.mkdir(mode=0o700)
        except FileExistsError:
            raise FailedPrecondition(
                f"a live swarm '{self.name}' is there already ({self.path}): "
                f"simswarm live down --name {self.name}"
            ) from None
        label = f"{self.name}-{os.urandom(4).hex()}"
        record = SwarmRecord(self.name, label, engine, self._socket_folder(), (), os.getpid())
        self.save(record)
        return record

    def _socket_folder(self) -> str:
        near = self.path / "sockets"
        if len(os.fsencode(near)) + 50 < SOCKET_PATH_LIMIT:
            near.mkdir(mode=0o700)
            return str(near)
        return tempfile.mkdtemp(prefix="simswarm-")

    def save(self, record: SwarmRecord) -> None:
        """Write `swarm.json`, atomically and durably."""
        temporary = self.path / "swarm.json.new"
        with temporary.open("wb") as file:
            file.write(_encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / "swarm.json")

    def load(self) -> SwarmRecord:
        """What was started.

        Raises:
            NotFound: no such swarm.
            FailedPrecondition: the file can't be read.
        """
        try:
            return _decoder.decode((self.path / "swarm.json").read_bytes())
        except FileNotFoundError:
            raise NotFound(f"there is no live swarm '{self.name}' in {self.root}") from None
        except (msgspec.DecodeError, ValueError) as error:
            raise FailedPrecondition(f"{self.path}/swarm.json: {error}") from None

    def node(self, name: str) -> Path:
        """A node's own folder, made if need be."""
        folder = self.path / "nodes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def config_file(self, name: str) -> Path:
        """Where a node's configuration is; this path is in its process' command line."""
        return self.path / "nodes" / name / "config.json"

    def trace_file(self, name: str) -> Path:
        """A node's trace."""
        return self.path / "nodes" / name / TRACE_FILE

    def disk_folder(self, name: str) -> Path:
        """A node's disk."""
        return self.path / "nodes" / name / DISK_FOLDER

    def note(self, **entry: Any) -> None:
        """A line in the journal, durable when this returns."""
        with (self.path / "journal.ndjson").open("ab") as file:
            file.write(_encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def processes(self) -> dict[int, str]:
        """Process ids of this swarm's nodes that are alive, with the node's name."""
        folder = str(self.path / "nodes")
        found: dict[int, str] = {}
        for pid, words in _command_lines():
            if MODULE in words and words[-1].startswith(folder + os.sep):
                found[pid] = Path(words[-1]).parent.name
        return found

    def delete(self) -> None:
        """Remove the folder and the sockets."""
        if self.exists:
            shutil.rmtree(self.load().sockets, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)
        for folder in (self.root, self.root.parent):
            if folder.name in ("live", ".simswarm"):
                try:
                    folder.rmdir()
                except OSError:
                    break  # something else is in there

    @staticmethod
    def all(root: Path = DEFAULT_ROOT) -> list[str]:
        """The names of all live swarms of a root folder."""
        if not root.exists():
            return []
        return sorted(path.parent.name for path in root.glob("*/swarm.json"))


def _command_lines() -> list[tuple[int, list[str]]]:
    """All processes with their command lines, as far as they may be seen."""
    proc = Path("/proc")
    lines: list[tuple[int, list[str]]] = []
    if (proc / "self" / "cmdline").exists():
        for entry in proc.iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue  # it ended meanwhile
                if len(words) > 1:
                    lines.append((int(entry.name), [os.fsdecode(word) for word in words[:-1]]))
        return lines
    listed = subprocess.run(
        ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True
    )
    for text in listed.stdout.splitlines():
        pid, _, command = text.strip().partition(" ")
        lines.append((int(pid), command.split()))
    return lines
