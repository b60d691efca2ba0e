"""What a majority of voters has decided: pure functions of counts.

    matches  [9, 4, 7, 7, 2]  sorted  2 4 7 7 9      three of five hold 7: committed up to 7
                                          ^ element n - majority

Invariants:
    I1. Two majorities of the same voters share at least one voter.

Source: PAPER 5.2, 5.3; THESIS 3.6. Not here: joint majorities of two configurations.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from simswarm.raft.messages import Index


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
