"""Whatever a peer says, a member neither raises nor breaks its own state."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    InstallSnapshot,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    Membership,
    PreVote,
    PreVoteReply,
    ReadProbe,
    ReadProbeReply,
    ReadReply,
    ReadRequest,
    RequestVote,
    RequestVoteReply,
    Role,
    Snapshot,
    TimeoutNow,
)
from simswarm.raft.membership import add_learner
from simswarm.raft.step import TERM_LIMIT
from tests.raft.harness import Group, member, say, settle, terms_of

numbers = st.one_of(st.integers(-2, 9), st.sampled_from([-(1 << 63), TERM_LIMIT, (1 << 64) - 1]))
ids = st.integers(-1, 5)
entry = st.builds(Entry, numbers, numbers, st.binary(max_size=2))
few = st.lists(st.integers(0, 5), max_size=3).map(tuple)
configs = st.builds(Membership, few, few, few, few, st.booleans())
snapshots = st.builds(Snapshot, numbers, numbers, configs, st.binary(max_size=2))
messages = st.one_of(
    st.builds(RequestVote, numbers, ids, ids, numbers, numbers, st.booleans()),
    st.builds(RequestVoteReply, numbers, ids, ids, st.booleans()),
    st.builds(
        AppendEntries, numbers, ids, ids, numbers, numbers, numbers,
        st.lists(entry, max_size=3).map(tuple),
    ),
    st.builds(AppendEntriesReply, numbers, ids, ids, numbers, st.booleans(), numbers, numbers),
    st.builds(LeaderHeartbeat, numbers, ids, ids, numbers),
    st.builds(LeaderHeartbeatReply, numbers, ids, ids),
    st.builds(PreVote, numbers, ids, ids, numbers, numbers),
    st.builds(PreVoteReply, numbers, ids, ids, st.booleans()),
    st.builds(TimeoutNow, numbers, ids, ids),
    st.builds(InstallSnapshot, numbers, ids, ids, snapshots),
    st.builds(ReadProbe, numbers, ids, ids, numbers),
    st.builds(ReadProbeReply, numbers, ids, ids, numbers),
    st.builds(ReadRequest, numbers, ids, ids, numbers),
    st.builds(ReadReply, numbers, ids, ids, numbers, numbers),
)  # fmt: skip


def group_in(role, dynamic):
    group = Group.of(3, pre_vote=role is Role.PRECANDIDATE, dynamic=dynamic)
    group.elect(1)
    group.propose(1, b"x")
    if dynamic:
        group[1].propose_conf_change(add_learner(3))
        group.pump()
        for id in (1, 2):
            group[id].compact(group[id].make_snapshot(b"s").index)
    if role is Role.FOLLOWER:
        return group[2]
    if role in (Role.CANDIDATE, Role.PRECANDIDATE):
        group[2].campaign()
        settle(group[2])
        return group[2]
    return group[1]


PREPARED = {role: group_in(role, False) for role in Role}
CHANGING = {role: group_in(role, True) for role in Role}


@settings(max_examples=400)
@given(
    st.sampled_from(list(Role)),
    st.sampled_from((PREPARED, CHANGING)),
    st.lists(messages, max_size=12),
)
def test_no_message_makes_a_member_raise_or_break_an_invariant(role, prepared, said):
    node = copy.deepcopy(prepared[role])
    raft, log = node.raft, node.raft.log
    committed = log.entries(last=raft.commit)
    for message in said:
        node.step(message)
        node.tick()
        settle(node)
    kept = [entry for entry in committed if entry.index > log.floor]
    assert (
        list(log.entries(last=max(log.floor, committed[-1].index if committed else 0)))[: len(kept)]
        == kept
    )
    log.check_order()


@pytest.mark.parametrize(
    "message",
    [
        AppendEntries(9, 7, 1, 0, 0, 0),
        AppendEntries(9, 2, 3, 0, 0, 0),
        AppendEntries(9, 1, 1, 0, 0, 0),
        RequestVote(TERM_LIMIT + 1, 2, 1, 0, 0),
    ],
    ids=["stranger", "misdirected", "oneself", "absurd term"],
)
def test_messages_that_are_none_of_ours_are_counted_and_dropped(message):
    node = member(terms=(1,))
    assert say(node, message) == []
    assert (node.raft.ignored, node.raft.term) == (1, 1)


@pytest.mark.parametrize(
    "entries",
    [
        (Entry(1, 3, b""),),
        (Entry(1, 2, b""), Entry(1, 4, b"")),
        (Entry(0, 2, b""),),
        (Entry(9, 2, b""),),
        (Entry(2, 2, b""), Entry(1, 3, b"")),
    ],
)
def test_entries_that_do_not_follow_on_each_other_are_dropped(entries):
    node = member(terms=(1,))
    assert say(node, AppendEntries(3, 2, 1, 1, 1, 0, entries)) == []
    assert (node.raft.ignored, terms_of(node)) == (1, [1])


def test_an_acknowledgement_of_what_the_leader_does_not_have_is_dropped():
    node = copy.deepcopy(PREPARED[Role.LEADER])
    say(node, AppendEntriesReply(1, 2, 1, 99))
    assert (node.raft.ignored, node.raft.progress[2].match) == (1, 2)


def test_a_leader_that_contradicts_a_committed_entry_stops_the_member():
    node = member(terms=(1, 1), commit=2)
    assert say(node, AppendEntries(3, 2, 1, 2, 2, 2)) == []
    assert "committed here with term 1" in node.raft.contradiction


def test_a_leader_that_knows_of_entries_lost_here_stops_the_member():
    node = member(terms=(1,))
    assert say(node, LeaderHeartbeat(1, 2, 1, 5)) == []
    assert "the log ends at 1" in node.raft.contradiction
