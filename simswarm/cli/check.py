"""`simswarm check`: everything wrong or doubtful with scenario files, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from simswarm.cli.exits import USAGE, Refused, guarded
from simswarm.cli.state import put, put_json, state

if TYPE_CHECKING:
    from simswarm.scenario.text.errors import Problem


@guarded
def check(
    files: Annotated[list[str] | None, typer.Argument(help="Scenario files.")] = None,
    explain: Annotated[str | None, typer.Option(help="What a code means, such as E110.")] = None,
) -> None:
    """Validate scenario and stack files: errors, and what is probably not meant."""
    if explain is not None:
        _explain(explain)
        return
    if not files:
        raise Refused("which file? simswarm check FILE…")
    from simswarm.scenario.loading.load import check as find_problems
    from simswarm.scenario.shipped import find_scenario

    found = {file: find_problems(find_scenario(file)) for file in files}
    errors = sum(problem.is_error for problems in found.values() for problem in problems)
    if state.format == "text":
        _print(found)
    else:
        put_json(_report(found, errors))
    if errors:
        raise typer.Exit(USAGE)


def _print(found: dict[str, list[Problem]]) -> None:
    for file, problems in found.items():
        for problem in problems:
            put(problem.text())
        errors = sum(problem.is_error for problem in problems)
        warnings = len(problems) - errors
        if not problems:
            put(f"{file}: fine")
        elif not state.quiet:
            put(f"{file}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _report(found: dict[str, list[Problem]], errors: int) -> dict[str, Any]:
    problems = [problem for per_file in found.values() for problem in per_file]
    return {
        "files": list(found),
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [problem.fields() for problem in problems],
    }


def _explain(code: str) -> None:
    from simswarm.scenario.text.codes import explain

    text = explain(code)
    if text is None:
        raise Refused(f"there is no code {code}")
    if state.format == "text":
        put(f"{code.upper()}: {text}")
    else:
        put_json({"code": code.upper(), "text": text})
