"""What a majority of voters has decided: pure functions of counts.

    matches  [9, 4, 7, 7, 2]  sorted  2 4 7 7 9      three of five hold 7: committed up to 7
                                          ^ element n - majority

Invariants:
    I1. Two majorities of the same voters share at least one voter.

A joint configuration decides by both of its majorities; an empty half restricts nothing.

Source: PAPER 5.2, 5.3; THESIS 3.6, 4.3; etcd-io/raft quorum/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

from simswarm.raft.messages import Index, Membership, RaftID


class VoteResult(IntEnum):
    """How an election stands."""

    PENDING = 0
    WON = 1
    LOST = 2


def majority(voters: int) -> int:
    """The smallest number of voters that is more than half."""
    return voters // 2 + 1


def committed_index(matches: Iterable[Index]) -> Index:
    """The largest index that a majority holds; `matches` has one index per voter."""
    ordered = sorted(matches)
    return ordered[len(ordered) - majority(len(ordered))]


def vote_result(granted: int, refused: int, voters: int) -> VoteResult:
    """Whether that many distinct voters' answers decide an election."""
    needed = majority(voters)
    if granted >= needed:
        return VoteResult.WON
    if voters - refused < needed:
        return VoteResult.LOST
    return VoteResult.PENDING


def tally(votes: Mapping[RaftID, bool], membership: Membership) -> VoteResult:
    """How an election stands: only voters count, and while joint both halves must agree."""
    result = _tally(votes, membership.voters)
    if not membership.outgoing or result is VoteResult.LOST:
        return result
    other = _tally(votes, membership.outgoing)
    return result if other is VoteResult.WON else other


def _tally(votes: Mapping[RaftID, bool], voters: tuple[RaftID, ...]) -> VoteResult:
    answers = [votes[voter] for voter in voters if voter in votes]
    granted = sum(answers)
    return vote_result(granted, len(answers) - granted, len(voters))
