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
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    Role,
    TimeoutNow,
)
from simswarm.raft.step import TERM_LIMIT
from tests.raft.harness import Group, member, say, settle, terms_of

numbers = st.one_of(st.integers(-2, 9), st.sampled_from([-(1 << 63), TERM_LIMIT, (1 << 64) - 1]))
ids = st.integers(-1, 5)
entry = st.builds(Entry, numbers, numbers, st.binary(max_size=2))
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
)  # fmt: skip


def group_in(role):
    group = Group.of(3, pre_vote=role is Role.PRECANDIDATE)
    group.elect(1)
    group.propose(1, b"x")
    if role is Role.FOLLOWER:
        return group[2]
    if role in (Role.CANDIDATE, Role.PRECANDIDATE):
        group[2].campaign()
        settle(group[2])
        return group[2]
    return group[1]


PREPARED = {role: group_in(role) for role in Role}


@settings(max_examples=400)
@given(st.sampled_from(list(Role)), st.lists(messages, max_size=12))
def test_no_message_makes_a_member_raise_or_break_an_invariant(role, said):
    node = copy.deepcopy(PREPARED[role])
    committed = node.raft.log.entries(1, node.raft.commit)
    for message in said:
        node.step(message)
        node.tick()
        settle(node)
    assert node.raft.log.entries(1, len(committed)) == committed
    node.raft.log.check_order()


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
