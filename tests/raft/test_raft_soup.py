"""Whatever a network and disks may do, the invariants hold; when they calm down, so does Raft."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.raft.soup import EVENTS, Soup, stir

happenings = st.lists(
    st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, 1 << 12)), max_size=250
)


@settings(max_examples=300)
@given(size=st.integers(1, 5), check_quorum=st.booleans(), events=happenings)
def test_no_order_of_events_breaks_safety(size, check_quorum, events):
    soup = Soup(size, seed=1, check_quorum=check_quorum)
    for event, number in events:
        getattr(soup, event)(number)


@pytest.mark.parametrize("seed", range(40))
def test_a_stirred_group_is_safe_and_agrees_once_left_alone(seed):
    soup = stir(seed)
    soup.calm(rounds=120)
    soup.check_agreement()


def test_stirring_elects_commits_and_crashes_enough_to_mean_something():
    """The soup is not thin: leaders change, entries commit and conflict, members come back."""
    soups = [stir(seed) for seed in range(20)]
    assert sum(len(soup.observer.leaders) for soup in soups) > 100
    assert sum(len(soup.observer.committed) for soup in soups) > 500
    assert sum(host.boots - 1 for soup in soups for host in soup.hosts) > 200
    replaced = [
        index
        for soup in soups
        for index in range(1, 200)
        if len([1 for term, at in soup.observer.entries if at == index]) > 1
    ]
    assert len(replaced) > 80


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10, 30))
def test_thousands_of_stirred_groups_are_safe_and_agree(hundred):
    for seed in range(100 * hundred, 100 * hundred + 100):
        soup = stir(seed)
        soup.calm(rounds=250)
        soup.check_agreement()
