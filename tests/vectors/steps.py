"""Carries out the steps of recorded cases on a bench."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simswarm.base.values import replace
from simswarm.model.objects import Cluster, Meta, Node, Service, Task
from simswarm.model.taskstate import TaskState
from simswarm.store import Tx
from tests.orchestrator.bench import Bench
from tests.vectors import objects
from tests.vectors.objects import Json

DELETES: dict[str, type] = {
    "delete_node": Node,
    "delete_service": Service,
    "delete_task": Task,
}


@dataclass
class Case:
    """A case under way: the bench, and the services as they were last given."""

    bench: Bench
    services: dict[str, Service] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    """Ids of tasks that the case names; all others were made by the component."""

    def load(self, given: Json) -> None:
        start = self.bench.out.now.wall
        self.services = {item["id"]: objects.service(item) for item in given.get("services") or ()}
        nodes = [objects.node(item) for item in given.get("nodes") or ()]
        tasks = [objects.task(item, self.services, start) for item in given.get("tasks") or ()]
        self.given = {task.id for task in tasks}
        self.bench.load(*nodes, *self.services.values(), *tasks)

    def step(self, operations: list[Json]) -> None:
        for operation in operations:
            if operation["op"] == "wait":
                self.bench.run(operation["seconds"])

        def write(tx: Tx) -> None:
            for operation in operations:
                self._operate(tx, operation)

        self.bench.change(write)

    def _operate(self, tx: Tx, operation: Json) -> None:
        match operation["op"]:
            case "create_node" | "update_node":
                _put(tx, objects.node(operation["node"]))
            case "create_service" | "update_service":
                service = objects.service(operation["service"])
                self.services[service.id] = service
                _put(tx, service)
            case "create_task":
                task = objects.task(operation["task"], self.services, tx.now.wall)
                self.given.add(task.id)
                tx.create(replace(task, meta=Meta(created_at=task.meta.created_at)))
            case "delete_node" | "delete_service" | "delete_task" as op:
                if tx.get(DELETES[op], operation["id"]) is not None:
                    tx.delete(DELETES[op], operation["id"])
            case "history_limit":
                (cluster,) = tx.find(Cluster)
                spec = replace(cluster.spec, task_history_limit=operation["limit"])
                tx.update(replace(cluster, spec=spec))
            case "task_state":
                _set_states(tx, operation)
            case "live_tasks_state" | "ending_tasks_state":
                for task in tx.find(Task):
                    if _is_meant(task, operation):
                        _report(tx, task, objects.state(operation["state"]))


def _put(tx: Tx, item: Any) -> None:
    stored = tx.get(type(item), item.id)
    if stored is None:
        tx.create(item)
    else:
        tx.update(replace(item, meta=stored.meta))


def _set_states(tx: Tx, operation: Json) -> None:
    task = tx.get(Task, operation["id"])
    if task is None:
        return
    if operation.get("state"):
        state = objects.state(operation["state"])
        task = replace(task, status=replace(task.status, state=state))
    if operation.get("desired_state"):
        task = replace(task, desired_state=objects.state(operation["desired_state"]))
    tx.update(task)


def _is_meant(task: Task, operation: Json) -> bool:
    if task.status.state > TaskState.RUNNING:
        return False
    if operation["op"] == "ending_tasks_state":
        return task.desired_state > TaskState.COMPLETE
    return (
        task.desired_state <= TaskState.COMPLETE
        and task.service_id == operation["service_id"]
        and operation.get("slot") in (None, task.slot)
        and operation.get("node_id") in (None, task.node_id)
    )


def _report(tx: Tx, task: Task, state: TaskState) -> None:
    tx.update(replace(task, status=replace(task.status, state=state, timestamp=tx.now.wall)))
