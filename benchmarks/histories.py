"""The linearizability checker on recorded histories with known answers.

    python -m benchmarks.histories DIR [--steps N] [--ndjson FOLDER]

Reads two kinds of files in DIR, as they are found among the test data of the Porcupine checker:

- `*.log`, Jepsen's: `process :type :op value`, one register that starts as nil. `:invoke` starts an
  operation, `:ok` ends it, `:fail` says that it did not take effect (a cas that failed saw another
  value, all else is left out), `:info` that its outcome is unknown.
- `c10-*.txt`: `{:process 9, :type :invoke, :f :append, :key "0", :value "x"}`, texts that start
  empty; get, put and append.

The line number is the time. Prints a table of verdicts and CPU seconds. If DIR holds an
`expected.csv` (columns file, verdict) they are compared, and a disagreement ends in code 1.
`--ndjson` keeps the histories in the form that `python -m simswarm.check.history` reads.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

from simswarm.check.history import Operation, Register, Verdict, check
from simswarm.check.history.checking import STEPS

JEPSEN = re.compile(r"(\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(\S.*?)\s*$")
KEYED = re.compile(
    r'\{:process (\d+), :type :(\w+), :f :(\w+), :key "([^"]*)", :value (nil|"[^"]*")\}\s*$'
)
KEYED_OPS = {"get": "read", "put": "write", "append": "append"}


@dataclass(frozen=True)
class Event:
    """One line of a log."""

    line: int
    process: int
    type: str
    op: str
    key: str
    value: Any


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    file: str
    verdict: Verdict
    expected: str
    seconds: float

    @property
    def agrees(self) -> bool:
        return self.expected in ("", self.verdict.result)


class BadLog(Exception):
    """A line that is of no known form."""


def convert(path: Path) -> tuple[list[Operation], Register]:
    """The operations of a log, and the register they are about."""
    if path.suffix == ".log":
        return _operations(path, jepsen), Register(None)
    return _operations(path, keyed), Register("")


def _operations(path: Path, reader: Callable[[str], Iterator[Event]]) -> list[Operation]:
    try:
        return list(operations(reader(path.read_text())))
    except BadLog as error:
        raise BadLog(f"{path}:{error}") from None


def jepsen(text: str) -> Iterator[Event]:
    """Lines of a log of one register."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = JEPSEN.search(line)
        if found is None:
            raise BadLog(f"{number}: not `process :type :op value`: {line.strip()[:60]}")
        process, kind, op, value = found.groups()
        yield Event(number, int(process), kind, op, "register", _jepsen_value(value))


def _jepsen_value(text: str) -> Any:
    if text == "nil" or text.startswith(":"):
        return None
    if text.startswith("["):
        return [_jepsen_value(part) for part in text.strip("[]").split()]
    return int(text)


def keyed(text: str) -> Iterator[Event]:
    """Lines of a log of texts with keys."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = KEYED.match(line)
        if found is None or found[3] not in KEYED_OPS:
            raise BadLog(f"{number}: not `{{:process …, :value …}}`: {line.strip()[:60]}")
        process, kind, op, key, value = found.groups()
        plain = None if value == "nil" else value[1:-1]
        yield Event(number, int(process), kind, KEYED_OPS[op], key, plain)


def operations(events: Iterator[Event]) -> Iterator[Operation]:
    """Starts and ends, paired."""
    open_ones: dict[int, Event] = {}
    for event in events:
        if event.type == "invoke":
            open_ones[event.process] = event
            continue
        asked = open_ones.pop(event.process, None)
        if asked is None or asked.op != event.op:
            raise BadLog(f"{event.line}: ends what process {event.process} did not start")
        if event.type == "info":
            yield _operation(asked, None)
        elif event.type == "ok" or event.op == "cas":
            yield _operation(asked, event)
    for asked in open_ones.values():
        yield _operation(asked, None)


def _operation(asked: Event, answer: Event | None) -> Operation:
    output = None
    if answer is not None and asked.op == "read":
        output = answer.value
    elif answer is not None and asked.op == "cas":
        output = answer.type == "ok"
    return Operation(
        client=asked.process,
        op=asked.op,
        key=asked.key,
        input=None if asked.op == "read" else asked.value,
        output=output,
        start=asked.line,
        end=None if answer is None else answer.line,
    )


def expected_verdicts(folder: Path) -> dict[str, str]:
    """File → verdict, as far as it is known."""
    path = folder / "expected.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as lines:
        return {row["file"]: row["verdict"] for row in csv.DictReader(lines)}


def measure(folder: Path, steps: int, ndjson: Path | None = None) -> list[Row]:
    """Check every history in a folder."""
    known = expected_verdicts(folder)
    rows: list[Row] = []
    for path in sorted((*folder.glob("*.log"), *folder.glob("c10-*.txt"))):
        history, register = convert(path)
        if ndjson is not None:
            _keep(history, ndjson / f"{path.stem}.ndjson")
        before = process_time()
        verdict = check(history, register, steps=steps)
        rows.append(Row(path.name, verdict, known.get(path.name, ""), process_time() - before))
    return rows


def _keep(history: Sequence[Operation], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as out:
        for one in history:
            fields = {name: getattr(one, name) for name in one.__struct_fields__}
            out.write(json.dumps(fields) + "\n")


def table(rows: Sequence[Row]) -> str:
    """The table as text, with a line of totals."""
    lines = [f"{'history':14} {'operations':>10} {'steps':>9} {'window':>6} {'CPU s':>7}  verdict"]
    for row in rows:
        window = row.verdict.window
        size = "" if window is None else str(len(window.operations))
        words = row.verdict.result + ("" if row.agrees else f"  EXPECTED {row.expected}")
        lines.append(
            f"{row.file:14} {row.verdict.operations:10} {row.verdict.steps:9} {size:>6} "
            f"{row.seconds:7.3f}  {words}"
        )
    compared = sum(row.expected != "" for row in rows)
    agree = sum(row.expected != "" and row.agrees for row in rows)
    seconds = [row.seconds for row in rows]
    lines.append(
        f"{len(rows)} histories, {agree} of {compared} known verdicts agree; "
        f"{sum(seconds):.2f} CPU s in all, {max(seconds):.3f} the longest"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.histories")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--steps", type=int, default=STEPS, help="the box of each history")
    parser.add_argument("--ndjson", type=Path, metavar="FOLDER", help="keep them, converted")
    given = parser.parse_args(arguments)
    try:
        rows = measure(given.folder, given.steps, given.ndjson)
    except BadLog as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not rows:
        sys.stderr.write(f"{given.folder}: no *.log and no c10-*.txt\n")
        return 2
    sys.stdout.write(table(rows) + "\n")
    return 0 if all(row.agrees for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
