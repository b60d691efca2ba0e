"""Who belongs to the group, and how that changes: pure functions.

                 one voter more or less ("simple")
    {voters} ────────────────────────────────────────────────> {voters}
        │                                                          ^
        └── any change ──> {voters} and {outgoing}: JOINT ── leave ┘
                           both majorities decide

A change is an entry of the log and is in force once it is applied. That is safe because of four
rules: it is proposed only when no other is pending, and only by a leader that has committed an
entry of its own term (the fault of 2015: leaders of consecutive terms could each change the same
base); a member with a committed change that it hasn't applied doesn't stand for election; and a
change in a log proves that all changes before it are committed (`Log.commit_proven_changes`), so
that a restart that lost its commit index can be at most one change behind. Any two majorities of
neighbouring configurations share a voter.

Invariants:
    I1. There is a voter. Nobody is a voter and a learner; `learners_next` are in `outgoing`.
    I2. `change` depends only on its arguments: all members agree on every configuration.
    I3. All tuples are sorted.

Source: THESIS 4; https://groups.google.com/g/raft-dev/c/t4xj6dJTP6E (2015); etcd-io/raft
confchange/.
Not here: when a change may be proposed (`leader`), what follows from one (`raft`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from simswarm.base.errors import InvalidSpec, StorageCorrupt
from simswarm.base.values import Value
from simswarm.raft.messages import NO_LEADER, Membership, RaftID


class ChangeKind(IntEnum):
    """What becomes of a member."""

    ADD_VOTER = 0
    """A newcomer, or a learner that is promoted."""
    ADD_LEARNER = 1
    """A newcomer, or a voter that is demoted."""
    REMOVE = 2


class Transition(IntEnum):
    """How a change comes about."""

    AUTO = 0
    """At once if at most one voter is concerned, otherwise as JOINT."""
    JOINT = 1
    """Through a joint configuration, which the leader leaves by itself."""
    JOINT_EXPLICIT = 2
    """Through a joint configuration that lasts until LEAVE is proposed."""


class MemberChange(Value, frozen=True):
    """What becomes of one member."""

    kind: ChangeKind
    id: RaftID


class ConfChange(Value, frozen=True):
    """The data of a config entry. Without changes: leave the joint configuration."""

    changes: tuple[MemberChange, ...] = ()
    transition: Transition = Transition.AUTO
    context: bytes = b""
    """The owner's, for example the newcomer's address."""


LEAVE = ConfChange()

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(ConfChange)


def add_voter(id: RaftID, context: bytes = b"") -> ConfChange:
    """One more voter."""
    return ConfChange((MemberChange(ChangeKind.ADD_VOTER, id),), context=context)


def add_learner(id: RaftID, context: bytes = b"") -> ConfChange:
    """One more member that gets the log and has no vote."""
    return ConfChange((MemberChange(ChangeKind.ADD_LEARNER, id),), context=context)


def remove(id: RaftID, context: bytes = b"") -> ConfChange:
    """One member less."""
    return ConfChange((MemberChange(ChangeKind.REMOVE, id),), context=context)


def encode_change(change: ConfChange) -> bytes:
    """A change as an entry's data."""
    return _encode(change)


def decode_change(data: bytes) -> ConfChange:
    """An entry's data as a change.

    Raises:
        StorageCorrupt: not a change that this version knows.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise StorageCorrupt(f"config entry of an unknown kind: {error}") from None


def everybody(membership: Membership) -> tuple[RaftID, ...]:
    """All members: voters of both halves, and learners."""
    return _sorted((*membership.voters, *membership.outgoing, *membership.learners))


def change(membership: Membership, wanted: ConfChange) -> Membership:
    """The configuration after a change.

    Raises:
        InvalidSpec: the change can't be made to this configuration.
    """
    if not wanted.changes:
        return _leave(membership)
    if membership.outgoing:
        raise InvalidSpec("raft: a joint configuration must be left before the next change")
    voters, learners = _changed(membership, wanted.changes)
    differing = len(frozenset(voters) ^ frozenset(membership.voters))
    if wanted.transition is Transition.AUTO and differing <= 1:
        return Membership(voters, (), learners)
    outgoing = membership.voters
    # who votes in the old half can't be a learner yet
    staged = tuple(id for id in learners if id in outgoing)
    return Membership(
        voters,
        outgoing,
        tuple(id for id in learners if id not in outgoing),
        staged,
        wanted.transition is not Transition.JOINT_EXPLICIT,
    )


def _changed(
    membership: Membership, changes: tuple[MemberChange, ...]
) -> tuple[tuple[RaftID, ...], tuple[RaftID, ...]]:
    """Voters and learners after these changes."""
    voters, learners = list(membership.voters), list(membership.learners)
    concerned = frozenset(one.id for one in changes)
    if len(concerned) != len(changes):
        raise InvalidSpec("raft: a member is changed twice at once")
    for one in changes:
        if one.id == NO_LEADER:
            raise InvalidSpec("raft: 0 is no member's id")
        voters = [id for id in voters if id != one.id]
        learners = [id for id in learners if id != one.id]
        if one.kind is ChangeKind.ADD_VOTER:
            voters.append(one.id)
        elif one.kind is ChangeKind.ADD_LEARNER:
            learners.append(one.id)
    if not voters:
        raise InvalidSpec("raft: the last voter can't be removed")
    return _sorted(voters), _sorted(learners)


def _leave(membership: Membership) -> Membership:
    if not membership.outgoing:
        raise InvalidSpec("raft: there is no joint configuration to leave")
    return Membership(
        membership.voters, (), _sorted((*membership.learners, *membership.learners_next))
    )


def _sorted(ids: Iterable[RaftID]) -> tuple[RaftID, ...]:
    return tuple(sorted(frozenset(ids)))
