"""The hash chain over the execution, and how it leads to the first difference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simswarm.sim.digest import (
    INTERVAL,
    Digest,
    StepRecord,
    differing_interval,
    first_difference,
)


def chain(count, *, different_at=None):
    digest = Digest()
    for number in range(1, count + 1):
        digest.add(b"other" if number == different_at else b"step %d" % number)
    return digest


def test_equal_steps_give_equal_digests_and_others_do_not():
    assert chain(10).value == chain(10).value
    assert chain(10).value != chain(9).value
    assert chain(10).value != chain(10, different_at=3).value
    assert chain(0).value.startswith("sha256:")


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_checkpoints_lead_to_the_interval_of_the_first_difference(count, at):
    one, other = chain(count).checkpoints, chain(count, different_at=at).checkpoints
    interval = differing_interval(one, other)
    if at > len(one) * INTERVAL:
        assert interval is None
    else:
        assert interval is not None
        first, last = interval
        assert first <= at <= last
        assert last - first == INTERVAL - 1


def records(*texts, first=1):
    return [StepRecord(first + n, 0, "m1", text, ()) for n, text in enumerate(texts)]


def test_the_first_differing_step_is_named():
    assert first_difference(records("a", "b"), records("a", "b")) is None
    assert first_difference(records("a", "b"), records("a", "c")) == 2
    assert first_difference(records("a", "b", first=257), records("a", first=257)) == 258


def test_a_window_says_which_steps_to_record():
    digest = Digest(record_steps=(3, 4))
    assert [digest.add(b"x") for _ in range(5)] == [False, False, True, True, False]
