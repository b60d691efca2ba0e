"""Whose request it is, while it is being carried out: where the answer has to go."""

from __future__ import annotations

from typing import Protocol

from simswarm.base.effects import Address, Identity
from simswarm.base.values import Value
from simswarm.wire.control import Request, Result


class Ticket(Value, frozen=True):
    """`via` empty: call `id` of this manager's own client; else call `id` of that manager's."""

    id: int
    via: Address = ""


class Answers(Protocol):
    """Takes answers; each ticket gets one. One whose client is gone is dropped."""

    def answer(self, ticket: Ticket, result: Result) -> None:
        """The request is done, or refused."""
        ...


class Server(Protocol):
    """Carries requests out, on the leader."""

    def handle(self, ticket: Ticket, identity: Identity, request: Request) -> None:
        """Carry a request out; the answer may come now or later."""
        ...
