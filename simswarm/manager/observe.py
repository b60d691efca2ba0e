"""What the leader records of the swarm's own state, as it commits: the story's backbone.

A manager observes from the moment it wins its election, before it has caught up, because entries
that its predecessor could not commit any more commit then. Some of those the predecessor may have
committed and recorded already, just before it died: every record carries the `index` of its entry,
so that whoever collects a whole swarm's records can drop what was recorded before.

Invariants:
    I1. One record for each change that its kind is about; the records of one entry come from one
        manager, in the order of its changes.
    I2. Fields have the order and the meaning of `docs/trace-format.md`.

Not here: what a node did (`engine.*`), Raft's own kinds (`replica.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Outbox
from simswarm.model.objects import Node, Service, Task
from simswarm.model.specs import Replicated
from simswarm.model.taskstate import STATE_NAMES
from simswarm.store import Change, Created, Deleted, Store, Updated
from simswarm.store.tables import T


class Observer:
    """A watcher on the store of a manager that leads, or is about to."""

    __slots__ = ("_out", "_store", "_watching")

    def __init__(self, store: Store, out: Outbox) -> None:
        self._store = store
        self._out = out
        self._watching = False

    def start(self) -> None:
        """Record from now on."""
        if not self._watching:
            self._watching = True
            self._store.watch(self)

    def stop(self) -> None:
        """Another manager records now."""
        if self._watching:
            self._watching = False
            self._store.unwatch(self)

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """One entry has been applied."""
        for change in changes:
            item = change.object
            if isinstance(item, Task):
                self._on_task(item, change, index)
            elif isinstance(item, Node):
                self._on_node(item, change, index)
            elif isinstance(item, Service):
                self._on_service(item, change, index)

    def _on_task(self, task: Task, change: Change, index: int) -> None:
        status = task.status
        if isinstance(change, Deleted):
            self._out.observe(
                "task.removed",
                task=task.id,
                service=task.service_name,
                slot=task.slot or None,
                assigned=self._node_name(task.node_id),
                state=STATE_NAMES[status.state],
                index=index,
            )
            return
        old = _old(change, task)
        if (
            old is not None
            and old.status.state is status.state
            and old.desired_state is task.desired_state
        ):
            if (old.status.message, old.status.error) != (status.message, status.error):
                self._on_explanation(task, index)
            return
        container = status.container
        self._out.observe(
            "task.state",
            task=task.id,
            service=task.service_name,
            slot=task.slot or None,
            assigned=self._node_name(task.node_id),
            image=task.spec.container.image,
            **{"from": None if old is None else STATE_NAMES[old.status.state]},
            to=STATE_NAMES[status.state],
            desired=STATE_NAMES[task.desired_state],
            message=status.message,
            error=status.error,
            exit_code=None if container is None else container.exit_code,
            index=index,
        )

    def _on_explanation(self, task: Task, index: int) -> None:
        self._out.observe(
            "task.message",
            task=task.id,
            service=task.service_name,
            slot=task.slot or None,
            assigned=self._node_name(task.node_id),
            state=STATE_NAMES[task.status.state],
            message=task.status.message,
            error=task.status.error,
            index=index,
        )

    def _on_node(self, node: Node, change: Change, index: int) -> None:
        if isinstance(change, Deleted):
            self._out.observe("node.removed", subject=node.name, index=index)
            return
        old = _old(change, node)
        if old is None or old.status.state is not node.status.state:
            was = None if old is None else old.status.state.name.lower()
            state = node.status.state.name.lower()
            self._moved("node.state", node, was, state, index, node.status.message)
        if old is None or old.spec.availability is not node.spec.availability:
            was = None if old is None else old.spec.availability.name.lower()
            self._moved("node.availability", node, was, node.spec.availability.name.lower(), index)
        if old is None or old.role is not node.role:
            was = None if old is None else old.role.name.lower()
            self._moved("node.role", node, was, node.role.name.lower(), index)

    def _moved(
        self, kind: str, node: Node, was: str | None, now: str, index: int, message: str = ""
    ) -> None:
        self._out.observe(
            kind, subject=node.name, **{"from": was}, to=now, message=message, index=index
        )

    def _on_service(self, service: Service, change: Change, index: int) -> None:
        old = _old(change, service)
        if isinstance(change, Deleted):
            self._on_spec(service, "remove", index)
            return
        if old is None or old.spec != service.spec:
            self._on_spec(service, "create" if old is None else "update", index)
        was = None if old is None or old.update_status is None else old.update_status
        now = service.update_status
        if (was and was.state) != (now and now.state):
            self._out.observe(
                "service.update",
                service=service.spec.name,
                **{"from": None if was is None else was.state.name.lower()},
                to=None if now is None else now.state.name.lower(),
                message="" if now is None else now.message,
                index=index,
            )

    def _on_spec(self, service: Service, action: str, index: int) -> None:
        mode = service.spec.mode
        replicated = isinstance(mode, Replicated)
        self._out.observe(
            "service.spec",
            service=service.spec.name,
            action=action,
            mode="replicated" if replicated else "global",
            replicas=mode.replicas if isinstance(mode, Replicated) else None,
            image=service.spec.task.container.image,
            index=index,
        )

    def _node_name(self, node_id: str) -> str | None:
        if not node_id:
            return None
        node = self._store.get(Node, node_id)
        return node_id if node is None else node.name


def _old(change: Change, item: T) -> T | None:
    """What an object was before a change; None where it was not there."""
    if isinstance(change, Updated):
        assert isinstance(change.old, type(item))
        return change.old
    assert isinstance(change, Created | Deleted)
    return None
