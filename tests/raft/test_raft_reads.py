"""Linearizable reads: ReadIndex (THESIS 6.4)."""

from __future__ import annotations

import pytest

from simswarm.base.errors import InvalidSpec
from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    ChangeKind,
    ConfChange,
    LeaderHeartbeat,
    MemberChange,
    RaftConfig,
    RawNode,
    ReadProbe,
    ReadProbeReply,
    ReadReply,
    ReadRequest,
    ReadState,
    RequestVote,
    RequestVoteReply,
    Role,
    Transition,
)
from simswarm.raft.membership import remove
from tests.raft.harness import Group, drain, member, say, settle


def led(size: int = 3, **settings) -> Group:
    group = Group.of(size, **settings)
    group.elect(1)
    return group


def results(node: RawNode) -> list[ReadState]:
    return [state for batch in settle(node) for state in batch.read_states]


def new_leader(**settings) -> RawNode:
    """Elected in term 2; its no-op is not committed yet."""
    node = member(terms=(1, 1), commit=1, **settings)
    drain(node)
    for _ in range(10):
        node.tick()
    drain(node)
    node.step(RequestVoteReply(2, 2, 1, True))
    drain(node)
    assert node.raft.role is Role.LEADER
    return node


def test_a_leader_asks_a_majority_before_it_answers():
    node = led()[1]
    assert node.read_index(7)
    (batch,) = settle(node)
    probes = [ReadProbe(1, 1, 2, 1), ReadProbe(1, 1, 3, 1)]
    assert [out.message for out in batch.messages] == probes
    assert batch.read_states == ()
    node.step(ReadProbeReply(1, 3, 1, 1))
    assert results(node) == [ReadState(7, 1)]


def test_reads_asked_together_share_a_round():
    node = led()[1]
    for request in (1, 2, 3):
        node.read_index(request)
    assert len(drain(node)) == 2
    node.step(ReadProbeReply(1, 2, 1, 1))
    assert [state.request for state in results(node)] == [1, 2, 3]


def test_an_answer_to_an_earlier_round_does_not_count_for_a_later_read():
    node = led(5)[1]
    node.read_index(1)
    drain(node)
    node.read_index(2)
    drain(node)
    for source in (2, 3):
        node.step(ReadProbeReply(1, source, 1, 1))
    assert results(node) == [ReadState(1, 1)]
    node.step(ReadProbeReply(1, 4, 1, 2))
    assert results(node) == []
    node.step(ReadProbeReply(1, 5, 1, 2))
    assert results(node) == [ReadState(2, 1)]


def test_one_members_answers_count_once():
    node = led(5)[1]
    node.read_index(1)
    drain(node)
    for _ in range(3):
        node.step(ReadProbeReply(1, 2, 1, 1))
    assert results(node) == []


@pytest.mark.parametrize("number", [0, 2, 99, -1])
def test_an_answer_to_a_round_that_was_not_asked_counts_for_nothing(number):
    node = led()[1]
    node.read_index(1)
    drain(node)
    node.step(ReadProbeReply(1, 2, 1, number))
    assert results(node) == []


def test_a_new_leader_answers_only_after_committing_an_entry_of_its_own():
    node = new_leader()
    node.read_index(1)
    assert not [m for m in drain(node) if isinstance(m, ReadProbe)]
    node.step(AppendEntriesReply(2, 2, 1, 3))
    assert ReadProbe(2, 1, 2, 1) in drain(node)
    node.step(ReadProbeReply(2, 2, 1, 1))
    assert results(node) == [ReadState(1, 3)]


def test_a_single_member_answers_at_once():
    group = led(1)
    group[1].read_index(1)
    assert results(group[1]) == [ReadState(1, 1)]


def test_lost_probes_are_sent_again_with_each_heartbeat():
    group = led()
    group.isolate(1)
    group[1].read_index(1)
    group.pump()
    group.heal()
    group[1].tick()
    again = [m for m in drain(group[1]) if isinstance(m, ReadProbe)]
    assert [m.round for m in again] == [1, 1]


def test_probes_stop_when_the_round_is_answered():
    group = led()
    group[1].read_index(1)
    group.pump()
    before = len(group.seen)
    group.tick(1, 3)
    assert not [m for m in group.seen[before:] if isinstance(m, ReadProbe)]


def test_a_leader_that_loses_office_says_that_its_reads_failed():
    node = led()[1]
    node.read_index(1)
    drain(node)
    node.read_index(2)
    node.step(LeaderHeartbeat(2, 2, 1, 0))
    assert results(node) == [ReadState(1, None), ReadState(2, None)]


def test_a_deposed_leader_cut_off_answers_nothing_old():
    group = led()
    group.isolate(1)
    group.tick_all(40)
    group.propose(2 if group[2].raft.role is Role.LEADER else 3, b"new")
    assert group[1].raft.role is not Role.LEADER
    assert not group[1].read_index(1)


# ── through a follower ───────────────────────────────────────────────────────────────────────


def test_a_follower_asks_its_leader_and_waits_until_it_has_applied_that_far():
    group = led()
    group.cut = {(1, 2)}
    group.propose(1, b"x")
    node = group[2]
    assert node.read_index(5)
    assert drain(node) == [ReadRequest(1, 2, 1, 5)]
    answers = say(group[1], ReadRequest(1, 2, 1, 5))
    assert ReadProbe(1, 1, 3, 1) in answers
    assert say(group[1], ReadProbeReply(1, 3, 1, 1)) == [ReadReply(1, 1, 2, 5, 2)]
    node.step(ReadReply(1, 1, 2, 5, 2))
    assert results(node) == []
    node.step(AppendEntries(1, 1, 2, 1, 1, 2, group[1].raft.log.entries(2)))
    assert results(node) == [ReadState(5, 2)]


def test_a_member_without_a_leader_refuses():
    assert not member().read_index(1)


def test_who_does_not_lead_says_so():
    node = led()[2]
    assert say(node, ReadRequest(1, 3, 2, 4)) == [ReadReply(1, 2, 3, 4, 0)]
    asker = led()[3]
    asker.read_index(4)
    drain(asker)
    asker.step(ReadReply(1, 1, 3, 4, 0))
    assert results(asker) == [ReadState(4, None)]


def test_a_reply_that_nobody_waits_for_is_nothing():
    node = led()[2]
    node.step(ReadReply(1, 1, 2, 4, 1))
    assert results(node) == []


def test_a_follower_whose_leader_changes_says_that_its_reads_failed():
    node = led()[2]
    node.read_index(1)
    drain(node)
    node.step(LeaderHeartbeat(2, 3, 2, 0))
    assert results(node) == [ReadState(1, None)]


def test_a_candidate_answers_no_probe_of_its_term_without_following():
    node = member()
    node.campaign()
    drain(node)
    assert say(node, ReadProbe(1, 2, 1, 3)) == [ReadProbeReply(1, 1, 2, 3)]
    assert (node.raft.role, node.raft.leader) == (Role.FOLLOWER, 2)


def test_a_probe_counts_as_hearing_the_leader():
    node = member(offset=9)
    for _ in range(8):
        node.tick()
    say(node, ReadProbe(0, 2, 1, 1))
    assert (node.raft.election_elapsed, node.raft.leader) == (0, 2)


def test_while_joint_both_majorities_are_asked():
    group = Group.of(5, dynamic=True)
    group.elect(1)
    changes = tuple(MemberChange(ChangeKind.REMOVE, id) for id in (4, 5))
    group[1].propose_conf_change(ConfChange(changes, Transition.JOINT_EXPLICIT))
    group.pump()
    node = group[1]
    node.read_index(1)
    drain(node)
    node.step(ReadProbeReply(1, 4, 1, 1))
    node.step(ReadProbeReply(1, 5, 1, 1))
    assert results(node) == []
    node.step(ReadProbeReply(1, 3, 1, 1))
    assert results(node) == [ReadState(1, node.raft.commit)]


# ── leases, rule by rule ─────────────────────────────────────────────────────────────────────


def patient(size: int = 3, **settings) -> Group:
    """Member 1 is elected when the promises that all may have given are over."""
    group = Group.of(size, lease_reads=True, **settings)
    group.tick_all(10)
    assert group.leaders() == [1]
    return group


def leased(size: int = 3, **settings) -> Group:
    group = patient(size, **settings)
    group.tick(1)
    assert group[1].has_lease
    return group


def test_within_a_lease_a_read_is_answered_without_a_round():
    group = leased()
    group[1].read_index(1)
    (batch,) = settle(group[1])
    assert (batch.messages, batch.read_states) == ((), (ReadState(1, 1),))


@pytest.mark.parametrize(("drift", "good_for"), [(0, 8), (10, 7), (50, 5), (900, -1)])
def test_a_lease_lasts_as_long_as_the_drift_allows(drift, good_for):
    group = patient(drift_percent=drift)
    group.tick(1)
    node = group[1]
    held = 0
    while node.has_lease:
        node.tick()
        drain(node)
        held += 1
        assert held < 20
    assert held == good_for + 1


def test_ticks_that_never_came_age_the_lease():
    node = leased()[1]
    node.late(7)
    assert node.has_lease
    node.late(1)
    assert not node.has_lease


def test_without_a_lease_the_majority_is_asked():
    group = leased()
    group[1].late(100)
    group[1].read_index(1)
    assert ReadProbe(1, 1, 2, 2) in drain(group[1])


def test_once_somebody_was_asked_to_stand_there_is_no_lease_in_this_term():
    group = leased()
    group.isolate(2)
    group[1].transfer_leadership(2)
    group.pump()
    group.tick(1, 15)
    assert group[1].propose(b"the transfer was given up") is not None
    assert not group[1].has_lease


def test_a_change_of_membership_voids_the_lease_until_a_later_round():
    group = leased(dynamic=True)
    group[1].propose_conf_change(remove(3))
    group.pump()
    assert not group[1].has_lease
    group.tick(1)
    assert group[1].has_lease


def test_a_new_leader_with_a_lease_still_needs_an_entry_of_its_own():
    node = new_leader(lease_reads=True)
    node.tick()
    drain(node)
    node.step(ReadProbeReply(2, 2, 1, 1))
    assert node.has_lease
    node.read_index(1)
    assert results(node) == []


def test_a_restarted_member_keeps_the_promise_it_may_have_given():
    node = member(term=3, lease_reads=True, offset=9)
    assert say(node, RequestVote(9, 2, 1, 5, 5)) == []
    for _ in range(10):
        node.tick()
    assert say(node, RequestVote(9, 2, 1, 5, 5)) == [RequestVoteReply(9, 1, 2, True)]


@pytest.mark.parametrize("term", [2, 5])
def test_a_promise_outlasts_the_term_it_was_given_in(term):
    """A larger term is heard of in an answer to something old; that frees nobody."""
    node = member(term=1, lease_reads=True, offset=9)
    say(node, LeaderHeartbeat(1, 3, 1, 0))
    say(node, AppendEntriesReply(5, 2, 1, 0, rejected=True))
    assert node.raft.term == 5
    assert say(node, RequestVote(5, 2, 1, 9, 4)) == []
    assert say(node, RequestVote(5, 2, 1, 9, 4, transfer=True)) == [RequestVoteReply(5, 1, 2, True)]


def test_who_promised_a_lease_does_not_stand_on_command():
    group = leased()
    group[2].campaign()
    assert group[2].raft.role is Role.FOLLOWER


def test_leases_need_check_quorum():
    for wrong in ({"check_quorum": False}, {"drift_percent": -1}):
        with pytest.raises(InvalidSpec):
            RaftConfig(1, (1,), lease_reads=True, **wrong).validate()
