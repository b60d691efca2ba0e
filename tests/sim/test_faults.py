"""The book of network faults: who is concerned, how faults add up, what healing ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.errors import InvalidSpec
from simswarm.sim.fabric.faults import HEALTHY, FaultBook, LinkFault

LOSSY = LinkFault(loss=100_000)
NAMES = "abcde"


def cut(book):
    return {
        source + target
        for source in NAMES
        for target in NAMES
        if book.condition(source, target).cut
    }


def both_ways(*pairs):
    return set(pairs) | {pair[::-1] for pair in pairs}


def test_a_partition_cuts_between_groups_and_spares_who_is_in_none():
    book = FaultBook()
    book.partition([["a", "b"], ["c"], ["d"]])
    assert cut(book) == both_ways("ac", "bc", "ad", "bd", "cd")


def test_a_node_cannot_be_in_two_groups():
    with pytest.raises(InvalidSpec, match="a can't be in two groups"):
        FaultBook().partition([["a"], ["b", "a"]])


def test_partitions_overlap_and_heal_one_by_one():
    book = FaultBook()
    first = book.partition([["a"], ["b", "c"]])
    second = book.partition([["a"], ["b"], ["d"]])
    assert book.heal(first)
    assert cut(book) == both_ways("ab", "ad", "bd")
    assert not book.heal(first)
    assert book.heal(second)
    assert cut(book) == set()


def test_healing_nodes_ends_what_concerns_them_now_but_not_later_faults():
    book = FaultBook()
    book.partition([["a"], ["b"], ["c"]])
    book.heal_nodes(["a"])
    assert cut(book) == both_ways("bc")
    book.partition([["a"], ["c"]])
    assert cut(book) == both_ways("bc", "ac")


def test_healing_groups_ends_what_is_between_them():
    book = FaultBook()
    book.partition([["a"], ["b"], ["c"]])
    book.heal_groups([["a"], ["b"]])
    assert cut(book) == both_ways("ac", "bc")


def test_a_one_way_fault_has_one_direction_and_none_to_oneself():
    book = FaultBook()
    book.shape(["a", "b"], list(NAMES), LinkFault(loss=1_000_000), oneway=True)
    assert cut(book) == {"ab", "ac", "ad", "ae", "ba", "bc", "bd", "be"}


def test_faults_add_up():
    book = FaultBook()
    book.shape(["a"], ["b"], LinkFault(latency=3, jitter=1, loss=500_000, bandwidth=9), oneway=True)
    book.shape(["b"], ["a"], LinkFault(latency=4, loss=500_000, bandwidth=5), oneway=False)
    assert book.condition("a", "b").fault == LinkFault(
        latency=7, jitter=1, loss=750_000, bandwidth=5
    )
    assert book.condition("b", "a").fault == LinkFault(latency=4, loss=500_000, bandwidth=5)


faults = st.builds(
    LinkFault,
    latency=st.integers(0, 100),
    loss=st.integers(0, 999_999),
    reorder=st.integers(0, 1_000_000),
    bandwidth=st.integers(0, 100),
)


@given(st.lists(faults, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_faults_hardly_matters(injected, random):
    """Up to the rounding of integer probabilities, one part per million a fault."""
    shuffled = list(injected)
    random.shuffle(shuffled)
    conditions = []
    for order in (injected, shuffled):
        book = FaultBook()
        for fault in order:
            book.shape(["a"], ["b"], fault, oneway=True)
        conditions.append(book.condition("a", "b").fault)
    one, other = conditions
    assert (one.latency, one.bandwidth) == (other.latency, other.bandwidth)
    assert abs(one.loss - other.loss) <= 4
    assert abs(one.reorder - other.reorder) <= 4


@given(st.lists(faults, max_size=4))
def test_healing_everything_leaves_nothing(injected):
    book = FaultBook()
    for fault in injected:
        book.shape(["a"], ["b"], fault, oneway=False)
    book.partition([["a"], ["b"]])
    book.heal_all()
    assert book.condition("a", "b") == HEALTHY
