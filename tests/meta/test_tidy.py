"""The house rules hold over the whole package, and the checker catches what breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.meta.tidy import BELOW_THE_LINE, problems

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "simswarm"


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_every_module_keeps_the_house_rules():
    found = [
        str(problem)
        for path in modules()
        for problem in problems(path.read_text(), str(path.relative_to(PACKAGE)))
    ]
    assert found == []


PLANTED = [
    ("import time\n", "`time`"),
    ("from time import time\n", "`time`"),
    ("import random\n", "`random`"),
    ("from datetime import datetime\n", "`datetime`"),
    ("x = hash('a')\n", "`hash()`"),
    ("x = id(object())\n", "`id()`"),
    ("for x in {1, 2}:\n    pass\n", "a set"),
    ("s = set()\nfor x in s:\n    pass\n", "a set"),
    ("def f(s: set[str]) -> list[str]:\n    return [x for x in s]\n", "a set"),
    ("def f(s: frozenset[str]) -> list[str]:\n    return list(s)\n", "a set"),
    ("a = {1}\nb = (*a,)\n", "a set"),
    ("a = {1}\nb = a | {2}\nfor x in b:\n    pass\n", "a set"),
    ("a = set()\nb = a.pop()\n", "a set"),
    ("a = {'x'}\nb = ','.join(a)\n", "a set"),
    ("self.out.set_timer(key, lambda: 1)\n", "a closure"),
    ("print('x')\n", "`print()`"),
]


@pytest.mark.parametrize("package", BELOW_THE_LINE)
@pytest.mark.parametrize(("source", "expected"), PLANTED)
def test_a_planted_breach_is_named_with_its_place(source, expected, package):
    path = f"{package}/planted.py"
    found = problems(f'"""Doc."""\n{source}', path)
    assert any(expected in problem.message for problem in found)
    assert all(str(problem).startswith(f"{path}:") for problem in found)


@pytest.mark.parametrize(
    "source",
    [
        "s = {1, 2}\nfor x in sorted(s):\n    pass\n",
        "s = {1, 2}\nx = 1 in s\n",
        "s = {1, 2}\nn = len(s)\n",
        "s = {1, 2}\nb = any(x > 1 for x in s)\n",
        "d = {}\nfor x in d:\n    pass\n",
    ],
)
def test_sets_may_be_asked_measured_and_sorted(source):
    assert problems(f'"""Doc."""\n{source}', "raft/fine.py") == []


def test_a_function_that_fills_more_than_a_screen_is_named():
    body = "".join(f"    x{number} = {number}\n" for number in range(71))
    found = problems(f'"""Doc."""\n\n\ndef long():\n{body}', "cli/long.py")
    assert "long: 72 lines" in found[0].message


def test_nothing_tracked_names_this_machine_or_a_place_outside_the_project():
    outside = ("/".join(("..", "shared")), "/".join(("", "work", "")), "/".join(("", "root", "")))
    texts = [
        path
        for pattern in ("*.py", "*.md", "*.toml", "*.yaml", "*.yml", "*.lock", "Makefile")
        for path in ROOT.rglob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]
    assert len(texts) > 40
    for path in texts:
        text = path.read_text()
        assert not any(place in text for place in outside), path
