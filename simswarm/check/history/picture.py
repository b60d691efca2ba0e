"""A failing window as text: its operations in words, and when they ran.

    key "x": no order explains these 2 operations, from 3 to 9
      line 4  client 1  write 2 -> done    |------|
      line 7  client 2  read -> 1                    |---|
    may take effect there or not, and do not help:
      line 2  client 3  write 5 -> ?     --------------------

Positions count starts and ends, so the bars show what came before what, not how long it took.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from simswarm.check.history.checking import Verdict, Window
from simswarm.check.history.model import Json, Operation

WIDTH = 40
"""Columns for the bars, at most."""
AROUND = 8
"""Operations around a window that are listed; the rest is counted."""
TEXT = 32
"""Characters of a value that are shown."""


def words(operation: Operation) -> str:
    """What was asked and what was answered: `cas 1 2 -> true`, `read -> ?`."""
    known = operation.end is not None
    match operation.op:
        case "read":
            return f"read -> {shown(operation.output) if known else '?'}"
        case "cas":
            old, new = operation.input
            output = shown(operation.output) if known else "?"
            return f"cas {shown(old)} {shown(new)} -> {output}"
        case _:
            return f"{operation.op} {shown(operation.input)} -> {'done' if known else '?'}"


def picture(verdict: Verdict, lines: Sequence[int]) -> str:
    """What to print below a verdict; `lines` gives the line of each operation of the history."""
    window = verdict.window
    if window is None:
        return ""
    begin = min(one.start for one in window.operations)
    end = max(one.end for one in window.operations if one.end is not None)
    count = len(window.operations)
    these = "this operation" if count == 1 else f"these {count} operations"
    span = f"from {begin} to {end}"
    text = [f"key {shown(window.key)}: no order explains {these}, {span}"]
    around, left_out = window.around, 0
    if len(around) > AROUND:
        left_out = len(around) - AROUND
        around = around[-AROUND:]
    numbers = (*window.numbers, *window.around_numbers[left_out:])
    rows = _rows((*window.operations, *around), [lines[number] for number in numbers])
    text += rows[:count]
    if around:
        text.append("may take effect there or not, and do not help:")
        text += rows[count:]
    if left_out:
        text.append(f"  and {left_out} that started earlier")
    text += _remarks(verdict, window)
    return "\n".join(text)


def _remarks(verdict: Verdict, window: Window) -> list[str]:
    where = (
        "the initial value" if window.from_beginning else "every value an earlier start could leave"
    )
    subject = "It fails" if len(window.operations) == 1 else "They fail"
    remarks = [f"{subject} from {where}."]
    if not window.shortest:
        remarks.append("There may be a shorter window: the box of search steps was reached.")
    if verdict.undecided:
        keys = ", ".join(shown(key) for key in verdict.undecided)
        remarks.append(f"Undecided, as the box of search steps was reached: key {keys}.")
    return remarks


def _rows(operations: Sequence[Operation], lines: Sequence[int]) -> list[str]:
    cells = [
        (f"line {line}", f"client {shown(one.client)}", words(one))
        for line, one in zip(lines, operations, strict=True)
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + bar
        for row, bar in zip(cells, _bars(operations), strict=True)
    ]


def _bars(operations: Sequence[Operation]) -> list[str]:
    """One bar an operation; columns are the distinct starts and ends, squeezed into `WIDTH`."""
    moments = sorted(
        {one.start for one in operations} | {one.end for one in operations if one.end is not None}
    )
    scale = min(4.0, WIDTH / max(1, len(moments)))
    column = {moment: int(place * scale) for place, moment in enumerate(moments)}
    right = max(column.values()) + 3
    bars: list[str] = []
    for one in operations:
        begin = column[one.start]
        if one.end is None:
            bar = "|" + "-" * (right - begin)
        else:
            length = column[one.end] - begin
            bar = "|" if length == 0 else "|" + "-" * (length - 1) + "|"
        bars.append(f"  {' ' * begin}{bar}")
    return bars


def shown(value: Json) -> str:
    """A value as JSON, the middle left out if it is long."""
    text = json.dumps(value, ensure_ascii=False)
    # half a surrogate pair is JSON, but no terminal takes it
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= TEXT:
        return text
    half = TEXT // 2 - 2
    return f"{text[:half]} ... {text[-half:]}"
