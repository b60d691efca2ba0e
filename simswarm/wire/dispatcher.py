"""What agents and the dispatcher say to each other: session, heartbeat, assignments, status.

A session is opened by the agent; everything after names its id. All of it goes to any manager,
which passes it on to the leader (`forward`).

Source: swarmkit api/dispatcher.proto.
"""

from __future__ import annotations

from enum import IntEnum

from simswarm.base.effects import Address
from simswarm.base.time import Duration
from simswarm.base.values import Value
from simswarm.model.objects import Node, NodeDescription, Task, TaskStatus


class OpenSession(Value, frozen=True, tag=80):
    """An agent registers, or (with a session id it still holds) re-connects."""

    node_id: str
    session_id: str
    description: NodeDescription


class SessionMessage(Value, frozen=True, tag=81):
    """First answer to `OpenSession`, and again whenever something in it changed."""

    session_id: str
    node: Node
    managers: tuple[tuple[Address, int], ...]
    """Every Raft member's address with its weight."""


class Heartbeat(Value, frozen=True, tag=82):
    """The agent is alive."""

    node_id: str
    session_id: str


class HeartbeatReply(Value, frozen=True, tag=83):
    """When to beat next, in nanoseconds from now."""

    session_id: str
    period: Duration


class OpenAssignments(Value, frozen=True, tag=84):
    """The agent wants the complete set of its tasks, and the changes from then on."""

    node_id: str
    session_id: str


class AssignmentsKind(IntEnum):
    """Whether a message replaces the set or changes it."""

    COMPLETE = 0
    INCREMENTAL = 1


class AssignTask(Value, frozen=True, tag=1):
    """This task is (still) the node's, and is now so."""

    task: Task


class RemoveTask(Value, frozen=True, tag=2):
    """This task is no longer the node's."""

    task_id: str


class Assignments(Value, frozen=True, tag=85):
    """Task assignments. `applies_to` is the previous message's `results_in` ("" if complete)."""

    session_id: str
    kind: AssignmentsKind
    applies_to: str
    results_in: str
    changes: tuple[AssignTask | RemoveTask, ...]


class UpdateTaskStatus(Value, frozen=True, tag=86):
    """The agent reports task states: (task id, status) pairs. `request` pairs the answer."""

    node_id: str
    session_id: str
    request: int
    updates: tuple[tuple[str, TaskStatus], ...]


class TaskStatusAccepted(Value, frozen=True, tag=87):
    """The status update of this number has been taken."""

    session_id: str
    request: int


class SessionRefused(Value, frozen=True, tag=88):
    """The session (or the wish for one) ended: build a new one. `request` 0: not one request.

    Codes and texts: `not found` node not registered; `invalid argument` session invalid;
    `unavailable` no leader, or rate limit; `permission denied`; `aborted`.
    """

    session_id: str
    code: str
    message: str
    request: int = 0


FromAgent = OpenSession | Heartbeat | OpenAssignments | UpdateTaskStatus
ToAgent = SessionMessage | HeartbeatReply | Assignments | TaskStatusAccepted | SessionRefused
