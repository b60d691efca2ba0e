"""Exit codes, and which error ends in which.

0 all held · 1 an expectation or invariant failed · 2 bad usage or file · 3 undecided
4 bug in simswarm · 5 not deterministic · 6 live refused or unreachable · 130 interrupted
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec

import typer

if TYPE_CHECKING:
    from simswarm.scenario.text.errors import Problem

OK, FAILED, USAGE, UNDECIDED, BUG, NOT_DETERMINISTIC, LIVE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130
VERDICTS = {"pass": OK, "fail": FAILED, "undecided": UNDECIDED}

P = ParamSpec("P")


class Refused(Exception):
    """A command can't go on because of what it was given; ends in code 2."""


class Wrecked(Exception):
    """simswarm itself failed during a run; `saved` is what there is of it."""

    def __init__(self, cause: Exception, saved: str) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.saved = saved


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Let no traceback through: every way a command can end has its code and its words."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            _until_written(command, *args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            _end(INTERRUPTED, "interrupted")
        except BrokenPipeError:
            # whoever read our output has had enough
            _abandon_stdout()
            raise typer.Exit(OK) from None
        except Exception as error:
            _explain(error)

    return run


def _until_written(command: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call a command; whatever is buffered must find out here, not at the interpreter's end."""
    try:
        command(*args, **kwargs)
    except typer.Exit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()


def _explain(error: Exception) -> NoReturn:
    from simswarm.base.errors import ScenarioError, SimswarmError, Unsupported
    from simswarm.cli.state import state

    match error:
        case Refused():
            _end(USAGE, f"error: {error}")
        case ScenarioError() | Unsupported():
            _end(USAGE, error.message, getattr(error, "problems", ()))
        case SimswarmError(code="failed precondition"):
            _end(USAGE, f"error: {error.message}")
        case Wrecked(cause=cause, saved=saved):
            _report_bug(cause, saved, verbose=state.verbose)
        case OSError():
            _abandon_unwritable_stdout()
            where = "" if error.filename is None else f"{error.filename}: "
            _end(USAGE, f"error: {where}{error.strerror or error}")
        case _:
            _report_bug(error, "", verbose=state.verbose)


def _abandon_unwritable_stdout() -> None:
    """Let go of what can't be written, or the interpreter's end fails on it once more."""
    try:
        sys.stdout.flush()
    except OSError:
        _abandon_stdout()


def _abandon_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_bug(error: Exception, saved: str, *, verbose: bool) -> NoReturn:
    lines = [f"bug in simswarm: {type(error).__name__}: {error}"]
    lines += list(getattr(error, "__notes__", []))
    if verbose:
        lines += traceback.format_exception(error)
    else:
        lines.append("run again with -v for the traceback")
    if saved:
        lines.append(f"saved {saved}: please report it with this file")
    _end(BUG, "\n".join(lines))


def _end(code: int, text: str, problems: Sequence[Problem] = ()) -> NoReturn:
    """Say how it ended: to people, and to programs that wait for their one JSON object."""
    sys.stderr.write(text.rstrip() + "\n")
    answer_failure(code, text, problems)
    raise typer.Exit(code)


def answer_failure(code: int, text: str, problems: Sequence[Problem] = ()) -> None:
    """Put the one JSON object of a command that came to no result, if one is asked for."""
    from simswarm.cli.state import put_json, state

    if state.format != "text" and not state.answered:
        answer: dict[str, Any] = {"error": text.strip(), "exit_code": code}
        if problems:
            answer["problems"] = [problem.fields() for problem in problems]
        put_json(answer)
        # a place that can't be written to has been complained about already
        with contextlib.suppress(OSError):
            sys.stdout.flush()
