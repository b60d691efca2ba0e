"""Which writes of a boot are not durable yet, and which failed: what `after` waits for."""

from __future__ import annotations

from simswarm.base.effects import Token


class Writes:
    """The writes of one boot. Token 0 names none: nothing waits for it."""

    __slots__ = ("_failed", "_pending")

    def __init__(self) -> None:
        self._pending: set[Token] = set()
        self._failed: set[Token] = set()

    def begin(self, token: Token) -> None:
        """A write is on its way to the disk."""
        self._pending.add(token)

    def end(self, token: Token, *, failed: bool) -> None:
        """A write is durable, or failed."""
        self._pending.discard(token)
        if failed:
            self._failed.add(token)

    def is_held(self, token: Token) -> bool:
        """Whether what waits for this write must go on waiting."""
        return token in self._pending

    def is_lost(self, token: Token) -> bool:
        """Whether what waits for this write never leaves."""
        return token in self._failed
