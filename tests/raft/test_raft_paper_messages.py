"""PAPER figure 2, AppendEntries and RequestVote: what a receiver does, sentence by sentence."""

from __future__ import annotations

import pytest

from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    LeaderHeartbeat,
    RequestVote,
    RequestVoteReply,
    Role,
)
from tests.raft.harness import Group, drain, member, say, terms_of


def entries(first, *terms):
    return tuple(Entry(term, index, b"new") for index, term in enumerate(terms, first))


# ── AppendEntries ────────────────────────────────────────────────────────────────────────────


def test_an_append_of_an_earlier_term_is_refused_with_the_own_term():
    """1. Reply false if term < currentTerm."""
    node = member(terms=(1,), term=5)
    answer = say(node, AppendEntries(4, 2, 1, 1, 1, 1, entries(2, 4)))
    assert answer == [AppendEntriesReply(5, 1, 2, 0, rejected=True)]
    assert (terms_of(node), node.raft.commit, node.raft.leader) == ([1], 0, 0)


@pytest.mark.parametrize(("previous_index", "previous_term"), [(3, 3), (2, 2), (9, 3)])
def test_an_append_after_an_entry_that_is_not_here_is_refused(previous_index, previous_term):
    """2. Reply false if log doesn't contain an entry at prevLogIndex with prevLogTerm."""
    node = member(terms=(1, 1))
    message = AppendEntries(
        3, 2, 1, previous_index, previous_term, 0, entries(previous_index + 1, 3)
    )
    (answer,) = say(node, message)
    assert (answer.rejected, answer.index) == (True, previous_index)
    assert terms_of(node) == [1, 1]


def test_an_append_at_the_start_always_matches():
    node = member(terms=(1, 1))
    (answer,) = say(node, AppendEntries(1, 2, 1, 0, 0, 0))
    assert (answer.rejected, answer.index) == (False, 0)


@pytest.mark.parametrize(
    ("own", "previous", "sent", "result"),
    [
        ((1, 1), 2, (2,), [1, 1, 2]),
        ((1, 1), 1, (2,), [1, 2]),
        ((1, 1, 1, 1), 1, (2, 2), [1, 2, 2]),
        ((1, 1, 1, 1), 2, (1, 2), [1, 1, 1, 2]),
        ((), 0, (1, 2, 2), [1, 2, 2]),
    ],
)
def test_a_conflicting_entry_and_all_after_it_give_way(own, previous, sent, result):
    """3. If an existing entry conflicts: delete it and all that follow it.
    4. Append any new entries not already in the log."""
    node = member(terms=own)
    term = own[previous - 1] if previous else 0
    (answer,) = say(node, AppendEntries(2, 2, 1, previous, term, 0, entries(previous + 1, *sent)))
    assert (answer.rejected, answer.index) == (False, previous + len(sent))
    assert terms_of(node) == result


@pytest.mark.parametrize(("previous", "sent"), [(0, ()), (0, (1,)), (1, (1, 1)), (2, ())])
def test_an_old_append_that_matches_removes_nothing(previous, sent):
    """Delivered late or twice, an append must not shorten the log."""
    node = member(terms=(1, 1, 1, 1))
    (answer,) = say(
        node,
        AppendEntries(1, 2, 1, previous, 1 if previous else 0, 0, entries(previous + 1, *sent)),
    )
    assert terms_of(node) == [1, 1, 1, 1]
    assert answer.index == previous + len(sent), "only what this message proved"


@pytest.mark.parametrize(
    ("leader_commit", "previous", "sent", "commit"),
    [(1, 3, (), 1), (3, 3, (), 3), (9, 3, (), 3), (9, 1, (1,), 2), (9, 3, (1,), 4)],
)
def test_the_commit_index_rises_no_further_than_the_last_new_entry(
    leader_commit, previous, sent, commit
):
    """5. If leaderCommit > commitIndex: commitIndex = min(leaderCommit, index of last new)."""
    node = member(terms=(1, 1, 1))
    say(node, AppendEntries(1, 2, 1, previous, 1, leader_commit, entries(previous + 1, *sent)))
    assert node.raft.commit == commit


def test_an_append_from_before_the_commit_index_is_answered_with_it():
    node = member(terms=(1, 1, 1), commit=3)
    assert say(node, AppendEntries(1, 2, 1, 1, 1, 1, entries(2, 1))) == [
        AppendEntriesReply(1, 1, 2, 3)
    ]


def test_the_commit_index_never_falls():
    node = member(terms=(1, 1, 1), commit=3)
    say(node, AppendEntries(1, 2, 1, 3, 1, 1), LeaderHeartbeat(1, 2, 1, 2))
    assert node.raft.commit == 3


@pytest.mark.parametrize(
    ("own", "previous_index", "previous_term", "hint"),
    [
        ((1, 1), 9, 5, (2, 1)),
        ((1, 3, 3, 4, 4, 5, 5, 5, 6), 8, 3, (3, 3)),
        ((1, 1, 1, 1, 2, 2), 9, 5, (6, 2)),
        ((2, 2), 2, 1, (0, 0)),
        ((), 3, 1, (0, 0)),
    ],
)
def test_a_refusal_hints_at_the_last_index_that_may_match(own, previous_index, previous_term, hint):
    """5.3: the follower may include the term of the conflict, to skip a term at a time."""
    node = member(terms=own, term=9)
    (answer,) = say(node, AppendEntries(9, 2, 1, previous_index, previous_term, 0))
    assert (answer.hint_index, answer.hint_term) == hint


@pytest.mark.parametrize(
    ("leader", "follower"),
    [
        ((1, 1, 1, 4, 4, 5, 5, 6, 6, 6), (1, 1, 1, 4, 4, 5, 5, 6, 6)),
        ((1, 1, 1, 4, 4, 5, 5, 6, 6, 6), (1, 1, 1, 4)),
        ((1, 1, 1, 4, 4, 5, 5, 6, 6, 6), (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6)),
        ((1, 1, 1, 4, 4, 5, 5, 6, 6, 6), (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7)),
        ((1, 1, 1, 4, 4, 5, 5, 6, 6, 6), (1, 1, 1, 4, 4, 4, 4)),
        ((1, 1, 1, 4, 4, 5, 5, 6, 6, 6), (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3)),
    ],
    ids="abcdef",
)
def test_every_follower_of_figure_7_is_brought_to_the_leaders_log(leader, follower):
    group = Group(
        [
            member(1, terms=leader, term=7),
            member(2, terms=follower, term=7),
            member(3, terms=leader, term=7),
        ]
    )
    group.elect(1)
    assert terms_of(group[2]) == [*leader, 8]
    assert group[2].raft.log.entries() == group[1].raft.log.entries()


def test_repair_takes_about_one_refusal_per_term_not_per_entry():
    leader = (1,) * 200 + (5,) * 200
    follower = (1,) * 100 + (2,) * 300
    group = Group([member(1, terms=leader), member(2, terms=follower), member(3, terms=leader)])
    group.elect(1)
    refusals = [m for m in group.seen if isinstance(m, AppendEntriesReply) and m.rejected]
    assert len(refusals) <= 3
    assert terms_of(group[2]) == [*leader, 6]


# ── RequestVote ──────────────────────────────────────────────────────────────────────────────


def test_a_vote_request_of_an_earlier_term_gets_no_vote():
    """1. Reply false if term < currentTerm. Here it isn't answered: the next term will do."""
    node = member(term=5)
    assert say(node, RequestVote(4, 2, 1, 9, 4)) == []
    assert node.raft.vote == 0


@pytest.mark.parametrize(
    ("vote", "candidate", "granted"), [(0, 2, True), (2, 2, True), (3, 2, False), (1, 2, False)]
)
def test_one_vote_a_term_and_the_same_answer_to_the_same_candidate(vote, candidate, granted):
    """2. If votedFor is null or candidateId …"""
    node = member(term=3, vote=vote)
    for _ in range(2):
        assert say(node, RequestVote(3, candidate, 1, 0, 0)) == [
            RequestVoteReply(3, 1, candidate, granted)
        ]


@pytest.mark.parametrize(
    ("own", "last_index", "last_term", "granted"),
    [
        ((1,), 1, 1, True),
        ((1,), 2, 1, True),
        ((1, 1), 1, 1, False),
        ((1,), 1, 2, True),
        ((1, 1), 1, 2, True),
        ((1,), 2, 2, True),
        ((2,), 1, 1, False),
        ((2,), 2, 1, False),
        ((2, 2), 1, 1, False),
        ((), 0, 0, True),
    ],
)
def test_a_candidate_with_a_stale_log_is_refused(own, last_index, last_term, granted):
    """… and candidate's log is at least as up-to-date as receiver's log, grant vote (5.4.1)."""
    node = member(terms=own, term=2)
    (answer,) = say(node, RequestVote(3, 2, 1, last_index, last_term))
    assert answer.granted == granted


def test_no_vote_in_a_term_whose_leader_is_known():
    node = member()
    say(node, LeaderHeartbeat(3, 2, 1, 0))
    (answer,) = say(node, RequestVote(3, 3, 1, 9, 3))
    assert not answer.granted


def test_a_split_vote_is_settled_by_the_next_time_out():
    """5.2: candidates split the votes; each times out and starts again."""
    group = Group.of(4)
    for id in (1, 2):
        group[id].campaign()
    group[3].step(RequestVote(1, 1, 3, 0, 0))
    group[4].step(RequestVote(1, 2, 4, 0, 0))
    group.pump()
    assert group.leaders() == []
    group.tick_all(10)
    assert group.leaders() == [1]


def test_figure_8_an_entry_on_a_majority_may_still_be_replaced_so_it_is_not_committed():
    """5.4.2: member 1 leads again in term 4 and copies its term-2 entry to a majority; until an
    entry of term 4 is there too, member 5 could win and replace it, so it isn't committed."""
    terms = {1: (1, 2), 2: (1, 2), 3: (1,), 4: (1,), 5: (1, 3)}
    members = tuple(terms)
    group = Group(
        member(id, members, terms=terms[id], term=3, check_quorum=False) for id in members
    )
    group.isolate(5)
    leader = group[1]
    leader.campaign()
    drain(leader)
    for voter in (2, 3):
        leader.step(RequestVoteReply(4, voter, 1, True))
    assert leader.raft.role is Role.LEADER
    drain(leader)
    for follower in (2, 3):
        leader.step(AppendEntriesReply(4, follower, 1, 2))
    assert leader.raft.commit == 0
    assert group[3].raft.log.is_up_to_date(2, 3), "member 5 could still win member 3's vote"
    for follower in (2, 3):
        leader.step(AppendEntriesReply(4, follower, 1, 3))
    assert leader.raft.commit == 3
