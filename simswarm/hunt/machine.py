"""What the hunted members agree on: registers, and clients' sessions.

    Command(client, number, op, key, input)  ──entry──>  Registers.apply  ──>  output

A command that was applied already (same client, same number) is answered from the session and
changes nothing, so that clients may repeat what was not answered (THESIS 6.3).

Invariants:
    I1. `apply` depends on the entries applied before and on nothing else.
    I2. `digest` chains what every entry did: equal digests at an index are equal histories.

Not here: agreement (`simswarm.raft`), the node around it (`node.py`).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from simswarm.base.errors import StorageCorrupt
from simswarm.base.values import Value

OPS = ("read", "write", "append", "cas")


class Command(Value, frozen=True):
    """What a client asks for; an entry's data, and a request's frame."""

    client: int
    number: int
    """Counts this client's commands from 1; a repeated one keeps its number."""
    op: str
    key: str
    input: str = ""
    expected: str | None = None
    """What a cas wants to find."""


class Done(Value, frozen=True, tag="done"):
    """The command has taken effect."""

    output: str | bool | None


class NotHere(Value, frozen=True, tag="not-here"):
    """This member doesn't lead; the command was not taken."""

    leader: str
    """Who leads as far as it knows; may be empty."""


Answer = Done | NotHere

_HEAD = 2
"""Bytes in front of every frame: format version and feature level."""
# msgspec accepts a union type as a value; mypy has no way to say that
_answers: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Answer)
_commands = msgspec.msgpack.Decoder(Command)
_encode = msgspec.msgpack.Encoder().encode


def decode_answer(frame: bytes) -> Answer:
    """A reply's frame."""
    answer: Answer = _answers.decode(frame[_HEAD:])
    return answer


def command_of(frame: bytes) -> bytes:
    """A request's frame as an entry's data."""
    return frame[_HEAD:]


def decode_command(data: bytes) -> Command:
    """An entry's data.

    Raises:
        StorageCorrupt: it is none of ours.
    """
    try:
        return _commands.decode(data)
    except msgspec.DecodeError as error:
        raise StorageCorrupt(f"no command: {error}") from None


class Registers:
    """The replicated state."""

    __slots__ = ("digest", "index", "sessions", "values")

    def __init__(self) -> None:
        self.index = 0
        """The last entry applied."""
        self.values: dict[str, str] = {}
        self.sessions: dict[int, tuple[int, str | bool | None]] = {}
        """The last command of every client, and its output."""
        self.digest = b""

    def skip(self, index: int) -> None:
        """An entry without data."""
        self.index = index

    def apply(self, index: int, data: bytes) -> str | bool | None:
        """Carry a command out, once, and return its output."""
        self.index = index
        command = decode_command(data)
        number, output = self.sessions.get(command.client, (0, None))
        if command.number > number:
            output = self.perform(command)
            self.sessions[command.client] = (command.number, output)
        did = _encode((self.digest, command, output, self.values.get(command.key)))
        self.digest = blake2b(did, digest_size=8).digest()
        return output

    def perform(self, command: Command) -> str | bool | None:
        """What a command does to its register."""
        value = self.values.get(command.key)
        match command.op:
            case "read":
                return value
            case "append":
                self.values[command.key] = (value or "") + command.input
            case "cas":
                if value != command.expected:
                    return False
                self.values[command.key] = command.input
                return True
            case _:
                self.values[command.key] = command.input
        return None
