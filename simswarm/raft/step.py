"""What a message's term means, before its content does; then the rule of the role.

    larger term    adopt it and follow; but a vote request within a leader's lease is ignored,
                   and a pre-vote (asked or granted) changes no term
    smaller term   drop it; an old leader is told our term, so that it steps down
    same term      the table below

Invariants:
    I1. No message makes this raise: what no correct member sends is dropped and counted.

Source: PAPER figure 2 (rules for all servers), section 6; THESIS 9.6; etcd-io/raft raft.go (Step).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from simswarm.raft import candidate, follower, leader, reads
from simswarm.raft.messages import (
    NO_LEADER,
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    PreVote,
    PreVoteReply,
    RaftMessage,
    ReadProbe,
    ReadProbeReply,
    ReadReply,
    ReadRequest,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from simswarm.raft.raft import Raft
from simswarm.raft.ready import Role

TERM_LIMIT = 1 << 60
"""No election count comes near; a term beyond it is made up, and adding to it could overflow."""

FROM_LEADER = AppendEntries | LeaderHeartbeat | InstallSnapshot | ReadProbe
"""What only the leader of a term says in it."""
FROM_STRANGERS = (*get_args(FROM_LEADER), PreVote, RequestVote, TimeoutNow)
"""What is heard from members that this one doesn't know yet, where membership changes."""

Rule = Callable[[Raft, Any], None]

RULES: Mapping[Role, Mapping[type, Rule]] = {
    Role.FOLLOWER: {
        AppendEntries: follower.on_append,
        InstallSnapshot: follower.on_snapshot,
        ReadProbe: reads.on_probe,
        ReadReply: reads.on_reply,
        LeaderHeartbeat: follower.on_heartbeat,
        PreVote: candidate.on_pre_vote,
        ReadRequest: reads.on_request_elsewhere,
        RequestVote: candidate.on_vote_request,
        TimeoutNow: candidate.on_timeout_now,
    },
    Role.PRECANDIDATE: {
        AppendEntries: candidate.on_append,
        InstallSnapshot: candidate.on_snapshot,
        ReadProbe: candidate.on_probe,
        LeaderHeartbeat: candidate.on_heartbeat,
        PreVote: candidate.on_pre_vote,
        ReadRequest: reads.on_request_elsewhere,
        PreVoteReply: candidate.on_pre_vote_reply,
        RequestVote: follower.on_vote_request,
        TimeoutNow: candidate.on_timeout_now,
    },
    Role.CANDIDATE: {
        AppendEntries: candidate.on_append,
        InstallSnapshot: candidate.on_snapshot,
        ReadProbe: candidate.on_probe,
        LeaderHeartbeat: candidate.on_heartbeat,
        PreVote: candidate.on_pre_vote,
        ReadRequest: reads.on_request_elsewhere,
        RequestVote: follower.on_vote_request,
        RequestVoteReply: candidate.on_vote_reply,
    },
    Role.LEADER: {
        AppendEntriesReply: leader.on_append_reply,
        ReadProbeReply: reads.on_probe_reply,
        LeaderHeartbeatReply: leader.on_heartbeat_reply,
        PreVote: candidate.on_pre_vote,
        ReadRequest: reads.on_request,
        RequestVote: follower.on_vote_request,
    },
}
"""What each role listens to in its own term; everything else is old news."""


def step(raft: Raft, message: RaftMessage) -> None:
    """Take one message from a peer."""
    if message.target != raft.id or (
        message.source not in raft.peers and not _may_be_new(raft, message)
    ):
        raft.ignored += 1
        return
    term = message.term
    if term != raft.term:
        if term < raft.term:
            _on_smaller_term(raft, message)
            return
        if not _adopt_term(raft, message):
            return
    rule = RULES[raft.role].get(type(message))
    if rule is not None:
        rule(raft, message)


def _may_be_new(raft: Raft, message: RaftMessage) -> bool:
    """Whether the sender may have been added by an entry that isn't applied here yet."""
    stranger = message.source not in (raft.id, NO_LEADER)
    return raft.config.dynamic and stranger and isinstance(message, FROM_STRANGERS)


def _adopt_term(raft: Raft, message: RaftMessage) -> bool:
    """Enter a larger term as follower; False if the message is to be ignored instead."""
    if message.term > TERM_LIMIT:
        raft.ignored += 1
        return False
    if isinstance(message, PreVote):
        candidate.on_pre_vote(raft, message)
        return False
    if isinstance(message, PreVoteReply) and message.granted:
        candidate.on_pre_vote_reply(raft, message)
        return False
    if isinstance(message, RequestVote) and raft.in_lease and not message.transfer:
        return False
    leads = isinstance(message, FROM_LEADER)
    raft.become_follower(message.term, message.source if leads else NO_LEADER)
    return True


def _on_smaller_term(raft: Raft, message: RaftMessage) -> None:
    # Candidates with an old term learn nothing: their next term will be high enough. But one that
    # only asks would ask for ever, and where followers ignore vote requests, a member that has
    # run ahead can come back only if the leader hears of its term.
    if isinstance(message, PreVote):
        candidate.on_pre_vote(raft, message)
        return
    loyal = raft.config.check_quorum or raft.config.pre_vote
    if loyal and isinstance(message, FROM_LEADER):
        raft.send_durable(
            AppendEntriesReply(raft.term, raft.id, message.source, index=0, rejected=True)
        )
