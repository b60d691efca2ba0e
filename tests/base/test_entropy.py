"""Chance is repeatable, independent by name, uniform, and copied with its state."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.entropy import SeededEntropy


def test_draws_are_the_same_for_ever():
    """Golden: a change here changes every run of every seed (raise the engine number)."""
    entropy = SeededEntropy(1).fork("raft").fork("election")
    assert [entropy.integer(10, 19) for _ in range(8)] == [10, 16, 14, 11, 15, 15, 17, 14]
    assert entropy.bytes(4).hex() == "42e43513"


def test_the_same_path_gives_the_same_stream_and_another_another():
    draws = {
        name: [SeededEntropy(7).fork(name).integer(0, 10**9) for _ in range(2)] for name in "abc"
    }
    assert all(first == second for first, second in draws.values())
    assert len({first for first, _ in draws.values()}) == 3


def test_an_extra_draw_in_one_stream_shifts_no_other():
    quiet, busy = SeededEntropy(1), SeededEntropy(1)
    busy.integer(0, 1000)
    busy.fork("x").bytes(100)
    assert quiet.fork("y").bytes(8) == busy.fork("y").bytes(8)


@given(st.integers(-(2**70), 2**70), st.integers(0, 2**70), st.integers(0, 2**32))
def test_integers_are_within_their_bounds(low, span, seed):
    assert low <= SeededEntropy(seed).integer(low, low + span) <= low + span


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 10])
def test_integers_are_uniform(size):
    entropy, draws = SeededEntropy(5), 4000
    counts = Counter(entropy.integer(0, size - 1) for _ in range(draws))
    assert set(counts) == set(range(size))
    assert max(counts.values()) - min(counts.values()) < 0.35 * draws / size + 60


def test_a_shuffle_is_a_permutation_and_every_place_can_be_reached():
    entropy, firsts = SeededEntropy(3), Counter()
    for _ in range(600):
        items = list("abcd")
        entropy.shuffle(items)
        assert sorted(items) == list("abcd")
        firsts[items[0]] += 1
    assert all(100 < count < 200 for count in firsts.values())


def test_a_copy_goes_its_own_way_from_the_same_place():
    entropy = SeededEntropy(1)
    entropy.integer(0, 9)
    copy = deepcopy(entropy)
    assert [copy.integer(0, 99) for _ in range(5)] == [entropy.integer(0, 99) for _ in range(5)]


def test_no_bytes_are_no_draw():
    assert SeededEntropy(1).bytes(0) == b""
    assert len(SeededEntropy(1).bytes(17)) == 17
