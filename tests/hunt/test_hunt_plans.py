"""Plans: what is drawn is valid, and a file gives back what was written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simswarm.base.errors import InvalidSpec
from simswarm.base.values import replace
from simswarm.hunt.draw import PROFILES, Drawer, drawer, plans
from simswarm.hunt.plan import Crash, Link, Partition, Plan, Strike
from simswarm.hunt.planfile import Finding, read, write


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(PROFILES)).flatmap(plans))
def test_every_plan_drawn_is_valid_and_survives_its_file(plan):
    plan.validate()
    finding = Finding(plan, "log matching", "R06")
    assert read(write(finding)) == finding


def test_a_seed_gives_the_same_plan_to_every_drawer():
    assert Drawer("swarm").plan(7) == drawer("swarm").plan(7)
    assert drawer("swarm").plan(7) != drawer("swarm").plan(8)


def test_swarm_testing_leaves_whole_kinds_out():
    kinds = [frozenset(type(fault) for fault in drawer("swarm").plan(n).faults) for n in range(60)]
    for kind in (Crash, Strike, Partition, Link):
        have = sum(kind in found for found in kinds)
        assert 5 < have < 55, kind


def test_the_simplest_plan_is_harmless():
    assert Plan().faults == ()
    Plan().validate()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "hunt: 1"),
        ("hunt: 2", "hunt: 1"),
        ("hunt: 1\nnodes: 3", "no 'nodes'"),
        ("hunt: 1\nmembers: many", "expected"),
        ("hunt: 1\nmembers: 99", "not within"),
        ("hunt: 1\ntick: 50", "unit"),
        ("hunt: 1\nfaults: [{kind: flood}]", "no kind of fault 'flood'"),
        ("hunt: 1\nfaults: [{kind: pause, at: 1s, node: m1}]", "needs span"),
        ("hunt: 1\nfaults: [{kind: pause, at: 1s, node: m9, span: 1s}]", "not one of"),
        ("hunt: 1\nfaults: [", "hunt file"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused_with_its_reason(text, said):
    with pytest.raises(InvalidSpec) as refusal:
        read(text)
    assert said.lower() in refusal.value.message.lower()


def test_a_member_in_two_groups_is_refused():
    plan = replace(Plan(), faults=(Partition(0, 10, (("m1",), ("m1", "m2"))),))
    with pytest.raises(InvalidSpec, match="two groups"):
        plan.validate()
