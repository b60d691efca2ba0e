"""Which nodes a target means at this moment.

Order is part of the answer (a partition's groups, a trace record): nodes come in natural order of
their names, managers before workers, each once.

Invariants:
    I1. The same scene and the same state of the stream give the same nodes.
    I2. A random target draws from the run's own stream, and nothing else draws from that.
    I3. Only nodes that there are come out: a name that no node has means nobody.

Not here: how targets are written (`targets.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simswarm.base.entropy import Entropy
from simswarm.base.values import label
from simswarm.scenario.grammar.targets import (
    All,
    Followers,
    Labelled,
    Leader,
    Majority,
    Managers,
    Minority,
    Named,
    Random,
    Running,
    Target,
    Workers,
)
from simswarm.scenario.observed.scene import Scene


class Resolver:
    """Finds nodes in a scene."""

    __slots__ = ("_entropy", "_scene")

    def __init__(self, scene: Scene, entropy: Entropy) -> None:
        self._scene = scene
        self._entropy = entropy

    def nodes(self, targets: Iterable[Target]) -> tuple[str, ...]:
        """The nodes that several targets mean together; perhaps none."""
        found: dict[str, None] = {}
        for target in targets:
            found.update(dict.fromkeys(self._one(target)))
        return tuple(found)

    def _one(self, target: Target) -> Sequence[str]:
        scene = self._scene
        managers = scene.around.members()
        match target:
            case Named(name):
                return (name,) if name in scene.around.nodes() else ()
            case Leader():
                leader = scene.truth.leader
                return (leader,) if leader else ()
            case Followers():
                return [name for name in managers if name != scene.truth.leader]
            case Managers():
                return managers
            case Workers():
                return [name for name in scene.around.nodes() if name not in managers]
            case All():
                return scene.around.nodes()
            case Minority():
                return self._led_first(managers)[: (len(managers) - 1) // 2]
            case Majority():
                return self._led_first(managers)[::-1][: len(managers) // 2 + 1]
            case Labelled(key, value, equal):
                return [
                    name for name in scene.around.nodes() if self._has(name, key, value) == equal
                ]
            case Running(service):
                return self._running(service)
            case Random(count, of):
                return self._draw(count, self._one(of))

    def _led_first(self, managers: Sequence[str]) -> list[str]:
        leader = self._scene.truth.leader
        return sorted(managers, key=lambda name: name != leader)

    def _has(self, name: str, key: str, value: str) -> bool:
        facts = self._scene.facts.node_named(name)
        return facts is not None and label(facts.node.spec.labels, key) == value

    def _running(self, service: str) -> list[str]:
        facts = self._scene.facts.services_by_name.get(service)
        ids = facts.per_node if facts is not None else {}
        running = {self._scene.facts.node_name(id): None for id in ids}
        return [name for name in self._scene.around.nodes() if name in running]

    def _draw(self, count: int, names: Sequence[str]) -> list[str]:
        pool = list(names)
        self._entropy.shuffle(pool)
        chosen = pool[:count]
        return [name for name in names if name in chosen]


def absent(scene: Scene, targets: Iterable[Target]) -> list[str]:
    """The names among the targets that no node has."""
    named = [target.name for target in targets if isinstance(target, Named)]
    return [name for name in named if name not in scene.around.nodes()]


def is_random(targets: Iterable[Target]) -> bool:
    """Whether any of the targets is drawn."""
    return any(isinstance(target, Random) for target in targets)
