"""Which slots are kept: the rule that a real swarm's scale-downs follow, and its laws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simswarm.manager.orchestrator.slots import Slot, by_number, free_numbers, keep_order
from simswarm.model.taskstate import TaskState
from tests.orchestrator.bench import service, task

RUNNING = TaskState.RUNNING
WEB = service()


def slot(number: int, node_id: str = "", state: TaskState = RUNNING, tasks: int = 1) -> Slot:
    return tuple(
        task(f"t{number}.{n}", WEB, number, node_id=node_id, state=state) for n in range(tasks)
    )


def numbers(slots: list[Slot]) -> list[int]:
    return [one[0].slot for one in slots]


@st.composite
def some_slots(draw: st.DrawFn) -> list[Slot]:
    count = draw(st.integers(0, 14))
    return [
        slot(
            number,
            draw(st.sampled_from(["", "a", "b", "c"])),
            draw(st.sampled_from([TaskState.NEW, TaskState.STARTING, RUNNING])),
            draw(st.sampled_from([1, 1, 1, 2])),
        )
        for number in range(1, count + 1)
    ]


def test_recorded_scale_down_from_eight_to_four():
    """Six nodes; slot 4 was the second task of its node: 1, 2, 3 and 5 stayed."""
    places = {1: "a", 2: "b", 3: "c", 4: "a", 5: "d", 6: "e", 7: "f", 8: "b"}
    order = keep_order([slot(number, where) for number, where in places.items()])
    assert numbers(order)[:4] == [1, 2, 3, 5]


@given(some_slots(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_slots_are_listed(slots, random):
    shuffled = list(slots)
    random.shuffle(shuffled)
    assert keep_order(shuffled) == keep_order(slots)


@given(some_slots())
def test_every_slot_is_ordered_once(slots):
    assert sorted(numbers(keep_order(slots))) == numbers(slots)


@given(some_slots(), st.integers(0, 14))
def test_what_is_kept_is_as_even_over_nodes_as_it_can_be(slots, keep):
    """No node keeps two more than another that had one more to give."""
    whole = [one for one in slots if len(one) == 1 and one[0].node_id]
    kept = [one for one in keep_order(slots)[:keep] if one in whole]
    had: dict[str, int] = {}
    has: dict[str, int] = {}
    for one in whole:
        had[one[0].node_id] = had.get(one[0].node_id, 0) + 1
        has.setdefault(one[0].node_id, 0)
    for one in kept:
        has[one[0].node_id] += 1
    for node_id, count in has.items():
        if count < had[node_id]:
            assert all(other <= count + 1 for other in has.values())


@given(some_slots())
def test_unassigned_and_doubled_slots_go_first(slots):
    flags = [len(one) == 1 and one[0].node_id != "" for one in keep_order(slots)]
    assert flags == sorted(flags, reverse=True)


@given(st.sets(st.integers(1, 30)), st.integers(0, 20))
def test_free_numbers_are_the_lowest_that_are_not_taken(taken, count):
    free = free_numbers(sorted(taken), count)
    assert len(free) == count
    assert free == sorted(set(free))
    assert not taken.intersection(free)
    assert all(number in taken or number in free for number in range(1, max(free, default=0)))


def test_tasks_are_grouped_by_slot_number_lowest_first():
    tasks = [task("c", WEB, 2), task("a", WEB, 3), task("b", WEB, 2)]
    assert [(n, [t.id for t in ts]) for n, ts in by_number(tasks).items()] == [
        (2, ["c", "b"]), (3, ["a"]),
    ]  # fmt: skip
