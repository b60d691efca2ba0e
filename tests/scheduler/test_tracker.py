"""What the scheduler knows equals what the tables say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.values import replace
from simswarm.manager.scheduler.tracker import Tracker
from simswarm.model.objects import Node, Task
from simswarm.model.specs import GenericResource, Resources
from simswarm.model.taskstate import TaskState
from simswarm.store import Change, Tx
from tests.orchestrator.bench import Bench, node, service, spec, task

LIVE = [TaskState.NEW, TaskState.PENDING, TaskState.ASSIGNED, TaskState.RUNNING]
LATER = [*LIVE, TaskState.COMPLETE, TaskState.FAILED, TaskState.REJECTED]
GPU = (GenericResource("gpu", 1),)
WEB = service(task=spec(reservations=Resources(1, 10, GPU)))
OFFER = Resources(9, 90, (GenericResource("gpu", 9),))

operations = st.lists(
    st.tuples(
        st.sampled_from(["create", "state", "desired", "delete", "node"]),
        st.integers(0, 5),
        st.integers(0, len(LATER) - 1),
        st.sampled_from(["", "n1", "n2"]),
    ),
    max_size=25,
)


class Follower:
    """A tracker that watches a store."""

    def __init__(self, bench: Bench) -> None:
        self.tracker = Tracker()
        self._bench = bench
        self.tracker.load(bench.store, 0)

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        for change in changes:
            self.tracker.on_change(change, 0)


def known(tracker: Tracker) -> Any:
    nodes = {
        info.node.id: (
            info.nano_cpus,
            info.memory_bytes,
            info.generic,
            info.active,
            dict(info.active_by_service),
            sorted(info.tasks),
        )
        for info in tracker.nodes()
    }
    waiting = {key: sorted(group) for key, group in tracker.groups.items()}
    return nodes, waiting, sorted(tracker.pending), sorted(tracker.tasks)


def carry_out(tx: Tx, kind: str, number: int, choice: int, node_id: str) -> None:
    id = f"t{number}"
    stored = tx.get(Task, id)
    if kind == "node" and node_id:
        old = tx.get(Node, node_id)
        assert old is not None
        described = replace(old.description, resources=replace(OFFER, nano_cpus=choice))
        tx.update(replace(old, description=described))
    elif kind == "create" and stored is None:
        state = LIVE[choice % len(LIVE)]
        where = node_id if state == TaskState.PENDING else (node_id or "n1")
        held = GPU if state > TaskState.PENDING else ()
        where = where if state > TaskState.NEW else ""
        tx.create(task(id, WEB, number, state=state, node_id=where, generic=held))
    elif stored is not None and kind == "delete":
        tx.delete(Task, id)
    elif stored is not None and kind == "desired":
        desired = max(stored.desired_state, LATER[choice])
        tx.update(replace(stored, desired_state=desired))
    elif stored is not None and kind == "state":
        state = max(stored.status.state, LATER[choice])
        where = stored.node_id or ("n1" if state > TaskState.PENDING else "")
        held = GPU if state > TaskState.PENDING else ()
        status = replace(stored.status, state=state)
        tx.update(replace(stored, status=status, node_id=where, generic=held))


@given(operations)
def test_following_changes_ends_where_loading_begins(steps):
    bench = Bench()
    bench.load(node("n1", resources=OFFER), node("n2", resources=OFFER), WEB)
    follower = Follower(bench)
    bench.store.watch(follower)
    for kind, number, choice, node_id in steps:
        bench.change(lambda tx, step=(kind, number, choice, node_id): carry_out(tx, *step))
    fresh = Tracker()
    fresh.load(bench.store, 0)
    # A task that nobody wants is not taken up at the start, but stays where it was followed to.
    unwanted = [
        one.id
        for one in bench.tasks()
        if one.status.state == TaskState.PENDING and one.desired_state > TaskState.COMPLETE
    ]
    for id in unwanted:
        follower.tracker.forget(bench.task(id))
    assert known(follower.tracker) == known(fresh)
    for info in follower.tracker.nodes():
        info.check_invariants()
