"""Handing over leadership (THESIS 3.10)."""

from __future__ import annotations

import pytest

from simswarm.raft import AppendEntries, LeaderHeartbeat, RequestVote, Role, TimeoutNow
from tests.raft.harness import Group, drain, member, say


def led(**settings):
    group = Group.of(3, **settings)
    group.elect(1)
    return group


@pytest.mark.parametrize("pre_vote", [False, True])
def test_a_follower_that_has_everything_takes_over_at_once(pre_vote):
    group = led(pre_vote=pre_vote)
    group.propose(1, b"x")
    assert group[1].transfer_leadership(2)
    group.pump()
    assert group.leaders() == [2]
    assert group[2].raft.term == 2
    assert group[1].raft.leader == 2


def test_the_campaign_says_that_the_leader_asked_for_it():
    group = led()
    group[2].step(TimeoutNow(1, 1, 2))
    assert drain(group[2]) == [
        RequestVote(2, 2, 1, 1, 1, transfer=True),
        RequestVote(2, 2, 3, 1, 1, transfer=True),
    ]


def test_a_follower_that_lags_is_brought_up_to_date_first():
    group = led()
    group.isolate(3)
    group.propose(1, b"x")
    group.heal()
    assert group[1].transfer_leadership(3)
    (last,) = {type(m) for m in drain(group[1])} - {AppendEntries} or {None}
    assert last is None, "not yet"
    group.tick(1, 2)
    assert group.leaders() == [3]
    assert group[3].raft.last_index == 3


def test_a_leader_that_hands_over_takes_no_proposals():
    group = led()
    group.isolate(2)
    group[1].transfer_leadership(2)
    assert group[1].propose(b"x") is None


def test_it_is_given_up_after_an_election_time_out():
    group = led()
    group.isolate(2)
    group[1].transfer_leadership(2)
    group.tick(1, 9)
    assert group[1].propose(b"x") is None
    group.tick(1)
    assert group[1].propose(b"x") == 2
    assert group.leaders() == [1]


def test_a_lost_request_is_repeated():
    group = led()
    group.isolate(2)
    group[1].transfer_leadership(2)
    group.pump()
    group.heal()
    group.tick(1)
    assert group.leaders() == [2]


def test_losing_office_ends_it():
    group = led()
    group.isolate(2)
    group[1].transfer_leadership(2)
    group[1].step(LeaderHeartbeat(2, 3, 1, 0))
    assert (group[1].raft.transferee, group[1].raft.role) == (0, Role.FOLLOWER)
    group.heal()
    group.tick_all(40)
    (leader,) = group.leaders()
    assert group[leader].propose(b"x") is not None


def test_a_second_target_replaces_the_first():
    group = led()
    group.isolate(2)
    group[1].transfer_leadership(2)
    assert group[1].transfer_leadership(3)
    group.pump()
    assert group.leaders() == [3]


def test_asking_again_for_the_same_target_does_not_prolong_it():
    group = led()
    group.isolate(2)
    group[1].transfer_leadership(2)
    group.tick(1, 9)
    assert group[1].transfer_leadership(2)
    group.tick(1)
    assert group[1].propose(b"x") == 2


def test_handing_over_to_oneself_changes_nothing():
    group = led()
    assert group[1].transfer_leadership(1)
    assert group[1].propose(b"x") == 2


def test_strangers_and_members_that_do_not_lead_are_refused():
    group = led()
    assert not group[1].transfer_leadership(9)
    assert not group[2].transfer_leadership(3)


@pytest.mark.parametrize("term", [0, 1])
def test_a_request_of_an_old_term_is_void(term):
    node = member(terms=(2,), term=2)
    assert say(node, TimeoutNow(term, 2, 1)) == []
    assert node.raft.role is Role.FOLLOWER
