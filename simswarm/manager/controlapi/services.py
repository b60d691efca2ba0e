"""Creating, updating, rolling back and removing services: one frozen write each.

Invariants:
    I1. `spec_version` of a service is the version that the update's author had read, 0 at first;
        so it changes with every update of the spec, and with nothing else.
    I2. Rolling back swaps the two specs and the two versions: done twice it is undone.

Source: swarmkit manager/controlapi/service.go (CreateService, UpdateService, RemoveService,
checkPortConflicts).
"""

from __future__ import annotations

from typing import ClassVar

from simswarm.base.errors import (
    FailedPrecondition,
    InUse,
    InvalidSpec,
    NameConflict,
    NotFound,
    Unsupported,
)
from simswarm.base.values import Value, replace
from simswarm.manager.controlapi.validation import validate_service_spec
from simswarm.model.objects import Meta, Service, UpdateState, UpdateStatus
from simswarm.model.specs import ServiceSpec
from simswarm.store import ByName, Tx, View
from simswarm.wire.control import (
    CreateService,
    Removed,
    RemoveService,
    ServiceResult,
    UpdateService,
)

INVALID_ARGUMENT = "invalid argument"
"""Source: swarmkit manager/controlapi/errors.go errInvalidArgument."""
MANUAL_ROLLBACK = "manually requested rollback"


class CreateServiceWrite(Value, frozen=True):
    """Add a service under an id that was drawn for it."""

    name: ClassVar[str] = "controlapi.create_service"
    id: str
    spec: ServiceSpec

    def __call__(self, tx: Tx) -> None:
        """Raises: NameConflict, InUse (a port)."""
        _check_ports(tx, self.spec, self.id)
        if tx.find(Service, ByName(self.spec.name)):
            raise NameConflict(
                f"name conflicts with an existing object: service {self.spec.name} already exists"
            )
        tx.create(Service(self.id, self.spec, spec_version=0))

    def result(self, view: View) -> ServiceResult:
        """The service as stored."""
        return _stored(view, self.id)


class UpdateServiceWrite(Value, frozen=True):
    """Replace a service's spec."""

    name: ClassVar[str] = "controlapi.update_service"
    id: str
    version: int
    spec: ServiceSpec

    def __call__(self, tx: Tx) -> None:
        """Raises: NotFound, InUse (a port), Unsupported (mode or name), SequenceConflict."""
        service = _existing(tx, self.id)
        _check_change(tx, service, self.spec)
        tx.update(
            replace(
                service,
                meta=_read_at(service, self.version),
                spec=self.spec,
                spec_version=self.version,
                previous_spec=service.spec,
                previous_spec_version=service.spec_version,
                update_status=None,
            )
        )

    def result(self, view: View) -> ServiceResult:
        """The service as stored."""
        return _stored(view, self.id)


class RollbackServiceWrite(Value, frozen=True):
    """Go back to a service's previous spec. `spec` is judged as in an update, but not used."""

    name: ClassVar[str] = "controlapi.rollback_service"
    id: str
    version: int
    spec: ServiceSpec

    def __call__(self, tx: Tx) -> None:
        """Raises: as an update, and FailedPrecondition where there is no previous spec."""
        service = _existing(tx, self.id)
        _check_change(tx, service, self.spec)
        if service.previous_spec is None:
            raise FailedPrecondition(f"service {self.id} does not have a previous spec")
        tx.update(
            replace(
                service,
                meta=_read_at(service, self.version),
                spec=service.previous_spec,
                spec_version=service.previous_spec_version,
                previous_spec=service.spec,
                previous_spec_version=service.spec_version,
                update_status=UpdateStatus(
                    UpdateState.ROLLBACK_STARTED, MANUAL_ROLLBACK, started_at=tx.now.wall
                ),
            )
        )

    def result(self, view: View) -> ServiceResult:
        """The service as stored."""
        return _stored(view, self.id)


class RemoveServiceWrite(Value, frozen=True):
    """Take a service out; the orchestrator winds its tasks down."""

    name: ClassVar[str] = "controlapi.remove_service"
    id: str

    def __call__(self, tx: Tx) -> None:
        """Raises: NotFound."""
        _existing(tx, self.id)
        tx.delete(Service, self.id)

    def result(self, view: View) -> Removed:
        """It is gone."""
        return Removed(self.id)


def create_service(request: CreateService, id: str) -> CreateServiceWrite:
    """The write that a request asks for.

    Raises:
        InvalidSpec: see `validation`.
    """
    validate_service_spec(request.spec)
    return CreateServiceWrite(id, request.spec)


def update_service(request: UpdateService) -> UpdateServiceWrite | RollbackServiceWrite:
    """The write that a request asks for.

    Raises:
        InvalidSpec: see `validation`; or no id, or no version.
    """
    if not request.id or not request.version:
        raise InvalidSpec(INVALID_ARGUMENT)
    validate_service_spec(request.spec)
    write = RollbackServiceWrite if request.rollback else UpdateServiceWrite
    return write(request.id, request.version, request.spec)


def remove_service(request: RemoveService) -> RemoveServiceWrite:
    """The write that a request asks for.

    Raises:
        InvalidSpec: no id.
    """
    if not request.id:
        raise InvalidSpec(INVALID_ARGUMENT)
    return RemoveServiceWrite(request.id)


def _existing(tx: Tx, id: str) -> Service:
    service = tx.get(Service, id)
    if service is None:
        raise NotFound(f"service {id} not found")
    return service


def _stored(view: View, id: str) -> ServiceResult:
    service = view.get(Service, id)
    assert service is not None, "it was just committed"
    return ServiceResult(service)


def _read_at(service: Service, version: int) -> Meta:
    return replace(service.meta, version=version)


def _check_change(tx: Tx, service: Service, spec: ServiceSpec) -> None:
    """What an update may not change, in swarmkit's order."""
    if spec.endpoint is not None and spec.endpoint != service.spec.endpoint:
        _check_ports(tx, spec, service.id)
    if type(spec.mode) is not type(service.spec.mode):
        raise Unsupported("service mode change is not allowed")
    if spec.name != service.spec.name:
        raise Unsupported("renaming services is not supported")


def _check_ports(tx: Tx, spec: ServiceSpec, id: str) -> None:
    """Published ports are one service's alone, but for host ports: these meet on nodes only."""
    if spec.endpoint is None:
        return
    wanted = {
        (port.published, port.protocol, port.mode) for port in spec.endpoint.ports if port.published
    }
    if not wanted:
        return
    for other in tx.find(Service):
        if other.id == id or other.spec.endpoint is None:
            continue
        for port in other.spec.endpoint.ports:
            clashes = (port.published, port.protocol, "ingress") in wanted or (
                port.mode == "ingress" and (port.published, port.protocol, "host") in wanted
            )
            if clashes:
                how = "an ingress port" if port.mode == "ingress" else "a host-published port"
                raise InUse(
                    f"port '{port.published}' is already in use by service "
                    f"'{other.spec.name}' ({other.id}) as {how}"
                )
