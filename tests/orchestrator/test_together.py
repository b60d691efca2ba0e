"""All leader loops at once under random trouble: they end where the specs say, whoever leads."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.values import replace
from simswarm.manager.allocator import Allocator
from simswarm.manager.orchestrator.enforcer import ConstraintEnforcer
from simswarm.manager.orchestrator.global_services import GlobalOrchestrator
from simswarm.manager.orchestrator.reaper import TaskReaper
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.manager.scheduler import Scheduler
from simswarm.model.objects import Node, NodeState, NodeStatus, Service, Task
from simswarm.model.specs import (
    Availability,
    Global,
    Replicated,
    Resources,
    RestartPolicy,
    UpdateConfig,
    UpdateOrder,
)
from simswarm.model.taskstate import TaskState
from simswarm.store import Tx
from tests.orchestrator.bench import Bench, cluster, node, service, spec

RUNNING, SHUTDOWN = TaskState.RUNNING, TaskState.SHUTDOWN
NODES = ("n1", "n2", "n3", "n4")
TROUBLES = ("scale", "image", "fail", "down", "up", "drain", "activate", "vanish", "leader", "wait")

troubles = st.lists(
    st.tuples(
        st.sampled_from(TROUBLES),
        st.integers(0, 9),
        st.sampled_from(["web", "first", "log"]),
    ),
    max_size=14,
)


class Swarm:
    """A bench with all loops, and agents on nodes that are up."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.epoch = 0
        delay = RestartPolicy(delay=500_000_000)
        wanted = spec(restart=delay, reservations=Resources(nano_cpus=1))
        self.bench.load(cluster(), *(node(id) for id in NODES))
        config = UpdateConfig(parallelism=2, delay=100_000_000)
        first = replace(config, order=UpdateOrder.START_FIRST)
        self.bench.load(
            service("web", 5, task=wanted, update=config),
            service("first", 3, task=wanted, update=first),
            service("log", mode=Global(), task=wanted, update=config),
        )
        self.lead()

    def lead(self) -> None:
        self.bench.stop()
        self.epoch += 1
        store, out, entropy, epoch = (
            self.bench.store,
            self.bench.out,
            self.bench.entropy,
            self.epoch,
        )
        self.bench.start(
            Allocator(store, out, epoch),
            Scheduler(store, out, entropy, epoch),
            ReplicatedOrchestrator(store, out, entropy.fork(f"r{epoch}"), epoch),
            GlobalOrchestrator(store, out, entropy.fork(f"g{epoch}"), epoch),
            TaskReaper(store, out, epoch),
            ConstraintEnforcer(store, out, epoch),
        )

    def agents(self, rounds: int) -> None:
        for _ in range(rounds):
            self.bench.change(self._obey)
            self.bench.run(0.25)

    def _obey(self, tx: Tx) -> None:
        for task in tx.find(Task):
            there = tx.get(Node, task.node_id)
            if there is None or there.status.state != NodeState.READY:
                continue
            state = task.status.state
            if state < TaskState.ASSIGNED or state > RUNNING:
                continue
            if task.desired_state > RUNNING:
                state = SHUTDOWN
            elif task.desired_state == RUNNING and state < RUNNING:
                state = RUNNING
            if state != task.status.state:
                self._report(tx, task, state)

    def _report(self, tx: Tx, task: Task, state: TaskState) -> None:
        now = tx.now.wall
        status = replace(task.status, state=state, timestamp=now, applied_at=now)
        tx.update(replace(task, status=status))

    def trouble(self, kind: str, number: int, name: str) -> None:
        bench = self.bench
        match kind:
            case "leader":
                self.lead()
            case "wait":
                bench.run(number)
            case "down" | "up" | "drain" | "activate":
                bench.change(lambda tx: self._node(tx, kind, NODES[number % len(NODES)]))
            case _:
                bench.change(lambda tx: self._task_or_service(tx, kind, number, name))
        self.agents(number % 4)

    def _node(self, tx: Tx, kind: str, id: str) -> None:
        stored = tx.get(Node, id)
        assert stored is not None
        if kind in ("down", "up"):
            state = NodeState.DOWN if kind == "down" else NodeState.READY
            tx.update(replace(stored, status=NodeStatus(state)))
        else:
            availability = Availability.DRAIN if kind == "drain" else Availability.ACTIVE
            tx.update(replace(stored, spec=replace(stored.spec, availability=availability)))

    def _task_or_service(self, tx: Tx, kind: str, number: int, name: str) -> None:
        stored = tx.get(Service, name)
        tasks = [task for task in tx.find(Task) if task.service_id == name]
        if kind == "scale" and number == 9 and stored is not None:
            tx.delete(Service, name)
        elif kind == "scale" and stored is not None and name != "log":
            self._rewrite(tx, stored, mode=Replicated(number))
        elif kind == "image" and stored is not None:
            image = spec(image=f"img:{number}").container
            self._rewrite(tx, stored, task=replace(stored.spec.task, container=image))
        elif kind == "fail" and tasks:
            task = tasks[number % len(tasks)]
            if TaskState.ASSIGNED <= task.status.state <= RUNNING:
                self._report(tx, task, TaskState.FAILED)
        elif kind == "vanish" and tasks and name != "log":
            tx.delete(Task, tasks[number % len(tasks)].id)

    def _rewrite(self, tx: Tx, stored: Service, **fields: object) -> None:
        tx.update(
            replace(
                stored,
                spec=replace(stored.spec, **fields),
                spec_version=(stored.spec_version or 0) + 1,
                previous_spec=stored.spec,
                previous_spec_version=stored.spec_version,
                update_status=None,
            )
        )

    def heal(self) -> None:
        """All nodes up and active, failures over; a paused update is taken up again."""
        for id in NODES:
            self.bench.change(lambda tx, id=id: self._node(tx, "up", id))
            self.bench.change(lambda tx, id=id: self._node(tx, "activate", id))
        self.agents(20)
        for stored in self.bench.store.find(Service):
            self.bench.change(
                lambda tx, stored=stored: self._rewrite(tx, stored, labels=(("healed", "yes"),))
            )
        # an old task that is never reported stopped is awaited for a minute
        self.agents(4 * 130)


@given(troubles)
def test_the_loops_end_where_the_specs_say(steps):
    swarm = Swarm()
    swarm.agents(4)
    for kind, number, name in steps:
        swarm.trouble(kind, number, name)
    swarm.heal()
    bench = swarm.bench
    services = bench.store.find(Service)
    for stored in services:
        live = bench.live(stored.id)
        assert {task.status.state for task in live} <= {RUNNING}
        assert {task.spec for task in live} <= {stored.spec.task}
        if isinstance(stored.spec.mode, Replicated):
            numbers = sorted(task.slot for task in live)
            assert len(numbers) == stored.spec.mode.replicas
            assert len(set(numbers)) == len(numbers)
        else:
            assert sorted(task.node_id for task in live) == sorted(NODES)
    kept = Counter((task.service_id, task.slot, task.node_id) for task in bench.tasks())
    assert {id for id, _, _ in kept} <= {stored.id for stored in services}
    scheduler = bench.loops["scheduler"]
    assert isinstance(scheduler, Scheduler)
    scheduler.check_invariants()


def test_the_same_steps_give_the_same_tables():
    """Nothing depends on chance, nor on the order of sets."""
    ends = []
    for _ in range(2):
        swarm = Swarm()
        for kind, number, name in (("fail", 1, "web"), ("image", 2, "first"), ("down", 1, "web")):
            swarm.trouble(kind, number, name)
        swarm.heal()
        ends.append((swarm.bench.tasks(), swarm.bench.proposer.committed))
    assert ends[0] == ends[1]
