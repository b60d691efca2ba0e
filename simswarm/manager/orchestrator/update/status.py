"""The update status of a service: who sets it to what, in Swarm's words.

    (none) → UPDATING → COMPLETED                  a new update clears the status (control API)
                      → PAUSED
                      → ROLLBACK_STARTED → ROLLBACK_COMPLETED
                                         → ROLLBACK_PAUSED

Invariant:
    I1. Pausing, rolling back and completing do nothing where there is no status: the service was
        updated again in the meantime.

Source: swarmkit manager/orchestrator/update/updater.go (startUpdate, pauseUpdate, rollbackUpdate,
completeUpdate). Not here: when (`supervisor`), manual rollback (`manager/controlapi`).
"""

from __future__ import annotations

from simswarm.base.values import replace
from simswarm.model.objects import Service, UpdateState, UpdateStatus
from simswarm.store import Tx


def is_paused(service: Service) -> bool:
    """Whether its update waits for a new one."""
    return _state(service) in (UpdateState.PAUSED, UpdateState.ROLLBACK_PAUSED)


def is_under_way(service: Service) -> bool:
    """Whether an update or a rollback has begun and not ended."""
    return _state(service) in (UpdateState.UPDATING, UpdateState.ROLLBACK_STARTED)


def is_rolling_back(service: Service) -> bool:
    """Whether it goes back to its previous spec."""
    return _state(service) == UpdateState.ROLLBACK_STARTED


def begin(tx: Tx, service_id: str) -> None:
    """An update has begun."""
    service = tx.get(Service, service_id)
    if service is not None and service.update_status is None:
        status = UpdateStatus(UpdateState.UPDATING, "update in progress", tx.now.wall)
        tx.update(replace(service, update_status=status))


def pause(tx: Tx, service_id: str, message: str) -> None:
    """Too many tasks failed: wait for the user."""
    service = tx.get(Service, service_id)
    if service is None or service.update_status is None:
        return
    state = UpdateState.ROLLBACK_PAUSED if is_rolling_back(service) else UpdateState.PAUSED
    status = replace(service.update_status, state=state, message=message)
    tx.update(replace(service, update_status=status))


def roll_back(tx: Tx, service_id: str, message: str) -> None:
    """Too many tasks failed: put the previous spec back. Without one nothing can be done."""
    service = tx.get(Service, service_id)
    if service is None or service.update_status is None or service.previous_spec is None:
        return
    status = replace(service.update_status, state=UpdateState.ROLLBACK_STARTED, message=message)
    tx.update(
        replace(
            service,
            spec=service.previous_spec,
            spec_version=service.previous_spec_version,
            previous_spec=None,
            previous_spec_version=None,
            update_status=status,
        )
    )


def complete(tx: Tx, service_id: str) -> None:
    """The update or rollback has ended well."""
    service = tx.get(Service, service_id)
    if service is None or service.update_status is None:
        return
    state, message = UpdateState.COMPLETED, "update completed"
    if is_rolling_back(service):
        state, message = UpdateState.ROLLBACK_COMPLETED, "rollback completed"
    status = replace(service.update_status, state=state, message=message, completed_at=tx.now.wall)
    tx.update(replace(service, update_status=status))


def _state(service: Service) -> UpdateState:
    status = service.update_status
    return UpdateState.UNKNOWN if status is None else status.state
