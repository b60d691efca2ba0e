"""Getting into the swarm: asking managers until one has let this machine in, then remembering it.

    ASKING ──JoinAccepted──▶ SAVING ──durable──▶ IN (also straight after a boot, from the file)
      └─ no answer or refused: the next manager, after 100 ms, 200 ms, 400 ms … at most 8 s

A manager asks its own half first: it knows the leader. The answer is written to the file
`identity` before anything is done under it. A machine that lost its disk gets its old id again,
since it is known by its name.

Source: the delays are those of an agent's session; swarmkit node/node.go joins with a token and a
certificate, which replace this module.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from simswarm.base.effects import Address, Channel, Outbox, TimerKey, Token, WriteMode
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import recover
from simswarm.base.values import Value
from simswarm.model.config import NodeConfig
from simswarm.model.defaults import SESSION_BACKOFF_INITIAL, SESSION_BACKOFF_MAX
from simswarm.wire.join import JoinAccepted, JoinRequest

IDENTITY_FILE = "identity"
JOIN_OWNER = "join"
_RETRY = TimerKey(JOIN_OWNER, 0, "retry")


class Membership(Value, frozen=True):
    """That this machine is in, and as whom."""

    node_id: str
    cluster_id: str


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Membership)


def recall(disk: Mapping[str, bytes]) -> Membership | None:
    """The membership of an earlier boot, if it was durable.

    Raises:
        StorageCorrupt: the file holds what no crash explains.
    """
    records = recover(disk.get(IDENTITY_FILE, b""), IDENTITY_FILE).records
    if not records:
        return None
    try:
        return _decoder.decode(records[-1])
    except (msgspec.DecodeError, ValueError) as error:
        raise StorageCorrupt(f"{IDENTITY_FILE}: not a membership: {error}") from None


class Joiner:
    """Asks to be let in."""

    __slots__ = ("_asked", "_delay", "_out", "_request", "_targets", "_token", "membership")

    def __init__(self, config: NodeConfig, out: Outbox) -> None:
        self._out = out
        self._request = JoinRequest(config.name, config.role, config.description)
        own = (config.address,) if config.members else ()
        self._targets: tuple[Address, ...] = tuple(dict.fromkeys((*own, *config.managers)))
        self._asked = 0
        self._delay = SESSION_BACKOFF_INITIAL
        self._token: Token = 0
        self.membership: Membership | None = None
        """Set once a manager has let us in; durable a moment later."""

    def ask(self) -> None:
        """Ask the next manager, and the one after it if no answer comes in time."""
        if self.membership is not None:
            return
        if self._targets:
            target = self._targets[self._asked % len(self._targets)]
            self._asked += 1
            self._out.send(target, self._request, Channel.CONTROL)
        self._out.set_timer(_RETRY, self._delay)
        self._delay = min(2 * self._delay, SESSION_BACKOFF_MAX)

    def accepted(self, source: Address, message: JoinAccepted) -> None:
        """We are in, if this is from someone we asked; make it durable."""
        if self.membership is not None or source not in self._targets[: self._asked]:
            return
        self.membership = Membership(message.node_id, message.cluster_id)
        self._out.cancel_timer(_RETRY)
        records = (_encode(self.membership),)
        self._token = self._out.write(IDENTITY_FILE, WriteMode.REPLACE, records)

    def written(self, token: Token) -> Membership | None:
        """A write is durable: the membership, if it was this one."""
        return self.membership if token == self._token and token else None
