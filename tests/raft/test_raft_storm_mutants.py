"""Bugs planted in membership, snapshots, pre-vote, transfer and reads: storms show each of them.

The invariant named is the one that is seen first; where several faces of the same fault compete,
all of them are named. `check_invariants` is switched off: only what members say, apply and store
counts.

Too rare to be met here in seconds, and held by the tests of their rules alone: the fault of 2015,
an election by the new half of a joint configuration, a transfer that never ends, a pre-vote of a
smaller term that is dropped, an answer to an earlier round of probes.
"""

from __future__ import annotations

import pytest

from simswarm.base.values import replace
from simswarm.raft import (
    Log,
    Membership,
    RawNode,
    Role,
    leader,
    quorum,
    reads,
    reconfigure,
)
from simswarm.raft import follower as follower_rules
from simswarm.raft import membership as members
from simswarm.raft.messages import (
    InstallSnapshot,
    ReadReply,
)
from simswarm.raft.raft import Raft
from simswarm.raft.step import RULES
from tests.raft.observer import Violated
from tests.raft.soup import EVENTS, stir
from tests.raft.storm import rage

SEEDS = 300
READING = EVENTS | {"read": 20, "tick": 20, "cut": 1, "heal": 1}


def two_changes_at_once(patch):
    """M02."""
    propose = reconfigure.propose

    def mutant(raft, wanted):
        raft.pending_change = 0
        return propose(raft, wanted)

    patch.setattr(reconfigure, "propose", mutant)
    refusal = reconfigure.refusal

    def agreed(raft, wanted):
        raft.pending_change = 0
        return refusal(raft, wanted)

    patch.setattr(reconfigure, "refusal", agreed)


def new_half_decides_alone(patch):
    """M05."""
    follow_up = Raft.follow_up

    def mutant(raft):
        follow_up(raft)
        raft.voting_too = ()

    patch.setattr(Raft, "follow_up", mutant)


def learners_are_counted(patch):
    """E17."""

    def mutant(votes, config):
        everybody = members.everybody(config)
        return quorum._tally(votes, everybody)

    patch.setattr(quorum, "tally", mutant)

    def asks(raft, membership):
        adopt(raft, membership)
        raft.electors = raft.peers

    adopt = Raft.adopt
    patch.setattr(Raft, "adopt", asks)


def learners_commit(patch):
    follow_up = Raft.follow_up

    def mutant(raft):
        follow_up(raft)
        raft.voting = tuple(raft.progress.values())
        raft.voting_too = ()

    patch.setattr(Raft, "follow_up", mutant)


def log_proves_nothing(patch):
    """A restart without its commit index stands in a configuration of long ago."""
    patch.setattr(Log, "commit_proven_changes", lambda log: None)


def snapshot_without_membership(patch):
    """N03."""
    make = RawNode.make_snapshot

    def mutant(node, data):
        made = make(node, data)
        node.raft.snapshot = replace(made, membership=Membership(node.raft.config.members))
        return node.raft.snapshot

    patch.setattr(RawNode, "make_snapshot", mutant)


def membership_is_not_restored(patch):
    """N03 at the receiver."""
    on_snapshot = follower_rules.on_snapshot

    def mutant(raft, message):
        before = raft.membership
        on_snapshot(raft, message)
        raft.adopt(before)

    patch.setitem(RULES[Role.FOLLOWER], InstallSnapshot, mutant)


def old_snapshot_is_installed(patch):
    """N09, N01."""

    def mutant(raft, message):
        raft.leader = message.source
        log, snapshot = raft.log, message.snapshot
        log._entries.clear()
        log.floor, log.floor_term = snapshot.index, snapshot.term
        log.committed = log.applied = log.last_index = log.handed = snapshot.index
        log.persisted = min(log.persisted, snapshot.index)
        raft.adopt(snapshot.membership)
        raft.snapshot = raft.pending_snapshot = snapshot
        raft.extras_due = True

    patch.setitem(RULES[Role.FOLLOWER], InstallSnapshot, mutant)


def conflicting_end_survives_a_snapshot(patch):
    """N02: the log is kept although it doesn't have the snapshot's last entry."""

    def mutant(log, snapshot):
        kept = [e for e in log._entries if e.index > snapshot.index]
        restore(log, snapshot)
        log._entries.extend(kept)
        log.last_index = log.handed = snapshot.index + len(kept)

    restore = Log.restore
    patch.setattr(Log, "restore", mutant)


def snapshot_is_acknowledged_before_it_is_stored(patch):
    def mutant(raft, message):
        on_snapshot(raft, message)
        raft.messages[-1] = replace(raft.messages[-1], durable_first=False)

    on_snapshot = follower_rules.on_snapshot
    patch.setitem(RULES[Role.FOLLOWER], InstallSnapshot, mutant)


def compaction_passes_what_is_applied(patch):
    def mutant(node, index):
        log = node.raft.log
        if log.last_index > log.floor:
            log.applied = log.committed = max(log.committed, log.last_index)
            log.compact(log.last_index)

    patch.setattr(RawNode, "compact", mutant)


def pre_vote_forgets_the_vote(patch):
    """E08."""
    become = Raft.become_precandidate

    def mutant(raft):
        become(raft)
        raft.vote = 0

    patch.setattr(Raft, "become_precandidate", mutant)


def pre_votes_are_counted_as_votes(patch):
    """E09."""

    def mutant(raft):
        before = dict(raft.votes)
        become(raft)
        raft.votes.update(before)

    become = Raft.become_candidate
    patch.setattr(Raft, "become_candidate", mutant)


def read_before_an_entry_of_the_own_term(patch):
    """L01."""
    patch.setattr(reads, "_knows_commit", lambda raft: True)


def read_without_asking_anybody(patch):
    patch.setattr(reads, "has_lease", lambda raft: raft.role is Role.LEADER)


def follower_reads_before_it_has_applied(patch):
    """L04."""

    def mutant(raft, message):
        on_reply(raft, message)
        reads = raft.reads
        reads.confirmed = [(min(at, raft.log.applied), request) for at, request in reads.confirmed]

    on_reply = reads.on_reply
    patch.setitem(RULES[Role.FOLLOWER], ReadReply, mutant)


UNSAFE = [
    (two_changes_at_once, "I11"),
    (new_half_decides_alone, "I9 I4"),
    (learners_are_counted, "I1 I4 I9"),
    (learners_commit, "I9"),
    (log_proves_nothing, "I11"),
    (snapshot_without_membership, "I16"),
    (membership_is_not_restored, "I16"),
    (old_snapshot_is_installed, "I6"),
    (conflicting_end_survives_a_snapshot, "I3 I9 I8 I4 I11"),
    (snapshot_is_acknowledged_before_it_is_stored, "I8"),
    (compaction_passes_what_is_applied, "I6"),
    (pre_vote_forgets_the_vote, "I7"),
    (pre_votes_are_counted_as_votes, "I1 I4 I9"),
    (follower_reads_before_it_has_applied, "I15"),
]


def first_violation() -> str:
    for seed in range(SEEDS):
        try:
            rage(seed)
        except Violated as violation:
            return str(violation)
    return f"none in {SEEDS} storms"


RARE = (learners_are_counted, log_proves_nothing, conflicting_end_survives_a_snapshot)
"""Hundreds of storms are needed."""
CASES = [
    pytest.param(m, names, marks=[pytest.mark.slow] if m in RARE else [], id=m.__name__)
    for m, names in UNSAFE
]


@pytest.mark.parametrize(("mutant", "names"), CASES)
def test_the_observer_catches(mutant, names, monkeypatch):
    monkeypatch.setattr(RawNode, "check_invariants", lambda node: None)
    mutant(monkeypatch)
    assert first_violation().split()[0] in names.split()


OLD_READS = [
    read_before_an_entry_of_the_own_term,
    read_without_asking_anybody,
    follower_reads_before_it_has_applied,
]


@pytest.mark.parametrize("mutant", OLD_READS)
def test_old_reads_are_caught(mutant, monkeypatch):
    mutant(monkeypatch)
    caught = "nothing"
    for seed in range(SEEDS):
        try:
            stir(seed, 3000, events=READING, check_quorum=False)
        except Violated as violation:
            caught = str(violation)
            break
    assert caught.split()[0] == "I15"


# ── rules without which the group gets stuck: calm shows it ──────────────────────────────────


def joint_configuration_is_left_only_at_the_first_try(patch):
    """M06."""

    def mutant(raft):
        if raft.membership.auto_leave and raft.role is Role.LEADER and not raft.pending_change:
            reconfigure.propose(raft, members.LEAVE)

    patch.setattr(reconfigure, "leave_joint", mutant)


def removed_leader_stays(patch):
    """M07."""
    apply = reconfigure.apply

    def mutant(raft, committed):
        apply(raft, committed)

    patch.setattr(reconfigure, "apply", mutant)
    become = Raft.become_follower

    def stays(raft, term, who):
        if raft.role is Role.LEADER and not raft.is_voter and term == raft.term:
            return
        become(raft, term, who)

    patch.setattr(Raft, "become_follower", stays)


def snapshot_is_sent_once(patch):
    """N07."""
    patch.setattr(leader, "_snapshot_overdue", lambda raft, progress: False)
    patch.setattr(leader, "report_snapshot", lambda raft, peer, arrived: None)


STUCK = [
    (joint_configuration_is_left_only_at_the_first_try, "V5"),
    (removed_leader_stays, "V1 V3 V4 V5"),
    (snapshot_is_sent_once, "V4 V5 V1"),
]


def first_disagreement() -> str:
    for seed in range(SEEDS):
        storm = rage(seed)
        try:
            storm.calm(rounds=120)
            storm.check_agreement()
        except Violated as violation:
            return str(violation)
    return f"none in {SEEDS} storms"


@pytest.mark.parametrize(("mutant", "names"), STUCK, ids=[m.__name__ for m, _ in STUCK])
def test_a_quiet_time_shows(mutant, names, monkeypatch):
    monkeypatch.setattr(RawNode, "check_invariants", lambda node: None)
    mutant(monkeypatch)
    assert first_disagreement().split()[0] in names.split()
