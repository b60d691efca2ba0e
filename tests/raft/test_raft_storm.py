"""Members come and go, logs are compacted, leaders hand over, disks forget: safety holds anyway."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.raft.storm import STORM, Storm, rage

happenings = st.lists(
    st.tuples(st.sampled_from(sorted(STORM)), st.integers(0, 1 << 12)), max_size=200
)


@settings(max_examples=150)
@given(size=st.integers(1, 4), pre_vote=st.booleans(), events=happenings)
def test_no_order_of_events_breaks_safety(size, pre_vote, events):
    storm = Storm(size, seed=1, pre_vote=pre_vote)
    for event, number in events:
        getattr(storm, event)(number)


@pytest.mark.parametrize("seed", range(40))
def test_a_group_in_a_storm_is_safe_and_agrees_once_left_alone(seed):
    storm = rage(seed)
    storm.calm(rounds=120)
    storm.check_agreement()


def test_storms_change_members_compact_and_hand_over_enough_to_mean_something():
    storms = [rage(seed) for seed in range(30)]
    configs = [config for storm in storms for _, config in storm.observer.configs]
    assert len(configs) - len(storms) > 50
    assert sum(bool(config.outgoing) for config in configs) > 20
    assert sum(bool(config.learners) for config in configs) > 20
    assert sum(storm.compactions for storm in storms) > 300
    assert sum(storm.installed for storm in storms) > 30
    assert sum(storm.handed_over for storm in storms) > 60
    assert sum(storm.answers for storm in storms) > 200
    assert sum(len(storm.hosts) - len(storm.members) for storm in storms) > 60


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10, 40))
def test_thousands_of_groups_in_storms_are_safe_and_agree(hundred):
    for seed in range(100 * hundred, 100 * hundred + 100):
        storm = rage(seed)
        storm.calm(rounds=250)
        storm.check_agreement()
