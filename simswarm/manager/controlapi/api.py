"""Which request is which, and how each is answered.

    request ──valid?──> read:  answered from the tables at once
                  └───> write: queued in the store; answered when it is committed, or refused

Invariants:
    I1. Every ticket gets one answer.
    I2. A write's answer shows the object as that very write left it.
    I3. At most `PENDING_WRITES_LIMIT` clients' writes wait in the store.

Source: swarmkit manager/controlapi/server.go.
Not here: finding the leader (`calls.py`).
"""

from __future__ import annotations

from typing import Protocol

from simswarm.base.effects import Identity
from simswarm.base.entropy import Entropy
from simswarm.base.errors import SimswarmError, Unavailable
from simswarm.base.ids import new_id
from simswarm.manager.controlapi.cluster import get_cluster, update_cluster
from simswarm.manager.controlapi.listing import list_nodes, list_services, list_tasks
from simswarm.manager.controlapi.nodes import update_node
from simswarm.manager.controlapi.services import create_service, remove_service, update_service
from simswarm.manager.ticket import Answers, Ticket
from simswarm.store import Outcome, Store, Tx, View, Write
from simswarm.wire.control import (
    CallFailed,
    CreateService,
    GetCluster,
    ListNodes,
    ListServices,
    ListTasks,
    ManagerStatus,
    RemoveService,
    Request,
    Result,
    UpdateCluster,
    UpdateNode,
    UpdateService,
)

PENDING_WRITES_LIMIT = 8192
"""Clients' writes that may wait in the store; beyond it they are refused at once."""

_ReadRequest = ListServices | ListTasks | ListNodes | GetCluster
_WriteRequest = CreateService | UpdateService | RemoveService | UpdateNode | UpdateCluster


class Managers(Protocol):
    """Knows the members of the Raft group."""

    def manager_statuses(self) -> tuple[ManagerStatus, ...]:
        """Every member as the leader sees it, in order of Raft id."""
        ...


class ResultfulWrite(Protocol):
    """A client's write, which knows what to show when it is committed."""

    @property
    def name(self) -> str:
        """`controlapi.<request>`."""
        ...

    def __call__(self, tx: Tx) -> None:
        """Read and change."""
        ...

    def result(self, view: View) -> Result:
        """The answer, from the tables as this write left them."""
        ...


class _PendingWrite:
    """Whose write it is."""

    __slots__ = ("_api", "_ticket", "_write")

    def __init__(self, api: ControlApi, ticket: Ticket, write: ResultfulWrite) -> None:
        self._api = api
        self._ticket = ticket
        self._write = write

    def on_outcome(self, write: Write, outcome: Outcome) -> None:
        """Committed, or refused."""
        self._api.finished(self._ticket, self._write, outcome)


class ControlApi:
    """Serves requests on the leader."""

    __slots__ = ("_answers", "_entropy", "_managers", "_pending", "_store")

    def __init__(
        self, store: Store, entropy: Entropy, answers: Answers, managers: Managers
    ) -> None:
        self._store = store
        self._entropy = entropy
        self._answers = answers
        self._managers = managers
        self._pending = 0

    def handle(self, ticket: Ticket, identity: Identity, request: Request) -> None:
        """Carry a request out. Whoever reaches the control API may use all of it, so far."""
        try:
            match request:
                case ListServices() | ListTasks() | ListNodes() | GetCluster():
                    self._answers.answer(ticket, self._read(request))
                case _:
                    write = self._write(request)
                    self._pending += 1
                    self._store.update(write, _PendingWrite(self, ticket, write))
        except SimswarmError as error:
            self._answers.answer(ticket, CallFailed(error.code, error.message))

    def finished(self, ticket: Ticket, write: ResultfulWrite, outcome: Outcome) -> None:
        """A client's write has ended."""
        self._pending -= 1
        error = outcome.error
        if error is not None:
            self._answers.answer(ticket, CallFailed(error.code, error.message))
        else:
            self._answers.answer(ticket, write.result(self._store))

    def _read(self, request: _ReadRequest) -> Result:
        match request:
            case ListServices():
                return list_services(self._store, request)
            case ListTasks():
                return list_tasks(self._store, request)
            case ListNodes():
                return list_nodes(self._store, request, self._managers.manager_statuses())
            case GetCluster():
                return get_cluster(self._store)

    def _write(self, request: _WriteRequest) -> ResultfulWrite:
        if self._pending >= PENDING_WRITES_LIMIT:
            raise Unavailable(f"{PENDING_WRITES_LIMIT} writes are waiting at the leader already")
        match request:
            case CreateService():
                return create_service(request, new_id(self._entropy))
            case UpdateService():
                return update_service(request)
            case RemoveService():
                return remove_service(request)
            case UpdateNode():
                return update_node(request)
            case UpdateCluster():
                return update_cluster(request)
