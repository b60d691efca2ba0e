"""The task database: what a boot recovers, whatever a crash left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.agent.taskdb import TaskDatabase
from simswarm.base.effects import Write, WriteMode
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import frame, frame_file
from simswarm.base.values import replace
from simswarm.model.objects import TaskStatus
from simswarm.model.taskstate import TaskState as S
from tests.agent.bench import Desk, a_task


def image(writes: list[Write]) -> bytes:
    records: list[bytes] = []
    for write in writes:
        records = (
            [*write.records] if write.mode is WriteMode.REPLACE else [*records, *write.records]
        )
    return frame_file(tuple(records))


def reopened(writes: list[Write]) -> dict:
    return TaskDatabase(Desk().out, image(writes)).tasks


def test_tasks_and_statuses_come_back():
    desk = Desk()
    database = TaskDatabase(desk.out, b"")
    database.put(a_task("t1"))
    database.put(a_task("t2"))
    database.put_status("t1", TaskStatus(S.RUNNING, 5, "started"))
    database.flush()
    database.drop("t2")
    database.flush()
    desk.drain()
    assert reopened(desk.writes) == {
        "t1": replace(a_task("t1"), status=TaskStatus(S.RUNNING, 5, "started"))
    }


def test_one_step_is_one_write_with_the_latest_of_each():
    desk = Desk()
    database = TaskDatabase(desk.out, b"")
    database.put(a_task("t1"))
    for state in (S.ACCEPTED, S.PREPARING):
        database.put_status("t1", TaskStatus(state))
    database.flush()
    database.flush()
    desk.drain()
    (write,) = desk.writes
    assert (write.file, write.mode, len(write.records)) == ("tasks", WriteMode.APPEND, 2)


def test_token_is_the_newest_write_until_it_is_durable():
    desk = Desk()
    database = TaskDatabase(desk.out, b"")
    database.put(a_task("t1"))
    database.flush()
    first = database.token
    database.put_status("t1", TaskStatus(S.ACCEPTED))
    database.flush()
    second = database.token
    database.written(first)
    assert database.token == second != 0
    database.written(second)
    assert database.token == 0


def test_status_of_an_unknown_task_is_not_recorded():
    database = TaskDatabase(Desk().out, b"")
    assert not database.put_status("t1", TaskStatus(S.RUNNING))


def test_file_full_of_old_records_is_replaced():
    desk = Desk()
    database = TaskDatabase(desk.out, b"")
    for number in range(2000):
        database.put(a_task("t1"))
        database.put_status("t1", TaskStatus(S.RUNNING, number))
        database.flush()
    desk.drain()
    replaced = [write for write in desk.writes if write.mode is WriteMode.REPLACE]
    assert 5 < len(replaced) < 30
    assert all(len(write.records) == 1 for write in replaced)
    assert reopened(desk.writes)["t1"].status.timestamp == 1999


def test_record_of_an_unknown_kind_is_corruption():
    with pytest.raises(StorageCorrupt, match="tasks: record of an unknown kind"):
        TaskDatabase(Desk().out, frame_file((b"\x91\x63",)))


def test_bad_checksum_before_good_records_is_corruption():
    content = bytearray(frame_file((b"a", b"b")))
    content[9] ^= 1
    with pytest.raises(StorageCorrupt, match="tasks: record 1"):
        TaskDatabase(Desk().out, bytes(content))


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "status", "drop", "flush"]),
        st.sampled_from(["t1", "t2", "t3"]),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(OPERATIONS, st.integers(0, 200))
def test_every_prefix_of_the_writes_is_a_state_once_held(operations, cut):
    """A crash at any byte of the last write: the recovered set is one that was current after some
    record, and with nothing cut off it is the newest."""
    desk = Desk()
    database = TaskDatabase(desk.out, b"")
    held = [{}]
    for kind, id, number in [*operations, ("flush", "", 0)]:
        match kind:
            case "put":
                status = database.tasks[id].status if id in database.tasks else TaskStatus(S.NEW)
                database.put(replace(a_task(id), slot=number, status=status))
            case "status":
                database.put_status(id, TaskStatus(S.RUNNING, number))
            case "drop":
                database.drop(id)
            case "flush":
                database.flush()
                held.append(dict(database.tasks))
    desk.drain()
    assert reopened(desk.writes) == held[-1]
    content = image(desk.writes)
    boundaries = [image(desk.writes[:count]) for count in range(len(desk.writes) + 1)]
    torn = content[: max(1, len(content) - cut)]
    tasks = TaskDatabase(Desk().out, torn).tasks
    if torn in boundaries:
        assert tasks in held
    assert all(task.id == id for id, task in tasks.items())


def test_torn_tail_is_cut_off():
    desk = Desk()
    database = TaskDatabase(desk.out, b"")
    database.put(a_task("t1"))
    database.flush()
    desk.drain()
    torn = image(desk.writes) + frame(b"half a record")[:-3]
    assert list(TaskDatabase(Desk().out, torn).tasks) == ["t1"]
