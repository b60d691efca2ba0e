"""Placement constraints: how they are read, and which nodes match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.errors import InvalidSpec
from simswarm.model.constraints import fold, label_key, node_matches, parse, satisfies
from simswarm.model.objects import Node, NodeDescription, NodeStatus
from simswarm.model.specs import NodeRole, NodeSpec

NODE = Node(
    id="node-ID",
    spec=NodeSpec(labels=(("disk", "SSD"), ("empty", ""))),
    description=NodeDescription("Host-1", "linux", "x86_64", engine_labels=(("storage", "btrfs"),)),
    status=NodeStatus(address="192.168.1.2"),
    role=NodeRole.MANAGER,
)
BARE = Node(id="bare", spec=NodeSpec())


def matches(expression: str, node: Node = NODE) -> bool:
    return node_matches(parse([expression]), node)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("node.id", "constraint expected one operator from ==, !="),
        ("node.id=x", "constraint expected one operator from ==, !="),
        ("node.id>x", "constraint expected one operator from ==, !="),
        ("==x", "key '' is invalid"),
        ("a==x", "key 'a' is invalid"),
        ("no de==x", "key 'no de' is invalid"),
        ("node.id==", "value '' is invalid"),
        ("node.id==a,b", "value 'a,b' is invalid"),
        ("node.id==a\x0bb", "value 'a\x0bb' is invalid"),
        ("node.id==!=a", "value '!=a' is invalid"),
    ],
)
def test_what_can_not_be_read_is_refused_in_swarms_words(expression, message):
    with pytest.raises(InvalidSpec) as refused:
        parse(["node.role==manager", expression])
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("expression", "on_node", "on_bare"),
    [
        ("node.id==NODE-id", True, False),
        ("node.id != node-id", False, True),
        ("NODE.HOSTNAME==host-1", True, False),
        ("node.hostname!=host-1", False, True),
        ("node.role==manager", True, False),
        ("node.role!=worker", True, False),
        ("node.platform.os==Linux", True, False),
        ("node.platform.arch==amd64", False, False),
        ("node.platform.arch==x86_64", True, False),
        ("node.labels.disk==ssd", True, False),
        ("node.labels.Disk==ssd", False, False),
        ("Node.Labels.disk==ssd", True, False),
        ("node.labels.disk!=hdd", True, True),
        ("node.labels.disk==s*", False, False),
        ("engine.labels.storage==btrfs", True, False),
        ("engine.labels.storage!=btrfs", False, True),
        ("node.labels.==x", False, False),
        ("node.labels.!=x", False, False),
        ("node.colour==red", False, False),
        ("node.colour!=red", False, False),
        ("node.ip==192.168.1.2", True, False),
        ("node.ip==::ffff:192.168.1.2", True, False),
        ("node.ip!=192.168.1.2", False, True),
        ("node.ip==192.168.0.0/16", True, False),
        ("node.ip!=192.168.0.0/16", False, True),
        ("node.ip==10.0.0.0/8", False, False),
        ("node.ip==::ffff:192.168.0.0/112", True, False),
        ("node.ip==2001:db8::/32", False, False),
        ("node.ip==192.168.1", False, False),
        ("node.ip!=192.168.1", False, False),
        ("node.ip!=192.168.1.2/33", False, False),
    ],
)
def test_nodes_match(expression, on_node, on_bare):
    assert (matches(expression), matches(expression, BARE)) == (on_node, on_bare)


def test_all_expressions_must_hold():
    assert node_matches(parse(["node.role==manager", "node.labels.disk==ssd"]), NODE)
    assert not node_matches(parse(["node.role==manager", "node.labels.disk==hdd"]), NODE)
    assert node_matches((), NODE)


def test_expressions_that_can_not_be_read_ask_nothing_of_a_node():
    assert satisfies(["nonsense"], NODE)
    assert satisfies([], NODE)
    assert not satisfies(["node.id==other"], NODE)


def test_case_is_folded_as_unicode_does():
    assert fold("\u017fSD \u212aelvin") == "ssd kelvin"
    assert fold("Straße") == "straße"
    assert matches("node.labels.disk==\u017f\u017fd")


def test_a_label_key_keeps_its_case():
    assert label_key("Engine.Labels.Zone") == label_key("engine.labels.Zone")
    assert label_key("node.labels.") is None
    assert label_key("node.role") is None


keys = st.sampled_from(["node.id", "node.hostname", "node.role", "node.labels.disk", "node.ip"])
words = st.text(alphabet="abcXYZ019.-_ ", min_size=1, max_size=8).filter(str.strip)


@given(keys, words)
def test_equal_and_unequal_are_opposites_but_for_unreadable_addresses(key, word):
    equal, unequal = matches(f"{key}=={word}"), matches(f"{key}!={word}")
    if key == "node.ip":
        assert not (equal and unequal)
    else:
        assert equal != unequal


@given(words, st.text(alphabet=" \t", max_size=3), st.text(alphabet=" \t", max_size=3))
def test_space_around_operators_means_nothing(word, before, after):
    assert parse([f"node.id{before}=={after}{word}"]) == parse([f"node.id=={word}"])


@given(words)
def test_case_means_nothing(word):
    assert matches(f"node.id=={word.upper()}") == matches(f"node.id=={word.lower()}")


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text):
    try:
        parsed = parse([text])
    except InvalidSpec:
        return
    assert len(parsed) == 1
    node_matches(parsed, NODE)
