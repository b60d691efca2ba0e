"""What an agent does next for a task, from its state and its desired state alone.

This is the table that swarmkit calls `Do`; every row leaves the state where it is or raises it.

    desired ≥ SHUTDOWN:  state ≥ COMPLETE → nothing           else → shut down
    state > desired:     nothing
    PREPARING → prepare, STARTING → start, RUNNING → watch    (they may pass the desired state)
    state = desired:     nothing (so a task waits at READY for its delayed start)
    up to ASSIGNED → accept, ACCEPTED → begin to prepare, READY → begin to start

Source: swarmkit agent/exec/controller.go (Do).
"""

from __future__ import annotations

from enum import Enum

from simswarm.model.taskstate import TaskState


class Step(Enum):
    """One thing to do."""

    NOTHING = 0
    ACCEPT = 1
    BEGIN_PREPARE = 2
    PREPARE = 3
    BEGIN_START = 4
    START = 5
    WATCH = 6
    """The container runs: wait for its end."""
    SHUT_DOWN = 7


def next_step(state: TaskState, desired: TaskState) -> Step:
    """What to do for a task in this state that should be in that one."""
    if desired >= TaskState.SHUTDOWN:
        return Step.NOTHING if state >= TaskState.COMPLETE else Step.SHUT_DOWN
    if state > desired:
        return Step.NOTHING
    if state in _UNDER_WAY:
        return _UNDER_WAY[state]
    if state == desired:
        return Step.NOTHING
    if state <= TaskState.ASSIGNED:
        return Step.ACCEPT
    return _BEGIN.get(state, Step.NOTHING)


_UNDER_WAY = {
    TaskState.PREPARING: Step.PREPARE,
    TaskState.STARTING: Step.START,
    TaskState.RUNNING: Step.WATCH,
}
_BEGIN = {TaskState.ACCEPTED: Step.BEGIN_PREPARE, TaskState.READY: Step.BEGIN_START}
