"""What a leader does: replicate, count acknowledgements, commit, and keep its followers quiet.

    propose ─> log ─┬─> own disk ──────────────── persisted ─┐
                    └─> appends to followers ─ acknowledged ─┴─> majority ─> commit ─> followers

Appends are made when the next batch of work is taken (`replicate`), not when something becomes
due: proposals that come together travel together, and a commit index travels with the next
entries if there are any.

Invariants:
    I1. A leader only appends to its log; it never changes or removes what is there.
    I2. It counts its own entries only when they are durable on its own disk.
    I3. It commits by counting only entries of its own term; earlier ones with them (PAPER 5.4.2).

Source: PAPER figure 2 (leaders), 5.3, 5.4; THESIS 10.2.1; etcd-io/raft raft.go (stepLeader,
maybeSendAppend, tickHeartbeat).
Not here: linearizable reads (`reads`), what a change of membership leads to (`reconfigure`).
"""

from __future__ import annotations

from simswarm.raft import quorum, reads
from simswarm.raft.messages import (
    NO_LEADER,
    AppendEntries,
    AppendEntriesReply,
    Entry,
    EntryKind,
    Index,
    InstallSnapshot,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    RaftID,
    TimeoutNow,
)
from simswarm.raft.progress import PROBE, REPLICATE, SNAPSHOT, Progress
from simswarm.raft.raft import Raft

NO_OP = b""


def take_office(raft: Raft) -> None:
    """Begin the leadership that was just won, with an empty entry of the new term.

    Committing it commits what earlier terms left behind, even if nobody writes (PAPER section 8).
    """
    raft.become_leader()
    index = append(raft, NO_OP)
    if not raft.is_voter:
        raft.leaves_at = index


def has_room(raft: Raft, size: int) -> bool:
    """Whether a proposal's data fits in the limit; if so it is counted."""
    waiting = raft.unapplied_bytes
    if waiting > 0 and waiting + size > raft.config.max_uncommitted_bytes:
        return False
    raft.unapplied_bytes = waiting + size
    return True


def append(raft: Raft, data: bytes, kind: EntryKind = EntryKind.NORMAL) -> Index:
    """Add an entry to this leader's log; it is sent with the next batch of work."""
    index = raft.log.last_index + 1
    raft.log.append(Entry(raft.term, index, data, kind))
    raft.append_due = True
    return index


def tick(raft: Raft) -> None:
    """One tick of a leader."""
    raft.ticks += 1
    raft.election_elapsed += 1
    raft.heartbeat_elapsed += 1
    config = raft.config
    if raft.election_elapsed >= config.election_ticks:
        raft.election_elapsed = 0
        if config.check_quorum and not _hears_quorum(raft):
            raft.become_follower(raft.term, NO_LEADER)
            return
    if raft.heartbeat_elapsed >= config.heartbeat_ticks:
        raft.heartbeat_elapsed = 0
        if raft.transferee and raft.ticks >= raft.transfer_ends:
            raft.transferee = NO_LEADER
            # What had to wait for the end of it may be done now.
            raft.extras_due = True
        _send_heartbeats(raft)
        if raft.reads_busy:
            reads.on_heartbeat_due(raft)


def replicate(raft: Raft, *, tell_commit: bool) -> None:
    """Send every follower what it hasn't been sent, as far as its window allows.

    With `tell_commit`, a follower for which there are no entries gets the commit index alone.
    Without it the appends stay due: entries may be about to follow.
    """
    committed = raft.log.committed
    raft.append_due = not tell_commit
    for peer in raft.peers:
        progress = raft.progress[peer]
        while progress.next <= raft.log.last_index and _send_append(raft, peer, progress):
            pass
        if tell_commit and progress.can_learn_commit(committed):
            _send_append(raft, peer, progress)


def on_append_reply(raft: Raft, message: AppendEntriesReply) -> None:
    """A follower acknowledged or rejected an append of this term."""
    progress = raft.progress[message.source]
    if message.index > raft.log.last_index:
        raft.ignored += 1
        return
    progress.heard = raft.ticks
    if message.rejected:
        _on_rejection(raft, message, progress)
        return
    probing = progress.state is PROBE
    if progress.on_acknowledged(message.index):
        if message.index > raft.log.committed:
            maybe_commit(raft)
    elif not (probing and message.index == progress.match):
        return
    if progress.state is SNAPSHOT and not _snapshot_arrived(raft, progress):
        return
    if probing:
        progress.become_replicate()
    if raft.transferee == message.source:
        _hand_over(raft)
    if progress.next <= raft.log.last_index or progress.can_learn_commit(raft.log.committed):
        raft.append_due = True


def on_heartbeat_reply(raft: Raft, message: LeaderHeartbeatReply) -> None:
    """A follower is alive; if it lacks something, our appends to it may have been lost."""
    progress = raft.progress[message.source]
    progress.heard = raft.ticks
    if progress.state is SNAPSHOT and not _snapshot_overdue(raft, progress):
        return
    progress.paused = False
    # With a full window this sends no entries: its answer still tells whether all were lost.
    if progress.match < raft.log.last_index or progress.state is PROBE:
        _send_append(raft, message.source, progress)
    elif raft.transferee == message.source:
        _hand_over(raft)


def on_persisted(raft: Raft) -> None:
    """More of the own log is durable."""
    own = raft.progress[raft.id]
    if raft.unproven and raft.log.term_at(raft.log.persisted) == raft.term:
        raft.unproven = False
    if raft.log.persisted > own.match:
        own.match = raft.log.persisted
        maybe_commit(raft)


def maybe_commit(raft: Raft) -> None:
    """Raise the commit index to what a majority holds, if that is of this term."""
    index = quorum.committed_index([held.match for held in raft.voting])
    if raft.voting_too:
        index = min(index, quorum.committed_index([held.match for held in raft.voting_too]))
    if index > raft.log.committed and raft.log.term_at(index) == raft.term:
        raft.log.commit_to(index)
        raft.append_due = True
        if raft.reads_busy:
            # They may have waited for the first entry of this term.
            raft.extras_due = True


def report_unreachable(raft: Raft, peer: RaftID) -> None:
    """Appends to this follower were probably lost: find out where it stands."""
    progress = raft.progress[peer]
    if progress.state is REPLICATE:
        progress.become_probe()


def report_snapshot(raft: Raft, peer: RaftID, arrived: bool) -> None:
    """The owner knows how the sending of a snapshot ended.

    One that arrived will be acknowledged, and if that is lost, a probe finds out.
    """
    progress = raft.progress[peer]
    if progress.state is SNAPSHOT:
        after = progress.snapshot
        progress.become_probe()
        if arrived:
            progress.next = after + 1
        # No probe before the next sign of life: the follower needs time to install it.
        progress.paused = True


def transfer(raft: Raft, target: RaftID) -> None:
    """Hand the office to a follower: take no more proposals, bring it up to date, let it stand.

    Given up after an election time-out, when proposals are taken again (THESIS 3.10).
    """
    if raft.transferee == target:
        return
    raft.transferee = target
    raft.transfer_ends = raft.ticks + raft.config.election_ticks
    _hand_over(raft)
    raft.append_due = True


def _hand_over(raft: Raft) -> None:
    """Let the transferee stand if it has everything; otherwise appends are on their way to it."""
    if raft.progress[raft.transferee].match == raft.log.last_index:
        raft.handed_over = True
        raft.send(TimeoutNow(raft.term, raft.id, raft.transferee))


def _on_rejection(raft: Raft, message: AppendEntriesReply, progress: Progress) -> None:
    hint = message.hint_index
    if message.hint_term > 0:
        # Where our term is larger than the follower's at the hint, the logs can't agree.
        hint = raft.log.last_up_to_term(hint, message.hint_term)
    if progress.on_rejected(message.index, hint):
        _send_append(raft, message.source, progress)


def _send_append(raft: Raft, peer: RaftID, progress: Progress) -> bool:
    """Send the follower's next entries, or none if there are none or its window is full."""
    if progress.paused:
        return False
    log = raft.log
    previous = progress.next - 1
    previous_term = log.term_at(previous)
    if previous_term is None:
        return _send_snapshot(raft, peer, progress)
    entries: tuple[Entry, ...] = ()
    if progress.state is PROBE or not progress.is_full():
        entries = log.batch(progress.next, raft.config.max_message_bytes)
    raft.send(
        AppendEntries(raft.term, raft.id, peer, previous, previous_term, log.committed, entries)
    )
    progress.on_sent(len(entries))
    progress.sent_commit = log.committed
    return True


def _send_snapshot(raft: Raft, peer: RaftID, progress: Progress) -> bool:
    """What this follower needs next is compacted. One that is not heard gets no snapshot yet."""
    snapshot = raft.snapshot
    assert snapshot is not None, "only what a snapshot covers is compacted"
    recently = raft.ticks - raft.config.election_ticks
    if progress.heard < max(0, recently):
        return False
    progress.become_snapshot(snapshot.index, raft.ticks)
    raft.send(InstallSnapshot(raft.term, raft.id, peer, snapshot))
    return True


def _snapshot_arrived(raft: Raft, progress: Progress) -> bool:
    """Whether the acknowledged index meets our log; if it does, appends go on from there."""
    if progress.match >= raft.log.floor:
        progress.become_replicate()
        return True
    if progress.match >= progress.snapshot:
        # Meanwhile the log was compacted beyond it: a newer one must follow.
        progress.become_probe()
        raft.append_due = True
    return False


def _snapshot_overdue(raft: Raft, progress: Progress) -> bool:
    """Whether a snapshot must be thought lost; if so, the follower is probed again."""
    if raft.ticks - progress.snapshot_sent < raft.config.snapshot_ticks:
        return False
    progress.become_probe()
    return True


def _send_heartbeats(raft: Raft) -> None:
    term, own, committed = raft.term, raft.id, raft.log.committed
    for peer in raft.peers:
        progress = raft.progress[peer]
        # Never more than the follower is known to hold: the rest of its log may be another's.
        commit = progress.match if progress.match < committed else committed
        progress.sent_commit = commit
        raft.send(LeaderHeartbeat(term, own, peer, commit))


def _hears_quorum(raft: Raft) -> bool:
    """Whether a majority was heard since the last look (PAPER section 6; THESIS 6.2)."""
    since = raft.quorum_checked
    raft.quorum_checked = raft.ticks
    raft.progress[raft.id].heard = raft.ticks
    return _heard_by_majority(raft.voting, since) and (
        not raft.voting_too or _heard_by_majority(raft.voting_too, since)
    )


def _heard_by_majority(half: tuple[Progress, ...], since: int) -> bool:
    heard = sum(1 for seen in half if seen.heard >= since)
    return heard >= quorum.majority(len(half))
