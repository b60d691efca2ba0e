"""CheckQuorum and leader stickiness: who is in touch decides (PAPER 6; THESIS 4.2.3, 6.2)."""

from __future__ import annotations

import pytest

from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    LeaderHeartbeat,
    RequestVote,
    RequestVoteReply,
    Role,
)
from tests.raft.harness import Group, drain, member, say


def test_a_leader_out_of_touch_with_a_quorum_steps_down_in_its_own_term():
    group = Group.of(3)
    group.elect(1)
    group.tick(1, 5)
    group.isolate(1)
    group.tick(1, 20)
    assert (group[1].raft.role, group[1].raft.leader, group[1].raft.term) == (Role.FOLLOWER, 0, 1)


@pytest.mark.parametrize(("size", "lost", "stays"), [(3, 1, True), (3, 2, False), (5, 2, True)])
def test_a_leader_in_touch_with_a_quorum_stays(size, lost, stays):
    group = Group.of(size)
    group.elect(1)
    for id in range(size - lost + 1, size + 1):
        group.isolate(id)
    group.tick(1, 35)
    assert (group[1].raft.role is Role.LEADER) == stays


def test_without_check_quorum_a_leader_stays_alone():
    group = Group.of(3, check_quorum=False)
    group.elect(1)
    group.isolate(1)
    group.tick(1, 50)
    assert group[1].raft.role is Role.LEADER


@pytest.mark.parametrize("silence", [0, 5, 9, 10, 15])
def test_a_follower_in_touch_with_its_leader_ignores_vote_requests(silence):
    node = member(offset=9)
    say(node, LeaderHeartbeat(1, 2, 1, 0))
    for _ in range(silence):
        node.tick()
    answers = say(node, RequestVote(5, 3, 1, 9, 4))
    if silence < 10:
        assert answers == []
        assert (node.raft.term, node.raft.leader) == (1, 2)
    else:
        assert answers == [RequestVoteReply(5, 1, 3, True)]


def test_a_campaign_that_the_leader_asked_for_is_not_ignored():
    node = member()
    say(node, LeaderHeartbeat(1, 2, 1, 0))
    assert say(node, RequestVote(2, 3, 1, 0, 0, transfer=True)) == [RequestVoteReply(2, 1, 3, True)]


def test_a_leader_ignores_vote_requests_while_it_leads():
    group = Group.of(3)
    group.elect(1)
    for _ in range(30):
        group.tick(1)
        group[1].step(RequestVote(7, 3, 1, 9, 6))
        group.pump()
    assert (group[1].raft.role, group[1].raft.term) == (Role.LEADER, 1)


def test_without_check_quorum_a_vote_request_is_heard_at_once():
    node = member(check_quorum=False)
    say(node, LeaderHeartbeat(1, 2, 1, 0))
    assert say(node, RequestVote(5, 3, 1, 0, 0)) == [RequestVoteReply(5, 1, 3, True)]


@pytest.mark.parametrize("message", [LeaderHeartbeat(2, 2, 1, 0), AppendEntries(2, 2, 1, 0, 0, 0)])
def test_an_old_leader_is_told_the_larger_term(message):
    node = member(term=6)
    assert say(node, message) == [AppendEntriesReply(6, 1, 2, 0, rejected=True)]
    silent = member(term=6, check_quorum=False)
    assert say(silent, message) == []


def test_a_member_that_ran_ahead_while_cut_off_comes_back():
    """Its term is higher than the leader's and its vote requests are ignored: only its answer to
    a heartbeat makes the leader step down, and then one of the up-to-date members wins."""
    group = Group.of(3)
    group.elect(1)
    group.isolate(3)
    group.tick(3, 60)
    assert group[3].raft.term > 3
    group.propose(1, b"x")
    group.heal()
    group.tick_all(60)
    (leader,) = group.leaders()
    assert leader in (1, 2)
    group.propose(leader, b"y")
    assert [e.data for e in group.applied[3] if e.data] == [b"x", b"y"]


def test_the_isolated_side_commits_nothing_and_its_entries_give_way():
    group = Group.of(5)
    group.elect(5)
    for one in (4, 5):
        for other in (1, 2, 3):
            group.cut |= {(one, other), (other, one)}
    lost = group.propose(5, b"lost")
    assert group[5].raft.commit < lost
    group.tick_all(40)
    (leader,) = group.leaders()
    assert leader in (1, 2, 3)
    group.propose(leader, b"kept")
    group.heal()
    group.tick_all(40)
    for id in group.nodes:
        data = [entry.data for entry in group.applied[id] if entry.data]
        assert data == [b"kept"]


def test_with_two_members_nothing_commits_without_both():
    group = Group.of(2)
    group.elect(1)
    group.isolate(2)
    index = group.propose(1, b"x")
    group.tick(1, 5)
    assert group[1].raft.commit < index
    group.heal()
    group.tick(1, 2)
    assert group[1].raft.commit == index


def test_a_deposed_leader_forgets_what_it_was_about_to_send():
    group = Group.of(3)
    group.elect(1)
    node = group[1]
    node.propose(b"x")
    node.step(LeaderHeartbeat(2, 2, 1, 0))
    assert [type(message).__name__ for message in drain(node)] == ["LeaderHeartbeatReply"]
    assert node.propose(b"y") is None
