"""Flags on docker's command lines: what is a flag, what is its value, what is left over.

    --name web   --name=web   -e A=1   -eA=1   -dq   --detach=false   --

Refusals have the words of docker's own parser. A flag that may be repeated collects its values;
of any other the last one counts.

Source: spf13/pflag flag.go, as docker uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from simswarm.base.errors import SimswarmError

Kind: TypeAlias = Literal["text", "switch"]
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


class UsageError(SimswarmError):
    """docker would not even send this command. `word` is the part of the line to blame."""

    code = "invalid argument"

    def __init__(self, message: str, word: str = "") -> None:
        super().__init__(message)
        self.word = word


class Flag(NamedTuple):
    """A flag: its long name, whether it takes a value, its letter."""

    name: str
    kind: Kind = "text"
    letter: str = ""

    @property
    def shown(self) -> str:
        """The flag as error messages name it."""
        return f"-{self.letter}, --{self.name}" if self.letter else f"--{self.name}"


class Parsed(NamedTuple):
    """The values of the flags that were given, and the other words."""

    given: Mapping[str, list[str]]
    rest: tuple[str, ...]

    def last(self, name: str) -> str | None:
        """The value of a flag, None if it wasn't given."""
        values = self.given.get(name)
        return values[-1] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a flag."""
        return tuple(self.given.get(name, ()))

    def is_set(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.last(name) in _TRUE


class FlagSet:
    """The flags that a command knows.

    Args:
        flags: What it knows.
        interspersed: Whether flags may follow other words.
    """

    __slots__ = ("_by_letter", "_by_name", "_interspersed")

    def __init__(self, flags: Sequence[Flag], *, interspersed: bool = True) -> None:
        self._by_name = {flag.name: flag for flag in flags}
        self._by_letter = {flag.letter: flag for flag in flags if flag.letter}
        self._interspersed = interspersed

    def parse(self, words: Sequence[str]) -> Parsed:
        """Tell flags, values and other words apart.

        Raises:
            UsageError: in docker's words.
        """
        given: dict[str, list[str]] = {}
        rest: list[str] = []
        left = list(words)
        while left:
            word = left.pop(0)
            if word == "--":
                rest.extend(left)
                break
            if word.startswith("--"):
                self._long(word, left, given)
            elif word.startswith("-") and len(word) > 1:
                self._letters(word, left, given)
            else:
                rest.append(word)
                if not self._interspersed:
                    rest.extend(left)
                    break
        return Parsed(given, tuple(rest))

    def _long(self, word: str, left: list[str], given: dict[str, list[str]]) -> None:
        name, equals, value = word[2:].partition("=")
        if not name or name.startswith("-"):
            raise UsageError(f"bad flag syntax: {word}", word)
        flag = self._by_name.get(name)
        if flag is None:
            raise UsageError(f"unknown flag: --{name}", word)
        if not equals:
            if flag.kind == "switch":
                value = "true"
            elif left:
                value = left.pop(0)
            else:
                raise UsageError(f"flag needs an argument: --{name}", word)
        _keep(flag, value, given, word)

    def _letters(self, word: str, left: list[str], given: dict[str, list[str]]) -> None:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            flag = self._by_letter.get(letter)
            if flag is None:
                raise UsageError(f"unknown shorthand flag: '{letter}' in {word}", word)
            if letters.startswith("="):
                value, letters = letters[1:], ""
            elif flag.kind == "switch":
                value = "true"
            elif letters:
                value, letters = letters, ""
            elif left:
                value = left.pop(0)
            else:
                raise UsageError(f"flag needs an argument: '{letter}' in {word}", word)
            _keep(flag, value, given, word)


def _keep(flag: Flag, value: str, given: dict[str, list[str]], word: str) -> None:
    if flag.kind == "switch" and value not in _TRUE + _FALSE:
        reason = f'strconv.ParseBool: parsing "{value}": invalid syntax'
        raise UsageError(bad_argument(flag, value, reason), word)
    given.setdefault(flag.name, []).append(value)


def bad_argument(flag: Flag, value: str, reason: str) -> str:
    """docker's words for a value that isn't what the flag takes."""
    return f'invalid argument "{value}" for "{flag.shown}" flag: {reason}'
