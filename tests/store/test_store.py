"""A store runs writes one at a time on committed state, and tells everybody once."""

from __future__ import annotations

import pytest

from simswarm.base.errors import (
    NameConflict,
    NotFound,
    NotLeader,
    ObjectExists,
    ProposalTooLarge,
    SequenceConflict,
)
from simswarm.base.values import replace
from simswarm.model.objects import Cluster, Meta, Node, NodeDescription, Service, Task, TaskStatus
from simswarm.model.specs import ClusterSpec, ContainerSpec, NodeSpec, ServiceSpec, TaskSpec
from simswarm.model.taskstate import TaskState
from simswarm.store import (
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
)
from tests.store.proposers import Do, Manual

SPEC = TaskSpec(ContainerSpec("nginx"))


def service(id: str, name: str | None = None) -> Service:
    return Service(id, ServiceSpec(name or id, SPEC))


def task(id: str, **fields) -> Task:
    status = TaskStatus(fields.pop("state", TaskState.NEW))
    return Task(id, SPEC, "s", "web", status, TaskState.RUNNING, **fields)


def creating(*items) -> Do:
    def create(tx):
        for item in items:
            tx.create(item)

    return Do(create)


def run(manual: Manual, write: Do) -> Do:
    manual.store.update(write, write)
    return write


class Told:
    def __init__(self) -> None:
        self.changes: list = []

    def on_changes(self, changes, index) -> None:
        self.changes.append((index, list(changes)))


def test_nothing_changes_before_the_commit():
    manual = Manual()
    write = run(manual, creating(service("a")))
    assert manual.store.find(Service) == []
    assert write.outcomes == []
    manual.commit()
    assert [s.id for s in manual.store.find(Service)] == ["a"]
    assert [(o.error, o.index) for o in write.outcomes] == [(None, 11)]


def test_writes_wait_for_the_one_in_flight_and_see_what_it_did():
    manual = Manual()
    first = run(manual, creating(service("a")))
    seen: list = []
    second = run(manual, Do(lambda tx: seen.extend(tx.find(Service))))
    third = run(manual, creating(service("b")))
    assert (first.ran, second.ran, third.ran) == (1, 0, 0)
    manual.commit()
    assert [s.id for s in seen] == ["a"]
    assert (second.ran, third.ran) == (1, 1)
    assert second.outcomes[0].error is None, "it had nothing to propose"
    assert len(manual.proposed) == 1


def test_a_write_that_raises_is_dropped_whole():
    manual = Manual()

    def half(tx):
        tx.create(service("a"))
        raise NotFound("no")

    write = run(manual, Do(half))
    assert write.outcomes[0].error.message == "no"
    assert manual.proposed == []


def test_a_write_without_an_owner_is_told_to_nobody():
    manual = Manual(immediate=True)
    manual.store.update(creating(service("a")))
    assert len(manual.store.find(Service)) == 1


def test_a_write_waits_until_this_manager_leads():
    manual = Manual(leads=False)
    write = run(manual, creating(service("a")))
    assert write.ran == 0
    manual.leads = True
    manual.store.pump()
    assert write.ran == 1


def test_losing_leadership_refuses_all_and_a_late_commit_is_applied():
    manual = Manual()
    first, second = run(manual, creating(service("a"))), run(manual, creating(service("b")))
    manual.leads = False
    error = NotLeader("lost")
    manual.store.refuse(error)
    assert [w.outcomes[0].error for w in (first, second)] == [error, error]
    assert second.ran == 0
    _, changes = manual.proposed.pop()
    manual.store.apply(changes, 12)
    assert [s.id for s in manual.store.find(Service)] == ["a"]
    assert len(first.outcomes) == 1


def test_what_an_owner_queues_when_refused_is_not_refused_in_the_same_breath():
    manual = Manual()
    again = creating(service("b"))

    class Stubborn(Do):
        def on_outcome(self, write, outcome):
            manual.store.update(again, again)

    run(manual, Stubborn(lambda tx: tx.create(service("a"))))
    manual.leads = False
    manual.store.refuse(NotLeader("lost"))
    assert (again.ran, again.outcomes) == (0, [])
    manual.store.refuse(NotLeader("lost"))
    assert (again.ran, len(again.outcomes)) == (0, 1)


def test_a_proposal_that_cannot_start_is_dropped_and_the_next_runs():
    manual = Manual()
    manual.refuse_next = ProposalTooLarge("too large")
    first, second = creating(service("a")), creating(service("b"))
    run(manual, first)
    run(manual, second)
    assert isinstance(first.outcomes[0].error, ProposalTooLarge)
    assert second.ran == 1
    manual.commit()
    assert [s.id for s in manual.store.find(Service)] == ["b"]


def test_watchers_are_told_in_order_of_adding_before_the_owner():
    manual = Manual()
    order: list[str] = []

    class Named:
        def __init__(self, name):
            self.name = name

        def on_changes(self, changes, index):
            order.append(self.name)

    first, second = Named("first"), Named("second")
    manual.store.watch(first)
    manual.store.watch(second)
    write = creating(service("a"))
    write.on_outcome = lambda w, o: order.append("owner")
    run(manual, write)
    manual.commit()
    assert order == ["first", "second", "owner"]
    manual.store.unwatch(first)
    run(manual, creating(service("b")))
    manual.commit()
    assert order[3:] == ["second"]


def test_a_write_queued_by_a_watcher_runs_when_all_watchers_were_told():
    manual = Manual()
    order: list[str] = []

    class Eager:
        def on_changes(self, changes, index):
            order.append("eager")
            manual.store.update(Do(lambda tx: order.append("write")))

    class Slow:
        def on_changes(self, changes, index):
            order.append("slow")

    manual.store.watch(Eager())
    manual.store.watch(Slow())
    manual.store.apply([Put(service("a"))], 11)  # an entry of another leader
    assert order == ["eager", "slow", "write"]


def test_watchers_get_created_updated_and_deleted_with_the_old_object():
    manual = Manual(immediate=True)
    told = Told()
    manual.store.watch(told)
    run(manual, creating(task("t")))
    run(manual, Do(lambda tx: tx.update(replace(tx.get(Task, "t"), node_id="n"))))
    run(manual, Do(lambda tx: tx.delete(Task, "t")))
    created, updated, deleted = (changes[0] for _, changes in told.changes)
    assert isinstance(created, Created)
    assert isinstance(updated, Updated)
    assert (updated.old.node_id, updated.object.node_id) == ("", "n")
    assert isinstance(deleted, Deleted)
    assert deleted.object == updated.object
    assert [index for index, _ in told.changes] == [11, 12, 13]


def test_an_empty_entry_moves_the_index_and_tells_nobody():
    manual = Manual()
    told = Told()
    manual.store.watch(told)
    manual.store.apply((), 11)
    manual.store.apply([Remove("Task", "nosuch")], 12)
    assert manual.store.index == 12
    assert told.changes == []


def test_metadata_is_the_commit_index_at_the_start_and_the_leaders_clock():
    manual = Manual()
    run(manual, creating(service("a"), service("b")))
    manual.wall = 2000
    manual.commit()
    run(manual, Do(lambda tx: tx.update(tx.get(Service, "a"))))
    manual.commit()
    a, b = manual.store.find(Service)
    assert b.meta == Meta(10, 1000, 1000)
    assert a.meta == Meta(11, 1000, 2000)


def test_an_update_of_what_has_changed_since_is_refused():
    manual = Manual(immediate=True)
    run(manual, creating(service("a")))
    stale = manual.store.get(Service, "a")
    run(manual, Do(lambda tx: tx.update(stale)))
    write = run(manual, Do(lambda tx: tx.update(stale)))
    assert isinstance(write.outcomes[0].error, SequenceConflict)
    assert write.outcomes[0].error.message == "update out of sequence"


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (lambda tx: tx.create(service("a", "other")), ObjectExists, "object already exists"),
        (lambda tx: tx.create(service("x", "A")), NameConflict, "name conflicts with an existing"),
        (lambda tx: tx.update(service("x")), NotFound, "object does not exist"),
        (lambda tx: tx.delete(Service, "x"), NotFound, "object does not exist"),
        (
            lambda tx: tx.create(Cluster("c2", ClusterSpec())),
            NameConflict,
            "name conflicts with an existing object",
        ),
    ],
)
def test_transactions_refuse_with_the_stores_texts(function, error, text):
    manual = Manual(immediate=True)
    run(manual, creating(service("a"), Cluster("c", ClusterSpec())))
    outcome = run(manual, Do(function)).outcomes[0]
    assert type(outcome.error) is error
    assert text in outcome.error.message


def test_a_name_is_free_again_within_the_transaction_that_removes_its_owner():
    manual = Manual(immediate=True)
    run(manual, creating(service("a", "web")))

    def swap(tx):
        tx.delete(Service, "a")
        tx.create(service("b", "WEB"))

    assert run(manual, Do(swap)).outcomes[0].error is None
    assert [s.id for s in manual.store.find(Service, ByName("web"))] == ["b"]


def test_names_are_not_unique_among_nodes():
    manual = Manual(immediate=True)
    nodes = [
        Node(id, NodeSpec(name=id), description=NodeDescription("Host")) for id in ("n1", "n2")
    ]
    assert run(manual, creating(*nodes)).outcomes[0].error is None
    assert [n.id for n in manual.store.find(Node, ByName("hOST"))] == ["n1", "n2"]
    assert [n.id for n in manual.store.find(Node, BySpecName("n2"))] == ["n2"]


def test_every_selector_finds_by_its_index():
    manual = Manual(immediate=True)
    items = [
        task("t3", slot=1, node_id="n1", state=TaskState.RUNNING),
        task("t1", slot=1, node_id="n2"),
        replace(task("t2", slot=2), desired_state=TaskState.SHUTDOWN, service_id="other"),
    ]
    run(manual, creating(*items))

    def ids(selector):
        return [t.id for t in manual.store.find(Task, selector)]

    assert ids(ByService("s")) == ["t1", "t3"]
    assert ids(ByNode("n1")) == ["t3"]
    assert ids(BySlot("s", 1)) == ["t1", "t3"]
    assert ids(BySlot("other", 2)) == ["t2"]
    assert ids(ByState(TaskState.RUNNING)) == ["t3"]
    assert ids(ByDesiredState(TaskState.SHUTDOWN)) == ["t2"]
    assert ids(ByNode("nowhere")) == []


def test_a_capture_stays_as_it_was():
    manual = Manual(immediate=True)
    run(manual, creating(service("a")))
    index, captured = manual.store.capture()
    run(manual, creating(service("b")))
    run(manual, Do(lambda tx: tx.delete(Service, "a")))
    assert index == 11
    assert [list(rows) for rows in captured] == [[], ["a"], [], []]
    assert [s.id for s in manual.store.find(Service)] == ["b"]
    assert manual.store.capture()[0] == 13
