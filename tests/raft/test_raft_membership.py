"""Changes of membership: simple, joint, learners, the fault of 2015 (THESIS 4)."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import InvalidSpec, StorageCorrupt
from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    ChangeKind,
    ConfChange,
    Entry,
    EntryKind,
    HardState,
    LeaderHeartbeat,
    MemberChange,
    Membership,
    PreVote,
    RaftConfig,
    RawNode,
    RequestVote,
    RequestVoteReply,
    Role,
    TimeoutNow,
    Transition,
)
from simswarm.raft.membership import (
    LEAVE,
    add_learner,
    add_voter,
    change,
    decode_change,
    encode_change,
    everybody,
    remove,
)
from simswarm.raft.quorum import VoteResult, majority, tally
from tests.raft.harness import FixedEntropy, Group, drain, member, say, settle


def several(*changes: tuple[ChangeKind, int], transition: Transition = Transition.AUTO):
    return ConfChange(tuple(MemberChange(kind, id) for kind, id in changes), transition)


ADD, LEARN, REMOVE = ChangeKind.ADD_VOTER, ChangeKind.ADD_LEARNER, ChangeKind.REMOVE
TRIO = Membership((1, 2, 3))

# ── configurations ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wanted", "after"),
    [
        (add_voter(4), Membership((1, 2, 3, 4))),
        (add_voter(2), TRIO),
        (remove(2), Membership((1, 3))),
        (remove(9), TRIO),
        (add_learner(4), Membership((1, 2, 3), learners=(4,))),
        (add_learner(2), Membership((1, 3), learners=(2,))),
        (several((LEARN, 5), (LEARN, 4)), Membership((1, 2, 3), learners=(4, 5))),
        (several((ADD, 4), (REMOVE, 1)), Membership((2, 3, 4), (1, 2, 3), auto_leave=True)),
        (
            several((ADD, 4), (LEARN, 1)),
            Membership((2, 3, 4), (1, 2, 3), learners_next=(1,), auto_leave=True),
        ),
        (
            several((ADD, 4), transition=Transition.JOINT),
            Membership((1, 2, 3, 4), (1, 2, 3), auto_leave=True),
        ),
        (
            several((ADD, 4), transition=Transition.JOINT_EXPLICIT),
            Membership((1, 2, 3, 4), (1, 2, 3)),
        ),
    ],
)
def test_what_a_change_makes_of_three_voters(wanted, after):
    assert change(TRIO, wanted) == after


def test_leaving_a_joint_configuration_makes_learners_of_the_staged():
    joint = Membership((2, 3, 4), (1, 2, 3), (7,), (1,), True)
    assert change(joint, LEAVE) == Membership((2, 3, 4), learners=(1, 7))


def test_a_learner_is_promoted():
    assert change(Membership((1,), learners=(2,)), add_voter(2)) == Membership((1, 2))


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (TRIO, LEAVE),
        (Membership((1, 2), (1,)), add_voter(3)),
        (Membership((1,)), remove(1)),
        (Membership((1,)), add_learner(1)),
        (TRIO, add_voter(0)),
        (TRIO, several((ADD, 4), (REMOVE, 4))),
    ],
)
def test_changes_that_cannot_be_made_are_refused(before, wanted):
    with pytest.raises(InvalidSpec):
        change(before, wanted)


changes = st.builds(
    ConfChange,
    st.lists(
        st.builds(MemberChange, st.sampled_from(ChangeKind), st.integers(1, 6)), max_size=3
    ).map(tuple),
    st.sampled_from(Transition),
)


def quorums(config: Membership) -> list[frozenset[int]]:
    def half(voters):
        return [frozenset(some) for some in combinations(voters, majority(len(voters)))]

    if not config.outgoing:
        return half(config.voters)
    return [one | other for one in half(config.voters) for other in half(config.outgoing)]


@given(st.lists(changes, max_size=12))
def test_majorities_of_neighbouring_configurations_share_a_voter(wanted):
    config = TRIO
    for one in wanted:
        try:
            after = change(config, one)
        except InvalidSpec:
            continue
        assert after.voters
        assert not frozenset(after.voters) & frozenset(after.learners)
        assert frozenset(after.learners_next) <= frozenset(after.outgoing)
        assert all(old & new for old in quorums(config) for new in quorums(after))
        config = after


@given(st.dictionaries(st.integers(1, 6), st.booleans()), st.lists(changes, max_size=4))
def test_an_election_is_won_by_a_majority_of_each_half_and_by_voters_alone(votes, wanted):
    config = TRIO
    for one in wanted:
        try:
            config = change(config, one)
        except InvalidSpec:
            continue
    yes = frozenset(id for id, granted in votes.items() if granted)
    no = frozenset(votes) - yes
    won = any(quorum <= yes for quorum in quorums(config))
    lost = not any(not quorum & no for quorum in quorums(config))
    expected = VoteResult.WON if won else VoteResult.LOST if lost else VoteResult.PENDING
    assert tally(votes, config) is expected


@given(changes)
def test_a_change_survives_its_encoding(wanted):
    assert decode_change(encode_change(wanted)) == wanted


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x93\x91\x92\x09\x01\x00\x00"])
def test_other_bytes_are_no_change(data):
    with pytest.raises(StorageCorrupt):
        decode_change(data)


# ── proposing ────────────────────────────────────────────────────────────────────────────────


def newcomer(id: int, founders: tuple[int, ...] = (1, 2, 3), **settings) -> RawNode:
    return RawNode(RaftConfig(id, founders, dynamic=True, **settings), FixedEntropy(id - 1))


def led(size: int = 3, **settings) -> Group:
    group = Group.of(size, dynamic=True, **settings)
    group.elect(1)
    return group


def join(group: Group, id: int) -> None:
    group.nodes[id] = newcomer(id, tuple(range(1, 4)))
    group.applied[id] = []


def make(group: Group, wanted: ConfChange, by: int = 1) -> None:
    assert group[by].conf_change_refusal(wanted) == ""
    assert group[by].propose_conf_change(wanted) is not None
    group.pump()


def test_a_change_is_in_force_once_applied_and_everywhere():
    group = led()
    index = group[1].propose_conf_change(remove(3))
    assert group[1].raft.membership == TRIO
    group.pump()
    assert [group[id].raft.membership for id in (1, 2, 3)] == [Membership((1, 2))] * 3
    assert [e.index for e in group.applied[2] if e.kind is EntryKind.CONFIG] == [index]


def test_a_leader_changes_nothing_before_an_entry_of_its_own_term_is_committed():
    """The fault of 2015: two leaders in a row change the same base, and majorities don't meet."""
    node = member(terms=(1, 1), commit=2, dynamic=True)
    node.campaign()
    drain(node)
    node.step(RequestVoteReply(2, 2, 1, True))
    drain(node)
    assert node.raft.role is Role.LEADER
    assert node.raft.applied == 2
    assert "own term" in node.conf_change_refusal(remove(3))
    assert node.propose_conf_change(remove(3)) is None
    node.step(AppendEntriesReply(2, 2, 1, 3))
    drain(node)
    assert node.propose_conf_change(remove(3)) == 4


def test_one_change_at_a_time():
    group = led()
    group.isolate(1)
    assert group[1].propose_conf_change(add_voter(4)) == 2
    assert "another change" in group[1].conf_change_refusal(remove(3))
    assert group[1].propose_conf_change(remove(3)) is None


def test_a_new_leader_first_applies_what_it_took_over():
    group = led()
    group.cut = {(2, 1), (3, 1)}
    group[1].propose_conf_change(remove(3))
    group.pump()
    group.cut = {(1, 2), (2, 1), (1, 3), (3, 1)}
    for _ in range(10):
        group[2].tick()
    group[2].campaign()
    assert say(group[2], RequestVoteReply(2, 3, 2, True))
    node = group[2]
    assert node.raft.role is Role.LEADER
    assert node.propose_conf_change(add_voter(4)) is None


@pytest.mark.parametrize(
    ("who", "wanted", "why"),
    [
        (2, remove(3), "only the leader"),
        (1, LEAVE, "no joint"),
        (1, several((REMOVE, 1), (REMOVE, 2), (REMOVE, 3)), "last voter"),
    ],
)
def test_refusals_say_why(who, wanted, why):
    group = led()
    assert why in group[who].conf_change_refusal(wanted)
    assert group[who].propose_conf_change(wanted) is None


def test_a_leader_that_hands_over_changes_nothing():
    group = led()
    group.isolate(2)
    group[1].transfer_leadership(2)
    assert "handing over" in group[1].conf_change_refusal(remove(3))


def test_a_fixed_group_stays_as_it_is():
    group = Group.of(3)
    group.elect(1)
    assert "fixed" in group[1].conf_change_refusal(remove(3))
    assert group[1].propose_conf_change(remove(3)) is None


# ── newcomers and learners ───────────────────────────────────────────────────────────────────


def test_a_newcomer_learns_of_the_group_from_its_log():
    group = led()
    group.propose(1, b"before")
    join(group, 4)
    make(group, add_voter(4))
    group.tick(1, 2)
    assert group[4].raft.membership == Membership((1, 2, 3, 4))
    assert [e.data for e in group.applied[4] if e.kind is EntryKind.NORMAL] == [b"", b"before"]
    group.isolate(2)
    group.isolate(3)
    assert group[1].raft.commit < group.propose(1, b"two of four are no majority")


def test_a_newcomer_gets_the_membership_with_a_snapshot():
    group = led()
    make(group, remove(3))
    group.propose(1, b"x")
    for id in (1, 2):
        group[id].compact(group[id].make_snapshot(b"s").index)
    join(group, 4)
    make(group, add_learner(4))
    group.tick(1, 3)
    assert group[4].raft.membership == Membership((1, 2), learners=(4,))


def test_a_newcomer_does_not_stand_before_it_has_a_vote():
    node = newcomer(4)
    for _ in range(50):
        node.tick()
    assert (node.raft.role, node.raft.term) == (Role.FOLLOWER, 0)


@pytest.mark.parametrize(
    "message",
    [
        LeaderHeartbeat(3, 9, 1, 0),
        AppendEntries(3, 9, 1, 0, 0, 0),
        RequestVote(3, 9, 1, 0, 0),
        PreVote(3, 9, 1, 0, 0),
    ],
)
def test_members_not_known_yet_are_heard(message):
    assert len(say(member(dynamic=True), message)) == 1
    assert say(member(), message) == []


@pytest.mark.parametrize(
    "message", [AppendEntriesReply(9, 9, 1, 5), RequestVoteReply(9, 9, 1, True)]
)
def test_answers_of_strangers_count_for_nothing(message):
    group = led()
    say(group[1], message)
    assert (group[1].raft.term, group[1].raft.ignored) == (1, 1)


def test_a_learner_gets_the_log_and_counts_for_no_majority():
    group = led()
    join(group, 4)
    make(group, add_learner(4))
    group.tick(1, 2)
    group.propose(1, b"x")
    assert group[4].raft.applied == group[1].raft.applied
    group.isolate(2)
    group.isolate(3)
    assert group[1].raft.commit < group.propose(1, b"y")
    group.tick(1, 25)
    assert group[1].raft.role is Role.FOLLOWER, "a learner is no quorum to be in touch with"


def test_a_learner_neither_stands_nor_is_asked_for_votes():
    group = led()
    join(group, 4)
    make(group, add_learner(4))
    group.tick(1, 2)
    for _ in range(30):
        group[4].tick()
    group[4].campaign()
    assert group[4].raft.role is Role.FOLLOWER
    group[4].step(TimeoutNow(1, 1, 4))
    assert group[4].raft.role is Role.FOLLOWER
    group[2].step(TimeoutNow(1, 1, 2))
    asked = [m.target for m in drain(group[2]) if isinstance(m, RequestVote)]
    assert asked == [1, 3]
    assert not group[1].transfer_leadership(4)


def test_a_learner_that_does_not_know_of_its_promotion_votes():
    node = newcomer(4)
    assert say(node, RequestVote(2, 2, 4, 5, 1)) == [RequestVoteReply(2, 4, 2, True)]


def test_votes_of_learners_count_for_nothing():
    group = led(2)
    join(group, 3)
    make(group, add_learner(3))
    group.isolate(1)
    group.cut.add((3, 2))
    for _ in range(30):
        group[2].tick()
    drain(group[2])
    say(group[2], RequestVoteReply(group[2].raft.term, 3, 2, True))
    assert group[2].raft.role is Role.CANDIDATE


def test_a_promoted_learner_counts():
    group = led(2)
    join(group, 3)
    make(group, add_learner(3))
    group.tick(1, 2)
    make(group, add_voter(3))
    group.isolate(2)
    index = group.propose(1, b"x")
    assert group[1].raft.commit == index


# ── joint configurations ─────────────────────────────────────────────────────────────────────


def joint(*, transition: Transition = Transition.JOINT_EXPLICIT) -> Group:
    """Voters 1 2 3 become 1 4 5."""
    group = led()
    join(group, 4)
    join(group, 5)
    wanted = several((ADD, 4), (ADD, 5), (REMOVE, 2), (REMOVE, 3), transition=transition)
    make(group, wanted)
    group.tick(1, 3)
    return group


@pytest.mark.parametrize("half", [(2, 3), (4, 5)])
def test_while_joint_both_majorities_must_agree(half):
    group = joint()
    for id in half:
        group.isolate(id)
    assert group[1].raft.commit < group.propose(1, b"x")
    group.heal()
    group.isolate(2)
    group.isolate(4)
    group.tick(1, 2)
    assert group[1].raft.commit == group[1].raft.last_index


@pytest.mark.parametrize("half", [(2, 3), (4, 5)])
def test_while_joint_a_leader_must_hear_both_majorities(half):
    group = joint()
    for id in half:
        group.isolate(id)
    group.tick(1, 25)
    assert group[1].raft.role is Role.FOLLOWER


@pytest.mark.parametrize(("granting", "won"), [((2, 3), False), ((4, 5), False), ((2, 4), True)])
def test_while_joint_both_majorities_elect(granting, won):
    group = joint()
    group.isolate(1)
    node = group[1]
    node.step(LeaderHeartbeat(2, 2, 1, 0))
    for _ in range(40):
        node.tick()
    settle(node)
    for id in granting:
        node.step(RequestVoteReply(node.raft.term, id, 1, True))
    assert (node.raft.role is Role.LEADER) == won


def test_an_explicit_joint_configuration_lasts_until_it_is_left():
    group = joint()
    group.tick(1, 20)
    assert group[1].raft.membership.outgoing == (1, 2, 3)
    make(group, LEAVE)
    assert group[4].raft.membership == Membership((1, 4, 5))


def test_a_joint_configuration_is_left_by_itself():
    group = joint(transition=Transition.AUTO)
    assert {id: group[id].raft.membership for id in (1, 4, 5)} == dict.fromkeys(
        (1, 4, 5), Membership((1, 4, 5))
    )


def test_leaving_waits_for_a_transfer_that_fails():
    """It is refused while the leader hands over, and must be proposed again afterwards."""
    group = led()
    group.isolate(2)
    group[1].propose_conf_change(several((REMOVE, 3), transition=Transition.JOINT))
    node = group[1]
    drain(node)
    node.transfer_leadership(2)
    node.step(AppendEntriesReply(1, 3, 1, 2))
    node.step(AppendEntriesReply(1, 2, 1, 1))
    drain(node)
    assert node.raft.membership.auto_leave
    group.heal()
    group.cut = {(1, 2), (2, 1)}
    group.tick(1, 9)
    assert node.raft.membership.auto_leave
    group.tick(1, 1)
    group.heal()
    group.tick(1, 3)
    assert node.raft.membership == Membership((1, 2))


def test_whoever_leads_next_leaves_the_joint_configuration():
    group = led()
    group[1].propose_conf_change(several((REMOVE, 1), transition=Transition.JOINT))
    for message in drain(group[1]):
        group[message.target].step(message)
    for id in (2, 3):
        drain(group[id])
    group.isolate(1)
    group.tick_all(40)
    (leader,) = group.leaders()
    assert leader in (2, 3)
    assert group[leader].raft.membership == Membership((2, 3))


# ── going ────────────────────────────────────────────────────────────────────────────────────


def test_who_leaves_is_told():
    group = led()
    make(group, remove(3))
    assert group[3].raft.membership == Membership((1, 2))
    for _ in range(50):
        group[3].tick()
    assert group[3].raft.role is Role.FOLLOWER


def test_who_left_unaware_does_not_disturb():
    group = led()
    group.isolate(3)
    make(group, remove(3))
    group.heal()
    for _ in range(6):
        group.tick_all(10)
    assert group[3].raft.term > 1
    assert (group.leaders(), group[1].raft.term) == ([1], 1)


def test_a_removed_leader_leads_until_those_who_remain_know():
    group = led()
    make(group, remove(1))
    assert group[1].raft.role is Role.FOLLOWER
    assert group[2].raft.membership == group[3].raft.membership == Membership((2, 3))
    group.isolate(1)
    group.tick_all(40)
    assert len(group.leaders()) == 1


def test_a_removed_leader_takes_no_more_proposals_and_does_not_count_itself():
    group = led(2)
    node = group[1]
    node.propose_conf_change(remove(1))
    drain(node)
    node.step(AppendEntriesReply(1, 2, 1, 2))
    drain(node)
    assert (node.raft.role, node.raft.membership) == (Role.LEADER, Membership((2,)))
    assert node.propose(b"x") is None
    assert "leaving" in node.conf_change_refusal(add_voter(5))
    assert node.raft.commit == 2
    node.step(AppendEntriesReply(1, 2, 1, 3))
    drain(node)
    assert node.raft.role is Role.FOLLOWER


@pytest.mark.parametrize("pre_vote", [False, True])
def test_of_two_the_one_that_lost_its_vote_helps_the_other_that_does_not_know(pre_vote):
    """Member 1 removed itself and crashed; it alone knows, and its log is ahead."""
    config = encode_change(remove(1))
    entries = (Entry(1, 1, b""), Entry(1, 2, config, EntryKind.CONFIG), Entry(1, 3, b"x"))
    nodes = [
        RawNode(
            RaftConfig(id, (1, 2), dynamic=True, pre_vote=pre_vote),
            FixedEntropy(id),
            hard_state=HardState(1, 1, 2 if id == 1 else 1),
            entries=entries[: 4 - id],
        )
        for id in (1, 2)
    ]
    group = Group(nodes)
    group.pump()
    assert (group[1].raft.is_voter, group[2].raft.membership) == (False, Membership((1, 2)))
    group.tick_all(40)
    assert group.leaders() == [2]
    assert group[2].raft.membership == Membership((2,))


def test_a_helper_that_nobody_heard_asks_again():
    node = RawNode(
        RaftConfig(1, (1, 2), dynamic=True, pre_vote=True),
        FixedEntropy(),
        hard_state=HardState(1, 1, 1),
        entries=[*history(remove(1)), Entry(1, 2, b"x")],
        applied=1,
    )
    for _ in range(3):
        assert PreVote(2, 1, 2, 2, 1) in say(node, PreVote(2, 2, 1, 1, 1))
        assert node.raft.role is Role.PRECANDIDATE


def test_a_helper_that_gets_a_vote_while_it_leads_stays():
    """It stood without one; what makes it a voter was in its log already."""
    configs = history(add_learner(1), several((ADD, 1), transition=Transition.JOINT_EXPLICIT))
    entries = [*configs, Entry(1, 3, b"x")]
    node = started(entries, commit=1, founders=(2,))
    settle(node)
    assert not node.raft.is_voter
    node.step(RequestVote(2, 2, 1, 1, 1))
    drain(node)
    node.step(RequestVoteReply(3, 2, 1, True))
    drain(node)
    assert (node.raft.role, node.raft.leaves_at) == (Role.LEADER, 4)
    node.step(AppendEntriesReply(3, 2, 1, 4))
    drain(node)
    assert (node.raft.role, node.raft.is_voter) == (Role.LEADER, True)
    assert node.propose(b"y") is not None


@pytest.mark.parametrize("members", [(1,), (1, 2)])
def test_a_leader_by_its_own_vote_alone_is_heard_only_when_that_vote_is_durable(members):
    """A crash would make it use the term again, for other entries."""
    node = started(history(add_learner(9)), commit=1, applied=1, founders=members)
    node.campaign()
    if members != (1,):
        drain(node)
        node.step(RequestVoteReply(2, 2, 1, True))
    node.tick()
    batches = []
    while node.has_ready():
        batches.append(node.ready())
    said = [out.durable_first for batch in batches for out in batch.messages]
    assert said
    assert set(said) == {members == (1,)}
    if members == (1,):
        last = [batch.entries[-1] for batch in batches if batch.entries][-1]
        node.persisted(last.term, last.index)
        node.tick()
        assert {out.durable_first for out in node.ready().messages} == {False}


# ── restart ──────────────────────────────────────────────────────────────────────────────────


def started(entries, commit: int, applied: int = 0, founders=(1, 2, 3)) -> RawNode:
    return RawNode(
        RaftConfig(1, founders, dynamic=True),
        SeededEntropy(1),
        hard_state=HardState(1, 0, commit),
        entries=entries,
        applied=applied,
    )


def history(*wanted: ConfChange) -> list[Entry]:
    kind = EntryKind.CONFIG
    return [Entry(1, at, encode_change(one), kind) for at, one in enumerate(wanted, 1)]


def test_a_member_that_has_not_applied_a_committed_change_does_not_stand():
    node = started(history(remove(3)), commit=1)
    node.campaign()
    assert node.raft.role is Role.FOLLOWER
    settle(node)
    node.campaign()
    assert node.raft.role is Role.CANDIDATE


def test_changes_applied_before_a_restart_are_in_force():
    assert started(history(remove(3)), commit=1, applied=1).raft.membership == Membership((1, 2))


def test_a_change_in_the_log_proves_the_ones_before_it():
    """Its commit index is lost, but it can't be more than one change behind the others."""
    node = started(history(add_voter(4), add_voter(5), remove(2)), commit=0)
    settle(node)
    assert node.raft.commit == 2
    assert node.raft.membership == Membership((1, 2, 3, 4, 5))


def test_a_config_entry_of_an_unknown_kind_stops_the_member():
    node = started([Entry(1, 1, b"\xff", EntryKind.CONFIG)], commit=1)
    settle(node)
    assert "entry 1" in node.raft.contradiction


def test_a_change_that_cannot_be_made_is_ignored_by_all_alike():
    node = started(history(LEAVE), commit=1)
    settle(node)
    assert (node.raft.membership, node.raft.ignored) == (TRIO, 1)


def test_everybody_is_everybody():
    assert everybody(Membership((1, 3), (2, 3), (5,))) == (1, 2, 3, 5)
