"""How often a slot was restarted, and whether that leaves another attempt.

Kept per service and slot, for services with a limit of attempts only. Another spec version starts
the count afresh. With a window only restarts count that lie within it, back from the moment the
task ended:

    ──┬────────(─────r─────r───────t       w = window, r = restarts, t = the task's end
      r        t-w                         the first r is forgotten; 2 restarts count

Invariants:
    I1. History says how many restarts happened, never fewer than the store can prove
        (`taskinit` rebuilds it from the tasks that are kept).

Source: swarmkit manager/orchestrator/restart/restart.go (shouldRestart, RecordRestartHistory,
ClearServiceHistory).
"""

from __future__ import annotations

from simswarm.base.time import Instant
from simswarm.manager.orchestrator.slots import SlotKey
from simswarm.manager.orchestrator.tasks import stamped_at
from simswarm.model.objects import Task
from simswarm.model.specs import RestartCondition, RestartPolicy
from simswarm.model.taskstate import TaskState


class SlotHistory:
    """Restarts of one slot under one spec version."""

    __slots__ = ("restarts", "times", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.restarts = 0
        self.times: list[Instant] = []
        """When replacements were created; only kept where the policy has a window."""


class RestartHistory:
    """Restarts of all slots of all services."""

    __slots__ = ("_services",)

    def __init__(self) -> None:
        self._services: dict[str, dict[SlotKey, SlotHistory]] = {}

    def record(self, key: SlotKey, replacement: Task) -> None:
        """A replacement was created in a slot."""
        policy = replacement.spec.restart
        if policy is None or policy.max_attempts == 0:
            return
        slots = self._services.setdefault(replacement.service_id, {})
        history = slots.get(key)
        version = replacement.spec_version
        if history is None or (version is not None and version != history.version):
            history = slots[key] = SlotHistory(version or 0)
        history.restarts += 1
        if policy.window:
            history.times.append(replacement.meta.created_at)

    def clear(self, service_id: str) -> None:
        """A service is gone."""
        self._services.pop(service_id, None)

    def should_restart(self, key: SlotKey, task: Task) -> bool:
        """Whether an ended task in a slot is to be replaced."""
        policy = task.spec.restart
        if policy is None:
            return True
        if policy.condition == RestartCondition.NONE:
            return False
        if (
            policy.condition == RestartCondition.ON_FAILURE
            and task.status.state == TaskState.COMPLETE
        ):
            return False
        return policy.max_attempts == 0 or self._has_attempt_left(key, task, policy)

    def _has_attempt_left(self, key: SlotKey, task: Task, policy: RestartPolicy) -> bool:
        history = self._services.get(task.service_id, {}).get(key)
        version = task.spec_version
        if history is None or (version is not None and version != history.version):
            return True
        if not policy.window:
            return history.restarts < policy.max_attempts
        if not history.times:
            return True
        ended = stamped_at(task)
        if not ended:
            return history.restarts < policy.max_attempts
        while history.times and history.times[0] <= ended - policy.window:
            del history.times[0]
        counted = len(history.times)
        while counted and history.times[counted - 1] >= ended:
            counted -= 1
        return counted < policy.max_attempts
