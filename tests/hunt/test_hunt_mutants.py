"""Planted bugs are found, made small, and gone again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from simswarm.base.errors import InvalidSpec
from simswarm.base.values import replace
from simswarm.hunt.draw import drawer
from simswarm.hunt.mutants import MUTANTS, mutant, planted
from simswarm.hunt.plan import Plan
from simswarm.hunt.planfile import read, write
from simswarm.hunt.run import HELD, play
from simswarm.hunt.search import Order, Search, carry_out, make_small
from simswarm.hunt.shrink import Shrinker
from simswarm.raft.raft import Raft

QUICK = ("D03", "E04", "E24", "L10", "R07", "R17", "R18")
"""Found within about a hundred hunts."""
HARD = ("E12",)
"""Needs two failed candidacies of one member while another keeps the longer log, and then just
these two in the core: not found within a thousand hunts."""
SLOW = [id for id, found in MUTANTS.items() if not found.equivalent and id not in (*QUICK, *HARD)]


def found_within(id: str, seeds: int):
    figures = carry_out(Order("swarm", id, 1, seeds))
    return figures.failed[0] if figures.failed else None


@pytest.mark.parametrize("id", QUICK)
def test_a_planted_bug_is_found_by_the_invariant_it_breaks(id):
    failure = found_within(id, 400)
    assert failure is not None
    assert failure[1] in MUTANTS[id].fires


@pytest.mark.slow
@pytest.mark.parametrize("id", SLOW)
def test_every_planted_bug_is_found_in_time(id):
    assert found_within(id, 8000) is not None


def test_a_planted_bug_is_gone_afterwards():
    before = Raft.send_durable
    with planted("D03"):
        assert Raft.send_durable is not before
        assert play(Plan()).violated
    assert Raft.send_durable is before
    assert play(Plan()).verdict == HELD


def test_every_mutant_can_be_planted_and_removed():
    for id in MUTANTS:
        with planted(id):
            pass
    assert play(Plan()).verdict == HELD


def test_an_unknown_mutant_is_refused_with_what_there_is():
    with pytest.raises(InvalidSpec, match="E04"):
        mutant("X99")


def test_what_is_left_still_fails_and_each_fault_is_necessary():
    seed, invariant, _ = found_within("R02", 400)
    caught = make_small("swarm", "R02", seed)
    small = caught.finding.plan
    assert caught.outcome.invariant == invariant
    assert len(small.faults) < len(caught.found.faults)
    assert all(caught.necessary)
    again = read(write(caught.finding))
    with planted(again.mutant):
        outcome = play(again.plan)
        assert (outcome.invariant, outcome.digest) == (invariant, caught.outcome.digest)
        for position in range(len(small.faults)):
            rest = small.faults[:position] + small.faults[position + 1 :]
            assert play(replace(small, faults=rest)).invariant != invariant


def test_shrinking_keeps_to_its_budget():
    with planted("R18"):
        plan = drawer("swarm").plan(1)
        shrinker = Shrinker(plan, play(plan), budget=5)
        shrinker.shrink()
    assert shrinker.played <= 5


def test_a_search_stops_at_the_first_violation_and_knows_where_to_go_on():
    # in this process, so that nothing is planted in another test's worker
    with ThreadPoolExecutor(1) as pool:
        found = Search("swarm", 1, 400, "R07")
        found.run(pool, 1)
        assert found.first_failure is not None
        clean = Search("calm", 1, 25)
        clean.run(pool, 1)
    assert clean.first_failure is None
    assert clean.figures.runs == 25
    assert clean.next_seed == 26
