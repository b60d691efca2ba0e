"""Every message in the trace: records `net.sent`, `net.delivered`, `net.dropped`, at level full.

Not here: counting or judging messages (a checker watches steps instead).
"""

from __future__ import annotations

from simswarm.base.errors import RemoteProtocolError
from simswarm.sim.fabric.streams import Datagrams, Stream
from simswarm.sim.recorder import Recorder
from simswarm.wire import codec


class NetworkTap:
    """Records what the network does with every frame."""

    __slots__ = ("_recorder",)

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def sent(self, way: Stream | Datagrams, frame: bytes) -> None:
        """A frame was given to the network."""
        self._record("net.sent", way.source.name, way, frame, "")

    def delivered(self, way: Stream | Datagrams, frame: bytes) -> None:
        """A frame arrived."""
        self._record("net.delivered", way.target.name, way, frame, "")

    def dropped(self, way: Stream | Datagrams, frame: bytes, why: str) -> None:
        """A frame will never arrive."""
        self._record("net.dropped", way.target.name, way, frame, why)

    def _record(
        self, kind: str, node: str, way: Stream | Datagrams, frame: bytes, why: str
    ) -> None:
        fields = (
            ("source", way.source.name),
            ("target", way.target.name),
            ("message", _name_of(frame)),
            ("size", len(frame)),
            ("why", why),
        )
        self._recorder.record(node, kind, fields)


def _name_of(frame: bytes) -> str:
    try:
        return type(codec.decode(frame)).__name__
    except RemoteProtocolError:
        return "?"
