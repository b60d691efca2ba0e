"""What a member does to become leader: wait, stand for election, count votes.

Followers and candidates share one timer: when nobody was heard for `election_timeout` ticks, the
member stands (again). With pre-vote it asks first, in its old term, whether it would be elected:
a member that can't be doesn't disturb the others with a new term.

    campaign ──> PreVote ──────── majority would ────────> RequestVote ─── majority does ──> leader
                 (pre_vote on)                             (term + 1)

Invariants:
    I1. Each voter counts once, with its first answer, and only for the candidacy it answered.
    I2. A pre-vote changes neither term nor vote nor timer of who is asked.
    I3. Who has a committed change of membership to apply doesn't stand; nor who is no voter, unless
        a member that still counts on it asks for its vote with a log that is behind its own.
    I4. Answers to pre-votes and to vote requests are never counted for each other.

Source: PAPER 5.2, figure 2 (candidates); THESIS 3.10 (TimeoutNow), 9.6 (PreVote); etcd-io/raft
raft.go (tickElection, hup, campaign, stepCandidate).
Not here: granting a vote (`follower`).
"""

from __future__ import annotations

from simswarm.raft import follower, leader, reads
from simswarm.raft.messages import (
    NO_LEADER,
    AppendEntries,
    InstallSnapshot,
    LeaderHeartbeat,
    PreVote,
    PreVoteReply,
    ReadProbe,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from simswarm.raft.quorum import VoteResult
from simswarm.raft.raft import NO_VOTE, Raft
from simswarm.raft.ready import Role

NOBODY = NO_VOTE


def tick(raft: Raft) -> None:
    """One tick of a member that doesn't lead."""
    raft.ticks += 1
    raft.election_elapsed += 1
    if raft.loyal:
        raft.loyal_elapsed += 1
    if raft.election_elapsed >= raft.election_timeout:
        campaign(raft)


def campaign(raft: Raft) -> None:
    """Try to become leader: with pre-vote ask first, without it stand at once."""
    if may_stand(raft):
        _campaign(raft)


def _campaign(raft: Raft) -> None:
    if not raft.config.pre_vote:
        stand(raft)
        return
    raft.become_precandidate()
    if raft.record_vote(raft.id, True) is VoteResult.WON:
        stand(raft)
        return
    last_index, last_term = raft.log.last_index, raft.log.last_term
    for peer in raft.electors:
        raft.send(PreVote(raft.term + 1, raft.id, peer, last_index, last_term))


def may_stand(raft: Raft) -> bool:
    """Whether this member is a voter, in the newest configuration it knows to be committed."""
    return raft.is_voter and _is_informed(raft)


def _is_informed(raft: Raft) -> bool:
    """Whether the configuration in force is the newest that is known to be committed."""
    if raft.pending_snapshot is not None:
        return False
    log = raft.log
    return log.applied == log.committed or not log.has_config(log.applied, log.committed)


def stand(raft: Raft, *, transfer: bool = False) -> None:
    """Stand for election in the next term."""
    raft.become_candidate()
    if raft.record_vote(raft.id, True) is VoteResult.WON:
        leader.take_office(raft)
        # Nobody else knows of this term and the disk doesn't yet: should it forget, the term will
        # be used again, so nothing may be heard of it before.
        raft.unproven = True
        return
    last_index, last_term = raft.log.last_index, raft.log.last_term
    for peer in raft.electors:
        raft.send_durable(RequestVote(raft.term, raft.id, peer, last_index, last_term, transfer))


def on_timeout_now(raft: Raft, message: TimeoutNow) -> None:
    """The leader hands over: stand at once, and say that others need not be loyal to it."""
    if may_stand(raft):
        stand(raft, transfer=True)


def on_vote_request(raft: Raft, message: RequestVote) -> None:
    """A candidate asks a follower, which perhaps has no vote."""
    follower.on_vote_request(raft, message)
    _help_out(raft, message)


def _help_out(raft: Raft, message: RequestVote | PreVote) -> None:
    """Lead for a moment, though no voter, if others can't elect anybody.

    Who asks still counts on this member, and its log is behind: it lacks the entry, or the news
    that it is committed, by which this member lost its vote. Of two voters one can demote the
    other and be the only one to know; the other can't be elected then (etcd-io/raft doc.go names
    this as a limit).
    """
    behind = not raft.log.is_up_to_date(message.last_index, message.last_term)
    outsider = not raft.is_voter and bool(raft.membership.voters)
    # Also if it stands already: what it said then may be lost, and no time-out repeats it.
    if behind and outsider and raft.role is not Role.LEADER and _is_informed(raft):
        _campaign(raft)


def on_vote_reply(raft: Raft, message: RequestVoteReply) -> None:
    """A voter's answer to this candidacy."""
    result = raft.record_vote(message.source, message.granted)
    if result is VoteResult.WON:
        leader.take_office(raft)
    elif result is VoteResult.LOST:
        raft.become_follower(raft.term, NOBODY)


def on_pre_vote(raft: Raft, message: PreVote) -> None:
    """Somebody asks whether it would get this member's vote, in whatever term."""
    asked = message.term
    if asked > raft.term:
        free = not _hears_a_leader(raft)
    else:
        free = asked == raft.term and raft.vote == NO_VOTE and raft.leader == NO_LEADER
        free = free or (asked == raft.term and raft.vote == message.source)
    granted = free and raft.log.is_up_to_date(message.last_index, message.last_term)
    # A refusal is said, also to a member of a smaller term: it must learn of the larger one.
    term = asked if granted else raft.term
    raft.send(PreVoteReply(term, raft.id, message.source, granted))
    if not granted and free:
        _help_out(raft, message)


def on_pre_vote_reply(raft: Raft, message: PreVoteReply) -> None:
    """An answer that may be to the question under way."""
    if raft.role is not Role.PRECANDIDATE:
        return
    if message.term != raft.term + (1 if message.granted else 0):
        return
    result = raft.record_vote(message.source, message.granted)
    if result is VoteResult.WON:
        stand(raft)
    elif result is VoteResult.LOST:
        raft.become_follower(raft.term, NOBODY)


def on_append(raft: Raft, message: AppendEntries) -> None:
    """Somebody else won this term."""
    raft.become_follower(raft.term, message.source)
    follower.on_append(raft, message)


def on_snapshot(raft: Raft, message: InstallSnapshot) -> None:
    """Somebody else won this term."""
    raft.become_follower(raft.term, message.source)
    follower.on_snapshot(raft, message)


def on_probe(raft: Raft, message: ReadProbe) -> None:
    """Somebody else won this term."""
    raft.become_follower(raft.term, message.source)
    reads.on_probe(raft, message)


def on_heartbeat(raft: Raft, message: LeaderHeartbeat) -> None:
    """Somebody else won this term."""
    raft.become_follower(raft.term, message.source)
    follower.on_heartbeat(raft, message)


def _hears_a_leader(raft: Raft) -> bool:
    """Whether a leader was heard within the shortest time-out, CheckQuorum or not."""
    return raft.leader != NO_LEADER and raft.election_elapsed < raft.config.election_ticks
