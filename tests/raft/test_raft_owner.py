"""The contract between a Raft node and its owner: batches, durability, restart, settings."""

from __future__ import annotations

import copy

import pytest

from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import InvalidSpec, StorageCorrupt
from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    HardState,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    ProgressState,
    RaftConfig,
    RawNode,
    RequestVoteReply,
    Role,
    SoftState,
)
from tests.raft.harness import Group, drain, log_of, member, say, settle

# ── batches ──────────────────────────────────────────────────────────────────────────────────


def test_an_idle_member_has_nothing_to_do():
    node = member(terms=(1, 1), commit=0)
    assert not node.has_ready()
    node.tick()
    assert not node.has_ready()


def test_taking_a_batch_takes_all_of_it():
    node = member(terms=(1,))
    node.step(AppendEntries(2, 2, 1, 1, 1, 2, (Entry(2, 2, b"x"),)))
    batch = node.ready()
    assert batch.hard_state == HardState(2, 0, 2)
    assert batch.entries == (Entry(2, 2, b"x"),)
    assert [out.message for out in batch.messages] == [AppendEntriesReply(2, 1, 2, 2)]
    assert [entry.index for entry in batch.committed] == [1, 2]
    assert batch.soft == SoftState(Role.FOLLOWER, 2, 2)
    assert not node.has_ready()


def test_a_replacing_entry_is_given_again_from_its_index():
    node = member(terms=(1, 1, 1))
    node.step(AppendEntries(2, 2, 1, 1, 1, 0, (Entry(2, 2, b"x"),)))
    assert node.ready().entries == (Entry(2, 2, b"x"),)


def test_the_commit_index_is_stored_when_something_else_is():
    node = member(terms=(1, 1))
    node.step(LeaderHeartbeat(1, 2, 1, 2))
    assert node.ready().hard_state is None
    node.step(AppendEntries(1, 2, 1, 2, 1, 2, (Entry(1, 3, b"x"),)))
    assert node.ready().hard_state == HardState(1, 0, 2)


def test_every_change_of_role_leader_or_term_is_told_once():
    group = Group.of(3)
    node = group[1]
    node.campaign()
    (batch,) = settle(node)
    assert batch.soft == SoftState(Role.CANDIDATE, 0, 1)
    node.step(RequestVoteReply(1, 2, 1, True))
    told = [batch.soft for batch in settle(node)]
    assert [soft for soft in told if soft] == [SoftState(Role.LEADER, 1, 1)]
    node.step(LeaderHeartbeat(2, 3, 1, 0))
    assert [batch.soft for batch in settle(node)] == [SoftState(Role.FOLLOWER, 3, 2)]


def test_a_candidate_that_stands_again_tells_its_new_term():
    node = member()
    node.campaign()
    settle(node)
    node.campaign()
    assert [batch.soft for batch in settle(node)] == [SoftState(Role.CANDIDATE, 0, 2)]


def test_proposals_made_together_travel_together():
    group = Group.of(3)
    group.elect(1)
    for data in (b"a", b"b", b"c"):
        group[1].propose(data)
    sent = drain(group[1])
    assert [(message.target, len(message.entries)) for message in sent] == [(2, 3), (3, 3)]


def test_a_commit_index_travels_with_the_proposal_that_follows_at_once():
    """The owner applies and proposes between two batches: no append goes out for the commit."""
    group = Group.of(3)
    group.elect(1)
    node = group[1]
    node.propose(b"a")
    drain(node)
    node.step(AppendEntriesReply(1, 2, 1, 2))
    batch = node.ready()
    assert [entry.data for entry in batch.committed] == [b"a"]
    assert batch.messages == ()
    node.propose(b"b")
    sent = drain(node)
    assert [(m.commit, [e.data for e in m.entries]) for m in sent] == [(2, [b"b"])] * 2


def test_large_logs_travel_in_messages_of_limited_size():
    group = Group(
        [
            member(1, terms=(1,) * 50, max_message_bytes=20),
            member(2),
            member(3, terms=(1,) * 50),
        ]
    )
    group.elect(1)
    assert group[2].raft.last_index == 51
    appends = [m for m in group.seen if isinstance(m, AppendEntries) and m.target == 2]
    assert len(appends) > 10
    assert all(sum(len(e.data) for e in m.entries) <= 20 for m in appends)


def test_no_more_appends_are_under_way_than_the_window_allows():
    group = Group.of(3, max_inflight=4)
    group.elect(1)
    group.isolate(3)
    for number in range(20):
        group.propose(1, b"%d" % number)
    assert group[1].raft.commit == 21
    lost = [m for m in group.seen if isinstance(m, AppendEntries) and m.target == 3 and m.entries]
    assert len(lost) <= 1 + 4
    group.heal()
    group.tick(1)
    assert group[3].raft.last_index == 21
    assert group[1].raft.progress[3].state is ProgressState.REPLICATE


def test_a_peer_out_of_reach_is_probed_instead_of_streamed_to():
    group = Group.of(3)
    group.elect(1)
    group.isolate(3)
    group.propose(1, b"a")
    group[1].report_unreachable(3)
    group[1].report_unreachable(9)
    assert group[1].raft.progress[3].state is ProgressState.PROBE
    assert group[1].raft.progress[3].next == 2
    group.propose(1, b"b")
    group.heal()
    group.tick(1)
    assert group[3].raft.last_index == 3


# ── durability ───────────────────────────────────────────────────────────────────────────────


def test_only_what_promises_durability_waits_for_it():
    group = Group.of(3)
    node = group[1]
    node.campaign()
    flags = [(type(o.message).__name__, o.durable_first) for b in settle(node) for o in b.messages]
    assert flags == [("RequestVote", True)] * 2
    node.step(RequestVoteReply(1, 2, 1, True))
    node.tick()
    outs = [out for batch in settle(node) for out in batch.messages]
    assert {(type(o.message).__name__, o.durable_first) for o in outs} == {
        ("AppendEntries", False),
        ("LeaderHeartbeat", False),
    }
    group[2].step(LeaderHeartbeat(1, 1, 2, 0))
    (out,) = group[2].ready().messages
    assert out.message == LeaderHeartbeatReply(1, 2, 1)
    assert not out.durable_first, "a slow disk must not silence a follower"


def test_a_repeated_append_is_acknowledged_behind_the_write_still_under_way():
    """The second batch writes nothing, but its message depends on the first one's write."""
    node = member()
    append = AppendEntries(1, 2, 1, 0, 0, 0, log_of((1,)))
    node.step(append)
    assert node.ready().entries == log_of((1,))
    node.step(append)
    batch = node.ready()
    assert (batch.hard_state, batch.entries) == (None, ())
    assert [out.durable_first for out in batch.messages] == [True]


def test_a_single_member_commits_when_its_disk_says_so():
    node = member(members=(1,))
    node.campaign()
    batch = node.ready()
    assert batch.soft == SoftState(Role.LEADER, 1, 1)
    assert node.raft.commit == 0
    node.persisted(1, 1)
    assert node.raft.commit == 1


def test_a_majority_of_followers_commits_before_a_slow_leaders_disk():
    node = member(members=(1, 2, 3))
    node.campaign()
    drain(node)
    node.step(RequestVoteReply(1, 2, 1, True))
    node.ready()
    for follower in (2, 3):
        node.step(AppendEntriesReply(1, follower, 1, 1))
    assert node.raft.commit == 1
    assert [entry.index for entry in node.ready().committed] == [1]


# ── restart ──────────────────────────────────────────────────────────────────────────────────


def test_a_restarted_member_applies_again_what_it_knows_to_be_committed():
    node = member(terms=(1, 1, 1), commit=2)
    assert [entry.index for entry in node.ready().committed] == [1, 2]


def test_a_restarted_member_applies_only_what_its_state_lacks():
    node = RawNode(
        RaftConfig(1, (1, 2, 3)),
        SeededEntropy(1),
        hard_state=HardState(1, 0, 3),
        entries=log_of((1, 1, 1)),
        applied=2,
    )
    assert [entry.index for entry in node.ready().committed] == [3]


def test_a_torn_write_that_kept_entries_without_their_term_is_harmless():
    node = member(terms=(1, 4), term=2, vote=3)
    assert (node.raft.term, node.raft.vote) == (4, 0)
    assert node.ready().hard_state == HardState(4, 0, 0)


def test_a_damaged_log_is_refused():
    with pytest.raises(StorageCorrupt):
        RawNode(RaftConfig(1, (1,)), SeededEntropy(1), entries=[Entry(1, 7, b"")])


def test_a_log_that_ends_before_what_was_committed_is_refused():
    with pytest.raises(StorageCorrupt, match="ends at 2, but 5 was committed"):
        member(terms=(1, 1), commit=5)


def test_a_whole_group_that_loses_power_comes_back_with_all_it_acknowledged():
    group = Group.of(3)
    group.elect(1)
    for number in range(5):
        group.propose(1, b"%d" % number)
    disks = {id: node.raft.log.entries() for id, node in group.nodes.items()}
    again = Group(
        RawNode(
            RaftConfig(id, (1, 2, 3)),
            SeededEntropy(id),
            hard_state=HardState(1, 1, 0),
            entries=entries,
        )
        for id, entries in disks.items()
    )
    again.elect(2)
    assert [e.data for e in again.applied[3]] == [b"", b"0", b"1", b"2", b"3", b"4", b""]


# ── views and settings ───────────────────────────────────────────────────────────────────────


def test_status_shows_how_far_each_follower_is():
    group = Group.of(3)
    group.elect(1)
    group.isolate(3)
    group.propose(1, b"a")
    for _ in range(4):
        group.tick(1)
    status = group[1].status()
    assert (status.role, status.term, status.leader, status.committed) == (Role.LEADER, 1, 1, 2)
    assert [(peer.id, peer.match) for peer in status.peers] == [(2, 2), (3, 1)]
    assert [peer.silent_ticks for peer in status.peers] == [0, 4]
    assert group[2].status().peers == ()


def test_a_leader_ignores_a_call_to_stand():
    group = Group.of(3)
    group.elect(1)
    group[1].campaign()
    assert (group[1].raft.role, group[1].raft.term) == (Role.LEADER, 1)


def test_a_copied_member_lives_its_own_life():
    group = Group.of(3)
    group.elect(1)
    twin = copy.deepcopy(group[1])
    assert twin.propose(b"x") == 2
    assert group[1].raft.last_index == 1
    assert len(drain(twin)) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 4},
        {"id": 0},
        {"members": (1, 2, 2)},
        {"members": (0, 1)},
        {"heartbeat_ticks": 0},
        {"heartbeat_ticks": 10},
        {"election_ticks": 1},
        {"max_message_bytes": 0},
        {"max_inflight": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(InvalidSpec, match="raft: "):
        RawNode(RaftConfig(**{"id": 1, "members": (1, 2, 3), **wrong}), SeededEntropy(1))


def test_the_same_entropy_gives_the_same_time_outs():
    def time_outs():
        node = RawNode(RaftConfig(1, (1, 2, 3)), SeededEntropy("seed").fork("m1"))
        drawn = []
        for _ in range(20):
            node.campaign()
            drawn.append(node.raft.election_timeout)
        return drawn

    assert time_outs() == time_outs()
    assert len(set(time_outs())) > 3


def test_say_is_quiet_for_a_stale_answer():
    node = member(term=4)
    assert say(node, LeaderHeartbeatReply(3, 2, 1)) == []
