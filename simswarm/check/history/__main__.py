"""`python -m simswarm.check.history FILE`: linearizable, not linearizable or unknown.

The verdict is the first line of the output; a failing window follows it. Exit codes: 0
linearizable, 1 not linearizable, 3 unknown, 2 for a file that is no history.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from simswarm.base.errors import InvalidSpec
from simswarm.check.history.checking import STEPS, Verdict, check
from simswarm.check.history.model import Json, Register
from simswarm.check.history.picture import picture, shown
from simswarm.check.history.reading import Line, read

CODES = {"linearizable": 0, "not linearizable": 1, "unknown": 3}
USAGE, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a history, check it, print the verdict; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        lines = _read(given.file)
        history = [line.operation for line in lines]
        verdict = check(history, Register(given.initial), steps=given.steps)
    except InvalidSpec as error:
        sys.stderr.write(f"{error.message}\n")
        return USAGE
    except OSError as error:
        sys.stderr.write(f"{given.file}: {error.strerror or error}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    sys.stdout.write(_text(verdict, [line.number for line in lines]) + "\n")
    return CODES[verdict.result]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simswarm.check.history",
        description="Is a history of client operations linearizable? Format: docs/histories.md",
        epilog="exit codes: 0 linearizable, 1 not linearizable, 3 unknown, 2 bad file or usage",
    )
    parser.add_argument("file", metavar="FILE", help="NDJSON, one operation a line; - for stdin")
    parser.add_argument(
        "--initial", type=_json, default=None, metavar="JSON", help="first value (default: null)"
    )
    parser.add_argument(
        "--steps", type=_steps, default=STEPS, metavar="N", help=f"the box (default: {STEPS:,})"
    )
    return parser


def _json(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise argparse.ArgumentTypeError(f"not JSON: {text} (a text needs quotes)") from None


def _steps(text: str) -> int:
    try:
        number = int(text.replace("_", ""))
    except ValueError:
        number = -1
    if number < 1:
        raise argparse.ArgumentTypeError(f"not a number of steps: {text}")
    return number


def _read(name: str) -> list[Line]:
    if name == "-":
        return read(sys.stdin.buffer, "<stdin>")
    with open(name, "rb") as lines:
        return read(lines, name)


def _text(verdict: Verdict, lines: Sequence[int]) -> str:
    if verdict.result == "not linearizable":
        return f"{verdict.result}\n{picture(verdict, lines)}"
    if verdict.result == "unknown":
        keys = ", ".join(shown(key) for key in verdict.undecided)
        return (
            f"{verdict.result}\nkey {keys}: undecided after {verdict.steps:,} search steps; "
            "--steps N looks further"
        )
    return verdict.result


if __name__ == "__main__":
    sys.exit(main())
