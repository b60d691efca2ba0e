"""Generic resources: claiming, giving back, and the laws of both."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simswarm.model.resources import claim, consume, fits, has_enough, has_resource, reclaim
from simswarm.model.specs import GenericResource, Resources

GPUS = (GenericResource("gpu", value="a"), GenericResource("gpu", value="b"))
APPLES = (GenericResource("apple", 5),)


def want(kind: str, count: int) -> GenericResource:
    return GenericResource(kind, count)


def test_named_pieces_are_taken_in_order():
    left, taken = claim(GPUS, (want("gpu", 1),))
    assert (left, taken) == (GPUS[1:], GPUS[:1])


def test_counts_go_down_and_vanish_at_zero():
    left, taken = claim(APPLES, (want("apple", 2),))
    assert (left, taken) == ((want("apple", 3),), (want("apple", 2),))
    assert claim(left, (want("apple", 3),))[0] == ()


def test_a_claim_that_fails_takes_nothing():
    both = (want("gpu", 1), want("pear", 1))
    assert claim(GPUS, both) == (GPUS, ())


def test_a_reservation_must_be_a_count():
    assert not has_enough(GPUS, GPUS[0])
    assert claim(GPUS, GPUS[:1]) == (GPUS, ())


def test_enough_means_as_many_as_wanted():
    assert has_enough(GPUS, want("gpu", 2))
    assert not has_enough(GPUS, want("gpu", 3))
    assert has_enough(APPLES, want("apple", 5))
    assert not has_enough(APPLES, want("apple", 6))
    assert not has_enough((), want("gpu", 1))


def test_what_is_given_back_never_exceeds_the_offer():
    assert reclaim((want("apple", 4),), (want("apple", 3),), APPLES) == APPLES
    assert reclaim((), (want("apple", 3),), APPLES) == (want("apple", 3),)
    assert reclaim((), GPUS[:1], ()) == ()
    assert reclaim((), (want("gpu", 1),), GPUS) == GPUS, "the kind has changed: it starts afresh"
    assert reclaim((), (GenericResource("gpu", value="c"),), GPUS) == ()


def test_a_held_piece_is_looked_for_by_name_or_by_count():
    assert has_resource(GPUS[0], GPUS)
    assert not has_resource(GenericResource("gpu", value="c"), GPUS)
    assert has_resource(want("apple", 5), APPLES)
    assert not has_resource(want("apple", 4), APPLES)
    assert not has_resource(want("gpu", 1), GPUS)


def test_consuming_ignores_a_kind_whose_type_has_changed():
    assert consume(APPLES, (GenericResource("apple", value="x"),)) == APPLES
    assert consume(GPUS, (want("gpu", 1),)) == GPUS


def test_cpu_and_memory_must_fit_too():
    assert fits(Resources(2, 3), 2, 3, ())
    assert not fits(Resources(3, 3), 2, 3, ())
    assert not fits(Resources(2, 4), 2, 3, ())
    assert not fits(Resources(1, 1, (want("gpu", 3),)), 2, 3, GPUS)


pools = st.one_of(
    st.integers(1, 6).map(lambda count: (want("k", count),)),
    st.integers(1, 6).map(lambda n: tuple(GenericResource("k", value=f"v{i}") for i in range(n))),
)


@given(pools, st.lists(st.integers(1, 4), max_size=4))
def test_giving_back_all_that_was_claimed_restores_the_pool(offered, wanted):
    available, held = offered, []
    for count in wanted:
        if has_enough(available, want("k", count)):
            available, taken = claim(available, (want("k", count),))
            assert sum(piece.count or 1 for piece in taken) == count
            held.append(taken)
    for taken in held:
        available = reclaim(available, taken, offered)
    assert sorted(map(str, available)) == sorted(map(str, offered))
