"""Whatever a file holds, reading it ends in a scenario or in problems, never in a traceback.

Valid files are cut, doubled and spoilt as texts; their data are spoilt as trees, so that wrong
values get past YAML; and there are random bytes. What still loads must survive being locked.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simswarm.scenario.loading.load import check, load_scenario
from simswarm.scenario.loading.lock import lock
from simswarm.scenario.model import Scenario
from simswarm.scenario.text.codes import CODES
from simswarm.scenario.text.errors import ScenarioErrors
from simswarm.scenario.text.positions import Document
from tests.scenario_format.places import DESIGN, EVERYTHING, ROOT

STACK = Document((DESIGN / "docker-stack.yml").read_text(), "stack").data
GOOD = [path.read_text() for path in sorted(DESIGN.glob("*.yaml"))]
BAD = [path.read_text() for path in sorted((ROOT / "tests/data/bad-scenarios").glob("*.yaml"))]
TREES = [
    *({**Document(text, "file").data, "stack": STACK} for text in GOOD[1:3]),
    *[Document(EVERYTHING.read_text(), "file").data] * 3,
]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            *("", "..", "a..b", "5s", "5", "-1s", "1s..2s", "100%", "101%", "random(", "leader"),
            *("end", "nemesis", "zone=", "labels.a==b", "web.3", "services", "x-y", "${A}", "*"),
            *("service scale", "service create --name a b", "--host", "a b", "1e999", "\0", "é"),
            *("services.web.running == 3", "nodes['m1'].up", "a.b.c", "1 ==", "true", "time > 3"),
        ]
    ),
    st.just([]),
    st.just({}),
    st.just(["m1", ["w1"]]),
    st.just({"target": "m1", "services": {}}),
)


def outcome(text: str) -> Scenario | ScenarioErrors:
    try:
        return load_scenario(text)
    except ScenarioErrors as errors:
        return errors


def judge(text: str) -> None:
    text = text if "\n" in text else text + "\n"
    problems = check(text)
    for problem in problems:
        assert problem.code in CODES
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message
        assert problem.text()
    loaded = outcome(text)
    is_wrong = isinstance(loaded, ScenarioErrors)
    assert is_wrong == any(problem.is_error for problem in problems)
    if isinstance(loaded, Scenario):
        assert load_scenario(lock(loaded)) == loaded


@given(st.text(max_size=200))
@example("a: &a [*a, *a]")
@example("%YAML 1.1\n---\n")
@example("? ? ?")
@example("{" * 800)
@example("- " * 800)
@example("!!python/object/apply:os.system [x]\n")
def test_any_text_is_judged(text):
    judge(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "file.yaml"
    path.write_bytes(content)
    assert all(problem.code in CODES for problem in check(path))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_spoilt_texts_are_judged(data):
    text = data.draw(st.sampled_from(GOOD + BAD)).replace("./docker-stack.yml", "{services: {}}")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        put = data.draw(st.one_of(st.text(max_size=4), st.sampled_from([*"{}[],:#&*!|>'\"\n\t -"])))
        text = text[:start] + put + text[end:]
    judge(text)


@st.composite
def spoilt_trees(draw: st.DrawFn) -> Any:
    tree = draw(st.sampled_from(TREES))
    for _ in range(draw(st.integers(1, 3))):
        tree = _spoil(draw, tree, draw(st.integers(1, 7)))
    return tree


def _spoil(draw: st.DrawFn, tree: Any, depth: int) -> Any:
    junk = draw(JUNK)
    if depth and isinstance(tree, dict) and tree:
        key = draw(st.sampled_from(list(tree)))
        kind = draw(st.sampled_from(["below", "below", "below", "below", "drop", "add"]))
        if kind == "drop":
            return {name: one for name, one in tree.items() if name != key}
        if kind == "add":
            return {**tree, draw(st.sampled_from(["service", "for", "x", "within", "id"])): junk}
        return {**tree, key: _spoil(draw, tree[key], depth - 1)}
    if depth and isinstance(tree, list) and tree:
        index = draw(st.integers(0, len(tree) - 1))
        return [*tree[:index], _spoil(draw, tree[index], depth - 1), *tree[index + 1 :]]
    return junk


def as_text(tree: Any) -> str:
    # JSON is YAML, but for numbers that JSON has no words for
    return json.dumps(tree, allow_nan=True, ensure_ascii=False) + "\n"


@settings(max_examples=60, deadline=None)
@given(spoilt_trees())
def test_spoilt_trees_are_judged(tree):
    judge(as_text(tree))


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(spoilt_trees())
def test_many_spoilt_trees_are_judged(tree):
    judge(as_text(tree))
