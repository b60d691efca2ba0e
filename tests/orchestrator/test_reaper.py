"""The task reaper: what swarmkit's own tests assert."""

from __future__ import annotations

import pytest

from simswarm.base.values import replace
from simswarm.manager.orchestrator.reaper import TaskReaper
from simswarm.manager.orchestrator.replicated import ReplicatedOrchestrator
from simswarm.model.objects import Cluster, Service, Task
from simswarm.model.specs import RestartPolicy
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import START, Bench, cluster, node, service, spec, task

RUNNING, NEW, ASSIGNED = TaskState.RUNNING, TaskState.NEW, TaskState.ASSIGNED
SHUTDOWN, REMOVE, FAILED = TaskState.SHUTDOWN, TaskState.REMOVE, TaskState.FAILED


def started(*items: object, history: int = 2, orchestrate: bool = False) -> Bench:
    bench = Bench()
    bench.load(cluster(history), node("n1"), *items)
    bench.start(TaskReaper(bench.store, bench.out, 1))
    if orchestrate:
        bench.start(ReplicatedOrchestrator(bench.store, bench.out, bench.entropy, 1))
    return bench


def ids(bench: Bench) -> list[str]:
    return [task.id for task in bench.tasks()]


def test_what_may_go_at_the_start_goes_at_once():
    web, gone = service(), replace(service("gone"), id="")
    bench = started(
        web,
        task("orphan", gone, state=TaskState.ORPHANED),
        task("orphan-of-web", web, state=TaskState.ORPHANED),
        task("never-ran", web, state=NEW, desired_state=REMOVE),
        task("ended", web, state=FAILED, desired_state=REMOVE),
        task("ending", web, state=RUNNING, desired_state=REMOVE),
        task("assigned", web, state=ASSIGNED, desired_state=REMOVE),
        task("running", web, state=RUNNING),
    )
    assert ids(bench) == ["assigned", "ending", "orphan-of-web", "running"]


def test_only_so_many_ended_tasks_are_kept_oldest_go_first():
    bench = started(service(task=spec(restart=RestartPolicy(delay=0))), orchestrate=True)
    made: list[str] = []
    for _ in range(6):
        (live,) = bench.live()
        made.append(live.id)
        bench.set_state(live, RUNNING)
        bench.set_state(live, FAILED)
        bench.run(0.5)
    kept = [task.id for task in bench.tasks() if task.status.state == FAILED]
    assert kept == [made[-1]], "two tasks a slot: the last that failed and the one that runs"


def test_a_limit_of_attempts_keeps_one_task_more_than_that():
    policy = RestartPolicy(delay=0, max_attempts=3)
    bench = started(service(task=spec(restart=policy)), orchestrate=True)
    for _ in range(4):
        (live,) = bench.live()
        bench.set_state(live, RUNNING)
        bench.set_state(live, FAILED)
        bench.run(0.5)
    assert bench.live() == []
    assert len(bench.tasks()) == 4


def test_a_negative_limit_keeps_everything():
    web = service()
    bench = started(web, history=-1)
    bench.put(*(task(f"t{n}", web, state=FAILED) for n in range(9)))
    bench.run(1)
    assert len(bench.tasks()) == 9


def test_a_limit_of_zero_keeps_no_ended_task():
    web = service()
    bench = started(web, history=0)
    bench.put(task("t1", web, state=FAILED), task("t2", web, state=RUNNING))
    bench.run(1)
    assert ids(bench) == ["t2"]


def test_a_new_limit_is_learned():
    web = service()
    bench = started(web, history=9)
    (stored,) = bench.store.find(Cluster)
    bench.put(replace(stored, spec=replace(stored.spec, task_history_limit=1)))
    bench.put(*(task(f"t{n}", web, state=FAILED, at=START.wall + n) for n in range(5)))
    bench.run(1)
    assert ids(bench) == ["t4"]


def test_a_removed_task_goes_when_it_has_stopped():
    web = service()
    bench = started(web, task("t1", web, state=RUNNING, desired_state=REMOVE))
    assert ids(bench) == ["t1"]
    bench.set_state(bench.task("t1"), SHUTDOWN)
    bench.run(0.2)
    assert ids(bench) == ["t1"], "the interval is 250 ms"
    bench.run(0.1)
    assert ids(bench) == []


def test_tasks_of_a_removed_service_go_as_they_stop():
    web = service(replicas=3)
    bench = started(
        web,
        task("done", web, 1, state=TaskState.COMPLETE, node_id="n1"),
        task("runs", web, 2, state=RUNNING, node_id="n1"),
        task("waits", web, 3, state=TaskState.PENDING),
        orchestrate=True,
    )
    bench.delete(Service, "web")
    bench.run(1)
    assert "done" not in ids(bench)
    assert "waits" not in ids(bench)
    assert bench.task("runs").desired_state == REMOVE
    bench.set_state(bench.task("runs"), SHUTDOWN)
    bench.run(1)
    assert "runs" not in ids(bench)


def test_few_marks_wait_for_the_interval_and_many_do_not():
    web = service()
    bench = started(web, history=0)
    bench.put(task("t0", web, 1, state=FAILED))
    assert ids(bench) == ["t0"]
    bench.put(*(task(f"u{n}", web, n, state=FAILED) for n in range(1, 1002)))
    assert len(bench.tasks()) == 0
    assert max(len(c) for n, c in bench.proposer.committed if n == "reaper.reap") <= 200


@pytest.mark.parametrize("desired", [RUNNING, SHUTDOWN])
@pytest.mark.parametrize("state", [s for s in TaskState if s != REMOVE])
def test_what_counts_as_history(desired, state):
    """With desired RUNNING only what has ended may go; with SHUTDOWN also what never got a node."""
    web = service()
    bench = started(web, history=1)
    bench.put(task("t1", web, state=state, desired_state=desired))
    bench.put(task("t2", web, state=RUNNING, at=START.wall + 1))
    bench.run(1)
    gone = state > RUNNING or (state < ASSIGNED and desired > RUNNING)
    assert ids(bench) == (["t2"] if gone else ["t1", "t2"])


def test_a_slot_with_two_live_tasks_is_looked_at_again():
    web = service()
    bench = started(web, history=1)
    bench.put(task("t1", web, state=RUNNING), task("t2", web, state=RUNNING, at=START.wall + 1))
    bench.run(1)
    bench.set_state(bench.task("t1"), FAILED)
    bench.run(1)
    assert ids(bench) == ["t2"]


def test_timers_end_with_the_leadership():
    web = service()
    bench = started(web)
    bench.put(task("t1", web, state=FAILED))
    assert bench.timers
    bench.stop()
    assert bench.timers == {}


def test_nothing_alive_is_ever_deleted():
    """A slot with more live tasks than the limit keeps them all."""
    web = service()
    bench = started(web, history=1)
    bench.put(*(task(f"t{n}", web, state=RUNNING) for n in range(4)))
    bench.run(5)
    assert len(bench.tasks()) == 4
    assert all(isinstance(task, Task) for task in bench.tasks())
