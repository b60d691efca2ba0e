"""Docker command lines: read them, and carry them out as a client of the control API.

Reading order: `commands` (what was typed), `flags`, `serviceflags`, `changes` (what it changes),
`conversation` and `jobs` (how a client asks for it), `conversations` (every action there is).
"""

from simswarm.dockercli.changes import (
    LabelChange,
    NodeChange,
    PolicyChange,
    RestartChange,
    ServiceChange,
)
from simswarm.dockercli.commands import Command, CommandLine, CreateCommand, parse
from simswarm.dockercli.conversation import Conversation, Done
from simswarm.dockercli.conversations import converse
from simswarm.dockercli.flags import UsageError

__all__ = [
    "Command",
    "CommandLine",
    "Conversation",
    "CreateCommand",
    "Done",
    "LabelChange",
    "NodeChange",
    "PolicyChange",
    "RestartChange",
    "ServiceChange",
    "UsageError",
    "converse",
    "parse",
]
