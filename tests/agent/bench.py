"""An agent's parts on a bench: a world that does nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import (
    CancelEngine,
    CancelTimer,
    Effect,
    Observe,
    Outbox,
    RunEngine,
    Send,
    SetTimer,
    TimerKey,
    Write,
)
from simswarm.base.engine import ContainerInfo, Done, EngineCommand
from simswarm.base.time import MILLISECOND, Now
from simswarm.base.values import Value
from simswarm.model.objects import Task, TaskStatus
from simswarm.model.specs import ContainerSpec, TaskSpec
from simswarm.model.taskstate import TaskState
from simswarm.wire import codec

START = 1_000_000 * MILLISECOND


class Desk:
    """Takes effects apart and lets time pass."""

    def __init__(self) -> None:
        self.out = Outbox(codec.encode, Now(START, START))
        self.sent: list[tuple[str, Value, int]] = []
        self.timers: dict[TimerKey, int] = {}
        self.commands: dict[int, EngineCommand] = {}
        self.cancelled: list[EngineCommand] = []
        self.writes: list[Write] = []

    def drain(self) -> list[Effect]:
        effects = self.out.drain()
        for effect in effects:
            match effect:
                case Send(target, frame, _, after):
                    self.sent.append((target, codec.decode(frame), after))
                case SetTimer(key, at):
                    self.timers[key] = at
                case CancelTimer(key):
                    self.timers.pop(key, None)
                case RunEngine(id, command):
                    self.commands[id] = command
                case CancelEngine(id):
                    self.cancelled.append(self.commands.pop(id))
                case Write():
                    self.writes.append(effect)
                case Observe():
                    pass
                case _:
                    raise AssertionError(effect)
        return effects

    def pass_time(self, span: int) -> None:
        now = self.out.now.mono + span
        self.out.now = Now(now, now)

    def take(self, kind: type | None = None) -> list:
        sent, self.sent = self.sent, []
        return [message for _, message, _ in sent if kind is None or isinstance(message, kind)]


def a_task(
    id: str = "t1",
    state: TaskState = TaskState.ASSIGNED,
    desired: TaskState = TaskState.RUNNING,
    *,
    container: ContainerSpec | None = None,
    slot: int = 1,
    status: TaskStatus | None = None,
) -> Task:
    return Task(
        id=id,
        spec=TaskSpec(container or ContainerSpec("web:1")),
        service_id="svc",
        service_name="web",
        status=status or TaskStatus(state),
        desired_state=desired,
        slot=slot,
        node_id="n1",
    )


def listed(*infos: ContainerInfo) -> Done:
    return Done(containers=tuple(infos))


def commands(desk: Desk) -> Sequence[EngineCommand]:
    return tuple(desk.commands.values())
