"""Histories from NDJSON: one operation a line, every mistake with its place and a hint.

    {"client": 1, "op": "write", "key": "x", "input": 3, "output": null, "start": 0.1, "end": 0.4}

Unknown fields are mistakes: a misspelt `output` would be read as null and turn the verdict.

Not here: what makes an operation (`model.mistake`), how files are opened (`__main__`).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from simswarm.base.errors import InvalidSpec
from simswarm.base.values import Value
from simswarm.check.history.model import Mistake, Operation, mistake

REQUIRED = ("client", "op", "key", "start", "end")
FIELDS = ("client", "op", "key", "input", "output", "start", "end")
SHOWN = 20
"""Mistakes of one file that are listed; the rest is counted."""
EXAMPLE = '{"client": 1, "op": "read", "key": "x", "output": 3, "start": 0.1, "end": 0.4}'


class BadHistory(InvalidSpec):
    """A file is no history; the message lists the places."""


class _BadLine(Exception):
    def __init__(self, column: int, wrong: Mistake) -> None:
        super().__init__(wrong.message)
        self.column = column
        self.wrong = wrong


class Line(Value, frozen=True):
    """An operation and the number of the line it stands on."""

    number: int
    operation: Operation


def read(lines: Iterable[bytes], name: str) -> list[Line]:
    """The operations of a file; blank lines are skipped.

    Raises:
        BadHistory: with all places that are wrong, up to `SHOWN`.
    """
    found: list[Line] = []
    wrong: list[str] = []
    for number, raw in enumerate(lines, 1):
        try:
            operation = _operation(raw, first=number == 1)
        except _BadLine as bad:
            place = f"{name}:{number}:{bad.column}"
            wrong.append(f"{place}: error: {bad.wrong.message}\n      hint: {bad.wrong.hint}")
            continue
        if operation is not None:
            found.append(Line(number, operation))
    if wrong:
        more = len(wrong) - SHOWN
        wrong[SHOWN:] = [f"{name}: and {more} more"] if more > 0 else []
        raise BadHistory("\n".join(wrong))
    return found


def _operation(raw: bytes, *, first: bool) -> Operation | None:
    try:
        text = raw.decode("utf-8-sig" if first else "utf-8").strip("\r\n")
    except UnicodeDecodeError as error:
        raise _BadLine(error.start + 1, Mistake("", "not UTF-8", "save it as UTF-8")) from None
    if not text.strip():
        return None
    fields = _fields(text)
    for name in fields:
        if name not in FIELDS:
            close = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(FIELDS)}"
            raise _at(text, Mistake(name, f"unknown field {name!r}", hint))
    for name in REQUIRED:
        if name not in fields:
            hint = "null if nobody knows its outcome" if name == "end" else f"like {EXAMPLE}"
            raise _BadLine(1, Mistake(name, f"no {name!r}", hint))
    operation = Operation(**fields)
    wrong = mistake(operation)
    if wrong is not None:
        raise _at(text, wrong)
    return operation


def _fields(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg}"
        raise _BadLine(
            error.colno, Mistake("", message, f"one operation a line: {EXAMPLE}")
        ) from None
    except (RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise _BadLine(1, Mistake("", reason, f"one operation a line: {EXAMPLE}")) from None
    if not isinstance(value, dict):
        raise _BadLine(1, Mistake("", "not an object", f"one operation a line: {EXAMPLE}"))
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {twice!r} twice")
    return fields


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _at(text: str, wrong: Mistake) -> _BadLine:
    """A mistake at its field, as far as the field can be found in the line."""
    found = re.search(re.escape(json.dumps(wrong.field)) + r"\s*:", text)
    return _BadLine(found.start() + 1 if found else 1, wrong)
