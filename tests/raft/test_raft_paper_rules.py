"""PAPER figure 2, "Rules for Servers", and the state it names: one test per sentence group."""

from __future__ import annotations

import pytest

from simswarm.base.entropy import SeededEntropy
from simswarm.raft import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    HardState,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    RaftConfig,
    RawNode,
    RequestVote,
    RequestVoteReply,
    Role,
)
from tests.raft.harness import Group, drain, log_of, member, say, settle, terms_of


def leader_of(terms=(), members=(1, 2, 3), **settings):
    """Member 1 as leader of the term after its log's, nothing acknowledged yet."""
    node = member(1, members, terms=terms, **settings)
    node.campaign()
    drain(node)
    for voter in members[1 : len(members) // 2 + 1]:
        node.step(RequestVoteReply(node.raft.term, voter, 1, True))
    assert node.raft.role is Role.LEADER
    return node


def acknowledge(node, follower, index):
    return say(node, AppendEntriesReply(node.raft.term, follower, node.raft.id, index))


# ── persistent state ─────────────────────────────────────────────────────────────────────────


def test_term_vote_and_log_survive_a_restart():
    """Persistent state: currentTerm, votedFor, log[]."""
    node = member(terms=(1, 1, 3), term=5, vote=2)
    assert (node.raft.term, node.raft.vote, terms_of(node)) == (5, 2, [1, 1, 3])
    assert say(node, RequestVote(5, 3, 1, 9, 5)) == [RequestVoteReply(5, 1, 3, False)]


def test_a_new_term_or_vote_is_given_to_the_disk_with_the_answer():
    """Persistent state is updated before responding to RPCs."""
    node = member()
    node.step(RequestVote(7, 2, 1, 0, 0))
    (batch,) = settle(node)
    assert batch.hard_state == HardState(7, 2, 0)
    assert [out.durable_first for out in batch.messages] == [True]


def test_entries_are_given_to_the_disk_with_the_acknowledgement():
    node = member()
    node.step(AppendEntries(1, 2, 1, 0, 0, 0, log_of((1, 1))))
    (batch,) = settle(node)
    assert batch.entries == log_of((1, 1))
    assert [(out.message.index, out.durable_first) for out in batch.messages] == [(2, True)]


def test_nothing_is_written_when_only_the_commit_index_rises():
    """commitIndex is volatile state."""
    node = member(terms=(1, 1))
    node.step(LeaderHeartbeat(1, 2, 1, 2))
    (batch,) = settle(node)
    assert batch.hard_state is None
    assert batch.committed == log_of((1, 1))


# ── all servers ──────────────────────────────────────────────────────────────────────────────


def test_what_is_committed_is_applied_in_order_once():
    """If commitIndex > lastApplied: increment lastApplied, apply log[lastApplied]."""
    node = member(terms=(1, 1, 1, 1))
    applied = []
    for commit in (2, 2, 1, 4):
        node.step(AppendEntries(1, 2, 1, 4, 1, commit))
        applied += [entry.index for batch in settle(node) for entry in batch.committed]
    assert applied == [1, 2, 3, 4]


LARGER = [
    AppendEntries(9, 2, 1, 0, 0, 0),
    LeaderHeartbeat(9, 2, 1, 0),
    RequestVote(9, 2, 1, 0, 0),
    AppendEntriesReply(9, 2, 1, 0),
    RequestVoteReply(9, 2, 1, True),
    LeaderHeartbeatReply(9, 2, 1),
]


@pytest.mark.parametrize("message", LARGER, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("role", list(Role))
def test_a_larger_term_makes_a_follower_of_that_term(message, role):
    """If RPC request or response contains term T > currentTerm: set currentTerm = T, follow."""
    settings = {"check_quorum": False, "pre_vote": role is Role.PRECANDIDATE}
    node = member(**settings) if role is not Role.LEADER else leader_of(**settings)
    if role in (Role.CANDIDATE, Role.PRECANDIDATE):
        node.campaign()
    drain(node)
    assert node.raft.role is role
    node.step(message)
    assert (node.raft.term, node.raft.role) == (9, Role.FOLLOWER)
    leads = isinstance(message, AppendEntries | LeaderHeartbeat)
    assert node.raft.leader == (2 if leads else 0)


# ── followers ────────────────────────────────────────────────────────────────────────────────


def test_a_follower_only_answers():
    """Followers issue no requests on their own but simply respond."""
    node = member()
    for _ in range(9):
        node.tick()
        assert not node.has_ready()
    assert node.propose(b"x") is None


@pytest.mark.parametrize("offset", [0, 4, 9])
def test_a_follower_that_hears_nothing_for_its_time_out_stands(offset):
    """If election timeout elapses without receiving AppendEntries or granting vote: convert."""
    node = member(offset=offset)
    for _ in range(10 + offset - 1):
        node.tick()
    assert node.raft.role is Role.FOLLOWER
    node.tick()
    assert (node.raft.role, node.raft.term) == (Role.CANDIDATE, 1)


@pytest.mark.parametrize(
    ("message", "waits_again"),
    [
        (AppendEntries(3, 2, 1, 0, 0, 0), True),
        (LeaderHeartbeat(3, 2, 1, 0), True),
        (RequestVote(3, 2, 1, 1, 3), True),
        (RequestVote(3, 2, 1, 0, 0), False),
        (AppendEntriesReply(3, 2, 1, 0), False),
    ],
)
def test_only_a_leader_or_a_vote_granted_renews_a_followers_patience(message, waits_again):
    node = member(terms=(3,))
    for _ in range(8):
        node.tick()
    node.step(message)
    node.tick()
    node.tick()
    assert (node.raft.role is Role.FOLLOWER) == waits_again


def test_time_outs_are_drawn_afresh_from_the_range():
    """Election timeouts are chosen randomly from a fixed interval (5.2)."""
    node = RawNode(RaftConfig(1, (1, 2, 3)), SeededEntropy(3))
    drawn = set()
    for term in range(1, 400):
        node.step(AppendEntries(term, 2, 1, 0, 0, 0))
        drawn.add(node.raft.election_timeout)
    assert drawn == set(range(10, 20))


# ── candidates ───────────────────────────────────────────────────────────────────────────────


def test_a_candidacy_raises_the_term_votes_for_itself_and_asks_everybody():
    """On conversion to candidate: increment currentTerm, vote for self, send RequestVote."""
    node = member(terms=(1, 2))
    node.campaign()
    (batch,) = settle(node)
    assert batch.hard_state == HardState(3, 1, 0)
    assert [out.message for out in batch.messages] == [
        RequestVote(3, 1, peer, 2, 2) for peer in (2, 3)
    ]
    assert all(out.durable_first for out in batch.messages)


@pytest.mark.parametrize(
    ("size", "answers", "role"),
    [
        (1, {}, Role.LEADER),
        (3, {}, Role.CANDIDATE),
        (3, {2: True}, Role.LEADER),
        (3, {2: False}, Role.CANDIDATE),
        (3, {2: False, 3: False}, Role.FOLLOWER),
        (4, {2: True}, Role.CANDIDATE),
        (4, {2: True, 3: True}, Role.LEADER),
        (4, {2: False, 3: False}, Role.FOLLOWER),
        (5, {2: True}, Role.CANDIDATE),
        (5, {2: True, 3: False, 4: True}, Role.LEADER),
        (5, {2: False, 3: False, 4: False}, Role.FOLLOWER),
    ],
)
def test_votes_from_a_majority_make_a_leader(size, answers, role):
    """If votes received from majority of servers: become leader."""
    node = member(members=range(1, size + 1))
    node.campaign()
    for voter, granted in answers.items():
        node.step(RequestVoteReply(1, voter, 1, granted))
    assert node.raft.role is role


def test_a_voter_counts_once_however_often_its_answer_arrives():
    node = member(members=range(1, 6))
    node.campaign()
    for _ in range(5):
        node.step(RequestVoteReply(1, 2, 1, True))
    assert node.raft.role is Role.CANDIDATE


def test_a_vote_of_an_earlier_candidacy_does_not_count():
    node = member()
    node.campaign()
    node.campaign()
    node.step(RequestVoteReply(1, 2, 1, True))
    assert node.raft.role is Role.CANDIDATE


@pytest.mark.parametrize("kind", ["append", "heartbeat"])
def test_a_candidate_follows_whoever_won_its_term(kind):
    """If AppendEntries RPC received from new leader: convert to follower."""
    node = member()
    node.campaign()
    drain(node)
    message = AppendEntries(1, 3, 1, 0, 0, 0) if kind == "append" else LeaderHeartbeat(1, 3, 1, 0)
    answers = say(node, message)
    assert (node.raft.role, node.raft.leader) == (Role.FOLLOWER, 3)
    assert len(answers) == 1


def test_a_candidate_whose_time_out_ends_starts_a_new_election():
    """If election timeout elapses: start new election."""
    node = member()
    node.campaign()
    drain(node)
    for _ in range(10):
        node.tick()
    assert (node.raft.role, node.raft.term) == (Role.CANDIDATE, 2)
    assert [message.term for message in drain(node)] == [2, 2]


# ── leaders ──────────────────────────────────────────────────────────────────────────────────


def test_a_leader_begins_by_sending_everybody_an_empty_entry_of_its_term():
    """Upon election: send initial empty AppendEntries. Section 8: a blank no-op entry."""
    node = leader_of(terms=(1, 1))
    no_op = Entry(2, 3, b"")
    assert drain(node) == [AppendEntries(2, 1, peer, 2, 1, 0, (no_op,)) for peer in (2, 3)]


def test_a_leader_is_heard_every_heartbeat():
    """Repeat during idle periods to prevent election timeouts."""
    node = leader_of(heartbeat_ticks=3)
    drain(node)
    heard = []
    for _ in range(9):
        node.tick()
        heard.append([message.target for message in drain(node)])
    assert heard == [[], [], [2, 3]] * 3


def test_a_proposal_is_appended_and_applied_when_committed():
    """If command received from client: append entry to local log, respond after applied."""
    group = Group.of(3)
    group.elect(1)
    assert group.propose(1, b"x") == 2
    assert [entry.data for entry in group.applied[1]] == [b"", b"x"]
    assert group.applied[2] == group.applied[3] == group.applied[1]


def test_a_follower_is_sent_what_follows_its_last_entry():
    """If last log index >= nextIndex for a follower: send AppendEntries starting at nextIndex."""
    node = leader_of()
    drain(node)
    acknowledge(node, 2, 1)
    acknowledge(node, 3, 1)
    node.propose(b"a")
    node.propose(b"b")
    sent = drain(node)
    assert [(m.target, m.previous_index, [e.data for e in m.entries]) for m in sent] == [
        (2, 1, [b"a", b"b"]),
        (3, 1, [b"a", b"b"]),
    ]


def test_success_moves_next_and_match():
    """If successful: update nextIndex and matchIndex for follower."""
    node = leader_of()
    drain(node)
    acknowledge(node, 2, 1)
    assert (node.raft.progress[2].match, node.raft.progress[2].next) == (1, 2)


def test_a_follower_whose_log_differs_is_asked_further_back():
    """If AppendEntries fails because of log inconsistency: decrement nextIndex and retry."""
    node = leader_of(terms=(1, 1, 1, 2))
    drain(node)
    (retry,) = say(node, AppendEntriesReply(3, 2, 1, 4, rejected=True, hint_index=2, hint_term=1))
    assert (retry.previous_index, [e.index for e in retry.entries]) == (2, [3, 4, 5])


@pytest.mark.parametrize(
    ("size", "acknowledged", "committed"),
    [
        (1, {}, 4),
        (2, {}, 0),
        (2, {2: 4}, 4),
        (3, {2: 3}, 3),
        (3, {2: 4, 3: 3}, 4),
        (4, {2: 4}, 0),
        (4, {2: 4, 3: 3}, 3),
        (5, {2: 4, 3: 3}, 3),
        (5, {2: 4, 3: 4, 4: 3}, 4),
    ],
)
def test_a_majority_of_matches_commits(size, acknowledged, committed):
    """If there exists N > commitIndex, a majority of matchIndex[i] >= N …"""
    node = leader_of(terms=(1,), members=tuple(range(1, size + 1)))
    node.propose(b"a")
    node.propose(b"b")
    drain(node)
    for follower, index in acknowledged.items():
        acknowledge(node, follower, index)
    assert node.raft.commit == committed


def test_an_entry_of_an_earlier_term_is_not_committed_by_counting():
    """… and log[N].term == currentTerm: set commitIndex = N (5.3, 5.4)."""
    node = leader_of(terms=(1, 2))
    drain(node)
    acknowledge(node, 2, 2)
    assert node.raft.commit == 0
    acknowledge(node, 2, 3)
    assert node.raft.commit == 3


def test_a_leader_counts_itself_only_when_its_own_disk_has_the_entry():
    """A leader may write to its disk in parallel (THESIS 10.2.1), if it counts only then."""
    node = leader_of()
    batch = node.ready()
    assert batch.entries == (Entry(1, 1, b""),)
    assert not any(out.durable_first for out in batch.messages)
    acknowledge(node, 2, 1)
    assert node.raft.commit == 0
    node.persisted(1, 1)
    assert node.raft.commit == 1


def test_followers_learn_of_a_commit_without_waiting_for_a_heartbeat():
    group = Group.of(3)
    group.elect(1)
    group.propose(1, b"x")
    assert [node.raft.commit for node in group.nodes.values()] == [2, 2, 2]


def test_no_leader_changes_its_own_log():
    """Leader Append-Only: a leader never overwrites or deletes entries in its log."""
    node = leader_of(terms=(1, 1))
    before = node.raft.log.entries()
    say(node, AppendEntries(2, 2, 1, 0, 0, 0, (Entry(2, 1, b"other"),)))
    assert node.raft.log.entries() == before
