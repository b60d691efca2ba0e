"""Planted bugs of elections (group E of the catalogue)."""

from __future__ import annotations

from typing import Any

from simswarm.hunt.mutants.patch import Mutant, Patch
from simswarm.raft import Role, candidate, follower, quorum
from simswarm.raft import step as step_rules
from simswarm.raft.log import Log
from simswarm.raft.messages import (
    AppendEntriesReply,
    HardState,
    PreVote,
    RequestVote,
    RequestVoteReply,
)
from simswarm.raft.raft import Raft
from simswarm.raft.rawnode import RawNode
from simswarm.raft.step import RULES

UNSAFE_VOTES = (
    "one vote a term",
    "durable before acknowledged",
    "election safety",
    "leader completeness",
)


def _vote_is_not_stored(patch: Patch) -> None:
    take: Any = RawNode._take_hard_state

    def mutant(node: RawNode, *given: Any) -> HardState | None:
        state = take(node, *given)
        return HardState(state.term, 0, state.commit) if state else None

    patch.attribute(RawNode, "_take_hard_state", mutant)


def _vote_forgotten_on_stepping_down(patch: Patch) -> None:
    become = Raft.become_follower

    def mutant(raft: Raft, term: int, leader: int) -> None:
        become(raft, term, leader)
        raft.vote = 0

    patch.attribute(Raft, "become_follower", mutant)


def _replies_are_counted(patch: Patch) -> None:
    record: Any = Raft.record_vote

    def mutant(raft: Raft, voter: int, granted: bool) -> Any:
        return record(raft, voter + 1000 * len(raft.votes), granted)

    patch.attribute(Raft, "record_vote", mutant)


def _old_grants_are_counted(patch: Patch) -> None:
    smaller: Any = step_rules._on_smaller_term

    def mutant(raft: Raft, message: Any) -> None:
        if isinstance(message, RequestVoteReply) and raft.role is Role.CANDIDATE:
            candidate.on_vote_reply(raft, message)
        else:
            smaller(raft, message)

    patch.attribute(step_rules, "_on_smaller_term", mutant)


def _pre_vote_clears_the_vote(patch: Patch) -> None:
    become = Raft.become_precandidate

    def mutant(raft: Raft) -> None:
        become(raft)
        raft.vote = 0

    patch.attribute(Raft, "become_precandidate", mutant)


def _pre_vote_refusal_is_not_said(patch: Patch) -> None:
    smaller: Any = step_rules._on_smaller_term

    def mutant(raft: Raft, message: Any) -> None:
        if not isinstance(message, PreVote):
            smaller(raft, message)

    patch.attribute(step_rules, "_on_smaller_term", mutant)


def _old_leader_is_not_told(patch: Patch) -> None:
    smaller: Any = step_rules._on_smaller_term

    def mutant(raft: Raft, message: Any) -> None:
        before = len(raft.messages)
        smaller(raft, message)
        told = [
            out for out in raft.messages[before:] if not isinstance(out.message, AppendEntriesReply)
        ]
        raft.messages[before:] = told

    patch.attribute(step_rules, "_on_smaller_term", mutant)


def _no_stickiness(patch: Patch) -> None:
    patch.attribute(Raft, "in_lease", property(_never))


def _never(_: Raft) -> bool:
    return False


def _patience_is_constant(patch: Patch) -> None:
    reset: Any = Raft._reset

    def mutant(raft: Raft, term: int) -> None:
        reset(raft, term)
        raft.election_timeout = raft.config.election_ticks

    patch.attribute(Raft, "_reset", mutant)


def _second_vote_refused(patch: Patch) -> None:
    asked = follower.on_vote_request

    def mutant(raft: Raft, message: RequestVote) -> None:
        if raft.vote:
            raft.send_durable(RequestVoteReply(raft.term, raft.id, message.source, False))
        else:
            asked(raft, message)

    for role in Role:
        patch.item(RULES[role], RequestVote, mutant)


def _any_log_will_do(patch: Patch) -> None:
    def mutant(log: Log, index: int, term: int) -> bool:
        return True

    patch.attribute(Log, "is_up_to_date", mutant)


def _longer_log_wins(patch: Patch) -> None:
    def mutant(log: Log, index: int, term: int) -> bool:
        return index >= log.last_index

    patch.attribute(Log, "is_up_to_date", mutant)


def _second_vote_in_a_term(patch: Patch) -> None:
    asked = follower.on_vote_request

    def mutant(raft: Raft, message: RequestVote) -> None:
        if raft.role is Role.FOLLOWER:
            raft.vote = 0
        asked(raft, message)

    for role in Role:
        patch.item(RULES[role], RequestVote, mutant)


def _half_is_a_majority(patch: Patch) -> None:
    def mutant(voters: int) -> int:
        return max(1, voters // 2)

    patch.attribute(quorum, "majority", mutant)


def _term_stays(patch: Patch) -> None:
    become = Raft.become_candidate

    def mutant(raft: Raft) -> None:
        become(raft)
        if raft.term > 1:
            raft.term -= 1

    patch.attribute(Raft, "become_candidate", mutant)


ELECTIONS = (
    Mutant("E01", "a vote is not stored", UNSAFE_VOTES, _vote_is_not_stored),
    Mutant(
        "E04",
        "stepping down within a term forgets the vote",
        UNSAFE_VOTES,
        _vote_forgotten_on_stepping_down,
    ),
    Mutant(
        "E05",
        "replies are counted, not voters",
        ("elected by a majority", "election safety", "a leader"),
        _replies_are_counted,
    ),
    Mutant(
        "E06",
        "grants of earlier terms are counted",
        ("elected by a majority", "election safety"),
        _old_grants_are_counted,
    ),
    Mutant("E08", "asking for pre-votes clears the vote", UNSAFE_VOTES, _pre_vote_clears_the_vote),
    Mutant(
        "E12",
        "a pre-vote of a smaller term is dropped in silence",
        ("a leader",),
        _pre_vote_refusal_is_not_said,
    ),
    Mutant(
        "E13",
        "an old leader is not told of the larger term",
        ("level", "progress", "a leader"),
        _old_leader_is_not_told,
    ),
    Mutant("E14", "followers of a live leader vote", ("a stable leader",), _no_stickiness),
    Mutant(
        "E16",
        "election time-outs are not drawn",
        ("a leader", "progress"),
        _patience_is_constant,
    ),
    Mutant(
        "E21",
        "the same candidate asking again is refused",
        ("a leader",),
        _second_vote_refused,
        "a candidate of ours asks each voter once a term: there is no second request to refuse, "
        "and a doubled one is refused after its grant has been counted or lost with it",
    ),
    Mutant(
        "E22",
        "any log is up to date",
        ("leader completeness", "state machine safety"),
        _any_log_will_do,
    ),
    Mutant(
        "E23",
        "the longer log wins, whatever its terms",
        ("leader completeness", "state machine safety"),
        _longer_log_wins,
    ),
    Mutant("E24", "a second vote in a term", UNSAFE_VOTES, _second_vote_in_a_term),
    Mutant("E25", "standing again keeps the term", UNSAFE_VOTES, _term_stays),
    Mutant(
        "R07",
        "half of an even number is a majority",
        ("elected by a majority", "election safety", "committed is durable"),
        _half_is_a_majority,
    ),
)
