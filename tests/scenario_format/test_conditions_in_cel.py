"""Conditions: what exists is compared, what doesn't makes a comparison false, and only it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from simswarm.scenario.grammar.cel import Condition, condition

SNAPSHOT = {
    "services": {
        "web": {"running": 3, "desired": 6, "images": {"shop/web:1": 3}, "updating": False},
        "my-web": {"running": 1},
    },
    "nodes": {
        "m1": {"up": True, "tasks": 0, "last_command": {"error": "has no leader"}},
        "w1": {"up": False, "tasks": 2},
    },
    "raft": {"leader": "m1", "term": 4, "members": 3, "members_reachable": 2},
    "time": 12.5,
}


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("services.web.running == 3", True),
        ("services.web.running * 2 >= services.web.desired", True),
        ("services['my-web'].running == 1", True),
        ("services.web.images['shop/web:1'] == 3", True),
        ("services.web.images['shop/web:2'] == 0", False),
        ("time > 12 && time < 13", True),
        ("raft.members_reachable * 2 > raft.members", True),
        ("nodes.m1.last_command.error.contains('leader')", True),
        ("nodes.w1.last_command.error.contains('leader')", False),
        ("nodes.w1.last_command.error == ''", False),
        ("nodes.w1.last_command.error != ''", False),
        ("!(nodes.w1.last_command.error == '')", True),
        ("!(nodes.w9.tasks == 0) && nodes.m1.up", True),
        ("nodes.w9.tasks == 0 || nodes.m1.up", True),
        ("nodes.w9.tasks == 0 && nodes.m1.up", False),
        ("(nodes.w9.tasks == 0 || (time > 1)) && !(time > 99)", True),
        ("nodes.m1.up", True),
        ("!nodes.w1.up", True),
        ("nodes.all(n, nodes[n].tasks < 3)", True),
        ("nodes.exists(n, nodes[n].tasks == 2)", True),
        ("size(services) == 2", True),
        ("time > 1 ? nodes.m1.up : nodes.w1.up", True),
        ("raft.leader in ['m1', 'm2']", True),
        ("'a || b' == 'a || b' && time > 1", True),
        ("true", True),
        ("time / 0.0 > 1", True),
        ("raft.term / 0 > 1", False),
    ],
)
def test_a_condition_holds(source, holds):
    assert Condition(source).evaluate(SNAPSHOT) is holds


@given(st.data())
def test_and_or_not_are_those_of_logic(data):
    atoms = {"nodes.m1.up": True, "nodes.w1.up": False, "nodes.w9.up == true": False}
    leaf = st.sampled_from(sorted(atoms)).map(lambda text: (text, atoms[text]))
    tree = st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(
                lambda two: (f"({two[0][0]}) && ({two[1][0]})", two[0][1] and two[1][1])
            ),
            st.tuples(inner, inner).map(
                lambda two: (f"({two[0][0]}) || ({two[1][0]})", two[0][1] or two[1][1])
            ),
            inner.map(lambda one: (f"!({one[0]})", not one[1])),
        ),
        max_leaves=8,
    )
    source, holds = data.draw(tree)
    assert Condition(source).evaluate(SNAPSHOT) is holds


class Lazy(Mapping[str, Any]):
    """A branch that notes what is asked for."""

    def __init__(self, data: dict[str, Any], path: str, asked: list[str]) -> None:
        self._data, self._path, self._asked = data, path, asked

    def __getitem__(self, key: str) -> Any:
        path = f"{self._path}.{key}"
        self._asked.append(path)
        value = self._data[key]
        return Lazy(value, path, self._asked) if isinstance(value, dict) else value

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


def test_only_what_a_condition_names_is_read():
    asked: list[str] = []
    snapshot = Lazy(SNAPSHOT, "", asked)
    assert Condition("services.web.running == 3 && time > 1").evaluate(snapshot)
    assert asked == [".services", ".services.web", ".services.web.running", ".time"]


def test_a_condition_follows_the_values():
    running = Condition("services.web.running == 3")
    for count, holds in ((3, True), (4, False), (4, False), (3, True)):
        assert running.evaluate({"services": {"web": {"running": count}}}) is holds
    assert running.evaluate({}) is False


def test_paths_name_the_variables_but_not_those_of_macros():
    found = Condition("nodes.exists(n, nodes[n].tasks > services['a-b'].running) && time > 1")
    assert [path.parts for path in found.paths] == [
        ("nodes",),
        ("nodes",),
        ("services", "a-b", "running"),
        ("time",),
    ]
    assert found.paths[0].open


def test_a_condition_is_a_value():
    one, other = Condition("time > 1"), Condition("time > 1")
    assert one == other
    assert len({one, other}) == 1
    assert one != Condition("time > 2")
    assert copy.deepcopy(one) is one
    assert pickle.loads(pickle.dumps(one)) == one


@pytest.mark.parametrize(
    ("source", "code", "offset"),
    [
        ("1 +", "E140", 3),
        ("time = 1", "E140", 5),
        ("time > 1\n&& (", "E140", 13),
        ("(" * 200 + "1" + ")" * 200, "E140", 96),
        ("x" * 5000, "E140", None),
        ("", "E140", None),
        (7, "E140", None),
    ],
)
def test_what_is_no_condition_is_refused_at_its_place(source, code, offset):
    with pytest.raises(PydanticCustomError) as raised:
        condition(source)
    assert raised.value.type == code
    assert (raised.value.context or {}).get("offset") == offset


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("services.web.running", "E142"),
        ("time > 'a'", "E142"),
        ("'a'", "E142"),
        ("nope(time) > 1", "E141"),
    ],
)
def test_what_can_never_be_true_or_false_is_refused(source, code):
    with pytest.raises(PydanticCustomError) as raised:
        Condition(source).check(SNAPSHOT)
    assert raised.value.type == code
