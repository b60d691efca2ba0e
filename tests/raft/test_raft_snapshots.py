"""Snapshots and compaction (THESIS 5; PAPER 7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import StorageCorrupt
from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    HardState,
    InstallSnapshot,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    Log,
    Membership,
    ProgressState,
    RaftConfig,
    RawNode,
    RequestVote,
    RequestVoteReply,
    Role,
    Snapshot,
    after_snapshot,
)
from tests.raft.harness import Group, drain, log_of, member, say, settle, terms_of

TRIO = Membership((1, 2, 3))


def snap(index: int, term: int, data: bytes = b"state") -> Snapshot:
    return Snapshot(index, term, TRIO, data)


def install(index: int, term: int, *, leader_term: int = 3) -> InstallSnapshot:
    return InstallSnapshot(leader_term, 2, 1, snap(index, term))


# ── the log ──────────────────────────────────────────────────────────────────────────────────


def test_a_compacted_log_still_knows_the_term_where_it_begins():
    log = Log(log_of((1, 1, 2, 2)), committed=4, applied=4)
    log.compact(3)
    assert [log.term_at(index) for index in (0, 2, 3, 4, 5)] == [None, None, 2, 2, None]
    assert (log.floor, log.last_index, log.last_term) == (3, 4, 2)
    log.compact(4)
    assert (log.last_index, log.last_term, log.entries()) == (4, 2, ())


def test_only_what_is_applied_can_be_compacted():
    log = Log(log_of((1, 1, 1)), committed=3, applied=1)
    with pytest.raises(AssertionError):
        log.compact(2)


rising = st.lists(st.integers(1, 4), min_size=1, max_size=10).map(sorted)


@given(rising, st.data())
def test_a_compacted_log_answers_like_the_whole_one(terms, data):
    floor = data.draw(st.integers(0, len(terms)))
    whole = Log(log_of(terms), committed=len(terms), applied=len(terms))
    cut = Log(log_of(terms), committed=len(terms), applied=len(terms))
    cut.compact(floor)
    for index in range(floor, len(terms) + 2):
        assert cut.term_at(index) == whole.term_at(index)
    for first in range(floor + 1, len(terms) + 2):
        assert cut.batch(first, 7) == whole.batch(first, 7)
        assert cut.entries(first) == whole.entries(first)
    for term in range(5):
        found = whole.last_up_to_term(len(terms), term)
        assert cut.last_up_to_term(len(terms), term) == max(found, floor)
    more = [Entry(5, len(terms) + 1, b"x"), Entry(5, len(terms) + 2, b"y")]
    whole.merge(more)
    cut.merge(more)
    assert cut.take_unwritten() == whole.take_unwritten() == tuple(more)
    cut.commit_to(len(terms) + 1)
    assert cut.take_committed() == (more[0],)
    cut.check_invariants()
    cut.check_order()


@pytest.mark.parametrize(
    ("terms", "index", "term", "left"),
    [
        ((1, 1, 2), 2, 1, (1, 1, 2)),
        ((1, 1, 2), 3, 2, (1, 1, 2)),
        ((1, 1, 2), 2, 2, ()),
        ((1, 1, 2), 4, 2, ()),
    ],
)
def test_stored_entries_stay_only_if_they_agree_with_the_snapshot(terms, index, term, left):
    assert [e.term for e in after_snapshot(log_of(terms), snap(index, term))] == list(left)


@pytest.mark.parametrize(
    ("entries", "floor", "kept"),
    [
        (log_of((1, 1, 2, 2)), 0, [1, 2, 3, 4]),
        (log_of((1, 1, 2, 2))[1:], 2, [3, 4]),
        (log_of((1, 1, 2, 2))[3:], 3, [4]),
        ((), 3, []),
    ],
)
def test_a_member_starts_from_a_snapshot_and_the_entries_around_it(entries, floor, kept):
    node = RawNode(
        RaftConfig(1, (1, 2, 3)),
        SeededEntropy(1),
        hard_state=HardState(2, 0, 0),
        entries=entries,
        snapshot=snap(3, 2),
    )
    log = node.raft.log
    assert (log.floor, [entry.index for entry in log.entries()]) == (floor, kept)
    assert (log.applied, log.committed, log.persisted) == (3, 3, log.last_index)
    node.check_invariants()


@pytest.mark.parametrize(
    "entries", [log_of((1, 1, 1, 1)), log_of((1, 1)), log_of((1, 1, 2, 2, 2))[4:]]
)
def test_entries_that_do_not_fit_the_snapshot_are_refused(entries):
    with pytest.raises(StorageCorrupt):
        Log(entries, snapshot=snap(3, 2))


# ── a follower ───────────────────────────────────────────────────────────────────────────────


def test_a_snapshot_replaces_a_log_that_does_not_reach_it():
    node = member(terms=(1,), term=3)
    node.step(install(5, 2))
    (batch,) = settle(node)
    assert batch.snapshot == snap(5, 2)
    assert [o.message for o in batch.messages] == [AppendEntriesReply(3, 1, 2, 5)]
    assert [o.durable_first for o in batch.messages] == [True]
    log = node.raft.log
    assert (log.floor, log.last_index, log.applied, log.persisted) == (5, 5, 5, 5)
    assert batch.committed == ()


def test_a_snapshot_replaces_entries_of_another_history():
    node = member(terms=(1, 1, 1, 1, 1, 1, 1), term=3)
    say(node, install(5, 2))
    assert (terms_of(node), node.raft.last_index) == ([], 5)


def test_a_log_that_agrees_with_the_snapshot_keeps_its_end():
    node = member(terms=(1, 1, 2, 2), term=3)
    node.step(install(3, 2))
    (batch,) = settle(node)
    assert batch.snapshot is None
    assert [entry.index for entry in batch.committed] == [1, 2, 3]
    assert terms_of(node) == [1, 1, 2, 2]
    assert batch.messages[0].message == AppendEntriesReply(3, 1, 2, 3)


@pytest.mark.parametrize("index", [1, 2, 3])
def test_an_old_snapshot_changes_nothing_and_is_told_what_is_committed(index):
    node = member(terms=(1, 1, 2, 2), term=3, commit=3)
    drain(node)
    assert say(node, install(index, 1)) == [AppendEntriesReply(3, 1, 2, 3)]
    assert node.raft.last_index == 4
    assert node.raft.snapshot is None


@pytest.mark.parametrize("snapshot", [snap(5, 4), snap(5, 0), Snapshot(5, 2, Membership(), b"")])
def test_a_snapshot_that_no_leader_makes_is_dropped(snapshot):
    node = member(terms=(1,), term=3)
    assert say(node, InstallSnapshot(3, 2, 1, snapshot)) == []
    assert (node.raft.ignored, node.raft.last_index) == (1, 1)


@pytest.mark.parametrize("role", [Role.CANDIDATE, Role.PRECANDIDATE])
def test_a_candidate_that_gets_a_snapshot_of_its_term_follows(role):
    node = member(terms=(1,), term=2, pre_vote=role is Role.PRECANDIDATE)
    node.campaign()
    drain(node)
    say(node, install(5, 2, leader_term=node.raft.term))
    assert (node.raft.role, node.raft.leader, node.raft.last_index) == (Role.FOLLOWER, 2, 5)


def test_an_old_leaders_snapshot_is_answered_with_the_larger_term():
    node = member(term=6)
    assert say(node, install(5, 2)) == [AppendEntriesReply(6, 1, 2, 0, rejected=True)]


def test_who_has_a_snapshot_to_load_does_not_stand():
    node = member(terms=(1,), term=3)
    node.step(install(5, 2))
    node.campaign()
    assert node.raft.role is Role.FOLLOWER
    settle(node)
    node.campaign()
    assert node.raft.role is Role.CANDIDATE


def test_appends_go_on_from_a_snapshot():
    node = member(term=3)
    say(node, install(5, 2))
    append = AppendEntries(3, 2, 1, 5, 2, 6, (Entry(3, 6, b"x"), Entry(3, 7, b"y")))
    assert say(node, append) == [AppendEntriesReply(3, 1, 2, 7)]
    assert node.raft.applied == 6


@pytest.mark.parametrize("previous", [0, 3, 5])
def test_an_append_below_the_snapshot_appends_nothing_twice(previous):
    """A known bug: an append after index 0 was taken although the log begins later."""
    node = member(term=3)
    say(node, install(5, 2))
    entries = tuple(Entry(2, previous + 1 + more, b"z") for more in range(2))
    old = AppendEntries(3, 2, 1, previous, 2 if previous else 0, 5, entries[: 5 - previous])
    assert say(node, old) == [AppendEntriesReply(3, 1, 2, 5)]
    assert node.raft.last_index == 5


def test_votes_compare_with_the_end_of_the_snapshot():
    node = member(term=3)
    say(node, install(5, 2))
    assert say(node, RequestVote(9, 3, 1, 4, 2, transfer=True)) == [
        RequestVoteReply(9, 1, 3, False)
    ]
    assert say(node, RequestVote(9, 3, 1, 5, 2, transfer=True)) == [RequestVoteReply(9, 1, 3, True)]


def test_a_write_of_the_replaced_log_proves_nothing_about_the_snapshot():
    node = member(term=3)
    node.step(AppendEntries(3, 2, 1, 0, 0, 0, (Entry(3, 1, b"a"),)))
    assert node.ready().entries
    node.step(install(5, 2))
    assert node.ready().snapshot is not None
    assert node.raft.log.persisted == 0
    node.persisted(3, 1)
    assert node.raft.log.persisted == 0
    node.persisted(2, 5)
    assert node.raft.log.persisted == 5


def test_a_batch_with_snapshot_and_entries_is_one_write_named_by_its_last_entry():
    node = member(term=3)
    node.step(install(5, 2))
    node.step(AppendEntries(3, 2, 1, 5, 2, 5, (Entry(3, 6, b"x"),)))
    batch = node.ready()
    assert (batch.snapshot.index, [e.index for e in batch.entries]) == (5, [6])
    node.persisted(3, 6)
    assert node.raft.log.persisted == 6


# ── a leader ─────────────────────────────────────────────────────────────────────────────────


def compacted(keep: int = 0) -> Group:
    """Member 3 is cut off, and the others forget what it lacks."""
    group = Group.of(3, snapshot_ticks=5)
    group.elect(1)
    group.isolate(3)
    for number in range(6):
        group.propose(1, b"%d" % number)
    for id in (1, 2):
        made = group[id].make_snapshot(b"at 7")
        group[id].compact(made.index - keep)
    return group


def test_a_follower_that_lacks_what_is_compacted_gets_the_snapshot_and_then_appends():
    group = compacted()
    group.heal()
    group.tick(1, 2)
    assert group[3].raft.applied == 7
    sent = [m for m in group.seen if isinstance(m, InstallSnapshot)]
    assert [m.snapshot for m in sent] == [snap(7, 1, b"at 7")]
    assert group[1].raft.progress[3].state is ProgressState.REPLICATE
    group.propose(1, b"more")
    assert [entry.data for entry in group.applied[3]][-1] == b"more"


def test_entries_kept_behind_the_snapshot_spare_it():
    group = compacted(keep=6)
    group.heal()
    group.tick(1, 2)
    assert group[3].raft.applied == 7
    assert not [m for m in group.seen if isinstance(m, InstallSnapshot)]


def test_nothing_is_sent_while_a_snapshot_is_under_way():
    group = compacted()
    group.heal()
    group.cut = {(1, 3)}
    group[1].report_unreachable(3)
    group[1].step(LeaderHeartbeatReply(1, 3, 1))
    group.pump()
    assert group[1].raft.progress[3].state is ProgressState.SNAPSHOT
    before = len(group.seen)
    group.propose(1, b"x")
    group[1].step(LeaderHeartbeatReply(1, 3, 1))
    group.pump()
    late = [m for m in group.seen[before:] if m.target == 3]
    assert not [m for m in late if isinstance(m, AppendEntries | InstallSnapshot)]


def under_way() -> Group:
    group = compacted()
    group[1].report_unreachable(3)
    group[1].step(LeaderHeartbeatReply(1, 3, 1))
    group.pump()
    assert group[1].raft.progress[3].state is ProgressState.SNAPSHOT
    return group


def snapshots(group: Group) -> int:
    return len([m for m in group.seen if isinstance(m, InstallSnapshot)])


def test_a_snapshot_that_is_never_acknowledged_is_sent_again():
    group = under_way()
    assert snapshots(group) == 1
    group.heal()
    group.tick(1, 4)
    assert snapshots(group) == 1
    group.tick(1, 2)
    assert snapshots(group) == 2
    assert group[3].raft.applied == 7


def test_a_report_of_failure_sends_it_again_at_the_next_sign_of_life():
    group = under_way()
    group[1].report_snapshot(3, arrived=False)
    group.pump()
    assert snapshots(group) == 1
    group.heal()
    group.tick(1)
    assert (snapshots(group), group[3].raft.applied) == (2, 7)


def test_a_report_of_arrival_leads_to_a_probe_after_it():
    group = under_way()
    group[1].report_snapshot(3, arrived=True)
    assert group[1].raft.progress[3].next == 8
    say(group[3], InstallSnapshot(1, 1, 3, group[1].raft.snapshot))
    group.heal()
    group.tick(1)
    assert (snapshots(group), group[1].raft.progress[3].match) == (1, 7)


def test_reports_about_others_change_nothing():
    group = under_way()
    group[1].report_snapshot(2, arrived=True)
    group[1].report_snapshot(9, arrived=True)
    group[2].report_snapshot(3, arrived=True)
    assert group[1].raft.progress[2].state is ProgressState.REPLICATE
    assert group[1].raft.progress[3].state is ProgressState.SNAPSHOT


def test_an_acknowledgement_that_meets_the_log_ends_the_wait():
    group = under_way()
    group[1].step(AppendEntriesReply(1, 3, 1, 3))
    assert group[1].raft.progress[3].state is ProgressState.SNAPSHOT
    group[1].step(AppendEntriesReply(1, 3, 1, 7))
    assert group[1].raft.progress[3].state is ProgressState.REPLICATE


def test_a_snapshot_overtaken_by_compaction_is_followed_by_a_newer_one():
    group = under_way()
    group.propose(1, b"x")
    group[1].compact(group[1].make_snapshot(b"at 8").index)
    group[1].step(AppendEntriesReply(1, 3, 1, 7))
    group.pump()
    newest = [m for m in group.seen if isinstance(m, InstallSnapshot)][-1]
    assert newest.snapshot.index == 8


def test_who_was_never_heard_gets_no_snapshot():
    group = compacted()
    group[2].campaign()
    group.cut = {(1, 3), (3, 1), (2, 3), (3, 2)}
    group.tick(2, 20)
    assert snapshots(group) == 0


def test_compaction_goes_as_far_as_the_snapshot_and_never_back():
    group = Group.of(1)
    group.elect(1)
    group.propose(1, b"x")
    node = group[1]
    node.compact(2)
    assert node.raft.log.floor == 0
    node.make_snapshot(b"")
    group.propose(1, b"y")
    node.compact(3)
    assert node.raft.log.floor == 2
    node.compact(1)
    node.compact(-5)
    assert node.raft.log.floor == 2
    node.check_invariants()


def test_a_snapshot_names_index_term_and_members():
    group = Group.of(3)
    group.elect(1)
    group.propose(1, b"x")
    assert group[2].make_snapshot(b"s") == Snapshot(2, 1, TRIO, b"s")


def test_nothing_applied_is_no_snapshot():
    with pytest.raises(AssertionError):
        member().make_snapshot(b"")


def test_a_group_restarts_from_its_snapshots():
    group = compacted()
    group.heal()
    group.tick(1, 2)
    nodes = [
        RawNode(
            RaftConfig(id, (1, 2, 3)),
            SeededEntropy(id),
            hard_state=HardState(1, 1, 7),
            entries=node.raft.log.entries(),
            snapshot=node.raft.snapshot,
        )
        for id, node in group.nodes.items()
    ]
    again = Group(nodes)
    again.elect(2)
    again.propose(2, b"new")
    assert [e.data for e in again.applied[3]] == [b"", b"new"]


def test_a_heartbeat_names_no_more_than_the_follower_has():
    group = under_way()
    group.tick(1)
    beats = [m for m in group.seen if isinstance(m, LeaderHeartbeat) and m.target == 3]
    assert beats[-1].commit == 1


# ── the limit on uncommitted data ────────────────────────────────────────────────────────────


def limited() -> Group:
    group = Group.of(3, max_uncommitted_bytes=10)
    group.elect(1)
    return group


def test_a_leader_without_a_quorum_takes_only_so_much():
    group = limited()
    group.isolate(1)
    assert [group[1].propose(b"12345") for _ in range(3)] == [2, 3, None]
    assert group[1].propose(b"1") is None


def test_what_is_applied_makes_room():
    group = limited()
    for _ in range(8):
        group.propose(1, b"1234567890")
    assert group[1].raft.unapplied_bytes == 0


def test_a_large_proposal_is_taken_when_it_is_alone():
    group = limited()
    group.isolate(1)
    assert group[1].propose(b"x" * 50) == 2
    assert group[1].propose(b"x") is None


def test_a_new_leader_counts_what_it_has_taken_over():
    node = member(terms=(1, 1, 1), max_uncommitted_bytes=9)
    node.campaign()
    drain(node)
    node.step(RequestVoteReply(2, 2, 1, True))
    assert node.raft.unapplied_bytes == 9
    assert node.propose(b"x") is None
