"""What an operation is, and what a register makes of it.

A history is judged against a sequential register: read, write, compare-and-set, append. The
client's words (`Operation`) become an `Action`: what must be true before it and what is true
after it. An operation whose outcome is unknown became an action too - what it does *if* it takes
effect; whether it does is the search's question.

    action         allowed when        afterwards the value is
    Read v         the value is v      v
    Write v        always              v
    Swap old new   the value is old    new
    NotSwap old    it is not old       unchanged
    Append x       it can grow         text + x, or the list with one more element x

Values are JSON. They are frozen so that they can be compared and hashed as JSON does it: `true`
is not `1`, `1.0` is `1`, the order of an object's keys means nothing.

To an append, nothing is where text or a list begins: in a history with appends, `null` and the
empty text (or list) are one value, because half the world's stores answer this way, half that.

Not here: which orders are tried (`search`), where the operations come from (`reading`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, TypeAlias

from simswarm.base.errors import InvalidSpec
from simswarm.base.values import Value

Json: TypeAlias = Any
Frozen: TypeAlias = Hashable
"""A JSON value that can be hashed: see `freeze`."""

OPS = ("read", "write", "cas", "append")
DEPTH = 100
"""How deep a JSON value may be nested."""


class Operation(Value, frozen=True, kw_only=True):
    """What one client asked of one key, when, and what it was told.

    A cas has the input `[old, new]` and the output true or false; a read's output is the value.
    The output of a write or an append says nothing and is not looked at; one that is known to
    have failed is no operation.
    """

    client: Json
    op: str
    key: Json
    input: Json = None
    output: Json = None
    start: float
    """When it was asked, in any unit that all operations share."""
    end: float | None
    """When it was answered; None: the outcome is unknown. It may take effect at any time after
    the start, or never, and what was put into `output` is not looked at."""


class Mistake(NamedTuple):
    """Why something is no operation: the field, what is wrong, what to do about it."""

    field: str
    message: str
    hint: str


def mistake(operation: Operation) -> Mistake | None:
    """What is wrong with an operation, if anything."""
    if operation.op not in OPS:
        return Mistake("op", f"unknown op {operation.op!r}", f"one of {', '.join(OPS)}")
    for name in ("client", "key", "input", "output"):
        if too_deep(getattr(operation, name)):
            return Mistake(name, "nested too deeply", f"{DEPTH} levels at most")
    if operation.op == "cas":
        return _mistake_in_cas(operation) or _mistake_in_time(operation)
    return _mistake_in_time(operation)


def _mistake_in_cas(operation: Operation) -> Mistake | None:
    given = operation.input
    if not isinstance(given, list | tuple) or len(given) != 2:
        return Mistake("input", "a cas without old and new value", 'write "input": [old, new]')
    if operation.end is not None and not isinstance(operation.output, bool):
        message = "a cas ended, but its output is neither true nor false"
        return Mistake("output", message, 'whether it did swap; "end": null if nobody knows')
    return None


def _mistake_in_time(operation: Operation) -> Mistake | None:
    start, end = operation.start, operation.end
    if not _is_time(start):
        return Mistake("start", "the start is not a number", "in any unit, the same for all")
    if end is None:
        return None
    if not _is_time(end):
        message = "the end is neither a number nor null"
        return Mistake("end", message, "null means that the outcome is unknown")
    if end < start:
        message = f"it ends at {end}, before it starts at {start}"
        return Mistake("end", message, "one clock for all clients")
    return None


def _is_time(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def too_deep(value: Json) -> bool:
    """Whether a value is nested beyond `DEPTH`."""
    level: list[Json] = [value]
    for _ in range(DEPTH):
        inner: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list | tuple):
                inner.extend(item)
        if not inner:
            return False
        level = inner
    return True


def freeze(value: Json) -> Frozen:
    """The same value, hashable, equal to another if and only if the JSON values are equal."""
    match value:
        case bool():
            return ("true",) if value else ("false",)
        case None | int() | float() | str():
            return value
        case list() | tuple():
            return ("list", tuple(freeze(item) for item in value))
        case dict():
            pairs = sorted(value.items())
            return ("object", tuple((name, freeze(item)) for name, item in pairs))
    raise InvalidSpec(f"not a JSON value: {value!r}")


EMPTY_TEXT: Frozen = ""
EMPTY_LIST: Frozen = ("list", ())
OTHER: Frozen = ("other",)
"""Stands for every value that nobody ever saw: they can't be told apart."""


class Read(Value, frozen=True):
    """It was told the value."""

    value: Frozen


class Write(Value, frozen=True):
    """It set the value."""

    value: Frozen


class Swap(Value, frozen=True):
    """A compare-and-set that did."""

    old: Frozen
    new: Frozen


class NotSwap(Value, frozen=True):
    """A compare-and-set that saw another value."""

    old: Frozen


class Append(Value, frozen=True):
    """It made the text or the list longer."""

    piece: Frozen


Action: TypeAlias = Read | Write | Swap | NotSwap | Append


def changes(action: Action) -> bool:
    """Whether it can ever leave another value than it found."""
    match action:
        case Read() | NotSwap():
            return False
        case Swap(old=old, new=new):
            return old != new
        case Write() | Append():
            return True


class Tail(Value, frozen=True):
    """A value of which only the end is known: whatever was there, and what was appended since."""

    pieces: tuple[Frozen, ...] = ()


class Refused(Value, frozen=True):
    """No value: the action can't happen here."""


REFUSED: Frozen = Refused()


class Register(Value, frozen=True):
    """One value for each key. `initial` is what every key holds before anybody wrote to it."""

    initial: Json = None

    def action(self, operation: Operation, empty: Frozen) -> Action | None:
        """What an operation does; None if it tells nothing (a read that was never answered)."""
        known = operation.end is not None
        match operation.op:
            case "read":
                return Read(settle(operation.output, empty)) if known else None
            case "write":
                return Write(settle(operation.input, empty))
            case "cas":
                old, new = (settle(item, empty) for item in operation.input)
                return Swap(old, new) if operation.output or not known else NotSwap(old)
            case "append":
                return Append(freeze(operation.input))
        raise InvalidSpec(f"unknown op {operation.op!r}")

    def apply(self, action: Action, value: Frozen) -> Frozen:
        """The value after an action, or `REFUSED` where it can't happen."""
        match action:
            case Read(value=seen):
                return seen if _may_be(value, seen) else REFUSED
            case Write(value=new):
                return new
            case Swap(old=old, new=new):
                return new if _may_be(value, old) else REFUSED
            case NotSwap(old=old):
                # of a value that is known by its end alone, nothing can be excluded
                return value if value != old else REFUSED
            case Append(piece=piece):
                if isinstance(value, Tail):
                    return Tail((*value.pieces, piece))
                return _longer(value, piece)


def settle(value: Json, empty: Frozen) -> Frozen:
    """A value as this history means it: null is the empty text or list where there is one."""
    return empty if value is None else freeze(value)


def empty_of(operations: Sequence[Operation]) -> Frozen:
    """What null is to these operations: the empty text or list, or null where none appends."""
    pieces = [one.input for one in operations if one.op == "append"]
    if not pieces:
        return None
    if not all(isinstance(piece, str) for piece in pieces):
        return EMPTY_LIST
    seen = (one.output for one in operations if one.op == "read")
    return EMPTY_LIST if any(isinstance(value, list | tuple) for value in seen) else EMPTY_TEXT


def _may_be(value: Frozen, seen: Frozen) -> bool:
    if not isinstance(value, Tail):
        return value == seen
    pieces = value.pieces
    if not pieces:
        return True
    if isinstance(seen, str):
        texts = [piece for piece in pieces if isinstance(piece, str)]
        return len(texts) == len(pieces) and seen.endswith("".join(texts))
    items = _items(seen)
    return items is not None and items[-len(pieces) :] == pieces


def begins(value: Frozen, longer: Frozen) -> bool:
    """Whether appends alone could make one value of another."""
    if isinstance(value, Tail):
        return _contains(longer, value.pieces)
    if isinstance(value, str):
        return isinstance(longer, str) and longer.startswith(value)
    items, all_items = _items(value), _items(longer)
    if items is None or all_items is None:
        return value == longer
    return all_items[: len(items)] == items


def _contains(value: Frozen, pieces: tuple[Frozen, ...]) -> bool:
    if not pieces:
        return True
    if isinstance(value, str):
        texts = [piece for piece in pieces if isinstance(piece, str)]
        return len(texts) == len(pieces) and "".join(texts) in value
    items = _items(value)
    if items is None:
        return False
    places = range(len(items) - len(pieces) + 1)
    return any(items[place : place + len(pieces)] == pieces for place in places)


def _longer(value: Frozen, piece: Frozen) -> Frozen:
    if isinstance(value, str):
        return value + piece if isinstance(piece, str) else REFUSED
    items = _items(value)
    return REFUSED if items is None else ("list", (*items, piece))


def _items(value: Frozen) -> tuple[Frozen, ...] | None:
    if isinstance(value, tuple) and value[0] == "list":
        found: tuple[Frozen, ...] = value[1]
        return found
    return None
