"""The values of a condition's variables at this moment: the tree of `variables.py`, filled.

    services.NAME.running    nodes.NAME.tasks    raft.leader    time

Branches are mappings that compute a value when it is asked for: a condition pays only for what
it names, whatever the size of the swarm.

Invariants:
    I1. What doesn't exist is absent from its mapping; a comparison with it is false (`cel.py`).
    I2. Reading changes nothing.

Not here: the meaning of each name in words (`variables.py`, `docs/conditions.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from simswarm.model.objects import NodeState, UpdateState
from simswarm.model.specs import Availability, NodeRole
from simswarm.model.taskstate import TaskState
from simswarm.scenario.observed.facts import NodeFacts, ServiceFacts
from simswarm.scenario.observed.scene import Scene
from simswarm.scenario.observed.truth import LastCommand

Compute: TypeAlias = Callable[[Scene, Any], Any]

ROLE_WORDS = {NodeRole.MANAGER: "manager", NodeRole.WORKER: "worker"}
AVAILABILITY_WORDS = {state: state.name.lower() for state in Availability}
NODE_STATE_WORDS = {state: state.name.lower() for state in NodeState}
UPDATE_STATE_WORDS = {
    state: "" if state is UpdateState.UNKNOWN else state.name.lower() for state in UpdateState
}


class Branch(Mapping[str, Any]):
    """A mapping whose values are computed when asked for."""

    __slots__ = ("_compute", "_subject", "_table")

    def __init__(self, table: Mapping[str, Compute], scene: Scene, subject: object) -> None:
        self._table = table
        self._compute = scene
        self._subject = subject

    def __getitem__(self, name: str) -> Any:
        return self._table[name](self._compute, self._subject)

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class Named(Mapping[str, Any]):
    """The branch below `services` or `nodes`: one entry a name."""

    __slots__ = ("_find", "_names", "_scene", "_table")

    def __init__(
        self,
        scene: Scene,
        table: Mapping[str, Compute],
        names: Callable[[Scene], Iterable[str]],
        find: Callable[[Scene, str], object | None],
    ) -> None:
        self._scene, self._table = scene, table
        self._names, self._find = names, find

    def __getitem__(self, name: str) -> Branch:
        subject = self._find(self._scene, name)
        if subject is None:
            raise KeyError(name)
        return Branch(self._table, self._scene, subject)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(self._scene, name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names(self._scene))

    def __len__(self) -> int:
        return sum(1 for _ in self._names(self._scene))


def snapshot(scene: Scene) -> Mapping[str, Any]:
    """The tree of variables over a scene. It stays true: values are read when asked for."""
    return Branch(_ROOT, scene, None)


def _services(scene: Scene, _: object) -> Named:
    return Named(scene, _SERVICE, _service_names, _find_service)


def _service_names(scene: Scene) -> Iterable[str]:
    return scene.facts.services_by_name


def _find_service(scene: Scene, name: str) -> ServiceFacts | None:
    return scene.facts.services_by_name.get(name)


def _nodes(scene: Scene, _: object) -> Named:
    return Named(scene, _NODE, _node_names, _find_node)


def _node_names(scene: Scene) -> Iterable[str]:
    return dict.fromkeys(facts.node.name for facts in scene.facts.nodes.values())


def _find_node(scene: Scene, name: str) -> NodeFacts | None:
    return scene.facts.node_named(name)


def _raft(scene: Scene, _: object) -> Branch:
    return Branch(_RAFT, scene, None)


def _time(scene: Scene, _: object) -> float:
    return scene.now / 1e9


# ── services.NAME.… ──────────────────────────────────────────────────────────────────────────


def _live_tasks(scene: Scene, service: ServiceFacts) -> int:
    return sum(task.status.state <= TaskState.RUNNING for task in service.tasks.values())


def _failed_tasks(scene: Scene, service: ServiceFacts) -> int:
    failed = (TaskState.FAILED, TaskState.REJECTED)
    return sum(task.status.state in failed for task in service.tasks.values())


def _update_state(scene: Scene, service: ServiceFacts) -> str:
    return UPDATE_STATE_WORDS[service.update.state] if service.update is not None else ""


def _update_message(scene: Scene, service: ServiceFacts) -> str:
    return service.update.message if service.update is not None else ""


def _max_per_zone(scene: Scene, service: ServiceFacts) -> int:
    return max(scene.facts.running_by_zone(service).values(), default=0)


def _min_per_zone(scene: Scene, service: ServiceFacts) -> int:
    return min(scene.facts.running_by_zone(service).values(), default=0)


def _max_per_node(scene: Scene, service: ServiceFacts) -> int:
    return max(service.per_node.values(), default=0)


def _min_per_node(scene: Scene, service: ServiceFacts) -> int:
    up = [id for id, node in scene.facts.nodes.items() if not node.is_down]
    return min((service.per_node.get(id, 0) for id in up), default=0)


_SERVICE: dict[str, Compute] = {
    "running": lambda scene, service: service.running,
    "healthy": lambda scene, service: scene.truth.healthy.get(service.name, 0),
    "desired": lambda scene, service: service.desired,
    "tasks": _live_tasks,
    "pending": lambda scene, service: service.pending,
    "failed": _failed_tasks,
    "updating": lambda scene, service: service.updating,
    "update_state": _update_state,
    "update_message": _update_message,
    "image": lambda scene, service: service.service.spec.task.container.image,
    "images": lambda scene, service: service.images,
    "max_per_zone": _max_per_zone,
    "min_per_zone": _min_per_zone,
    "max_per_node": _max_per_node,
    "min_per_node": _min_per_node,
}


# ── nodes.NAME.… ─────────────────────────────────────────────────────────────────────────────


def _role(scene: Scene, node: NodeFacts) -> str:
    return ROLE_WORDS[node.node.role]


def _last_command(scene: Scene, node: NodeFacts) -> Mapping[str, Any]:
    command = scene.truth.last_commands.get(node.node.name)
    return {} if command is None else Branch(_COMMAND, scene, command)


def _command(read: Callable[[LastCommand], str]) -> Compute:
    return lambda scene, command: read(command)


_NODE: dict[str, Compute] = {
    "role": _role,
    "status": lambda scene, node: NODE_STATE_WORDS[node.node.status.state],
    "availability": lambda scene, node: AVAILABILITY_WORDS[node.node.spec.availability],
    "tasks": lambda scene, node: node.occupied,
    "up": lambda scene, node: scene.truth.is_up(node.node.name),
    "leader": lambda scene, node: scene.truth.leader == node.node.name,
    "last_command": _last_command,
}

_COMMAND: dict[str, Compute] = {
    "command": _command(lambda command: command.method),
    "output": _command(lambda command: command.result),
    "error": _command(lambda command: command.error),
}


# ── raft.… ───────────────────────────────────────────────────────────────────────────────────

_RAFT: dict[str, Compute] = {
    "leader": lambda scene, _: scene.truth.leader,
    "term": lambda scene, _: scene.truth.term,
    "members": lambda scene, _: len(scene.around.members()),
    "members_reachable": lambda scene, _: scene.reachable_members(),
    "leaders_in_same_term": lambda scene, _: scene.truth.worst_term,
    "leader_changes": lambda scene, _: scene.truth.changes_since_up,
}

_ROOT: dict[str, Compute] = {
    "services": _services,
    "nodes": _nodes,
    "raft": _raft,
    "time": _time,
}
