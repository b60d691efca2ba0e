"""Our components answer random cases as the real ones did (a sample of what was compared)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.answers import agrees

FOLDER = Path(__file__).resolve().parents[1] / "data" / "vectors"


def cases() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            case = json.loads(line)
            found.append(pytest.param(case, id=f"{path.stem}-{case['case']}"))
    return found


@pytest.mark.parametrize("case", cases())
def test_component_answers_as_the_real_one_did(case):
    assert agrees(case["component"], case["input"], case["expect"])


def test_there_are_cases_of_every_component():
    assert len(cases()) >= 300


def test_a_wrong_answer_is_noticed():
    """The comparison itself can fail: a real answer with one task less is not ours."""
    case = json.loads((FOLDER / "replicated.jsonl").read_text().splitlines()[0])
    for outcome in case["expect"]["outcomes"]:
        outcome[0]["tasks"].pop()
    assert not agrees("replicated", case["input"], case["expect"])
