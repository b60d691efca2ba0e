"""What the control API stores and answers."""

from __future__ import annotations

import pytest

from simswarm.base.effects import Identity
from simswarm.base.values import labels, replace
from simswarm.manager.controlapi import api, validation
from simswarm.manager.controlapi.imagename import is_image_name
from simswarm.manager.ticket import Ticket
from simswarm.model.objects import (
    Cluster,
    Node,
    NodeDescription,
    Service,
    Task,
    TaskStatus,
    UpdateState,
    UpdateStatus,
)
from simswarm.model.specs import (
    Availability,
    ClusterSpec,
    EndpointSpec,
    Global,
    NodeRole,
    NodeSpec,
    Port,
    Replicated,
    UpdateConfig,
)
from simswarm.model.taskstate import TaskState
from simswarm.store import Put
from simswarm.wire.control import (
    CallFailed,
    ClusterResult,
    CreateService,
    GetCluster,
    ListNodes,
    ListServices,
    ListTasks,
    NodeResult,
    Removed,
    RemoveService,
    ServiceResult,
    UpdateCluster,
    UpdateNode,
    UpdateService,
)
from tests.manager.test_service_validation import Bench
from tests.manager.trio import a_service


@pytest.fixture
def bench() -> Bench:
    return Bench()


def created(bench: Bench, name: str = "web") -> Service:
    answer = bench.ask(CreateService(a_service(name)))
    assert isinstance(answer, ServiceResult)
    return answer.service


def put(bench: Bench, *items) -> None:
    bench.index += 1
    bench.store.apply([Put(item) for item in items], bench.index)


def test_a_new_service_begins_at_spec_version_zero(bench):
    service = created(bench)
    assert (service.spec_version, service.previous_spec, service.update_status) == (0, None, None)
    assert bench.store.get(Service, service.id) == service


def test_a_mode_that_nothing_can_run_is_refused_by_name(bench, monkeypatch):
    monkeypatch.setattr(validation, "SUPPORTED_MODES", (Replicated,))
    answer = bench.ask(CreateService(replace(a_service(), mode=Global())))
    assert answer == CallFailed("unimplemented", "services of mode global are not supported yet")


def test_a_service_keeps_its_mode(bench):
    service = bench.ask(CreateService(replace(a_service(), mode=Global()))).service
    answer = bench.ask(UpdateService(service.id, service.meta.version, a_service()))
    assert answer == CallFailed("unimplemented", "service mode change is not allowed")


def test_an_update_keeps_the_previous_pair_and_clears_the_status(bench):
    before = created(bench)
    put(bench, replace(before, update_status=UpdateStatus(UpdateState.COMPLETED)))
    spec = a_service(replicas=5)
    after = bench.ask(UpdateService(before.id, before.meta.version, spec)).service
    assert after.spec == spec
    assert after.spec_version == before.meta.version
    assert (after.previous_spec, after.previous_spec_version) == (before.spec, 0)
    assert after.update_status is None
    assert after.meta.version > before.meta.version
    assert after.meta.created_at == before.meta.created_at


def test_an_update_that_changes_nothing_is_a_new_version_all_the_same(bench):
    before = created(bench)
    after = bench.ask(UpdateService(before.id, before.meta.version, before.spec)).service
    assert after.meta.version > before.meta.version
    assert after.spec_version == before.meta.version


def test_a_rollback_swaps_the_pairs_and_twice_is_back(bench):
    first = created(bench)
    second = bench.ask(UpdateService(first.id, first.meta.version, a_service(replicas=5))).service
    rolled = bench.ask(
        UpdateService(first.id, second.meta.version, second.spec, rollback=True)
    ).service
    assert (rolled.spec, rolled.spec_version) == (first.spec, 0)
    assert (rolled.previous_spec, rolled.previous_spec_version) == (
        second.spec,
        second.spec_version,
    )
    assert rolled.update_status == UpdateStatus(
        UpdateState.ROLLBACK_STARTED, "manually requested rollback", started_at=5
    )
    again = bench.ask(
        UpdateService(first.id, rolled.meta.version, rolled.spec, rollback=True)
    ).service
    assert (again.spec, again.spec_version) == (second.spec, second.spec_version)


def test_removing_a_service_leaves_its_tasks_to_the_orchestrator(bench):
    service = created(bench)
    task = Task(
        "t", service.spec.task, service.id, "web", TaskStatus(TaskState.NEW), TaskState.RUNNING, 1
    )
    put(bench, task)
    assert bench.ask(RemoveService(service.id)) == Removed(service.id)
    assert bench.store.get(Service, service.id) is None
    assert bench.store.get(Task, "t") == task


def test_a_failure_ratio_that_is_not_a_number_is_refused(bench):
    spec = replace(a_service(), update=UpdateConfig(max_failure_ratio=float("nan")))
    assert isinstance(bench.ask(CreateService(spec)), CallFailed)


@pytest.mark.parametrize("replicas", [-1, 2**63])
def test_numbers_of_replicas_that_cannot_be_are_refused(bench, replicas):
    spec = replace(a_service(), mode=Replicated(replicas))
    assert bench.ask(CreateService(spec)) == CallFailed(
        "invalid argument", "Number of replicas must be non-negative"
    )


@pytest.mark.parametrize(
    ("mine", "theirs", "clash"),
    [
        ("ingress", "ingress", True),
        ("ingress", "host", True),
        ("host", "ingress", True),
        ("host", "host", False),
    ],
)
def test_published_ports_meet_as_in_the_table(bench, mine, theirs, clash):
    def with_port(name: str, mode: str, protocol: str = "tcp"):
        return CreateService(
            replace(a_service(name), endpoint=EndpointSpec(ports=(Port(80, 8080, protocol, mode),)))
        )

    assert isinstance(bench.ask(with_port("a", theirs)), ServiceResult)
    assert isinstance(bench.ask(with_port("b", mine)), CallFailed) is clash
    assert isinstance(bench.ask(with_port("c", mine, "udp")), ServiceResult)


NODE = Node("n1", NodeSpec(name="w1"), description=NodeDescription("w1"))


def test_a_nodes_availability_and_labels_change_with_the_version_read(bench):
    put(bench, NODE)
    spec = replace(NODE.spec, availability=Availability.DRAIN, labels=labels({"zone": "a"}))
    stale = bench.ask(UpdateNode("n1", 99, spec))
    assert stale == CallFailed("unknown", "update out of sequence")
    put(bench, replace(NODE, meta=replace(NODE.meta, version=3)))
    answer = bench.ask(UpdateNode("n1", 3, spec))
    assert isinstance(answer, NodeResult)
    assert answer.node.spec == spec
    assert answer.node.description == NODE.description


def test_a_nodes_role_does_not_change_yet(bench):
    put(bench, replace(NODE, meta=replace(NODE.meta, version=3)))
    answer = bench.ask(UpdateNode("n1", 3, replace(NODE.spec, role=NodeRole.MANAGER)))
    assert answer == CallFailed("unimplemented", "promote and demote are not supported yet")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (UpdateNode("", 1, NodeSpec()), CallFailed("invalid argument", "invalid argument")),
        (UpdateNode("x", 0, NodeSpec()), CallFailed("invalid argument", "invalid argument")),
        (UpdateNode("x", 1, NodeSpec()), CallFailed("not found", "node x not found")),
        (RemoveService(""), CallFailed("invalid argument", "invalid argument")),
        (GetCluster(), CallFailed("not found", "cluster default not found")),
        (UpdateCluster("x", 1, ClusterSpec()), CallFailed("not found", "cluster x not found")),
        (
            UpdateCluster("x", 1, ClusterSpec(name="other")),
            CallFailed("invalid argument", "modification of cluster name is not allowed"),
        ),
        (
            UpdateCluster("x", 1, ClusterSpec(dispatcher_heartbeat=-1)),
            CallFailed("invalid argument", "heartbeat time period cannot be a negative duration"),
        ),
    ],
)
def test_what_is_not_there_or_cannot_be_is_refused(bench, request_, answer):
    assert bench.ask(request_) == answer


def test_the_clusters_settings_change(bench):
    put(bench, Cluster("c", ClusterSpec()))
    put(bench, replace(Cluster("c", ClusterSpec()), meta=replace(NODE.meta, version=2)))
    answer = bench.ask(UpdateCluster("c", 2, ClusterSpec(task_history_limit=1)))
    assert isinstance(answer, ClusterResult)
    assert bench.ask(GetCluster()) == answer
    assert answer.cluster.spec.task_history_limit == 1


def test_services_are_listed_by_name_or_id_in_order_of_id(bench):
    services = [created(bench, name) for name in ("a", "b", "c")]
    every = bench.ask(ListServices()).services
    assert [s.id for s in every] == sorted(s.id for s in services)
    chosen = bench.ask(ListServices(names=("A", "nosuch"), ids=(services[2].id, services[0].id)))
    assert {s.spec.name for s in chosen.services} == {"a", "c"}
    assert bench.ask(ListServices(names=("nosuch",))).services == ()


def test_tasks_are_listed_by_service_and_node(bench):
    spec = a_service().task
    new, wish = TaskStatus(TaskState.NEW), TaskState.RUNNING
    for service in ("s1", "s2"):
        for node in ("n1", "n2"):
            put(bench, Task(f"{service}-{node}", spec, service, service, new, wish, 1, node))

    def ids(**filters):
        return [task.id for task in bench.ask(ListTasks(**filters)).tasks]

    assert ids() == ["s1-n1", "s1-n2", "s2-n1", "s2-n2"]
    assert ids(service_ids=("s1",)) == ["s1-n1", "s1-n2"]
    assert ids(node_ids=("n2",)) == ["s1-n2", "s2-n2"]
    assert ids(service_ids=("s2", "s1"), node_ids=("n1",)) == ["s1-n1", "s2-n1"]
    assert ids(service_ids=("s3",)) == []


def test_nodes_are_found_by_host_name(bench):
    put(bench, NODE, replace(NODE, id="n2", description=NodeDescription("w2")))
    assert [node.id for node in bench.ask(ListNodes(names=("W2",))).nodes] == ["n2"]
    assert [node.id for node in bench.ask(ListNodes(ids=("n1", "n9"))).nodes] == ["n1"]


def test_waiting_writes_are_bounded(bench, monkeypatch):
    monkeypatch.setattr(api, "PENDING_WRITES_LIMIT", 2)
    monkeypatch.setattr(Bench, "propose", lambda self, name, changes: None)
    for number in range(3):
        request = CreateService(a_service(f"s{number}"))
        bench.api.handle(Ticket(number), Identity("client"), request)
    (refused,) = bench.answered
    assert refused.code == "unavailable"


@pytest.mark.parametrize(
    "name",
    [
        "nginx", "nginx:1.25", "localhost/x", "localhost:5000/x/y:tag", "host.name/x:Tag_1",
        "a/b/c",
        "docker.io/library/nginx", "a--b", "a.b__c", "sha256:" + "a" * 64,
        "nginx:1@sha256:" + "a" * 64, "UPPER.example/x",
    ],
)  # fmt: skip
def test_these_name_images(name):
    assert is_image_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "a..b", "[::1]:5000/x", "nginx:", "UPPER", "nginx@sha256:abc", "http://x/y", "a" * 64,
        "-x", "{{", "ngi nx", "a___b", "nginx:" + "t" * 129, "nginx@sha512:" + "a" * 64,
        "nginx@sha256:" + "A" * 64, "x/" + "y" * 254, "nginx\n", "/x", "x/", "é",
    ],
)  # fmt: skip
def test_these_name_none(name):
    assert not is_image_name(name)
