"""Bugs planted in Raft, one at a time: the observer catches each of them in the soup.

Each mutant is one rule of the protocol left out. `check_invariants` is switched off, so that what
catches it is the observer, which knows only what members say, apply and store.

Two classic mutants are equivalent here, and only the paper tests tell them: "acknowledge the own
last index" and "commit up to the own last index" need an append that matches and yet proves less
than the log holds of another leader's; with a no-op at term start and both hints on rejection, the
first append that matches always meets the conflict.
"""

from __future__ import annotations

import pytest

from simswarm.base.values import replace
from simswarm.raft import HardState, RawNode, Role, quorum
from simswarm.raft import follower as follower_rules
from simswarm.raft import leader as leader_rules
from simswarm.raft import step as step_rules
from simswarm.raft.log import Log
from simswarm.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    RequestVote,
)
from simswarm.raft.raft import Raft
from simswarm.raft.step import RULES
from tests.raft.observer import Violated
from tests.raft.soup import stir

SEEDS = 80


def vote_is_not_stored(patch):
    take = RawNode._take_hard_state

    def mutant(node, entries):
        state = take(node, entries)
        return state and HardState(state.term, 0, state.commit)

    patch.setattr(RawNode, "_take_hard_state", mutant)


def answers_do_not_wait_for_the_disk(patch):
    patch.setattr(Raft, "send_durable", Raft.send)


def acknowledgement_does_not_wait_for_the_disk(patch):
    def mutant(raft, leader, index):
        raft.send(AppendEntriesReply(raft.term, raft.id, leader, index))

    patch.setattr(follower_rules, "_acknowledge", mutant)


def entries_of_earlier_terms_are_counted(patch):
    def mutant(raft):
        index = quorum.committed_index([held.match for held in raft.progress.values()])
        if raft.log.commit_to(index):
            raft.append_due = True

    patch.setattr(leader_rules, "maybe_commit", mutant)


def leader_counts_itself_before_its_disk(patch):
    append = leader_rules.append

    def mutant(raft, data):
        raft.progress[raft.id].match = append(raft, data)
        return raft.log.last_index

    patch.setattr(leader_rules, "append", mutant)


def any_log_is_up_to_date(patch):
    patch.setattr(Log, "is_up_to_date", lambda log, index, term: True)


def longer_log_wins_whatever_its_term(patch):
    patch.setattr(Log, "is_up_to_date", lambda log, index, term: index >= log.last_index)


def stale_append_truncates(patch):
    def mutant(log, entries):
        if entries and entries[0].index <= log.last_index:
            log._truncate(entries[0].index)
        log._entries.extend(entries)
        log.last_index = len(log._entries)

    patch.setattr(Log, "merge", mutant)


def previous_entry_is_not_compared(patch):
    on_append = follower_rules.on_append

    def mutant(raft, message):
        term = raft.log.term_at(message.previous_index)
        if term is not None:
            message = replace(message, previous_term=term)
        on_append(raft, message)

    patch.setitem(RULES[Role.FOLLOWER], AppendEntries, mutant)


def conflicting_entry_stays(patch):
    def mutant(log, entries):
        log._entries.extend(entry for entry in entries if entry.index > log.last_index)
        log.last_index = len(log._entries)

    patch.setattr(Log, "merge", mutant)


def replies_are_counted_not_voters(patch):
    def mutant(raft, voter, granted):
        if voter != raft.id:
            raft.votes[1000 + len(raft.votes)] = granted
        yes = sum(raft.votes.values())
        return quorum.vote_result(yes, len(raft.votes) - yes, len(raft.membership.voters))

    patch.setattr(Raft, "record_vote", mutant)


def half_is_a_majority(patch):
    patch.setattr(quorum, "majority", lambda voters: max(1, voters // 2))


def vote_is_forgotten_when_stepping_down(patch):
    def mutant(raft, term, leader):
        become(raft, term, leader)
        raft.vote = 0

    become = Raft.become_follower
    patch.setattr(Raft, "become_follower", mutant)


def second_vote_in_a_term(patch):
    on_vote_request = follower_rules.on_vote_request

    def mutant(raft, message):
        if raft.role is Role.FOLLOWER:
            raft.vote = 0
        on_vote_request(raft, message)

    for role in Role:
        patch.setitem(RULES[role], RequestVote, mutant)


def replaced_entries_are_not_written_again(patch):
    take = Log.take_unwritten

    def truncate(log, index):
        del log._entries[index - 1 :]
        log.last_index = len(log._entries)

    def take_beyond(log):
        log.handed = min(log.handed, log.last_index)
        return take(log)

    patch.setattr(Log, "_truncate", truncate)
    patch.setattr(Log, "take_unwritten", take_beyond)


def restart_skips_what_is_committed(patch):
    start = Log.__init__

    def mutant(log, entries, committed, applied, snapshot):
        start(log, entries, committed, min(committed, len(entries)), snapshot)

    patch.setattr(Log, "__init__", mutant)


def heartbeat_tells_the_whole_commit(patch):
    def mutant(raft):
        for peer in raft.peers:
            raft.send(LeaderHeartbeat(raft.term, raft.id, peer, raft.log.committed))

    patch.setattr(leader_rules, "_send_heartbeats", mutant)


def term_stays_when_standing_again(patch):
    def mutant(raft):
        become(raft)
        if raft.term > 1:
            raft.term -= 1

    become = Raft.become_candidate
    patch.setattr(Raft, "become_candidate", mutant)


UNSAFE = [
    (vote_is_not_stored, "I8"),
    (answers_do_not_wait_for_the_disk, "I8"),
    (acknowledgement_does_not_wait_for_the_disk, "I8"),
    (entries_of_earlier_terms_are_counted, "I10"),
    (leader_counts_itself_before_its_disk, "I9"),
    (any_log_is_up_to_date, "I4"),
    (longer_log_wins_whatever_its_term, "I4"),
    (stale_append_truncates, "I4"),
    (previous_entry_is_not_compared, "I3"),
    (conflicting_entry_stays, "I9"),
    (replies_are_counted_not_voters, "I4"),
    (half_is_a_majority, "I9"),
    (vote_is_forgotten_when_stepping_down, "I7"),
    (second_vote_in_a_term, "I7"),
    (replaced_entries_are_not_written_again, "I8"),
    (restart_skips_what_is_committed, "I5"),
    (heartbeat_tells_the_whole_commit, "I18"),
    (term_stays_when_standing_again, "I7"),
]


def first_violation() -> str:
    for seed in range(SEEDS):
        try:
            stir(seed)
        except Violated as violation:
            return str(violation)
    return f"none in {SEEDS} soups"


@pytest.mark.parametrize(("mutant", "name"), UNSAFE, ids=[mutant.__name__ for mutant, _ in UNSAFE])
def test_the_observer_catches(mutant, name, monkeypatch):
    monkeypatch.setattr(RawNode, "check_invariants", lambda node: None)
    mutant(monkeypatch)
    violation = first_violation()
    assert violation.split()[0] == name


# ── rules without which the group gets stuck: calm shows it ──────────────────────────────────


def old_leader_is_not_told_of_the_larger_term(patch):
    patch.setattr(step_rules, "_on_smaller_term", lambda raft, message: None)


def full_window_is_silent(patch):
    send = leader_rules._send_append
    patch.setattr(
        leader_rules,
        "_send_append",
        lambda raft, peer, progress: not progress.is_full() and send(raft, peer, progress),
    )


def rejection_is_ignored(patch):
    patch.setattr(leader_rules, "_on_rejection", lambda raft, message, progress: None)


def heartbeat_answer_does_not_renew_appends(patch):
    def mutant(raft, message):
        raft.progress[message.source].heard = raft.ticks

    patch.setitem(RULES[Role.LEADER], LeaderHeartbeatReply, mutant)


def time_out_is_always_the_same(patch):
    reset = Raft._reset

    def mutant(raft, term):
        reset(raft, term)
        raft.election_timeout = raft.config.election_ticks

    patch.setattr(Raft, "_reset", mutant)


STUCK = [
    old_leader_is_not_told_of_the_larger_term,
    full_window_is_silent,
    rejection_is_ignored,
    heartbeat_answer_does_not_renew_appends,
    time_out_is_always_the_same,
]


def first_disagreement() -> str:
    for seed in range(SEEDS):
        soup = stir(seed)
        try:
            soup.calm(rounds=120)
            soup.check_agreement()
        except Violated as violation:
            return str(violation)
    return f"none in {SEEDS} soups"


@pytest.mark.parametrize("mutant", STUCK)
def test_a_quiet_time_shows(mutant, monkeypatch):
    mutant(monkeypatch)
    assert first_disagreement().split()[0] in ("V1", "V4")
