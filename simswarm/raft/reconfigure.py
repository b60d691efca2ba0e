"""Changes of membership: when a leader may propose one, and what follows when one is applied.

    propose ──> entry ──> committed ──> applied: in force ──┬─> joint: the leader proposes to leave
                                                            ├─> newcomers are probed
                                                            └─> a leader without a vote leaves

A leader that has applied its own removal (or demotion) stays until one more entry, an empty one,
is committed by those who remain: they have then heard that the change is committed, and need
neither its vote nor its log to elect the next one. Should it crash before that, they may still
need it (`candidate._help_out`); better hand over before removing a leader.

Invariants:
    I1. A leader proposes a change only after committing an entry of its own term, and only when
        all changes before it are applied (the fault of 2015; `membership`).
    I2. Who leaves is told the commit index that says so, if it can be.
    I3. A joint configuration that is to be left is left, whoever leads when it is applied.

Source: THESIS 4; https://groups.google.com/g/raft-dev/c/t4xj6dJTP6E; etcd-io/raft raft.go
(applyConfChange, switchToConfig).
Not here: what a configuration is (`membership`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.errors import InvalidSpec, StorageCorrupt
from simswarm.raft import leader, reads
from simswarm.raft import membership as members
from simswarm.raft.membership import ConfChange
from simswarm.raft.messages import NO_LEADER, Entry, EntryKind, Index, Membership
from simswarm.raft.raft import Raft
from simswarm.raft.ready import Role

_CONFIG = EntryKind.CONFIG


def refusal(raft: Raft, wanted: ConfChange) -> str:
    """Why this member can't propose the change now; empty if it can."""
    if not raft.config.dynamic:
        return "raft: the membership of this group is fixed"
    if raft.role is not Role.LEADER:
        return "raft: only the leader changes the membership"
    if raft.transferee:
        return "raft: the leader is handing over"
    if not raft.is_voter:
        return "raft: the leader is leaving"
    if raft.log.term_at(raft.log.committed) != raft.term:
        return "raft: this leader has not committed an entry of its own term yet"
    if raft.pending_change > raft.log.applied:
        return "raft: another change may be under way"
    try:
        members.change(raft.membership, wanted)
    except InvalidSpec as error:
        return error.message
    return ""


def propose(raft: Raft, wanted: ConfChange) -> Index | None:
    """Append a change to this leader's log; None if it is refused."""
    if refusal(raft, wanted):
        return None
    data = members.encode_change(wanted)
    index = leader.append(raft, data, _CONFIG)
    raft.unapplied_bytes += len(data)
    raft.pending_change = index
    return index


def apply(raft: Raft, committed: Sequence[Entry]) -> None:
    """These entries are being applied: put their changes in force."""
    for entry in committed:
        if entry.kind is _CONFIG:
            after = outcome(raft, raft.membership, entry)
            if after is not None:
                _put_in_force(raft, after)
    leave_joint(raft)
    if raft.role is Role.LEADER and not raft.is_voter and raft.log.applied >= raft.leaves_at:
        leader.replicate(raft, tell_commit=True)
        raft.become_follower(raft.term, NO_LEADER)


def recover(raft: Raft) -> None:
    """After a start: the configuration at the applied index, and what the log proves."""
    log = raft.log
    base = raft.snapshot.index if raft.snapshot is not None else 0
    for entry in log.entries(max(base, log.floor) + 1, log.applied):
        if entry.kind is _CONFIG:
            after = outcome(raft, raft.membership, entry)
            if after is not None:
                raft.adopt(after)
    log.commit_proven_changes()


def outcome(raft: Raft, before: Membership, entry: Entry) -> Membership | None:
    """The configuration after an entry; None if it changes nothing."""
    try:
        return members.change(before, members.decode_change(entry.data))
    except InvalidSpec:
        # No correct leader proposes such a one, and all members ignore it alike.
        raft.ignored += 1
    except StorageCorrupt as error:
        raft.contradiction = f"entry {entry.index}: {error.message}"
    return None


def leave_joint(raft: Raft) -> None:
    """Propose to leave a joint configuration, if that is the leader's to do and nothing hinders."""
    if raft.membership.auto_leave and raft.role is Role.LEADER:
        propose(raft, members.LEAVE)


def _put_in_force(raft: Raft, after: Membership) -> None:
    leads = raft.role is Role.LEADER
    if leads:
        # Those who leave won't hear from us any more: a last append says why.
        leader.replicate(raft, tell_commit=True)
    raft.adopt(after)
    if not leads:
        return
    raft.follow_up()
    # One that stood without a vote (`candidate._help_out`) may have one now.
    raft.leaves_at = 0 if raft.is_voter else leader.append(raft, leader.NO_OP)
    if raft.transferee not in raft.electors:
        raft.transferee = NO_LEADER
    raft.append_due = True
    leader.maybe_commit(raft)
    reads.on_members_changed(raft)
