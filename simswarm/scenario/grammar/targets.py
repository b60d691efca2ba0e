"""Which nodes a fault or an operator's action is aimed at, as it is written.

    m1  w3                       a node by name
    leader  followers            by role in Raft
    managers  workers  all
    minority  majority           of the managers: fewer than, at least a quorum
    zone=a  labels.disk==ssd  labels.disk!=ssd
    running(web)                 nodes that run a task of the service
    random(workers)  random(2, workers)

A field holds one target or a list of them. Targets mean what is true at the moment they are used;
random ones are drawn from the run's seed.

Not here: finding the nodes (`scenario/run.py` and what it uses).
"""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from simswarm.base.values import Value
from simswarm.scenario.grammar.forms import JsonSchema, Read, describe, each, wrong

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_WORD = re.compile(_NAME)
_ZONE = re.compile(rf"zone\s*(?P<op>==|=|!=)\s*(?P<value>{_NAME})")
_LABEL = re.compile(
    r"(?:node\.)?labels\.(?P<key>[A-Za-z0-9_./-]+?)\s*(?P<op>==|!=|=)\s*(?P<value>[^\s=!]+)"
)
_RUNNING = re.compile(rf"running\(\s*({_NAME})\s*\)")
_RANDOM = re.compile(r"random\(\s*(?:(\d{1,6})\s*,\s*)?(.*?)\s*\)", re.DOTALL)


class Named(Value, frozen=True, tag="name"):
    """The node of this name."""

    name: str


class Leader(Value, frozen=True, tag="leader"):
    """The manager that leads."""


class Followers(Value, frozen=True, tag="followers"):
    """The managers that don't lead."""


class Managers(Value, frozen=True, tag="managers"):
    """All managers."""


class Workers(Value, frozen=True, tag="workers"):
    """All workers."""


class All(Value, frozen=True, tag="all"):
    """Every node."""


class Minority(Value, frozen=True, tag="minority"):
    """The largest number of managers that is no quorum, the leader among them."""


class Majority(Value, frozen=True, tag="majority"):
    """The smallest quorum of managers, the leader not among them if possible."""


class Labelled(Value, frozen=True, tag="label"):
    """Nodes whose label equals the value, or doesn't. `zone=a` is the label `zone`."""

    key: str
    value: str
    equal: bool = True


class Running(Value, frozen=True, tag="running"):
    """Nodes that run a task of the service."""

    service: str


class Random(Value, frozen=True, tag="random"):
    """So many nodes drawn from another target."""

    count: int
    of: Target


Target: TypeAlias = (
    Named
    | Leader
    | Followers
    | Managers
    | Workers
    | All
    | Minority
    | Majority
    | Labelled
    | Running
    | Random
)

WORDS: dict[str, Target] = {
    "leader": Leader(),
    "followers": Followers(),
    "managers": Managers(),
    "workers": Workers(),
    "all": All(),
    "minority": Minority(),
    "majority": Majority(),
}
_SYNTAX = "a target is a node, leader, managers, zone=a, running(web), random(2, workers), …"


def target(value: object) -> Target:
    """Read one target."""
    if not isinstance(value, str):
        raise wrong("E130", f"{describe(value)} is no target", _SYNTAX)
    text = value.strip()
    if text in WORDS:
        return WORDS[text]
    if found := _ZONE.fullmatch(text):
        return Labelled("zone", found["value"], found["op"] != "!=")
    if found := _LABEL.fullmatch(text):
        return Labelled(found["key"], found["value"], found["op"] != "!=")
    if found := _RUNNING.fullmatch(text):
        return Running(found[1])
    if found := _RANDOM.fullmatch(text):
        return _random(found[1], found[2])
    if _WORD.fullmatch(text):
        return Named(text)
    raise wrong("E130", f"{describe(value)} is no target", _hint(text))


def _random(count: str | None, of: str) -> Random:
    if of.startswith("random"):
        raise wrong("E130", "random of random", "give one count: random(2, workers)")
    if count == "0":
        raise wrong("E130", "random of none", "leave the event out, or give a count")
    return Random(int(count or 1), target(of))


def _hint(text: str) -> str:
    if text.count("(") > text.count(")"):
        return 'a comma ended the value: quote it, "random(2, workers)"'
    if re.fullmatch(r"\d+\s+\w+", text):
        return f"did you mean 'random({', '.join(text.split())})'?"
    if " " in text:
        return "several targets are a list: [m1, w2]"
    return _SYNTAX


def targets(value: object) -> tuple[Target, ...]:
    """Read a target or a list of them."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, list):
        return (target(value),)
    if not value:
        raise wrong("E130", "an empty list is no target", _SYNTAX)
    return each(target, value)


def write_target(value: Target) -> str:
    """A target as it is written."""
    match value:
        case Named(name):
            return name
        case Labelled(key, wanted, equal):
            operator = "==" if equal else "!="
            return f"labels.{key}{operator}{wanted}"
        case Running(service):
            return f"running({service})"
        case Random(count, of):
            return f"random({count}, {write_target(of)})"
    return next(word for word, known in WORDS.items() if known == value)


def write_targets(value: tuple[Target, ...]) -> str | list[str]:
    """Targets as they are written: one alone, several as a list."""
    return write_target(value[0]) if len(value) == 1 else [write_target(one) for one in value]


_ONE: JsonSchema = {
    "type": "string",
    "examples": ["leader", "workers", "m1", "zone=a", "random(2, workers)", "running(web)"],
}
SCHEMA: JsonSchema = {"anyOf": [_ONE, {"type": "array", "items": _ONE, "minItems": 1}]}

Targets = Annotated[tuple[Target, ...], Read(targets, write_targets, SCHEMA)]
"""A field that holds one or more targets."""


def groups(value: object) -> tuple[tuple[Target, ...], ...]:
    """Read the groups of a partition. One target, or a flat list, is one group."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, list) or not any(isinstance(item, list) for item in value):
        return (targets(value),)
    return each(targets, value)


def write_groups(value: tuple[tuple[Target, ...], ...]) -> list[list[str]]:
    """The groups of a partition as they are written."""
    return [[write_target(one) for one in group] for group in value]


Groups = Annotated[
    tuple[tuple[Target, ...], ...],
    Read(groups, write_groups, {"anyOf": [*SCHEMA["anyOf"], {"type": "array", "items": SCHEMA}]}),
]
"""A field that holds the groups of a partition."""
