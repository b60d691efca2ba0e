"""Counters of the committed state, against counting afresh."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simswarm.base.values import replace
from simswarm.model.objects import (
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
from simswarm.model.specs import ContainerSpec, NodeSpec, Replicated, ServiceSpec, TaskSpec
from simswarm.model.taskstate import TaskState
from simswarm.scenario.observed.facts import Facts
from simswarm.store import Change, Created, Deleted, Updated

IMAGES = ("shop/web:1", "shop/web:2")
STATES = (TaskState.PENDING, TaskState.ASSIGNED, TaskState.RUNNING, TaskState.FAILED)
DESIRED = (TaskState.READY, TaskState.RUNNING, TaskState.SHUTDOWN)


def a_spec(image: str = IMAGES[0]) -> TaskSpec:
    return TaskSpec(ContainerSpec(image))


def a_node(number: int, state: NodeState = NodeState.READY, zone: str = "a") -> Node:
    name = f"w{number}"
    spec = NodeSpec(labels=(("zone", zone),))
    said = NodeDescription(name)
    return Node(f"n{number}", spec, description=said, status=NodeStatus(state))


def a_service(replicas: int = 2, image: str = IMAGES[0], version: int = 1, **fields) -> Service:
    spec = ServiceSpec("web", a_spec(image), Replicated(replicas))
    return Service("s1", spec, spec_version=version, **fields)


def a_task(
    number: int,
    state: TaskState = TaskState.RUNNING,
    desired: TaskState = TaskState.RUNNING,
    node: str = "n1",
    image: str = IMAGES[0],
) -> Task:
    version = 1 if image == IMAGES[0] else 2
    return Task(
        f"t{number}",
        a_spec(image),
        "s1",
        "web",
        TaskStatus(state),
        desired,
        number,
        node,
        spec_version=version,
    )


def facts_of(*changes: Change) -> Facts:
    facts = Facts()
    for index, change in enumerate(changes, 1):
        facts.commit([change], index, index * 10)
    return facts


def counters(facts: Facts) -> dict[str, object]:
    web = facts.services_by_name["web"]
    nodes = {name: facts.nodes[name].occupied for name in sorted(facts.nodes)}
    return {
        "running": web.running,
        "images": dict(sorted(web.images.items())),
        "per_node": dict(sorted(web.per_node.items())),
        "wanted": web.wanted,
        "pending": web.pending,
        "good": web.good,
        "bad": web.bad,
        "nodes": nodes,
        "not_ready": sorted(facts.not_ready),
    }


def test_a_service_with_its_tasks_running_is_settled():
    facts = facts_of(Created(a_node(1)), Created(a_service()), Created(a_task(1)))
    web = facts.services_by_name["web"]
    assert (web.running, web.desired, web.settled) == (1, 2, False)
    facts.commit([Created(a_task(2))], 9, 90)
    assert web.settled


def test_a_task_of_an_old_spec_is_not_what_is_wanted():
    facts = facts_of(Created(a_node(1)), Created(a_service(1)), Created(a_task(1)))
    web = facts.services_by_name["web"]
    assert web.settled
    new = a_service(1, IMAGES[1], version=2)
    facts.commit([Updated(new, a_service(1))], 9, 90)
    assert (web.good, web.bad, web.running) == (0, 1, 1)


def test_scaling_leaves_tasks_of_an_older_version_current():
    facts = facts_of(Created(a_node(1)), Created(a_service(1)), Created(a_task(1)))
    facts.commit([Updated(a_service(2, version=5), a_service(1))], 9, 90)
    assert facts.services_by_name["web"].good == 1


def test_tasks_on_a_node_that_is_down_neither_run_nor_are_in_excess():
    facts = facts_of(
        Created(a_node(1)),
        Created(a_service(1)),
        Created(a_task(1, desired=TaskState.SHUTDOWN)),
        Created(a_node(2)),
        Created(a_task(2, node="n2")),
    )
    web = facts.services_by_name["web"]
    assert (web.running, web.bad, web.settled) == (2, 1, False)
    facts.commit([Updated(a_node(1, NodeState.DOWN), a_node(1))], 9, 90)
    assert (web.running, web.bad, web.settled) == (1, 0, True)
    facts.commit([Updated(a_node(1), a_node(1, NodeState.DOWN))], 10, 100)
    assert (web.running, web.bad) == (2, 1)


def test_a_service_that_is_being_updated_is_not_settled():
    facts = facts_of(Created(a_node(1)), Created(a_service(1)), Created(a_task(1)))
    updating = a_service(1, update_status=UpdateStatus(UpdateState.UPDATING))
    facts.commit([Updated(updating, a_service(1))], 9, 90)
    web = facts.services_by_name["web"]
    assert web.updating
    assert not web.settled


def test_times_of_a_task_are_those_of_the_commits():
    new, running = a_task(1, TaskState.PENDING, node=""), a_task(1)
    ended = a_task(1, TaskState.FAILED)
    facts = facts_of(
        Created(a_service()), Created(new), Updated(running, new), Updated(ended, running)
    )
    times = facts.times["t1"]
    assert (times.created, times.started, times.ended) == (20, 30, 40)
    facts.commit([Deleted(ended)], 9, 90)
    assert facts.times == {}


def test_zones_without_tasks_count_too():
    facts = facts_of(
        Created(a_node(1, zone="a")),
        Created(a_node(2, zone="b")),
        Created(a_service()),
        Created(a_task(1)),
    )
    assert facts.running_by_zone(facts.services_by_name["web"]) == {"a": 1, "b": 0}


def test_the_newer_of_two_nodes_of_one_name_is_the_node():
    old, new = a_node(1, NodeState.DOWN), replace(a_node(1), id="n9")
    facts = facts_of(Created(old), Created(new))
    found = facts.node_named("w1")
    assert found is not None
    assert found.node.id == "n9"


STEPS = st.one_of(
    st.tuples(
        st.just("task"),
        st.integers(1, 4),
        st.sampled_from(STATES),
        st.sampled_from(DESIRED),
        st.sampled_from(("", "n1", "n2")),
        st.sampled_from(IMAGES),
    ),
    st.tuples(st.just("drop"), st.integers(1, 4)),
    st.tuples(st.just("node"), st.integers(1, 2), st.sampled_from(list(NodeState))),
    st.tuples(st.just("spec"), st.integers(0, 4), st.sampled_from(IMAGES)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_counting_on_gives_what_counting_afresh_gives(steps):
    """Random histories of tasks, nodes and specs; the end state is then counted from nothing."""
    state: dict[str, object] = {"n1": a_node(1), "n2": a_node(2), "s1": a_service()}
    facts = facts_of(*[Created(item) for item in state.values()])
    for number, step in enumerate(steps, 10):
        match step:
            case ("task", id, status, desired, node, image):
                item = a_task(id, status, desired, node, image)
            case ("node", id, status):
                item = a_node(id, status)
            case ("spec", replicas, image):
                item = a_service(replicas, image, 1 if image == IMAGES[0] else 2)
            case (_, id):
                gone = state.pop(f"t{id}", None)
                if gone is not None:
                    facts.commit([Deleted(gone)], number, number)
                continue
        old = state.get(item.id)
        state[item.id] = item
        facts.commit([Created(item) if old is None else Updated(item, old)], number, number)
    afresh = facts_of(*[Created(state[id]) for id in ("n1", "n2", "s1")])
    tasks = [state[id] for id in sorted(state) if id.startswith("t")]
    for index, task in enumerate(tasks, 50):
        afresh.commit([Created(task)], index, index)
    assert counters(facts) == counters(afresh)
