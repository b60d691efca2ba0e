"""What a supervisor and a node process say to each other: JSON lines on a Unix socket.

    supervisor ── Start, Places, Links, ClientCall, CancelCall, Stop ──> node process
    supervisor <── Listening, Booted, Answer, Halted ────────────────── node process

Not here: the trace; a node writes it to a file, so that a kill loses none of it (`traces.py`).
"""

from __future__ import annotations

import msgspec

from simswarm.base.effects import Address
from simswarm.base.errors import RemoteProtocolError
from simswarm.base.values import Value
from simswarm.live.faults import LinkTable
from simswarm.live.transport import Place
from simswarm.model.config import NodeConfig

Places = tuple[tuple[Address, Place], ...]
"""Where nodes listen, sorted by name."""


class ProcessConfig(Value, frozen=True):
    """What a node process is started with (`nodes/NAME/config.json`)."""

    swarm: str
    """The label that all containers of this swarm carry."""
    node: NodeConfig
    folder: str
    """The node's own folder: disk, trace, log."""
    socket: str
    """Where the supervisor finds it."""
    engine: str = "docker"
    """`docker`, or `none`: containers in memory only."""
    level: str = "normal"


class Start(Value, frozen=True, tag="start"):
    """Bring the node to life; the others are here."""

    places: Places


class Moved(Value, frozen=True, tag="moved"):
    """Nodes that listen somewhere else now, or new ones."""

    places: Places


class Links(Value, frozen=True, tag="links"):
    """The faults of the node's outgoing links from now on: all of them."""

    table: LinkTable


class ClientCall(Value, frozen=True, tag="call"):
    """A client's request to this node."""

    id: int
    client: str
    frame: bytes


class CancelCall(Value, frozen=True, tag="cancel"):
    """The client went away."""

    id: int


class UseImages(Value, frozen=True, tag="images"):
    """(Image as services name it, image of the engine that stands in for it), from now on."""

    images: tuple[tuple[str, str], ...]


class Stop(Value, frozen=True, tag="stop"):
    """Stop in good order."""


Order = Start | Moved | Links | ClientCall | CancelCall | UseImages | Stop


class Listening(Value, frozen=True, tag="listening"):
    """The first line of every connection: the process is there, and its node listens here."""

    name: str
    pid: int
    place: Place
    booted: bool


class Booted(Value, frozen=True, tag="booted"):
    """The node is alive."""


class Answer(Value, frozen=True, tag="answer"):
    """An answer to a client's call of this connection."""

    id: int
    frame: bytes
    last: bool


class Halted(Value, frozen=True, tag="halted"):
    """The node stopped itself; its process ends."""

    reason: str


Report = Listening | Booted | Answer | Halted

_encode = msgspec.json.Encoder().encode
_orders: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
_config = msgspec.json.Decoder(ProcessConfig)


def line(message: Order | Report) -> bytes:
    """A message as it stands on the socket."""
    return _encode(message) + b"\n"


def read_order(text: bytes) -> Order:
    """What the supervisor says.

    Raises:
        RemoteProtocolError: nothing that this version knows.
    """
    try:
        return _orders.decode(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise RemoteProtocolError(f"not an order: {error}") from None


def read_report(text: bytes) -> Report:
    """What a node process says.

    Raises:
        RemoteProtocolError: nothing that this version knows.
    """
    try:
        return _reports.decode(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise RemoteProtocolError(f"not a report: {error}") from None


def write_config(config: ProcessConfig) -> bytes:
    """A process' configuration as a file."""
    return _encode(config) + b"\n"


def read_config(text: bytes) -> ProcessConfig:
    """A process' configuration.

    Raises:
        RemoteProtocolError: not one of this version.
    """
    try:
        return _config.decode(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise RemoteProtocolError(f"not a node's configuration: {error}") from None
