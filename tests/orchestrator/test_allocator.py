"""The thin allocator: NEW becomes PENDING, and nothing else."""

from __future__ import annotations

import pytest

from simswarm.base.values import replace
from simswarm.manager.allocator import Allocator
from simswarm.model.objects import Task
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import Bench, cluster, service, task

NEW, PENDING = TaskState.NEW, TaskState.PENDING


def started(*items: object) -> Bench:
    bench = Bench()
    bench.load(cluster(), *items)
    bench.start(Allocator(bench.store, bench.out, 1))
    return bench


def test_new_tasks_become_pending_in_one_write_a_commit():
    web = service()
    bench = started(web, task("t0", web))
    bench.put(*(task(f"t{n}", web, n) for n in range(1, 6)))
    writes = [len(changes) for name, changes in bench.proposer.committed if "allocate" in name]
    assert writes == [1, 5]
    assert {t.status.state for t in bench.tasks()} == {PENDING}
    assert {t.status.message for t in bench.tasks()} == {"pending task scheduling"}


@pytest.mark.parametrize("state", [PENDING, TaskState.RUNNING, TaskState.FAILED])
def test_other_tasks_are_left_alone(state):
    web = service()
    bench = started(web, task("t0", web, state=state))
    before = bench.task("t0")
    bench.put(replace(before, desired_state=TaskState.SHUTDOWN))
    assert bench.task("t0").status == before.status


def test_a_task_that_shall_stop_becomes_pending_all_the_same():
    web = service()
    bench = started(web)
    bench.put(task("t0", web, desired_state=TaskState.SHUTDOWN))
    assert bench.task("t0").status.state == PENDING


def test_many_tasks_take_several_writes():
    web = service()
    bench = started(web, *(task(f"t{n:03}", web, n) for n in range(1, 451)))
    writes = [len(changes) for name, changes in bench.proposer.committed if "allocate" in name]
    assert writes == [200, 200, 50]
    assert all(isinstance(t, Task) and t.status.state == PENDING for t in bench.tasks())


def test_nothing_happens_after_leadership_is_lost():
    web = service()
    bench = started(web)
    bench.stop()
    bench.put(task("t0", web))
    assert bench.task("t0").status.state == NEW
