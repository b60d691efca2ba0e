"""The weighted choice of a manager."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from simswarm.agent.remotes import Remotes
from simswarm.base.entropy import SeededEntropy

NAMES = ("m1", "m2", "m3")


def remotes(*names: str, seed: int = 1) -> Remotes:
    return Remotes(SeededEntropy(seed), names or NAMES)


def test_observation_moves_the_weight_halfway_rounded_up():
    known = remotes("m1")
    assert known.weights == (("m1", 5),)
    known.observe("m1", 10)
    assert known.weights == (("m1", 8),)
    known.observe("m1", -10)
    assert known.weights == (("m1", -1),)


def test_managers_are_chosen_in_proportion_to_their_weights():
    known = remotes()
    for _ in range(20):
        known.observe("m1", 256)
        known.observe("m2", 128)
        known.observe("m3", -10)
    drawn = Counter(known.select() for _ in range(6000))
    assert 3700 < drawn["m1"] < 4300
    assert 1700 < drawn["m2"] < 2300
    assert drawn["m3"] <= 3


def test_managers_of_no_weight_are_equally_likely():
    known = remotes()
    for _ in range(20):
        for name in NAMES:
            known.observe(name, -10)
    drawn = Counter(known.select() for _ in range(3000))
    assert all(800 < drawn[name] < 1200 for name in NAMES)


def test_nobody_is_selected_where_nobody_is_known():
    known = remotes()
    known.keep_only([])
    assert known.select() is None


def test_forgotten_manager_is_not_remembered_by_a_failure():
    known = remotes()
    known.keep_only(["m2"])
    known.observe_if_known("m1", -10)
    assert [name for name, _ in known.weights] == ["m2"]


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(-1000, 1000)), max_size=30),
    st.integers(0, 5),
)
def test_weights_stay_within_bounds_and_every_manager_selectable(observations, seed):
    known = remotes(seed=seed)
    for name, weight in observations:
        known.observe(name, weight)
    assert all(-256 <= weight <= 256 for _, weight in known.weights)
    assert known.select() in NAMES
