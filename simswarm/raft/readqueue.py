"""The reads that one member has under way. What becomes of them is in `reads`.

Invariants:
    I1. Each own request is in exactly one of `waiting`, a round, `asked`, `confirmed` and `failed`.
"""

from __future__ import annotations

from collections import deque

from simswarm.base.values import Value
from simswarm.raft.messages import Index, RaftID

NO_LEASE = -(1 << 60)
"""`lease_from` of a leader that has no lease: long ago."""


class Ticket(Value, frozen=True):
    """Who asked: a member, and its number for the request."""

    source: RaftID
    request: int


class Round(Value, frozen=True):
    """Probes under way, and what their answers decide."""

    number: int
    index: Index
    began: int
    """The leader's clock when they were sent."""
    tickets: tuple[Ticket, ...]


class Reads:
    """The reads one member knows of."""

    __slots__ = (
        "asked",
        "confirmed",
        "failed",
        "late",
        "lease_from",
        "number",
        "rounds",
        "void_up_to",
        "waiting",
    )

    def __init__(self) -> None:
        self.waiting: list[Ticket] = []
        """Leader: no round has begun for them."""
        self.rounds: deque[Round] = deque()
        """Leader: not answered by a majority yet."""
        self.number = 0
        """Leader: the last round's."""
        self.lease_from = NO_LEASE
        """Leader: its clock when the newest answered round began."""
        self.void_up_to = 0
        """Leader: rounds up to this one give no lease."""
        self.late = 0
        """Leader: ticks that were due and never came."""
        self.asked: list[int] = []
        """Follower: requests passed on to the leader."""
        self.confirmed: list[tuple[Index, int]] = []
        """Own requests, answered once the index is applied."""
        self.failed: list[int] = []

    def drop(self, own: RaftID) -> None:
        """The leadership or the term is over: what was not confirmed has failed."""
        tickets = [ticket for begun in self.rounds for ticket in begun.tickets] + self.waiting
        self.failed += [ticket.request for ticket in tickets if ticket.source == own]
        self.failed += self.asked
        self.waiting, self.asked = [], []
        self.rounds.clear()
        self.number = self.void_up_to = self.late = 0
        self.lease_from = NO_LEASE
