"""The page on the format is complete: every key, action, target word and code is on it."""

from __future__ import annotations

from simswarm.scenario.grammar.targets import WORDS
from simswarm.scenario.loading.load import check
from simswarm.scenario.model import Cluster, Scenario
from simswarm.scenario.model.actions import Update
from simswarm.scenario.model.cluster import Link, NodeSettings, RaftTuning
from simswarm.scenario.model.event import ACTIONS, TRIGGERS
from simswarm.scenario.text.codes import EXPLANATIONS
from tests.scenario_format.places import ROOT

PAGE = (ROOT / "docs" / "scenario-format.md").read_text()


def keys(*models) -> list[str]:
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def test_every_key_action_and_word_is_on_the_page():
    names = keys(Scenario, Cluster, NodeSettings, RaftTuning, Link, Update)
    names += [*ACTIONS, *TRIGGERS, *WORDS]
    assert [name for name in names if name not in PAGE] == []


def test_every_code_is_on_the_page_with_its_meaning():
    rows = [
        f"| `{code}` | {text.replace('|', chr(92) + '|')} |" for code, text in EXPLANATIONS.items()
    ]
    assert [row for row in rows if row not in PAGE] == []


def test_the_example_of_the_page_checks(tmp_path):
    example = PAGE.split("```yaml\n")[1].split("```")[0]
    stack = ROOT / "scenarios" / "design" / "docker-stack.yml"
    path = tmp_path / "example.yaml"
    path.write_text(example.replace("./docker-stack.yml", str(stack)))
    assert [problem for problem in check(path) if problem.is_error] == []
