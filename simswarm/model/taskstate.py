"""The ladder of task states. A task's state only ever rises.

    NEW → PENDING → ASSIGNED → ACCEPTED → PREPARING → READY → STARTING → RUNNING → terminal

Up to ASSIGNED the managers own the state, from ACCEPTED on the agent does; exceptions are
REJECTED by an enforcer and ORPHANED. The desired state is always the managers'.

Source: swarmkit api/types.proto:TaskState, design/task_model.md.
"""

from __future__ import annotations

from enum import IntEnum


class TaskState(IntEnum):
    """States with swarmkit's own numbers: every component compares with < and >."""

    NEW = 0
    PENDING = 64
    ASSIGNED = 192
    ACCEPTED = 256
    PREPARING = 320
    READY = 384
    STARTING = 448
    RUNNING = 512
    COMPLETE = 576
    SHUTDOWN = 640
    FAILED = 704
    REJECTED = 768
    REMOVE = 800
    """Only ever a desired state."""
    ORPHANED = 832


STATE_NAMES: dict[TaskState, str] = {state: state.name.lower() for state in TaskState}
"""The lower-case names that the API and the trace use."""


def is_terminal(state: TaskState) -> bool:
    """Whether a task in this state has ended for good."""
    return state > TaskState.RUNNING
