"""The conformance script: one story, told in the verbs of a `Stage`.

 0 s  all boot            60 s  fsync of m3 fails, m3 halts     160 s  w2 is killed
20 s  web ×4; slow        80 s  m3 is mended and boots          200 s  w2 is back
30 s  m2 is slow         100 s  web becomes app:2               220 s  m1, the leader, is killed
40 s  m3 cut off; a call is cancelled; healed                   260 s  m1 is back    290 s  end
50 s  web ×6
"""

from __future__ import annotations

from typing import Any

from simswarm.base.time import MILLISECOND, SECOND, Duration
from simswarm.base.values import replace
from simswarm.model.specs import (
    ContainerSpec,
    Placement,
    Replicated,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
)
from simswarm.wire.control import CreateService, ListServices, UpdateService
from tests.conformance.stage import NAMES, Stage

END = 290 * SECOND


def service(name: str, image: str, replicas: int, *constraints: str) -> ServiceSpec:
    task = TaskSpec(ContainerSpec(image), placement=Placement(constraints))
    update = UpdateConfig(parallelism=1, delay=1 * SECOND, monitor=2 * SECOND)
    return ServiceSpec(name, task, Replicated(replicas), update=update)


WEB = service("web", "app:1", 4, "node.role == worker")
SLOW = service("slow", "slow:1", 1, "node.hostname == w1")
GHOST = service("ghost", "app:1", 0)


class Play:
    """The script on one stage. `answers`: what each call got, in the order of calling."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.answers: dict[str, str] = {}

    def at(self, moment: Duration) -> Stage:
        self.stage.run(moment)
        return self.stage

    def ask(self, label: str, node: str, request: Any) -> int:
        self.answers[label] = "none"

        def answered(result: Any) -> None:
            self.answers[label] = type(result).__name__ + getattr(result, "code", "")

        return self.stage.call(node, request, answered)

    def change(self, label: str, at: Duration, change: Any) -> None:
        """Read the service web, then write it changed."""
        found: list[Any] = []
        self.at(at).call("m2", ListServices(("web",)), found.append)
        self.at(at + SECOND)
        (stored,) = found[0].services
        update = UpdateService(stored.id, stored.meta.version, change(stored.spec))
        self.ask(label, "m1", update)

    def run(self) -> None:
        self.stage.boot(*NAMES)
        self.at(20 * SECOND)
        self.ask("create web", "m1", CreateService(WEB))
        self.ask("create on a worker", "w2", CreateService(SLOW))
        self.at(21 * SECOND)
        self.ask("create slow", "m3", CreateService(SLOW))

        self.at(30 * SECOND).links(("m2",), 300 * MILLISECOND)
        self.at(40 * SECOND).heal()

        self.at(41 * SECOND).links(("m3",), None)
        ghost = self.ask("create ghost", "m3", CreateService(GHOST))
        self.at(41500 * MILLISECOND).cancel(ghost)
        self.at(42 * SECOND).heal()

        self.change("scale web", 50 * SECOND, lambda spec: replace(spec, mode=Replicated(6)))

        self.at(60 * SECOND).break_fsync("m3", True)
        self.change(
            "label web", 61 * SECOND, lambda spec: replace(spec, labels=(("tier", "front"),))
        )
        self.at(80 * SECOND).break_fsync("m3", False)
        self.stage.boot("m3")

        self.change("update web", 100 * SECOND, _to_version_2)
        self.at(160 * SECOND).crash("w2")
        self.at(200 * SECOND).boot("w2")
        self.at(220 * SECOND).crash("m1")
        self.at(260 * SECOND).boot("m1")
        self.at(END)


def _to_version_2(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, task=replace(spec.task, container=ContainerSpec("app:2")))
