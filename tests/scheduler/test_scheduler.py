"""The scheduler as a loop: what swarmkit's own tests of it assert, and when it runs."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.time import MILLISECOND
from simswarm.base.values import replace
from simswarm.manager.scheduler import Scheduler
from simswarm.model.objects import Node, NodeDescription, NodeState, NodeStatus, Service, Task
from simswarm.model.specs import (
    Availability,
    EndpointSpec,
    GenericResource,
    Mount,
    Placement,
    Port,
    Resources,
)
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import Bench, node, service, spec, task

PENDING, ASSIGNED, RUNNING = TaskState.PENDING, TaskState.ASSIGNED, TaskState.RUNNING
SHUTDOWN, FAILED = TaskState.SHUTDOWN, TaskState.FAILED


def started(*items: object) -> Bench:
    bench = Bench()
    bench.load(*items)
    bench.start(Scheduler(bench.store, bench.out, bench.entropy, 1))
    return bench


def settle(bench: Bench) -> None:
    bench.run(0.2)
    scheduler = bench.loops["scheduler"]
    assert isinstance(scheduler, Scheduler)
    scheduler.check_invariants()


def pending(of: Service, *numbers: int, **fields: object) -> list[Task]:
    fields.setdefault("state", PENDING)
    return [task(f"{of.id}.{n:03}", of, n, **fields) for n in numbers]


def places(bench: Bench, service_id: str = "web") -> Counter[str]:
    return Counter(t.node_id for t in bench.tasks() if t.service_id == service_id and t.node_id)


def error(bench: Bench, id: str) -> str:
    assert bench.task(id).status.state == PENDING
    return bench.task(id).status.error


# ── what is placed, and when ─────────────────────────────────────────────────────────────────


def test_a_pending_task_goes_to_a_ready_node():
    web = service()
    bench = started(
        node("n1", state=NodeState.DOWN), node("n2"), node("n3", state=NodeState.UNKNOWN),
        web, *pending(web, 1),
    )  # fmt: skip
    placed = bench.task("web.001")
    assert (placed.node_id, placed.status.state) == ("n2", ASSIGNED)
    assert placed.status.message == "scheduler assigned task to node"


def test_new_tasks_go_where_fewer_are():
    web = service()
    bench = started(node("n1"), node("n2"), web, *pending(web, 1))
    bench.put(*pending(web, 2, 3))
    settle(bench)
    assert sorted(places(bench).values()) == [1, 2]
    assert bench.task("web.002").node_id == "n2"
    bench.put(node("n3"))
    bench.put(*pending(web, 4))
    settle(bench)
    assert bench.task("web.004").node_id == "n3"


def test_nothing_goes_to_a_node_that_was_removed():
    web = service()
    bench = started(node("n1"), node("n2"), web)
    bench.delete(Node, "n1")
    bench.put(*pending(web, 1, 2))
    settle(bench)
    assert places(bench) == {"n2": 2}


def test_a_waiting_task_is_placed_when_a_node_becomes_ready():
    web = service()
    bench = started(node("n1", state=NodeState.DOWN), web, *pending(web, 1))
    assert error(bench, "web.001") == "no suitable node (1 node not available for new tasks)"
    bench.put(node("n1"))
    settle(bench)
    assert bench.task("web.001").node_id == "n1"
    assert bench.task("web.001").status.error == ""


def test_commits_are_debounced_by_fifty_milliseconds():
    web = service()
    bench = started(node("n1"), web)
    bench.put(*pending(web, 1))
    bench.run(0.045)
    bench.put(*pending(web, 2))
    bench.run(0.045)
    assert places(bench) == {}
    bench.run(0.006)
    assert places(bench) == {"n1": 2}


def test_debouncing_lasts_for_a_second_at_most():
    web = service()
    bench = started(node("n1"), web)
    for number in range(1, 40):
        bench.put(*pending(web, number))
        bench.run(0.04)
        if places(bench):
            break
    assert 25 <= number <= 27
    assert places(bench)["n1"] >= 25


def test_irrelevant_commits_prolong_nothing_when_nothing_waits():
    """Only what a real timer would do is done; without work there is no timer at all."""
    bench = started(node("n1"))
    bench.put(service())
    assert bench.timers == {}


def test_only_tasks_that_somebody_wants_are_placed_at_the_start():
    web = service()
    bench = started(
        node("n1"), web, *pending(web, 1), *pending(web, 2, desired_state=SHUTDOWN),
        *pending(web, 3, desired_state=TaskState.REMOVE),
    )  # fmt: skip
    assert places(bench) == {"n1": 1}


def test_a_large_group_is_placed_in_batches():
    web = service()
    bench = started(*(node(f"n{n}") for n in range(7)), web, *pending(web, *range(1, 501)))
    sizes = [len(changes) for name, changes in bench.proposer.committed if "place" in name]
    assert sizes == [200, 200, 100]
    assert max(places(bench).values()) - min(places(bench).values()) <= 1


def test_a_reason_is_written_once():
    web = service()
    bench = started(web, *pending(web, 1))
    commits = len(bench.proposer.committed)
    bench.run(5)
    bench.put(service("other"))
    bench.run(5)
    assert error(bench, "web.001") == "no suitable node"
    assert len(bench.proposer.committed) == commits + 1


def test_without_any_node_there_is_no_reason_to_give():
    web = service()
    bench = started(web, *pending(web, 1))
    assert error(bench, "web.001") == "no suitable node"
    bench.put(node("n1"))
    settle(bench)
    assert bench.task("web.001").node_id == "n1"


def test_nothing_happens_after_leadership_is_lost():
    web = service()
    bench = started(node("n1"), web)
    bench.put(*pending(web, 1))
    bench.stop()
    assert bench.timers == {}
    bench.run(5)
    assert places(bench) == {}


# ── spread ───────────────────────────────────────────────────────────────────────────────────


def test_high_availability():
    """18 tasks over 5 nodes, another service on the emptier ones, and a newcomer filled first."""
    web, log = service(), service("log")
    bench = started(*(node(f"n{n}") for n in range(5)), web, log, *pending(web, *range(1, 19)))
    assert sorted(places(bench).values()) == [3, 3, 4, 4, 4]
    emptier = {id for id, count in places(bench).items() if count == 3}
    bench.put(*pending(log, 1, 2))
    settle(bench)
    assert set(places(bench, "log")) == emptier
    bench.put(*pending(web, *range(19, 22)))
    settle(bench)
    assert sorted(places(bench).values()) == [4, 4, 4, 4, 5]
    bench.put(node("new"))
    bench.put(*pending(web, 22, 23), *pending(log, 3))
    settle(bench)
    assert places(bench)["new"] == 2
    assert places(bench, "log")["new"] == 1


def test_five_recent_failures_make_a_node_the_last_choice():
    web = service()
    bench = started(node("n1"), node("n2"), web)
    for number in range(1, 6):
        bench.put(
            replace(node("n2"), spec=replace(node("n2").spec, availability=Availability.PAUSE))
        )
        bench.put(*pending(web, number))
        settle(bench)
        bench.set_state(bench.task(f"web.{number:03}"), FAILED)
        bench.put(node("n2"))
    bench.put(*pending(web, 10, 11, 12))
    settle(bench)
    assert places(bench)["n2"] == 3
    bench.run(5 * 60 + 1)
    bench.put(*pending(web, 13, 14))
    settle(bench)
    assert {bench.task("web.013").node_id, bench.task("web.014").node_id} == {"n1"}


def test_failures_of_another_spec_version_do_not_count():
    web = service()
    bench = started(node("n1"), web)
    for number in range(1, 6):
        bench.put(*pending(web, number))
        settle(bench)
        bench.set_state(bench.task(f"web.{number:03}"), FAILED)
    bench.put(node("n2"), *pending(service("log"), 1, state=RUNNING, node_id="n2"))
    bench.put(*pending(web, 10, spec_version=2))
    settle(bench)
    assert bench.task("web.010").node_id == "n1"


def test_failures_of_preassigned_tasks_do_not_count():
    web = service()
    bench = started(node("n1"), node("n2"), web)
    for number in range(1, 7):
        bench.put(*pending(web, number, node_id="n1"))
        settle(bench)
        bench.set_state(bench.task(f"web.{number:03}"), FAILED)
    bench.put(*pending(web, 10, 11))
    settle(bench)
    assert bench.task("web.010").node_id == "n1"


def test_spreading_over_zones_ignores_their_size():
    web = service(task=spec(placement=Placement(preferences=("node.labels.az",))))
    nodes = [
        node("n0", labels={"az": "a"}),
        *(node(f"n{n}", labels={"az": "b"}) for n in range(1, 5)),
    ]
    bench = started(*nodes, web, *pending(web, *range(1, 9)))
    assert places(bench) == {"n0": 4, "n1": 1, "n2": 1, "n3": 1, "n4": 1}


def test_nodes_without_the_label_are_a_branch_of_their_own():
    web = service(task=spec(placement=Placement(preferences=("node.labels.az",))))
    zones = {"n1": "z1", "n2": "z1", "n3": "z2", "n4": ""}
    nodes = [node(id, labels={"az": az} if az else {}) for id, az in zones.items()]
    bench = started(*nodes, web, *pending(web, *range(1, 10)))
    by_zone = Counter(zones[id] for id in places(bench).elements())
    assert by_zone == {"z1": 3, "z2": 3, "": 3}


def test_nested_preferences_share_a_branch_over_its_branches():
    placement = Placement(preferences=("node.labels.az", "node.labels.rack"))
    wanted = spec(placement=placement, reservations=Resources(memory_bytes=750))
    web = service(task=wanted)
    racks = [
        ("a", "r1", 500),
        ("a", "r1", 5000),
        ("a", "r2", 5000),
        ("b", "r1", 5000),
        ("b", "r2", 5000),
    ]
    nodes = [
        node(f"n{n}", labels={"az": az, "rack": rack}, resources=Resources(0, memory))
        for n, (az, rack, memory) in enumerate(racks)
    ]
    bench = started(*nodes, web, *pending(web, *range(1, 13)))
    assert places(bench) == {"n1": 3, "n2": 3, "n3": 3, "n4": 3}


def test_a_branch_that_takes_more_than_its_share_does_not_stop_the_scheduler():
    """Zone a wants one task, its racks x and z take one each: Docker 20.10 never comes back."""
    placement = Placement(preferences=("node.labels.az", "node.labels.rack"))
    web = service(task=spec(placement=placement))
    racks = [("a", "z"), ("a", "x"), ("a", "y"), ("b", "x")]
    nodes = [node(f"n{n}", labels={"az": az, "rack": r}) for n, (az, r) in enumerate(racks)]
    there = pending(web, 9, state=RUNNING, node_id="n2")
    bench = started(*nodes, web, *there, *pending(web, 1, 2, 3))
    assert places(bench) == {"n0": 1, "n1": 1, "n2": 1, "n3": 1}


def test_scaling_up_evens_branches_out():
    web = service(task=spec(placement=Placement(preferences=("node.labels.az",))))
    nodes = [node(f"n{n}", labels={"az": az}) for n, az in enumerate("abb")]
    there = pending(web, 1, 2, 3, state=RUNNING, node_id="n1")
    bench = started(*nodes, web, *there, *pending(web, *range(4, 10)))
    by_zone = Counter("a" if id == "n0" else "b" for id in places(bench).elements())
    assert by_zone == {"a": 5, "b": 4}


def test_a_preference_that_is_no_label_makes_no_branch():
    web = service(task=spec(placement=Placement(preferences=("node.id", "node.labels."))))
    bench = started(node("n1"), node("n2"), web, *pending(web, 1, 2))
    assert places(bench) == {"n1": 1, "n2": 1}


# ── reasons ──────────────────────────────────────────────────────────────────────────────────


def test_reasons_are_joined_most_frequent_first():
    web = service(task=spec(reservations=Resources(memory_bytes=2 << 30)))
    bench = started(
        node("n1", resources=Resources(0, 1 << 30)), node("n2", state=NodeState.DOWN),
        node("n3", availability=Availability.PAUSE), web, *pending(web, 1),
    )  # fmt: skip
    assert error(bench, "web.001") == (
        "no suitable node (2 nodes not available for new tasks; insufficient resources on 1 node)"
    )
    bench.put(node("n4", resources=Resources(0, 4 << 30)))
    settle(bench)
    assert bench.task("web.001").node_id == "n4"


def test_a_node_counts_under_the_first_filter_that_it_fails():
    wanted = spec(
        reservations=Resources(nano_cpus=5_000_000_000),
        placement=Placement(constraints=("node.id==nowhere",)),
    )
    web = service(task=wanted)
    nodes = [node(f"n{n}") for n in range(6)]
    bench = started(*nodes, web, *pending(web, 1))
    assert error(bench, "web.001") == "no suitable node (insufficient resources on 6 nodes)"


def test_a_reason_speaks_of_the_nodes_seen_since_the_last_that_fitted():
    web = service(task=spec(reservations=Resources(nano_cpus=3_000_000_000)))
    small = node("n1", resources=Resources(nano_cpus=1))
    bench = started(small, node("n2"), web, *pending(web, 1, 2))
    assert bench.task("web.001").node_id == "n2"
    assert error(bench, "web.002") == "no suitable node (insufficient resources on 1 node)"


def test_resources_are_free_again_when_a_task_has_ended_not_when_it_shall():
    web = service(task=spec(reservations=Resources(nano_cpus=3_000_000_000)))
    bench = started(node("n1"), web, *pending(web, 1, 2))
    assert error(bench, "web.002") == "no suitable node (insufficient resources on 1 node)"
    bench.put(replace(bench.task("web.001"), desired_state=SHUTDOWN))
    settle(bench)
    assert error(bench, "web.002")
    bench.set_state(bench.task("web.001"), SHUTDOWN)
    settle(bench)
    assert bench.task("web.002").node_id == "n1"


def test_a_task_that_had_ended_before_the_start_uses_nothing():
    web = service(task=spec(reservations=Resources(nano_cpus=3_000_000_000)))
    ended = pending(web, 1, state=FAILED, node_id="n1")
    bench = started(node("n1"), web, *ended, *pending(web, 2))
    assert bench.task("web.002").node_id == "n1"


def test_named_pieces_are_handed_out_and_taken_back():
    gpus = tuple(GenericResource("gpu", value=name) for name in "ab")
    web = service(task=spec(reservations=Resources(generic=(GenericResource("gpu", 1),))))
    bench = started(node("n1", resources=Resources(generic=gpus)), web, *pending(web, 1, 2, 3))
    held = [piece.value for t in bench.tasks() for piece in t.generic]
    assert sorted(held) == ["a", "b"]
    assert error(bench, "web.003") == "no suitable node (insufficient resources on 1 node)"
    bench.set_state(bench.task("web.001"), FAILED)
    settle(bench)
    assert bench.task("web.003").generic == bench.task("web.001").generic


@pytest.mark.parametrize(
    ("platforms", "fits"),
    [
        ((("linux", "amd64"),), True),
        ((("linux", "x86_64"),), True),
        ((("", "amd64"),), True),
        ((("linux", ""),), True),
        ((("windows", "amd64"), ("linux", "amd64")), True),
        ((("linux", "arm64"),), False),
        ((("windows", ""),), False),
        ((), True),
    ],
)
def test_platforms_match_by_system_and_architecture(platforms, fits):
    web = service(task=spec(placement=Placement(platforms=platforms)))
    bench = started(node("n1"), web, *pending(web, 1))
    if fits:
        assert bench.task("web.001").node_id == "n1"
    else:
        assert error(bench, "web.001") == "no suitable node (unsupported platform on 1 node)"


def test_a_host_port_is_taken_once_a_node():
    web = service(endpoint=EndpointSpec(ports=(Port(80, 8080, mode="host"),)))
    bench = started(node("n1"), node("n2"), web, *pending(web, 1, 2, 3))
    assert places(bench) == {"n1": 1, "n2": 1}
    reason = "no suitable node (host-mode port already in use on 2 nodes)"
    assert error(bench, "web.003") == reason
    udp = service("udp", endpoint=EndpointSpec(ports=(Port(80, 8080, "udp", "host"),)))
    bench.put(udp, *pending(udp, 1))
    settle(bench)
    assert bench.task("udp.001").node_id == "n1"


def test_no_more_replicas_than_allowed_on_a_node():
    web = service(task=spec(placement=Placement(max_replicas=1)))
    bench = started(node("n1"), node("n2"), web, *pending(web, 1, 2, 3))
    assert error(bench, "web.003") == "no suitable node (max replicas per node limit exceed)"
    bench.put(node("n3"))
    settle(bench)
    assert places(bench) == {"n1": 1, "n2": 1, "n3": 1}


def test_missing_plugins_are_noticed_on_nodes_that_list_theirs():
    with_volume = spec()
    container = replace(
        with_volume.container, mounts=(Mount("volume", "v", "/v", driver="rexray"),)
    )
    web = service(task=replace(with_volume, container=container))
    plugins = NodeDescription("n1", plugins=(("Volume", "local"),))
    bench = started(node("n1", description=plugins), web, *pending(web, 1))
    assert error(bench, "web.001") == "no suitable node (missing plugin on 1 node)"
    more = replace(plugins, plugins=(("Volume", "local"), ("Volume", "rexray:latest")))
    bench.put(node("n1", description=more))
    settle(bench)
    assert bench.task("web.001").node_id == "n1"


def test_constraints_that_can_not_be_read_ask_nothing():
    web = service(task=spec(placement=Placement(constraints=("nonsense",))))
    bench = started(node("n1"), web, *pending(web, 1))
    assert bench.task("web.001").node_id == "n1"


# ── preassigned tasks, and tasks that nobody wants ───────────────────────────────────────────


def test_a_preassigned_task_is_confirmed_on_its_node_only():
    web = service()
    bench = started(node("n1"), node("n2"), web, *pending(web, 1, node_id="n2"))
    confirmed = bench.task("web.001")
    assert (confirmed.node_id, confirmed.status.state) == ("n2", ASSIGNED)
    assert confirmed.status.message == "scheduler confirmed task can run on preassigned node"


def test_a_preassigned_task_waits_until_it_fits():
    web = service()
    bench = started(
        node("n1"), node("n2", state=NodeState.UNKNOWN), web, *pending(web, 1, node_id="n2")
    )
    assert error(bench, "web.001") == "1 node not available for new tasks"
    bench.put(replace(node("n2"), status=NodeStatus(NodeState.READY)))
    settle(bench)
    assert bench.task("web.001").status.state == ASSIGNED


def test_a_preassigned_task_of_an_unknown_node_is_left_alone():
    web = service()
    bench = started(web, *pending(web, 1, node_id="nowhere"))
    assert error(bench, "web.001") == ""


def test_an_unschedulable_task_of_an_outdated_spec_is_let_go():
    web = service(task=spec(placement=Placement(constraints=("node.id==nowhere",))))
    bench = started(node("n1"), web, *pending(web, 1))
    bench.put(service(version=2))
    bench.put(replace(bench.task("web.001"), desired_state=SHUTDOWN))
    settle(bench)
    assert bench.task("web.001").status.state == SHUTDOWN
    assert bench.task("web.001").status.error == ""
    bench.put(*pending(service(version=2), 2, spec_version=2))
    settle(bench)
    assert bench.task("web.002").node_id == "n1"


def test_tasks_of_a_removed_service_are_forgotten():
    web = service()
    bench = started(web, *pending(web, 1))
    bench.delete(Service, "web")
    bench.put(node("n1", state=NodeState.DOWN))
    settle(bench)
    before = bench.task("web.001")
    bench.put(node("n1"))
    settle(bench)
    assert bench.task("web.001") == before


# ── laws ─────────────────────────────────────────────────────────────────────────────────────


@given(
    nodes=st.integers(1, 9),
    groups=st.lists(st.integers(1, 12), min_size=1, max_size=4),
)
def test_a_service_is_spread_evenly_over_equal_nodes(nodes, groups):
    """At any time a service's most and fewest tasks a node differ by one, however they came."""
    web = service()
    bench = started(*(node(f"n{n}") for n in range(nodes)), web)
    first = 1
    for size in groups:
        bench.put(*pending(web, *range(first, first + size)))
        settle(bench)
        first += size
        counts = [places(bench)[f"n{n}"] for n in range(nodes)]
        assert sum(counts) == first - 1
        assert max(counts) - min(counts) <= 1


@given(
    zones=st.lists(st.sampled_from("abc"), min_size=1, max_size=8),
    tasks=st.integers(1, 25),
)
def test_branches_of_a_preference_are_even(zones, tasks):
    web = service(task=spec(placement=Placement(preferences=("node.labels.az",))))
    nodes = [node(f"n{n}", labels={"az": zone}) for n, zone in enumerate(zones)]
    bench = started(*nodes, web, *pending(web, *range(1, tasks + 1)))
    by_zone = Counter(zones[int(id[1:])] for id in places(bench).elements())
    counts = [by_zone[zone] for zone in set(zones)]
    assert sum(counts) == tasks
    assert max(counts) - min(counts) <= 1


@given(
    levels=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 4)),
        min_size=1,
        max_size=7,
    ),
    there=st.lists(st.integers(0, 6), max_size=6),
    tasks=st.integers(1, 15),
)
def test_nested_preferences_place_all_that_can_be_placed(levels, there, tasks):
    """Also where Docker 20.10 never comes back: what is left over has really no room."""
    placement = Placement(preferences=("node.labels.az", "node.labels.rack"))
    web = service(task=spec(placement=placement, reservations=Resources(nano_cpus=1)))
    nodes = [
        node(f"n{n}", labels={"az": az, "rack": rack}, resources=Resources(nano_cpus=room))
        for n, (az, rack, room) in enumerate(levels)
    ]
    running = [
        task(f"r{n}", web, 100 + n, state=RUNNING, node_id=f"n{at % len(levels)}")
        for n, at in enumerate(there)
    ]
    bench = started(*nodes, web, *running, *pending(web, *range(1, tasks + 1)))
    used = Counter(t.node_id for t in running)
    room = sum(max(0, levels[n][2] - used[f"n{n}"]) for n in range(len(levels)))
    placed = sum(1 for t in bench.tasks() if t.id.startswith("web") and t.node_id)
    assert placed == min(tasks, room)
    settle(bench)


def test_the_debounce_is_what_the_loop_says():
    bench = started(node("n1"), service())
    bench.put(*pending(bench.service(), 1))
    ((key, at),) = bench.timers.items()
    assert key.owner == "scheduler"
    assert at - bench.out.now.mono == 50 * MILLISECOND
