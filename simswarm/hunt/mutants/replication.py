"""Planted bugs of replication and commitment (group R of the catalogue)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simswarm.base.values import replace
from simswarm.hunt.mutants.patch import Mutant, Patch
from simswarm.raft import Role, follower, leader, quorum
from simswarm.raft.log import Log
from simswarm.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    Entry,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
)
from simswarm.raft.raft import Raft
from simswarm.raft.step import RULES

WRONG_LOGS = ("log matching", "leader completeness", "state machine safety", "committed is durable")


def _stale_append_truncates(patch: Patch) -> None:
    merge = Log.merge

    def mutant(log: Log, entries: Sequence[Entry]) -> None:
        if entries and log.committed < entries[0].index <= log.last_index:
            log._truncate(entries[0].index)
        merge(log, entries)

    patch.attribute(Log, "merge", mutant)


def _previous_is_not_compared(patch: Patch) -> None:
    on_append: Any = follower.on_append

    def mutant(raft: Raft, message: AppendEntries) -> None:
        term = raft.log.term_at(message.previous_index)
        if term is not None:
            message = replace(message, previous_term=term)
        on_append(raft, message)

    patch.item(RULES[Role.FOLLOWER], AppendEntries, mutant)


def _conflict_stays(patch: Patch) -> None:
    merge = Log.merge

    def mutant(log: Log, entries: Sequence[Entry]) -> None:
        merge(log, [entry for entry in entries if entry.index > log.last_index])

    patch.attribute(Log, "merge", mutant)


def _commit_to_own_last(patch: Patch) -> None:
    on_append: Any = follower.on_append

    def mutant(raft: Raft, message: AppendEntries) -> None:
        on_append(raft, message)
        log = raft.log
        if log.term_at(message.previous_index) == message.previous_term:
            log.commit_to(min(message.commit, log.last_index))

    patch.item(RULES[Role.FOLLOWER], AppendEntries, mutant)


def _acknowledge_own_last(patch: Patch) -> None:
    def mutant(raft: Raft, source: int, index: int) -> None:
        raft.send_durable(AppendEntriesReply(raft.term, raft.id, source, raft.log.last_index))

    patch.attribute(follower, "_acknowledge", mutant)


def _any_rejection_counts(patch: Patch) -> None:
    def mutant(raft: Raft, message: AppendEntriesReply, progress: Any) -> None:
        progress.next = min(message.hint_index, raft.log.last_index) + 1

    patch.attribute(leader, "_on_rejection", mutant)


def _rejection_is_ignored(patch: Patch) -> None:
    def mutant(raft: Raft, message: AppendEntriesReply, progress: Any) -> None:
        pass

    patch.attribute(leader, "_on_rejection", mutant)


def _no_no_op(patch: Patch) -> None:
    def mutant(raft: Raft) -> None:
        raft.become_leader()

    patch.attribute(leader, "take_office", mutant)


def _full_window_is_silent(patch: Patch) -> None:
    send: Any = leader._send_append

    def mutant(raft: Raft, peer: int, progress: Any) -> bool:
        return not progress.is_full() and bool(send(raft, peer, progress))

    patch.attribute(leader, "_send_append", mutant)


def _heartbeat_tells_all(patch: Patch) -> None:
    def mutant(raft: Raft) -> None:
        for peer in raft.peers:
            raft.send(LeaderHeartbeat(raft.term, raft.id, peer, raft.log.committed))

    patch.attribute(leader, "_send_heartbeats", mutant)


def _heartbeat_answer_renews_nothing(patch: Patch) -> None:
    def mutant(raft: Raft, message: LeaderHeartbeatReply) -> None:
        raft.progress[message.source].heard = raft.ticks

    patch.item(RULES[Role.LEADER], LeaderHeartbeatReply, mutant)


def _old_terms_are_counted(patch: Patch) -> None:
    def mutant(raft: Raft) -> None:
        index = quorum.committed_index([held.match for held in raft.progress.values()])
        if raft.log.commit_to(index):
            raft.append_due = True

    patch.attribute(leader, "maybe_commit", mutant)


def _one_acknowledgement_commits(patch: Patch) -> None:
    def mutant(raft: Raft) -> None:
        index = max(held.match for held in raft.progress.values())
        if index > raft.log.committed and raft.log.term_at(index) == raft.term:
            raft.log.commit_to(index)
            raft.append_due = True

    patch.attribute(leader, "maybe_commit", mutant)


REPLICATION = (
    Mutant("R01", "a stale append truncates", WRONG_LOGS, _stale_append_truncates),
    Mutant("R02", "the previous entry is not compared", WRONG_LOGS, _previous_is_not_compared),
    Mutant(
        "R03",
        "a follower commits up to its own last entry",
        WRONG_LOGS,
        _commit_to_own_last,
        "an append that matches and yet proves less than the log holds of another leader's needs "
        "a leader that skipped the conflict; with a no-op at term start and hints on rejection, "
        "the first append that matches always meets it",
    ),
    Mutant(
        "R04",
        "an acknowledgement names the own last entry",
        WRONG_LOGS,
        _acknowledge_own_last,
        "as R03: what lies beyond a matching append is this leader's already",
    ),
    Mutant(
        "R05",
        "stale rejections move a follower's progress back",
        ("no impossible state (AssertionError)", "level"),
        _any_rejection_counts,
    ),
    Mutant(
        "R06",
        "entries of earlier terms are committed by counting",
        ("own term", "leader completeness", "state machine safety"),
        _old_terms_are_counted,
    ),
    Mutant(
        "R08",
        "no empty entry at the start of a term",
        ("level", "progress"),
        _no_no_op,
        "the recovery's own write does what the no-op would have done; a read that needs no "
        "entry, which would show it, is not hunted yet",
    ),
    Mutant("R09", "a full window is silent", ("level", "progress"), _full_window_is_silent),
    Mutant(
        "R12",
        "heartbeats tell the whole commit index",
        ("no contradiction", "state machine safety"),
        _heartbeat_tells_all,
    ),
    Mutant("R17", "a conflicting entry stays", WRONG_LOGS, _conflict_stays),
    Mutant("R18", "rejections are ignored", ("level", "progress"), _rejection_is_ignored),
    Mutant(
        "R19",
        "heartbeat answers renew nothing",
        ("level", "progress"),
        _heartbeat_answer_renews_nothing,
    ),
    Mutant(
        "R20",
        "one acknowledgement commits",
        ("committed is durable",),
        _one_acknowledgement_commits,
    ),
)
