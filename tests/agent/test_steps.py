"""The table of steps, row by row and as a whole."""

from __future__ import annotations

import pytest

from simswarm.agent.steps import Step, next_step
from simswarm.model.taskstate import TaskState as S
from simswarm.model.taskstate import is_terminal

DESIRED = [S.READY, S.RUNNING, S.COMPLETE, S.SHUTDOWN, S.REMOVE]


@pytest.mark.parametrize(
    ("state", "desired", "step"),
    [
        (S.ASSIGNED, S.RUNNING, Step.ACCEPT),
        (S.ACCEPTED, S.RUNNING, Step.BEGIN_PREPARE),
        (S.PREPARING, S.RUNNING, Step.PREPARE),
        (S.READY, S.RUNNING, Step.BEGIN_START),
        (S.STARTING, S.RUNNING, Step.START),
        (S.RUNNING, S.RUNNING, Step.WATCH),
        (S.ASSIGNED, S.READY, Step.ACCEPT),
        (S.PREPARING, S.READY, Step.PREPARE),
        (S.READY, S.READY, Step.NOTHING),
        (S.STARTING, S.READY, Step.NOTHING),
        (S.RUNNING, S.COMPLETE, Step.WATCH),
        (S.COMPLETE, S.RUNNING, Step.NOTHING),
        (S.FAILED, S.RUNNING, Step.NOTHING),
        (S.ASSIGNED, S.SHUTDOWN, Step.SHUT_DOWN),
        (S.RUNNING, S.REMOVE, Step.SHUT_DOWN),
        (S.COMPLETE, S.SHUTDOWN, Step.NOTHING),
        (S.FAILED, S.REMOVE, Step.NOTHING),
    ],
)
def test_step_follows_from_state_and_desired_state(state, desired, step):
    assert next_step(state, desired) is step


def test_nothing_is_done_for_a_task_that_has_ended():
    for state in S:
        if is_terminal(state):
            assert all(next_step(state, desired) is Step.NOTHING for desired in DESIRED)


def test_task_that_should_run_always_has_a_step_until_it_ends():
    for state in S:
        if not is_terminal(state):
            assert next_step(state, S.RUNNING) is not Step.NOTHING
