"""Errors, grouped by who must act.

`InvalidSpec`: the user. `Unavailable` (`NotLeader`, `NoQuorum`, `ProposalDropped`): retry.
`ProposalTooLarge`: the user, with smaller requests.
`Conflict` (`NameConflict`, `SequenceConflict`, `InUse`), `NotFound`, `PermissionDenied`: the
caller's view is out of date. `RemoteProtocolError`: a peer misbehaved, drop and count.
`StorageCorrupt`: an operator. `ScenarioError`: the author of a scenario file.
`Unsupported`: nobody yet; names what is not built.

Exceptions are for API boundaries. Protocol handlers return or record outcomes and never raise
on a hostile message.

`code` is what the real control API puts beside the text, also where that surprises: swarmkit
passes its store's and Raft's own errors through without a code, and gRPC makes `unknown` of them.
"""

from __future__ import annotations


class SimswarmError(Exception):
    """Root of all errors of simswarm. `code` is the gRPC-like code word a client sees."""

    code = "unknown"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidSpec(SimswarmError):
    """The user asked for something that can't be: change the request."""

    code = "invalid argument"


class Unsupported(SimswarmError):
    """Part of the format or protocol that isn't built yet: names the key and the place."""

    code = "unimplemented"


class NotFound(SimswarmError):
    """There is no such object."""

    code = "not found"


class PermissionDenied(SimswarmError):
    """The caller's identity may not do this."""

    code = "permission denied"


class FailedPrecondition(SimswarmError):
    """The system is not in a state for this request."""

    code = "failed precondition"


class Conflict(SimswarmError):
    """The request clashes with what is stored."""

    code = "already exists"


class NameConflict(Conflict):
    """Another object has this name."""


class ObjectExists(Conflict):
    """An object with this id is there already."""


class SequenceConflict(Conflict):
    """The object was changed since it was read."""

    code = "unknown"


class InUse(Conflict):
    """Another object refers to this one."""

    code = "invalid argument"


class Unavailable(SimswarmError):
    """Not now: try again, perhaps elsewhere."""

    code = "unavailable"


class NotLeader(Unavailable):
    """This manager does not lead; `leader` is where to go, if known."""

    code = "unknown"

    def __init__(self, message: str, leader: str | None = None) -> None:
        super().__init__(message)
        self.leader = leader


class NoQuorum(Unavailable):
    """Too few managers are in touch to decide anything."""

    code = "unknown"


class ProposalDropped(Unavailable):
    """The proposal was given up; it may still commit later."""


class ProposalTooLarge(SimswarmError):
    """The change does not fit into one log entry."""


class DeadlineExceeded(Unavailable):
    """The answer did not come in time; whether the request was carried out is unknown."""

    code = "deadline exceeded"


class RemoteProtocolError(SimswarmError):
    """A peer sent what no correct peer sends."""

    code = "invalid argument"


class StorageCorrupt(SimswarmError):
    """The disk holds what no crash explains: an operator must decide."""

    code = "data loss"


class ScenarioError(SimswarmError):
    """A scenario file is wrong; carries place and hint (see scenario/)."""

    code = "invalid argument"
