"""Leases on clocks that drift within the stated bound, with pauses, crashes and cuts (I15, I17).

That a promise outlasts a crash is too rare a chain to be met here in seconds; a test in
`test_raft_reads.py` holds it.
"""

from __future__ import annotations

import pytest

from simswarm.raft import RawNode, Role, reads
from simswarm.raft.raft import Raft
from tests.raft.clocks import run
from tests.raft.observer import Violated

SHORT = 30_000


@pytest.mark.parametrize("seed", range(12))
def test_whoever_has_a_lease_reads_nothing_old(seed):
    run(seed, SHORT)


def test_leases_are_held_and_leaders_change_enough_to_mean_something():
    groups = [run(seed, SHORT) for seed in range(6)]
    assert sum(group.leases for group in groups) > 1000
    assert sum(len(group.observer.leaders) for group in groups) > 20


@pytest.mark.slow
@pytest.mark.parametrize("ten", range(20))
def test_hundreds_of_groups_read_nothing_old(ten):
    for seed in range(100 + 10 * ten, 110 + 10 * ten):
        run(seed)


def nobody_says_how_long_it_slept(patch):
    patch.setattr(RawNode, "late", lambda node, ticks: None)


def lease_lasts_twice_as_long(patch):
    def mutant(raft):
        young = (
            raft.ticks + raft.reads.late - raft.reads.lease_from <= 2 * raft.config.election_ticks
        )
        return raft.role is Role.LEADER and young and not raft.handed_over

    patch.setattr(reads, "has_lease", mutant)


def lease_begins_with_the_answer(patch):
    confirm = reads._confirm

    def mutant(raft):
        before = raft.reads.lease_from
        confirm(raft)
        if raft.reads.lease_from > before:
            raft.reads.lease_from = raft.ticks + raft.reads.late

    patch.setattr(reads, "_confirm", mutant)


def lease_outlives_a_transfer(patch):
    reset = Raft.__setattr__

    def mutant(raft, name, value):
        reset(raft, name, False if name == "handed_over" else value)

    patch.setattr(Raft, "__setattr__", mutant, raising=False)


def anybody_may_be_voted_for_at_any_time(patch):
    patch.setattr(Raft, "in_lease", property(lambda raft: False))


WRONG = [
    (nobody_says_how_long_it_slept, 5),
    (lease_lasts_twice_as_long, 5),
    (lease_begins_with_the_answer, 5),
    (lease_outlives_a_transfer, 5),
    (anybody_may_be_voted_for_at_any_time, 10),
]
"""And how long an election time-out must be for the fault to show soon."""


CASES = [
    pytest.param(
        m,
        ticks,
        marks=[pytest.mark.slow] if m is lease_begins_with_the_answer else [],
        id=m.__name__,
    )
    for m, ticks in WRONG
]


@pytest.mark.parametrize(("mutant", "ticks"), CASES)
def test_a_wrong_lease_is_caught(mutant, ticks, monkeypatch):
    mutant(monkeypatch)
    caught = "nothing"
    for seed in range(80):
        try:
            run(seed, SHORT, election_ticks=ticks)
        except Violated as violation:
            caught = str(violation)
            break
    assert caught.split()[0] in ("I15", "I17")
