"""What docker prints when something was refused: the engine's answer in the client's words.

Source: recorded from docker 20.10.24 (client and engine).
"""

from __future__ import annotations

from simswarm.wire.control import CallFailed

_WITHOUT_CODE = ("This node is not a swarm manager",)
"""Texts that the engine gives itself, without asking the swarm."""
_CODE_UNKNOWN = (
    "update out of sequence",
    "The swarm does not have a leader",
    "raft: failed to process the request",
)
"""Texts that swarmkit returns as plain errors: they reach the client with the code Unknown."""


def daemon_error(failed: CallFailed) -> str:
    """A refused request as the client prints it."""
    if failed.message.startswith(_WITHOUT_CODE):
        return f"Error response from daemon: {failed.message}"
    code = "".join(word.capitalize() for word in failed.code.split())
    if failed.message.startswith(_CODE_UNKNOWN):
        code = "Unknown"
    return f"Error response from daemon: rpc error: code = {code} desc = {failed.message}"


def no_such(kind: str, name: str) -> str:
    """A name that means nothing to the swarm."""
    return f"Error: No such {kind}: {name}"
