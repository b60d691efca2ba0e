"""`--set` and grid paths: what they reach, what they refuse, and where a wrong value stands."""

from __future__ import annotations

import pytest

from simswarm.scenario.loading.load import check, load_scenario
from simswarm.scenario.text.errors import ScenarioErrors
from simswarm.scenario.text.settings import BadPath, assign, parse_setting

DATA = {
    "cluster": {"managers": 3},
    "images": {"reg.io/web:1": {"pull": "2s"}},
    "events": [{"id": "noise", "link": {"loss": "5%"}}, {"id": "b", "note": "x"}],
    "expect": [{"name": "calm", "converged": {"within": "60s"}}],
}
TEXT = """\
simswarm: 1
name: x
events:
  - {id: noise, at: 1s, link: {loss: 5%}}
"""


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("cluster.managers", ("cluster", "managers")),
        ("cluster.network", ("cluster", "network")),
        ("cluster.raft.tick", ("cluster", "raft", "tick")),
        ("events.noise.link.loss", ("events", 0, "link", "loss")),
        ("events.1.note", ("events", 1, "note")),
        ("expect.calm.converged.within", ("expect", 0, "converged", "within")),
        ("images.reg.io/web:1.pull", ("images", "reg.io/web:1", "pull")),
        ('images["reg.io/web:2"].pull', ("images", "reg.io/web:2", "pull")),
    ],
)
def test_a_path_reaches_its_place_and_leaves_the_rest(path, where):
    before = repr(DATA)
    changed, found = assign(DATA, path, "new")
    assert found == where
    here = changed
    for step in where:
        here = here[step]
    assert here == "new"
    assert repr(DATA) == before


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("events.nois.link.loss", "did you mean 'noise'?"),
        ("events.7.note", "name it by its id"),
        ("cluster.managers.x", "write cluster.managers as a mapping in the file first"),
        ("", "such as cluster.managers"),
        ("a..b", "such as events.noise.link.loss"),
    ],
)
def test_a_path_that_names_nothing_is_refused_with_a_hint(path, hint):
    with pytest.raises(BadPath) as raised:
        assign(DATA, path, 1)
    assert raised.value.hint == hint


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=3", 3),
        ("a.b=5%", "5%"),
        ("a.b=[1, x]", [1, "x"]),
        ("a.b={loss: 1%}", {"loss": "1%"}),
        ("a.b=x=y", "x=y"),
        ("a.b=", None),
    ],
)
def test_a_setting_is_a_path_and_a_yaml_value(text, value):
    assert parse_setting(text) == ("a.b", value)


@pytest.mark.parametrize("text", ["", "a", "=3", "a=[", "a='"])
def test_what_is_no_setting_is_refused(text):
    with pytest.raises(BadPath):
        parse_setting(text)


def test_a_setting_changes_the_scenario_and_not_the_file():
    changed = load_scenario(TEXT, set={"events.noise.link.loss": "20%", "seed": 9})
    assert changed.events[0].link is not None
    assert changed.events[0].link.loss == 200_000
    assert changed.seed == 9
    assert load_scenario(TEXT).seed == 1


def test_a_wrong_value_is_shown_where_it_was_given():
    (problem,) = check(TEXT, set={"cluster.managers": "many"})
    assert problem.code == "E103"
    assert problem.excerpt == ((1, "cluster.managers=many"),)
    assert (problem.line, problem.column) == (1, 18)
    assert problem.file.startswith("--set")


def test_an_unknown_path_is_refused_and_no_traceback():
    problems = check(TEXT, set={"events.x.link.loss": "1%", "cluster.manager": 3})
    assert [problem.code for problem in problems] == ["E170"]
    problems = check(TEXT, set={"cluster.manager": 3})
    assert [(problem.code, problem.hint) for problem in problems] == [
        ("E101", "did you mean 'managers'?")
    ]


def test_errors_of_a_set_value_and_of_the_file_come_together():
    with pytest.raises(ScenarioErrors) as raised:
        load_scenario(TEXT + "seeds: 3\n", set={"until": 10})
    assert sorted(problem.code for problem in raised.value.problems) == ["E101", "E110"]
