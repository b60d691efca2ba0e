"""What a member does to become leader: wait, stand for election, count votes.

Followers and candidates share one timer: when nobody was heard for `election_timeout` ticks, the
member stands (again).

Invariants:
    I1. Each voter counts once, with its first answer, and only for the candidacy it answered.

Source: PAPER 5.2, figure 2 (candidates); etcd-io/raft raft.go (tickElection, campaign,
stepCandidate).
Not here: pre-vote.
"""

from __future__ import annotations

from simswarm.raft import follower, leader
from simswarm.raft.messages import AppendEntries, LeaderHeartbeat, RequestVote, RequestVoteReply
from simswarm.raft.quorum import VoteResult, vote_result
from simswarm.raft.raft import NO_VOTE, Raft

NOBODY = NO_VOTE


def tick(raft: Raft) -> None:
    """One tick of a member that doesn't lead."""
    raft.ticks += 1
    raft.election_elapsed += 1
    if raft.election_elapsed >= raft.election_timeout:
        campaign(raft)


def campaign(raft: Raft) -> None:
    """Stand for election in the next term."""
    raft.become_candidate()
    if vote_result(1, 0, len(raft.config.members)) is VoteResult.WON:
        leader.take_office(raft)
        return
    last_index, last_term = raft.log.last_index, raft.log.last_term
    for peer in raft.peers:
        raft.send_durable(RequestVote(raft.term, raft.id, peer, last_index, last_term))


def on_vote_reply(raft: Raft, message: RequestVoteReply) -> None:
    """A voter's answer to this candidacy."""
    result = raft.record_vote(message.source, message.granted)
    if result is VoteResult.WON:
        leader.take_office(raft)
    elif result is VoteResult.LOST:
        raft.become_follower(raft.term, NOBODY)


def on_append(raft: Raft, message: AppendEntries) -> None:
    """Somebody else won this term."""
    raft.become_follower(raft.term, message.source)
    follower.on_append(raft, message)


def on_heartbeat(raft: Raft, message: LeaderHeartbeat) -> None:
    """Somebody else won this term."""
    raft.become_follower(raft.term, message.source)
    follower.on_heartbeat(raft, message)
