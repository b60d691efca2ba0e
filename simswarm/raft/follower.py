"""What a follower does: take entries from the leader of its term, and vote.

Invariants:
    I1. An acknowledgement names the last index that this very message proved, never the end of
        the own log: what lies beyond may not be the leader's.
    I2. The commit index rises at most to that index.
    I3. A snapshot replaces the log only where the two disagree; never what is committed.
    I4. One vote a term; the same candidate asking again gets the same answer.

Source: PAPER figure 2 (AppendEntries, RequestVote); etcd-io/raft raft.go (handleAppendEntries,
handleHeartbeat, handleSnapshot, Step: MsgVote). Unlike there, a snapshot is taken whose membership
does not have this member: what adds it follows in the log.
Not here: the election timer (`candidate.tick`), terms (`step`).
"""

from __future__ import annotations

from simswarm.raft.messages import (
    NO_LEADER,
    AppendEntries,
    AppendEntriesReply,
    Index,
    InstallSnapshot,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    RaftID,
    RequestVote,
    RequestVoteReply,
)
from simswarm.raft.raft import NO_VOTE, Raft


def on_append(raft: Raft, message: AppendEntries) -> None:
    """Entries from the leader of this term."""
    hear_leader(raft, message.source)
    log = raft.log
    previous = message.previous_index
    if previous < log.committed:
        # An old message. All that is committed here is in the leader's log too.
        _acknowledge(raft, message.source, log.committed)
        return
    if log.term_at(previous) != message.previous_term:
        _refuse(raft, message)
        return
    if message.entries:
        if not _is_well_formed(message):
            raft.ignored += 1
            return
        log.merge(message.entries)
    proved = previous + len(message.entries)
    log.commit_to(min(message.commit, proved))
    _acknowledge(raft, message.source, proved)


def on_snapshot(raft: Raft, message: InstallSnapshot) -> None:
    """The state of the group at an index, in place of entries the leader no longer has."""
    hear_leader(raft, message.source)
    log, snapshot = raft.log, message.snapshot
    if snapshot.index <= log.committed:
        # Old: all it says is here already, and perhaps more.
        _acknowledge(raft, message.source, log.committed)
        return
    if not 0 < snapshot.term <= message.term or not snapshot.membership.voters:
        raft.ignored += 1
        return
    if log.term_at(snapshot.index) == snapshot.term:
        # The log is the leader's up to there: what follows may be acknowledged, and stays.
        log.commit_to(snapshot.index)
    else:
        log.restore(snapshot)
        raft.adopt(snapshot.membership)
        raft.snapshot = raft.pending_snapshot = snapshot
        raft.extras_due = True
    _acknowledge(raft, message.source, snapshot.index)


def on_heartbeat(raft: Raft, message: LeaderHeartbeat) -> None:
    """The leader of this term is alive, and tells what is committed of what it knows is here."""
    hear_leader(raft, message.source)
    if message.commit > raft.log.last_index:
        # The leader had our acknowledgement: entries that were durable here are lost.
        raft.contradiction = (
            f"the leader knows entry {message.commit} to be here, "
            f"but the log ends at {raft.log.last_index}"
        )
        return
    raft.log.commit_to(message.commit)
    # Promises nothing but being alive: a slow disk must not silence a member, and one that
    # forgets this term in a crash has broken no word.
    raft.send(LeaderHeartbeatReply(raft.term, raft.id, message.source))


def on_vote_request(raft: Raft, message: RequestVote) -> None:
    """A candidate of this term asks for a vote. Members of every role answer this."""
    if raft.loyal and raft.in_lease and not message.transfer:
        # The term was heard of otherwise, but the leader's lease may still last.
        return
    free = raft.vote == NO_VOTE and raft.leader == NO_LEADER
    may_vote = free or raft.vote == message.source
    granted = may_vote and raft.log.is_up_to_date(message.last_index, message.last_term)
    if granted:
        raft.vote = message.source
        raft.election_elapsed = 0
    raft.send_durable(RequestVoteReply(raft.term, raft.id, message.source, granted))


def hear_leader(raft: Raft, leader: RaftID) -> None:
    """The leader of this term was heard."""
    raft.election_elapsed = raft.loyal_elapsed = 0
    raft.leader = leader


def _acknowledge(raft: Raft, leader: RaftID, index: Index) -> None:
    raft.send_durable(AppendEntriesReply(raft.term, raft.id, leader, index))


def _refuse(raft: Raft, message: AppendEntries) -> None:
    """The logs differ at `previous_index`: hint at the largest index where they may agree."""
    log = raft.log
    if message.previous_index == log.committed:
        if log.committed == 0:
            raft.ignored += 1
            return
        raft.contradiction = (
            f"the leader has term {message.previous_term} at index {log.committed}, "
            f"which is committed here with term {log.term_at(log.committed)}"
        )
        return
    hint = log.last_up_to_term(message.previous_index, message.previous_term)
    raft.send_durable(
        AppendEntriesReply(
            raft.term,
            raft.id,
            message.source,
            message.previous_index,
            rejected=True,
            hint_index=hint,
            hint_term=log.term_at(hint) or 0,
        )
    )


def _is_well_formed(message: AppendEntries) -> bool:
    """Whether the entries follow on each other and none is from a later term."""
    index, term = message.previous_index, message.previous_term
    for entry in message.entries:
        index += 1
        if entry.index != index or entry.term < term or entry.term > message.term:
            return False
        term = entry.term
    return True
