"""Client sessions: a command that comes twice takes effect once. The state machine's side.

    entry: open                  open(index, stamp)          the session's id: the entry's index
    entry: (session, n, command) look(session, n, stamp)  ─┬─> FRESH     apply it and record(reply)
                                                           ├─> REPEATED  answer with the old reply
                                                           └─> EXPIRED, STALE  an error, not applied

A client numbers its commands 1, 2, 3 … and has one under way at a time; it repeats a command with
the same number until it is answered. Time is what leaders stamp on entries, never a member's own
clock: all members expire the same sessions at the same entry.

Invariants:
    I1. The table is a function of the entries applied: it belongs in every snapshot (`image`).
    I2. Its clock never goes back, whatever a new leader stamps.
    I3. A command of a session that is gone is refused, never applied again.

Source: THESIS 6.3.
Not here: clients, and what a command means.
"""

from __future__ import annotations

from enum import IntEnum

from simswarm.base.values import Value
from simswarm.raft.messages import Index


class Verdict(IntEnum):
    """What to do with a command."""

    FRESH = 0
    """Apply it and record its reply."""
    REPEATED = 1
    """It was applied: give the reply that was recorded."""
    EXPIRED = 2
    """There is no such session (any more): whether it was applied is not known."""
    STALE = 3
    """The client has sent a later one since, so it doesn't wait for this one."""


class Session(Value, frozen=True):
    """One client's last command."""

    id: Index
    used: int
    """The stamp of its last entry."""
    number: int = 0
    reply: bytes = b""


class SessionImage(Value, frozen=True):
    """The whole table, for a snapshot."""

    clock: int
    sessions: tuple[Session, ...]
    """The one that was used least recently first."""


class SessionTable:
    """The sessions of all clients."""

    __slots__ = ("_clock", "_lifetime", "_limit", "_sessions")

    def __init__(self, lifetime: int, limit: int) -> None:
        """Sessions end when unused for `lifetime` (in the stamps' unit), or by too many others."""
        assert lifetime > 0
        assert limit > 0
        self._lifetime = lifetime
        self._limit = limit
        self._clock = 0
        # in the order of their last use
        self._sessions: dict[Index, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, index: Index, stamp: int) -> Index:
        """An entry opens a session; its id is the entry's index."""
        self._advance(stamp)
        while len(self._sessions) >= self._limit:
            self._drop_oldest()
        self._sessions[index] = Session(index, self._clock)
        return index

    def close(self, session: Index) -> None:
        """An entry ends a session."""
        self._sessions.pop(session, None)

    def look(self, session: Index, number: int, stamp: int) -> tuple[Verdict, bytes]:
        """An entry brings a command: what to do with it, and the reply if it was applied."""
        self._advance(stamp)
        known = self._sessions.pop(session, None)
        if known is None:
            return Verdict.EXPIRED, b""
        self._sessions[session] = Session(session, self._clock, known.number, known.reply)
        if number > known.number:
            return Verdict.FRESH, b""
        if number == known.number:
            return Verdict.REPEATED, known.reply
        return Verdict.STALE, b""

    def record(self, session: Index, number: int, reply: bytes) -> None:
        """A fresh command was applied, and this is its reply."""
        known = self._sessions[session]
        assert number > known.number
        self._sessions[session] = Session(session, known.used, number, reply)

    def image(self) -> SessionImage:
        """The table as it is, for a snapshot."""
        return SessionImage(self._clock, tuple(self._sessions.values()))

    def load(self, image: SessionImage) -> None:
        """Replace the table by a snapshot's."""
        self._clock = image.clock
        self._sessions = {session.id: session for session in image.sessions}

    def _advance(self, stamp: int) -> None:
        self._clock = max(self._clock, stamp)
        while self._sessions:
            oldest = next(iter(self._sessions.values()))
            if self._clock - oldest.used <= self._lifetime:
                return
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        del self._sessions[next(iter(self._sessions))]
