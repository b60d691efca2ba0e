"""Random transactions against a store and a naive model of it.

The model is a dict of objects a kind and lists of what happened; every transaction runs on both,
and after each commit everything that can be asked must have the same answer. A second store
applies the same log, as a follower does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simswarm.base.errors import (
    NameConflict,
    NotFound,
    ObjectExists,
    SequenceConflict,
    SimswarmError,
)
from simswarm.base.values import replace
from simswarm.model.objects import (
    Cluster,
    Meta,
    Node,
    NodeDescription,
    Service,
    StoredObject,
    Task,
    TaskStatus,
)
from simswarm.model.specs import ClusterSpec, ContainerSpec, NodeSpec, ServiceSpec, TaskSpec
from simswarm.model.taskstate import TaskState
from simswarm.store import (
    ALL,
    ByDesiredState,
    ByName,
    ByNode,
    ByService,
    BySlot,
    BySpecName,
    ByState,
    Created,
    Deleted,
    Put,
    Remove,
    Updated,
    tables,
)
from simswarm.store import selectors as selectors_module
from tests.store.proposers import Do, Manual

IDS = ["a", "b", "c", "d"]
NAMES = ["web", "Web", "api"]
STATES = [TaskState.NEW, TaskState.RUNNING, TaskState.FAILED]
SPEC = TaskSpec(ContainerSpec("nginx"))

tasks = st.builds(
    Task,
    st.sampled_from(IDS),
    st.just(SPEC),
    st.sampled_from(IDS),
    st.just("web"),
    st.builds(TaskStatus, st.sampled_from(STATES)),
    st.sampled_from(STATES),
    st.integers(0, 2),
    st.sampled_from(["", *IDS]),
)
services = st.builds(
    Service, st.sampled_from(IDS), st.builds(ServiceSpec, st.sampled_from(NAMES), st.just(SPEC))
)
nodes = st.builds(
    Node,
    st.sampled_from(IDS),
    st.builds(NodeSpec, st.sampled_from(NAMES)),
    description=st.none() | st.builds(NodeDescription, st.sampled_from(["", *NAMES])),
)
clusters = st.builds(Cluster, st.sampled_from(IDS), st.builds(ClusterSpec, st.sampled_from(NAMES)))
objects = tasks | services | nodes | clusters
KINDS = (Node, Service, Task, Cluster)


@dataclass(frozen=True)
class Step:
    """One step of a transaction. `stale`: with a version that is not the stored one."""

    do: str
    item: StoredObject
    stale: bool = False


steps = st.builds(Step, st.sampled_from(["create", "update", "delete"]), objects, st.booleans())
transactions = st.lists(steps, min_size=1, max_size=6)
selectors = (
    st.just(ALL)
    | st.builds(ByName, st.sampled_from([*NAMES, "WEB", "a"]))
    | st.builds(BySpecName, st.sampled_from(NAMES))
    | st.builds(ByService, st.sampled_from(IDS))
    | st.builds(ByNode, st.sampled_from(["", *IDS]))
    | st.builds(BySlot, st.sampled_from(IDS), st.integers(0, 2))
    | st.builds(ByState, st.sampled_from(STATES))
    | st.builds(ByDesiredState, st.sampled_from(STATES))
)


@dataclass
class Model:
    """What a store is, said naively."""

    objects: dict[tuple[type, str], StoredObject] = field(default_factory=dict)
    version: int = 0
    wall: int = 0

    def copy(self) -> Model:
        return Model(dict(self.objects), self.version, self.wall)

    def run(self, step: Step) -> None:
        item, key = step.item, (type(step.item), step.item.id)
        stored = self.objects.get(key)
        if step.do == "delete":
            if stored is None:
                raise NotFound("")
            del self.objects[key]
            return
        if step.do == "create" and stored is not None:
            raise ObjectExists("")
        if step.do == "update":
            if stored is None:
                raise NotFound("")
            if step.stale:
                raise SequenceConflict("")
        for (kind, id), other in self.objects.items():
            if (
                isinstance(item, Service | Cluster)
                and kind is type(item)
                and id != item.id
                and other.spec.name.lower() == item.spec.name.lower()  # type: ignore[union-attr]
            ):
                raise NameConflict("")
        created = self.wall if stored is None else stored.meta.created_at
        meta = Meta(self.version, created, self.wall)
        self.objects[key] = replace(item, meta=meta)

    def find(self, kind: type, selector) -> list[StoredObject]:
        found = [o for (k, _), o in sorted(self.objects.items(), key=_order) if k is kind]
        return [item for item in found if matches(item, selector)]


def _order(entry):
    (kind, id), _ = entry
    return kind.__name__, id


def matches(item, selector) -> bool:
    match selector:
        case selectors_module.All():
            return True
        case ByName(name):
            if isinstance(item, Node):
                return item.name.lower() == name.lower()
            return not isinstance(item, Task) and item.spec.name.lower() == name.lower()
        case BySpecName(name):
            return isinstance(item, Node) and item.spec.name == name
        case _ if not isinstance(item, Task):
            return False
        case ByService(service_id):
            return item.service_id == service_id
        case ByNode(node_id):
            return item.node_id == node_id
        case BySlot(service_id, slot):
            return (item.service_id, item.slot) == (service_id, slot)
        case ByState(state):
            return item.status.state is state
        case ByDesiredState(state):
            return item.desired_state is state
        case _:
            raise AssertionError(selector)


def perform(tx, step: Step) -> None:
    item = step.item
    if step.do == "create":
        tx.create(item)
    elif step.do == "delete":
        tx.delete(type(item), item.id)
    else:
        stored = tx.get(type(item), item.id)
        version = 0 if stored is None else stored.meta.version
        tx.update(replace(item, meta=Meta(version + 1 if step.stale else version)))


class Collector:
    def __init__(self) -> None:
        self.changes: list = []

    def on_changes(self, changes, index) -> None:
        self.changes.extend(changes)


def expected_changes(before: Model, after: Model, log: list) -> list:
    """What watchers must be told, from the two states and the order of the log."""
    rows = dict(before.objects)
    told: list = []
    for change in log:
        if isinstance(change, Put):
            key = (type(change.object), change.object.id)
            old = rows.get(key)
            told.append(Created(change.object) if old is None else Updated(change.object, old))
            rows[key] = change.object
        else:
            assert isinstance(change, Remove)
            kind = {k.__name__: k for k in KINDS}[change.kind]
            told.append(Deleted(rows.pop((kind, change.id))))
    assert rows == after.objects
    return told


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(transactions, min_size=1, max_size=12), st.lists(selectors, max_size=6))
def test_a_store_is_what_the_naive_model_says(script, questions):
    manual, follower, model = Manual(), Manual(leads=False), Model()
    collector = Collector()
    manual.store.watch(collector)
    for number, transaction in enumerate(script):
        manual.wall = model.wall = 1000 + number
        model.version = manual.index
        attempt, failure = model.copy(), None
        for step in transaction:
            try:
                attempt.run(step)
            except SimswarmError as error:
                failure = type(error)
                break

        def body(tx, transaction=transaction, attempt=attempt, failure=failure):
            for step in transaction:
                perform(tx, step)
            for kind in KINDS:  # a transaction sees its own writes
                for selector in (ALL, *questions):
                    assert tx.find(kind, selector) == attempt.find(kind, selector)

        write = Do(body)
        manual.store.update(write, write)
        if failure is not None:
            assert type(write.outcomes[0].error) is failure
            assert not manual.proposed
            continue
        assert not write.outcomes
        log = list(manual.commit())
        follower.store.apply(log, manual.index)
        assert write.outcomes[0].error is None
        assert collector.changes == expected_changes(model, attempt, log)
        collector.changes.clear()
        model = attempt
        for kind in KINDS:
            for selector in (ALL, *questions):
                assert manual.store.find(kind, selector) == model.find(kind, selector)
        manual.store.check_invariants()
    assert follower.store.capture()[1] == manual.store.capture()[1]
    follower.store.check_invariants()


def test_the_model_notices_a_broken_index(monkeypatch):
    """The comparison bites: an index that forgets to move a task is found."""
    manual = Manual(immediate=True)
    task = Task("t", SPEC, "s", "web", TaskStatus(TaskState.NEW), TaskState.RUNNING, 1)
    manual.store.update(Do(lambda tx: tx.create(task)))
    original = tables.index_values
    monkeypatch.setattr(
        tables, "index_values", lambda item: (*original(item)[:1], "", *original(item)[2:])
    )
    manual.store.update(Do(lambda tx: tx.update(replace(tx.get(Task, "t"), node_id="n"))))
    assert manual.store.find(Task, ByNode("n")) == []
    monkeypatch.undo()
    with pytest.raises(AssertionError):
        manual.store.check_invariants()
