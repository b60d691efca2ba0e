"""Forty and more wrong files, each judged on exact code, line, column and hint.

A file states what is expected in comments at its top:

    # expect: CODE LINE:COLUMN HINT            what `check` says, warnings included
    # expect-run: CODE LINE:COLUMN HINT        what `run` refuses besides

A place in a stack file is NAME:LINE:COLUMN.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simswarm.scenario.loading.load import check, load_scenario
from simswarm.scenario.text.codes import CODES, explain
from simswarm.scenario.text.errors import Problem, ScenarioErrors

FOLDER = Path(__file__).resolve().parents[1] / "data" / "bad-scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))
EXPECTED = re.compile(r"# (expect|expect-run): (\S+) (\S+)(?: (.*))?")


def expected(path: Path, kind: str) -> list[tuple[str, str, str]]:
    found = [EXPECTED.fullmatch(line) for line in path.read_text().splitlines()]
    return sorted(
        (one[2], one[3], one[4] or "") for one in found if one is not None and one[1] == kind
    )


def seen(problems: list[Problem], path: Path) -> list[tuple[str, str, str]]:
    rows = []
    for problem in problems:
        place = f"{problem.line}:{problem.column}"
        if problem.file != str(path):
            place = f"{Path(problem.file).name}:{place}"
        hint = problem.hint.replace(f"{path.parent}/", "")
        rows.append((problem.code, place, hint))
    return sorted(rows)


def test_there_are_forty_of_them():
    assert len(FILES) >= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_problem_is_found_at_its_place_with_its_hint(path):
    assert expected(path, "expect"), "states nothing"
    assert seen(check(path), path) == expected(path, "expect")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_with_an_error_does_not_load_and_one_with_warnings_does(path):
    wanted = expected(path, "expect")
    if any(code.startswith("E") for code, _, _ in wanted):
        with pytest.raises(ScenarioErrors) as raised:
            load_scenario(path)
        assert all(problem.code in CODES for problem in raised.value.problems)
    else:
        assert load_scenario(path).simswarm == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_cannot_be_run_yet_loads_but_does_not_run(path):
    wanted = expected(path, "expect-run")
    if not wanted:
        return
    assert load_scenario(path).simswarm == 1
    with pytest.raises(ScenarioErrors) as raised:
        load_scenario(path, runnable=True)
    refused = [problem for problem in raised.value.problems if problem.code[:2] == "E3"]
    assert seen(refused, path) == wanted


def test_every_code_is_covered_and_no_other_is_used():
    covered = {
        code
        for path in FILES
        for kind in ("expect", "expect-run")
        for code, _, _ in expected(path, kind)
    }
    assert covered == set(CODES)


def test_every_code_is_explained():
    for code in CODES:
        text = explain(code)
        assert text is not None
        assert text.endswith(".")
    assert explain("e101") == explain("E101")
    assert explain("E999") is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_reports_are_readable(path):
    for problem in check(path):
        text = problem.text()
        first, *rest = text.splitlines()
        assert first.startswith(f"{problem.file}:{problem.line}:{problem.column}: ")
        assert "pydantic" not in text
        assert "://" not in problem.message
        assert problem.message == problem.message.strip()
        if problem.excerpt:
            caret = rest[-1]
            assert caret.index("^") - len("      | ") == problem.column - 1
