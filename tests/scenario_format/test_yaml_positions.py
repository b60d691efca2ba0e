"""YAML 1.2 with places: values keep their meaning, and every path leads back to its text."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.loading.lock import lock
from simswarm.scenario.text.errors import Place, ScenarioErrors
from simswarm.scenario.text.positions import Document, Real

TEXT = (
    """\
simswarm: 1
cluster: {managers: 3, nodes: {w1: {labels: {disk: ssd}}}}
x-common: &common
  at: 10s
events:
  - <<: *common
    id: first
    crash: "leader"
  - {id: second, when: 'time > 3',
     note: |
       two
       lines}
""".replace("lines}", "lines")
    + "     }\n"
)


def test_scalars_have_the_meaning_of_yaml_1_2():
    text = "[yes, no, on, 012, 0o14, 0x1F, 1_000, 1:30, 2001-01-01, ~, null, true, '5', 1e3, .5]"
    assert Document(text, "f").data == [
        *("yes", "no", "on", 12, 12, 31, "1_000", "1:30", "2001-01-01"),
        *(None, None, True, "5", 1000.0, 0.5),
    ]


def test_a_number_remembers_how_it_was_written():
    found = Document("a: 20.10", "f").data["a"]
    assert found == 20.1
    assert found.text == "20.10"
    for again in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert isinstance(again, Real)
        assert again.text == "20.10"


def test_merged_keys_are_there_and_own_keys_win():
    found = Document("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4}]}", "f").data
    assert found["b"] == {"x": 1, "y": 3}
    assert found["c"] == {"x": 1, "y": 2, "z": 4}


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        (("simswarm",), False, (1, 11, 1)),
        (("cluster", "managers"), True, (2, 11, 8)),
        (("cluster", "nodes", "w1", "labels", "disk"), False, (2, 52, 3)),
        (("events", 0, "at"), False, (4, 7, 3)),
        (("events", 0, "crash"), False, (8, 12, 8)),
        (("events", 0, "crash", "target"), False, (8, 12, 8)),
        (("events", 1), False, (9, 5, 1)),
        (("events", 9), False, (6, 3, 1)),
        ((), False, (1, 1, 1)),
    ],
)
def test_a_path_leads_to_its_place(path, key, place):
    document = Document(TEXT.replace("       two\n       lines\n", "x").replace("|\n", ""), "f")
    assert document.place(path, key=key) == Place("f", *place)


def test_a_part_of_a_text_has_its_own_place():
    document = Document("a: 'time > 3'\nb: time > 3\nc: >\n  time\n  > 3\n", "f")
    assert document.within(("a",), 5, 1) == Place("f", 1, 10, 1)
    assert document.within(("b",), 5, 1) == Place("f", 2, 9, 1)
    # a folded text has no columns of its own: the whole is pointed at
    assert document.within(("c",), 5, 1).line == 3


def test_lines_are_counted_alike_whatever_ends_them(tmp_path):
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfsimswarm: 1\r\nseed: x\r\n")
    with pytest.raises(ScenarioErrors) as raised:
        load_scenario(path)
    assert (raised.value.problems[0].line, raised.value.problems[0].column) == (2, 7)


def test_aliases_cannot_fill_the_memory():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ScenarioErrors) as raised:
        Document("\n".join(levels), "bomb")
    assert raised.value.problems[0].code == "E005"


PLAIN = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12),
    st.sampled_from(["1", "1.0", "true", "null", "~", "0o7", "1e5", ".5", "a: b", "- x", "#", "="]),
)


@given(st.dictionaries(PLAIN.filter(bool), PLAIN, max_size=4))
def test_a_locked_scenario_keeps_every_text(labels):
    service = {"image": "a:1", "labels": labels}
    scenario = load_scenario("simswarm: 1\nname: x\n", set={"stack": {"services": {"a": service}}})
    assert dict(scenario.services[0].task.container.labels) == labels
    assert load_scenario(lock(scenario)) == scenario
