"""The leader's records say what committed: once, in order, with the documented fields."""

from __future__ import annotations

import re
from pathlib import Path

from simswarm.base.effects import Observe, Outbox
from simswarm.base.time import SECOND, Now
from simswarm.base.trace import COMMITTED_KINDS, CommittedOnce
from simswarm.base.values import replace
from simswarm.manager.observe import Observer
from simswarm.model.objects import (
    ContainerStatus,
    Node,
    NodeDescription,
    NodeState,
    NodeStatus,
    Service,
    Task,
    TaskStatus,
    UpdateState,
    UpdateStatus,
)
from simswarm.model.specs import Availability, Global, NodeRole, NodeSpec, Replicated
from simswarm.model.taskstate import TaskState
from simswarm.store import Put, Remove, Store
from simswarm.wire import codec
from tests.manager.trio import Trio, a_service, create

FORMAT = Path(__file__).resolve().parents[2] / "docs" / "trace-format.md"


class Idle:
    """A proposer for a store that nobody writes to."""

    def can_propose(self) -> bool:
        return False

    def propose(self, name, changes) -> None:
        raise AssertionError

    def commit_index(self) -> int:
        return 0


class Watched:
    """A store and an observer; entries are applied by hand."""

    def __init__(self) -> None:
        self.out = Outbox(codec.encode, Now(0, 0))
        self.store = Store(Idle(), lambda: self.out.now)
        self.observer = Observer(self.store, self.out)
        self.observer.start()

    def apply(self, *changes) -> list[tuple[str, dict]]:
        puts = [c if isinstance(c, Remove) else Put(c) for c in changes]
        self.store.apply(puts, self.store.index + 1)
        effects = [effect for effect in self.out.drain() if isinstance(effect, Observe)]
        return [(effect.kind, dict(effect.fields)) for effect in effects]


W1 = Node("node-1", NodeSpec(name="w1"), description=NodeDescription("w1"))
WEB = Service("svc", a_service())
TASK = Task(
    "task-1", a_service().task, "svc", "web", TaskStatus(TaskState.NEW, message="created"),
    TaskState.RUNNING, slot=3,
)  # fmt: skip


def test_a_new_task_comes_from_nothing():
    (record,) = Watched().apply(TASK)
    assert record == (
        "task.state",
        {
            "task": "task-1", "service": "web", "slot": 3, "assigned": None, "image": "nginx:1",
            "from": None, "to": "new", "desired": "running", "message": "created", "error": "",
            "exit_code": None, "index": 1,
        },
    )  # fmt: skip
    assert list(record[1]) == [
        "task", "service", "slot", "assigned", "image", "from", "to", "desired", "message",
        "error", "exit_code", "index",
    ]  # fmt: skip


def test_a_state_change_names_node_error_and_exit_code():
    watched = Watched()
    watched.apply(W1, TASK)
    failed = TaskStatus(
        TaskState.FAILED, error="task: non-zero exit (1)", container=ContainerStatus(exit_code=1)
    )
    (record,) = watched.apply(replace(TASK, node_id="node-1", status=failed))
    fields = record[1]
    assert (fields["from"], fields["to"], fields["assigned"]) == ("new", "failed", "w1")
    assert (fields["error"], fields["exit_code"]) == ("task: non-zero exit (1)", 1)


def test_a_change_of_desired_state_alone_stays_where_it_is():
    watched = Watched()
    watched.apply(TASK)
    (record,) = watched.apply(replace(TASK, desired_state=TaskState.SHUTDOWN))
    assert (record[1]["from"], record[1]["to"], record[1]["desired"]) == ("new", "new", "shutdown")


def test_a_new_explanation_is_a_kind_of_its_own_and_nothing_else_is_recorded():
    watched = Watched()
    watched.apply(TASK)
    why = replace(TASK.status, error="no suitable node (insufficient resources on 3 nodes)")
    (record,) = watched.apply(replace(TASK, status=why))
    assert record[0] == "task.message"
    assert record[1]["error"] == why.error
    later = replace(TASK, status=replace(why, timestamp=5))
    assert watched.apply(later) == []


def test_a_task_of_a_global_service_has_no_slot():
    (record,) = Watched().apply(replace(TASK, slot=0))
    assert record[1]["slot"] is None


def test_a_node_that_is_gone_is_named_by_its_id():
    watched = Watched()
    (record,) = watched.apply(replace(TASK, node_id="node-9"))
    assert record[1]["assigned"] == "node-9"


def test_a_removed_task_is_recorded():
    watched = Watched()
    watched.apply(TASK)
    ((kind, fields),) = watched.apply(Remove("Task", "task-1"))
    assert (kind, fields["task"], fields["state"]) == ("task.removed", "task-1", "new")


def test_a_new_node_and_its_changes():
    watched = Watched()
    records = watched.apply(W1)
    assert [(kind, f["from"], f["to"]) for kind, f in records] == [
        ("node.state", None, "unknown"),
        ("node.availability", None, "active"),
        ("node.role", None, "worker"),
    ]
    ready = replace(W1, status=NodeStatus(NodeState.READY))
    assert [(k, f["subject"], f["from"], f["to"]) for k, f in watched.apply(ready)] == [
        ("node.state", "w1", "unknown", "ready")
    ]
    down = replace(W1, status=NodeStatus(NodeState.DOWN, "heartbeat failure"))
    assert watched.apply(down)[0][1]["message"] == "heartbeat failure"
    drained = replace(down, spec=replace(down.spec, availability=Availability.DRAIN))
    assert [(k, f["to"]) for k, f in watched.apply(drained)] == [("node.availability", "drain")]
    manager = replace(drained, role=NodeRole.MANAGER)
    assert [(k, f["to"]) for k, f in watched.apply(manager)] == [("node.role", "manager")]
    assert watched.apply(Remove("Node", "node-1")) == [
        ("node.removed", {"subject": "w1", "index": 6})
    ]


def test_a_service_from_creation_to_removal():
    watched = Watched()
    ((kind, fields),) = watched.apply(WEB)
    assert kind == "service.spec"
    assert fields == {
        "service": "web", "action": "create", "mode": "replicated", "replicas": 2,
        "image": "nginx:1", "index": 1,
    }  # fmt: skip
    scaled = replace(WEB, spec=replace(WEB.spec, mode=Replicated(8)))
    assert [(k, f["action"], f["replicas"]) for k, f in watched.apply(scaled)] == [
        ("service.spec", "update", 8)
    ]
    assert watched.apply(Remove("Service", "svc"))[0][1]["action"] == "remove"


def test_update_status_by_its_states():
    watched = Watched()
    watched.apply(WEB)
    updating = replace(WEB, update_status=UpdateStatus(UpdateState.UPDATING, "update in progress"))
    same = replace(WEB, update_status=UpdateStatus(UpdateState.UPDATING, "update in progress", 5))
    done = replace(WEB, update_status=UpdateStatus(UpdateState.COMPLETED, "update completed"))
    steps = [watched.apply(service) for service in (updating, same, done, WEB)]
    assert [[(k, f["from"], f["to"], f["message"]) for k, f in step] for step in steps] == [
        [("service.update", None, "updating", "update in progress")],
        [],
        [("service.update", "updating", "completed", "update completed")],
        [("service.update", "completed", None, "")],
    ]


def test_a_global_service_has_no_replicas():
    ((_, fields),) = Watched().apply(replace(WEB, spec=replace(WEB.spec, mode=Global())))
    assert (fields["mode"], fields["replicas"]) == ("global", None)


def test_starting_and_stopping_twice_is_harmless():
    watched = Watched()
    watched.observer.start()
    assert len(watched.apply(TASK)) == 1
    watched.observer.stop()
    watched.observer.stop()
    assert watched.apply(replace(TASK, desired_state=TaskState.REMOVE)) == []


def test_only_the_leader_records():
    trio = Trio()
    trio.ask("m2", create())
    trio.advance(2 * SECOND)
    kinds = {name: {kind for kind, _ in host.trace} for name, host in trio.hosts.items()}
    assert "service.spec" in kinds["m1"]
    assert "service.spec" not in kinds["m2"] | kinds["m3"]


def test_what_its_predecessor_could_not_commit_is_recorded_by_the_new_leader():
    trio = Trio()
    # The entry reaches m2 and m3; m1 never learns of it and dies.
    trio.cut.update({("m2", "m1"), ("m3", "m1")})
    trio.call("m1", create())
    trio.settle()
    trio.crash("m1")
    trio.advance(30 * SECOND)
    recorded = [r for host in trio.hosts.values() for r in host.records("service.spec")]
    assert [(record["service"], record["action"]) for record in recorded] == [("web", "create")]


def test_what_two_leaders_record_of_one_entry_is_kept_once():
    trio = Trio()
    trio.cut.add(("m1", "m2"))
    number = trio.call("m1", create())
    while number not in trio["m1"].replies:
        assert trio.act()
    # m3 has the entry and never hears that it is committed; m2 has nothing.
    trio.wire.clear()
    trio.crash("m1")
    trio.advance(60 * SECOND)
    assert trio.leader == "m3"
    first, again = trio["m1"].records("service.spec"), trio["m3"].records("service.spec")
    assert first == again
    assert len(first) == 1

    once = CommittedOnce()
    kept = [
        (kind, fields)
        for host in (trio["m1"], trio["m3"])
        for kind, fields in host.trace
        if not once.repeats(kind, tuple(fields.items()))
    ]
    assert [fields["service"] for kind, fields in kept if kind == "service.spec"] == ["web"]
    assert [fields["subject"] for kind, fields in kept if kind == "node.state"] == ["m1", "m3"]


def test_every_kind_and_field_is_documented():
    watched = Watched()
    seen = watched.apply(W1, WEB, TASK)
    seen += watched.apply(
        replace(TASK, status=TaskStatus(TaskState.NEW, message="m")),
        replace(WEB, update_status=UpdateStatus(UpdateState.UPDATING)),
    )
    seen += watched.apply(Remove("Task", "task-1"), Remove("Node", "node-1"))
    trio = Trio()
    seen += trio["m1"].trace
    text = FORMAT.read_text()
    rows = dict(re.findall(r"^\| `([a-z.]+)` \| ([^|]*)\|", text, re.MULTILINE))
    for kind, fields in seen:
        documented = re.findall(r"`([a-z_]+)`", rows[kind])
        assert documented == list(fields), kind
        assert (kind in COMMITTED_KINDS) == (documented[-1] == "index" and "raft" not in kind)
