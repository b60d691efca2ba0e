"""Paths into a scenario: what `--set` changes and a sweep's grid varies.

    cluster.managers            a key in a key
    events.noise.link.loss      a list of events by id, expectations by name or number
    images["shop/web:1"].pull   a key that holds dots

The change is made in the plain data, before anything is checked, so that a wrong value gets the
same error as in the file.

Invariant: the data given is never changed; the parts along the path are copied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml.error import YAMLError

from simswarm.base.values import Value
from simswarm.scenario.grammar.forms import describe
from simswarm.scenario.text.errors import ScenarioErrors, did_you_mean
from simswarm.scenario.text.positions import Document, Path

_STEP = re.compile(r"""\.?(?:\[\s*(?:"([^"]*)"|'([^']*)'|(\d{1,6}))\s*\]|([^.\[\]]+))""")


class BadPath(ValueError):
    """A path that names nothing; `hint` says what it could name."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class Given(Value, frozen=True):
    """A value that was written otherwise than as `PATH=VALUE`: which flag gave it, and how."""

    value: Any
    flag: str
    text: str


def parse_setting(text: str) -> tuple[str, Any]:
    """Read `PATH=VALUE`; the value is YAML: a number, a text, `[a, b]`, `{loss: 5%}`.

    Raises:
        BadPath: no `=`, or a value that isn't YAML.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise BadPath(f"'{text}' is no setting", "such as cluster.managers=5")
    try:
        return path.strip(), Document(value, "--set").data
    except (ScenarioErrors, YAMLError):
        raise BadPath(f"the value of {path.strip()} is not YAML", "quote it") from None


def steps(path: str) -> list[str]:
    """The steps of a path."""
    found: list[str] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise BadPath(f"'{path}' is no path", "such as events.noise.link.loss")
        found.append(next(group for group in match.groups() if group is not None))
        position = match.end()
    if not found:
        raise BadPath("an empty path", "such as cluster.managers")
    return found


def assign(data: Any, path: str, value: Any) -> tuple[Any, Path]:
    """Set the value at a path.

    Returns:
        The changed data, and the path in it that was set.

    Raises:
        BadPath: a step that names nothing.
    """
    return _assign(data, steps(path), value, ())


def _assign(data: Any, rest: list[str], value: Any, done: Path) -> tuple[Any, Path]:
    if not rest:
        return value, done
    if isinstance(data, list):
        index = _index(data, rest[0], done)
        changed, found = _assign(data[index], rest[1:], value, (*done, index))
        return [*data[:index], changed, *data[index + 1 :]], found
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        where = ".".join(str(part) for part in done)
        hint = f"write {where} as a mapping in the file first"
        raise BadPath(f"{where} is {describe(data)}: nothing in it can be set", hint)
    key, rest = _key(data, rest)
    changed, found = _assign(data.get(key), rest, value, (*done, key))
    return {**data, key: changed}, found


def _key(data: Mapping[str, Any], rest: list[str]) -> tuple[str, list[str]]:
    """The longest run of steps that is a key; keys may hold dots."""
    for count in range(len(rest), 0, -1):
        joined = ".".join(rest[:count])
        if joined in data:
            return joined, rest[count:]
    return rest[0], rest[1:]


def _index(items: list[Any], step: str, done: Path) -> int:
    names = [_name(item) for item in items]
    if step in names:
        return names.index(step)
    if step.isdecimal() and int(step) < len(items):
        return int(step)
    where = ".".join(str(part) for part in done) or "the list"
    hint = did_you_mean(step, [name for name in names if name])
    raise BadPath(f"{where} has nothing named '{step}'", hint or "name it by its id")


def _name(item: Any) -> str:
    if not isinstance(item, Mapping):
        return ""
    return str(item.get("id") or item.get("name") or "")
