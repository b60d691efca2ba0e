"""Pre-vote: asking before standing, so that who can't win disturbs nobody (THESIS 9.6)."""

from __future__ import annotations

import pytest

from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    LeaderHeartbeat,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    Role,
)
from tests.raft.harness import Group, drain, member, say


def asking(**how):
    """Member 1 of three in term 4, asking for pre-votes."""
    node = member(terms=(2, 4), term=4, vote=2, pre_vote=True, **how)
    node.campaign()
    return node


def test_it_is_off_unless_asked_for():
    node = member()
    node.campaign()
    assert node.raft.role is Role.CANDIDATE


def test_asking_changes_neither_term_nor_vote_and_asks_for_the_next_term():
    node = asking()
    assert drain(node) == [PreVote(5, 1, 2, 2, 4), PreVote(5, 1, 3, 2, 4)]
    raft = node.raft
    assert (raft.role, raft.term, raft.vote, raft.leader) == (Role.PRECANDIDATE, 4, 2, 0)


def test_a_question_promises_nothing_and_waits_for_no_disk():
    node = asking()
    (batch,) = [node.ready()]
    assert [out.durable_first for out in batch.messages] == [False, False]
    assert batch.hard_state is None


def test_standing_forgets_the_leader():
    node = member(pre_vote=True)
    say(node, LeaderHeartbeat(1, 2, 1, 0))
    for _ in range(10):
        node.tick()
    assert (node.raft.role, node.raft.leader, node.raft.term) == (Role.PRECANDIDATE, 0, 1)


def test_a_majority_of_grants_leads_to_a_candidacy_in_the_next_term():
    node = asking()
    drain(node)
    requests = say(node, PreVoteReply(5, 2, 1, True))
    assert requests == [RequestVote(5, 1, 2, 2, 4), RequestVote(5, 1, 3, 2, 4)]
    assert (node.raft.role, node.raft.term, node.raft.vote) == (Role.CANDIDATE, 5, 1)


def test_a_majority_of_refusals_ends_the_question():
    node = asking()
    say(node, PreVoteReply(4, 2, 1, False), PreVoteReply(4, 3, 1, False))
    assert (node.raft.role, node.raft.term, node.raft.vote) == (Role.FOLLOWER, 4, 2)


def test_a_refusal_with_a_larger_term_makes_the_asker_follow():
    node = asking()
    say(node, PreVoteReply(9, 2, 1, False))
    assert (node.raft.role, node.raft.term, node.raft.vote) == (Role.FOLLOWER, 9, 0)


def test_a_grant_for_another_term_counts_for_nothing():
    node = asking()
    say(node, PreVoteReply(7, 2, 1, True), PreVoteReply(6, 3, 1, True), PreVoteReply(4, 3, 1, True))
    assert (node.raft.role, node.raft.term) == (Role.PRECANDIDATE, 4)


def test_a_doubled_grant_counts_once():
    node = member(members=(1, 2, 3, 4, 5), pre_vote=True)
    node.campaign()
    say(node, PreVoteReply(1, 2, 1, True), PreVoteReply(1, 2, 1, True))
    assert node.raft.role is Role.PRECANDIDATE


def test_votes_and_pre_votes_are_not_counted_for_each_other():
    node = asking()
    say(node, RequestVoteReply(4, 2, 1, True))
    assert node.raft.role is Role.PRECANDIDATE
    say(node, PreVoteReply(5, 2, 1, True))
    say(node, PreVoteReply(6, 3, 1, True), PreVoteReply(5, 3, 1, True))
    assert (node.raft.role, node.raft.term) == (Role.CANDIDATE, 5)


@pytest.mark.parametrize("message", [LeaderHeartbeat(4, 3, 1, 0), AppendEntries(4, 3, 1, 2, 4, 0)])
def test_an_asker_that_hears_a_leader_of_its_term_follows(message):
    node = asking()
    say(node, message)
    assert (node.raft.role, node.raft.leader) == (Role.FOLLOWER, 3)


def test_a_single_member_asks_itself():
    node = member(members=(1,), pre_vote=True)
    node.campaign()
    assert node.raft.role is Role.LEADER


# ── the one who is asked ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "last", "granted"),
    [
        (5, (2, 4), True),
        (5, (3, 4), True),
        (5, (1, 5), True),
        (9, (2, 4), True),
        (5, (1, 4), False),
        (5, (9, 3), False),
    ],
)
def test_a_pre_vote_is_granted_to_a_log_that_would_be_voted_for(asked, last, granted):
    node = member(terms=(2, 4), term=4, vote=2)
    answer = PreVoteReply(asked if granted else 4, 1, 3, granted)
    assert say(node, PreVote(asked, 3, 1, *last)) == [answer]
    assert (node.raft.term, node.raft.vote, node.raft.role) == (4, 2, Role.FOLLOWER)


@pytest.mark.parametrize(("vote", "granted"), [(0, True), (3, True), (2, False)])
def test_in_the_term_asked_for_a_given_vote_binds(vote, granted):
    node = member(term=5, vote=vote)
    assert say(node, PreVote(5, 3, 1, 0, 0)) == [PreVoteReply(5, 1, 3, granted)]


def test_a_smaller_term_is_refused_aloud_so_that_the_asker_learns_of_the_larger():
    node = member(term=9)
    assert say(node, PreVote(5, 3, 1, 7, 4)) == [PreVoteReply(9, 1, 3, False)]


def test_granting_a_pre_vote_does_not_reset_the_timer():
    node = member(offset=9)
    for _ in range(15):
        node.tick()
    say(node, PreVote(5, 3, 1, 0, 0))
    assert node.raft.election_elapsed == 15


@pytest.mark.parametrize("check_quorum", [True, False])
@pytest.mark.parametrize(("silence", "granted"), [(0, False), (9, False), (10, True)])
def test_who_hears_a_leader_refuses(check_quorum, silence, granted):
    node = member(offset=9, check_quorum=check_quorum)
    say(node, LeaderHeartbeat(1, 2, 1, 0))
    for _ in range(silence):
        node.tick()
    (answer,) = say(node, PreVote(2, 3, 1, 0, 0))
    assert answer.granted == granted


@pytest.mark.parametrize("check_quorum", [True, False])
def test_a_leader_refuses(check_quorum):
    group = Group.of(3, check_quorum=check_quorum)
    group.elect(1)
    assert say(group[1], PreVote(2, 3, 1, 9, 1)) == [PreVoteReply(1, 1, 3, False)]


# ── the group ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("check_quorum", [True, False])
def test_a_member_cut_off_for_long_comes_back_without_an_election(check_quorum):
    group = Group.of(3, pre_vote=True, check_quorum=check_quorum)
    group.elect(1)
    group.isolate(3)
    for _ in range(8):
        group.tick_all(10)
    assert group[3].raft.term == 1
    group.propose(1, b"x")
    group.heal()
    group.tick_all(40)
    assert group.leaders() == [1]
    assert group[1].raft.term == 1
    assert group[3].raft.applied == 2


def test_members_of_unequal_terms_still_elect_somebody():
    """Member 1 has the longest log and an old term: it wins only after learning the larger."""
    group = Group(
        [
            member(1, terms=(1, 2), term=2, pre_vote=True),
            member(2, terms=(1,), term=7, pre_vote=True, offset=9),
            member(3, terms=(1,), term=6, pre_vote=True, offset=9),
        ]
    )
    group.isolate(3)
    group.tick_all(80)
    (leader,) = group.leaders()
    assert leader == 1


@pytest.mark.parametrize("message", [LeaderHeartbeat(2, 2, 1, 0), AppendEntries(2, 2, 1, 0, 0, 0)])
def test_an_old_leader_is_told_the_larger_term_also_without_check_quorum(message):
    node = member(term=6, check_quorum=False, pre_vote=True)
    assert say(node, message) == [AppendEntriesReply(6, 1, 2, 0, rejected=True)]
