"""Effects that wait for a write: persist-before-send as data.

An effect with `after=token` waits until that write is durable, and whatever follows it on the same
stream (or answers the same call) waits behind it. A crash drops all of it with this object.

Invariants:
    I1. Effects of one stream leave in the order in which they were asked for.
    I2. What waits for a write that failed never leaves; what stands behind it does.

Not here: making writes durable (`disk.py`).
"""

from __future__ import annotations

from simswarm.base.effects import Reply, Send, Token


class Holding:
    """What one boot of a node holds back."""

    __slots__ = ("_pending", "held")

    def __init__(self) -> None:
        self._pending: dict[Token, None] = {}
        self.held: list[Send | Reply] = []
        """What waits, in the order asked for; to be read by others."""

    def writing(self, token: Token) -> None:
        """A write has begun."""
        self._pending[token] = None

    def holds(self, effect: Send | Reply) -> bool:
        """Whether an effect must wait; if so, it is kept until `settled` returns it."""
        if effect.after not in self._pending:
            if not self.held:
                return False
            way = _way(effect)
            if all(_way(held) != way for held in self.held):
                return False
        self.held.append(effect)
        return True

    def settled(self, token: Token, *, failed: bool) -> list[Send | Reply]:
        """A write has ended: the effects that may leave now, in order."""
        self._pending.pop(token, None)
        if not self.held:
            return []
        free: list[Send | Reply] = []
        kept: list[Send | Reply] = []
        blocked: dict[tuple[str | int, int], None] = {}
        for effect in self.held:
            if failed and effect.after == token:
                continue
            way = _way(effect)
            if effect.after in self._pending or way in blocked:
                blocked[way] = None
                kept.append(effect)
            else:
                free.append(effect)
        self.held = kept
        return free


def _way(effect: Send | Reply) -> tuple[str | int, int]:
    """What an effect must not overtake on: a stream, or a call's answers."""
    if type(effect) is Send:
        return effect.target, effect.channel
    assert type(effect) is Reply
    return effect.call, -1
