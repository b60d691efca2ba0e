"""A plan as a YAML file that a person can read, change and play again.

    hunt: 1
    violated: leader completeness
    mutant: R06
    members: 5
    …                                  # settings that differ from the simplest are enough
    faults:
    - {kind: crash, at: 500ms, node: leader, lose: unsynced, down: 600ms}

Invariants:
    I1. `read(write(finding)) == finding`.
    I2. Every refusal says which field, and what would do.

Not here: what the fields mean (`plan.py`).
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from simswarm.base.errors import InvalidSpec
from simswarm.base.time import MILLISECOND, format_duration, parse_duration
from simswarm.base.values import Value, replace
from simswarm.hunt.plan import FAULTS, Fault, Plan

VERSION = 1
_MILLISECONDS = frozenset(
    "at down span latency jitter slow jump tick chaos think".split()  # noqa: SIM905
)
_PERCENT = frozenset(("loss", "duplicate", "reorder", "drift"))


class Finding(Value, frozen=True):
    """A plan, and what it showed."""

    plan: Plan
    violated: str = ""
    """The invariant; empty: none, or it is not known."""
    mutant: str = ""
    """The planted bug; empty: none."""


def write(finding: Finding) -> str:
    """The file's text."""
    lines = [f"hunt: {VERSION}"]
    if finding.violated:
        lines.append(f"violated: {json.dumps(finding.violated)}")
    if finding.mutant:
        lines.append(f"mutant: {finding.mutant}")
    settings = _words(replace(finding.plan, faults=()))
    del settings["faults"]
    lines += [f"{name}: {value}" for name, value in settings.items()]
    lines.append("faults:" if finding.plan.faults else "faults: []")
    lines += [f"- {fault_words(fault)}" for fault in finding.plan.faults]
    return "\n".join(lines) + "\n"


def fault_words(fault: Fault) -> str:
    """One fault as a line of the file."""
    tag = str(fault.__struct_config__.tag)
    words = [f"kind: {tag}"]
    words += [f"{name}: {value}" for name, value in _words(fault).items()]
    return "{" + ", ".join(words) + "}"


def _words(value: Value) -> dict[str, str]:
    return {
        field.name: _word(field.name, getattr(value, field.name))
        for field in msgspec.structs.fields(value)
    }


def _word(name: str, value: Any) -> str:
    if name in _MILLISECONDS:
        return format_duration(value * MILLISECOND)
    if name in _PERCENT:
        return f"{value}%"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, tuple):
        return "[" + ", ".join(_word("", item) for item in value) + "]"
    return json.dumps(value)


def read(text: str) -> Finding:
    """Read a file.

    Raises:
        InvalidSpec: it is no plan that can be played.
    """
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise InvalidSpec(f"hunt file: {error}") from None
    if not isinstance(document, dict) or document.pop("hunt", None) != VERSION:
        raise InvalidSpec(f"hunt file: it begins with `hunt: {VERSION}`")
    violated, mutant = document.pop("violated", ""), document.pop("mutant", "")
    described = document.pop("faults", None) or []
    if not isinstance(described, list):
        raise InvalidSpec("hunt file: faults are a list")
    faults = tuple(_fault(words) for words in described)
    plan = _value(Plan, document, faults=faults)
    plan.validate()
    return Finding(plan, str(violated), str(mutant))


def _fault(words: Any) -> Fault:
    if not isinstance(words, dict):
        raise InvalidSpec(f"hunt file: a fault is a mapping, not {words!r}")
    kind = words.pop("kind", None)
    for fault in FAULTS:
        if fault.__struct_config__.tag == kind:
            found: Fault = _value(fault, words)
            return found
    kinds = ", ".join(str(fault.__struct_config__.tag) for fault in FAULTS)
    raise InvalidSpec(f"hunt file: no kind of fault {kind!r}; there are {kinds}")


def _value(kind: Any, words: dict[str, Any], **given: Any) -> Any:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values = dict(given)
    for name, word in words.items():
        if name not in fields or name in given:
            raise InvalidSpec(f"hunt file: {kind.__name__} has no {name!r}; {', '.join(fields)}")
        values[name] = _read_word(str(name), word)
    missing = [name for name, field in fields.items() if name not in values and field.required]
    if missing:
        raise InvalidSpec(f"hunt file: {kind.__name__} needs {', '.join(missing)}")
    ordered = [values.get(name, field.default) for name, field in fields.items()]
    tag = kind.__struct_config__.tag
    try:
        return msgspec.convert([*([tag] if tag else []), *ordered], kind)
    except msgspec.ValidationError as error:
        raise InvalidSpec(f"hunt file: {kind.__name__}: {error}") from None


def _read_word(name: str, word: Any) -> Any:
    try:
        if name in _MILLISECONDS:
            sign = -1 if str(word).startswith("-") else 1
            return sign * parse_duration(str(word).lstrip("-")) // MILLISECOND
        if name in _PERCENT:
            return int(str(word).removesuffix("%"))
    except ValueError as error:
        raise InvalidSpec(f"hunt file: {name}: {error}") from None
    return word
