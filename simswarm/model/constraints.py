"""Placement constraints: expressions such as `node.labels.disk == ssd`, and which nodes match.

An expression is `key == value` or `key != value`; all must hold. A value is compared whole and
without regard to case; characters that look like patterns mean nothing. A node that lacks what is
asked for is compared as if it had the empty text there.

Quirks that are kept, as they can be observed: case folding is Unicode's (so `ſ` is an s); a
key may be known to nobody, then no node matches; `node.labels.` without a name is such a key; an
address that can't be read fails with both operators.

Source: swarmkit manager/constraint/constraint.go (Parse, Match, NodeMatches). Not here: who asks
(`manager/scheduler/filters.py`, `manager/orchestrator/tasks.py`, the enforcer).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from enum import IntEnum

from simswarm.base.errors import InvalidSpec
from simswarm.base.values import Labels, Value, label
from simswarm.model.objects import Node
from simswarm.model.specs import NodeRole

NODE_LABELS = "node.labels."
ENGINE_LABELS = "engine.labels."

# What Go's unicode.IsSpace calls space; Python's str.strip() would take more away.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
# With (?i), Go's [a-z] also takes the long s and the Kelvin sign; its \s is ASCII without \v.
_LETTERS = "A-Za-z\u017f\u212a"
_KEY = re.compile(rf"[{_LETTERS}_][{_LETTERS}0-9\-_.]+")
_VALUE = re.compile(rf"[{_LETTERS}0-9:\-_\t\n\f\r .*()?+\[\]\\^$|/]+")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Subject(IntEnum):
    """What of a node is compared."""

    NOTHING = 0
    """A key that nobody knows: no node matches."""
    ID = 1
    HOSTNAME = 2
    IP = 3
    ROLE = 4
    OS = 5
    ARCHITECTURE = 6
    NODE_LABEL = 7
    ENGINE_LABEL = 8


_SUBJECTS = {
    "node.id": Subject.ID,
    "node.hostname": Subject.HOSTNAME,
    "node.ip": Subject.IP,
    "node.role": Subject.ROLE,
    "node.platform.os": Subject.OS,
    "node.platform.arch": Subject.ARCHITECTURE,
}


class Constraint(Value, frozen=True):
    """One parsed expression. `label` is set for label subjects; `value` as it was written."""

    subject: Subject
    label: str
    equal: bool
    value: str


def parse(expressions: Sequence[str]) -> tuple[Constraint, ...]:
    """Read constraint expressions.

    Raises:
        InvalidSpec: with the text that Swarm gives, for the first expression that can't be read.
    """
    return tuple(_parse_one(expression) for expression in expressions)


def node_matches(constraints: Sequence[Constraint], node: Node) -> bool:
    """Whether a node satisfies all constraints."""
    return all(_matches(constraint, node) for constraint in constraints)


def satisfies(expressions: Sequence[str], node: Node) -> bool:
    """Whether a node satisfies all expressions; those that can't be read ask nothing."""
    if not expressions:
        return True
    try:
        return node_matches(parse(expressions), node)
    except InvalidSpec:
        return True


def label_key(descriptor: str) -> tuple[Subject, str] | None:
    """What a `node.labels.X` or `engine.labels.X` names: which labels, and the key X."""
    for prefix, subject in (
        (NODE_LABELS, Subject.NODE_LABEL),
        (ENGINE_LABELS, Subject.ENGINE_LABEL),
    ):
        # lower() and not folding: the prefix is compared byte by byte, X keeps its case
        if len(descriptor) > len(prefix) and descriptor[: len(prefix)].lower() == prefix:
            return subject, descriptor[len(prefix) :]
    return None


def label_of(subject: Subject, key: str, node: Node) -> str:
    """The value of a node's label or of its engine's, or the empty text."""
    pairs: Labels = ()
    if subject == Subject.NODE_LABEL:
        pairs = node.spec.labels
    elif node.description is not None:
        pairs = node.description.engine_labels
    return label(pairs, key) or ""


def fold(text: str) -> str:
    """Simple case folding: texts that differ in case only become equal, none changes length."""
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_one, text))


def _fold_one(character: str) -> str:
    folded = character.casefold()
    if len(folded) == 1:
        return folded
    lowered = character.lower()
    return lowered if len(lowered) == 1 else character


def _parse_one(expression: str) -> Constraint:
    for operator in ("==", "!="):
        before, found, after = expression.partition(operator)
        if not found:
            continue
        key, value = before.strip(_SPACE), after.strip(_SPACE)
        if not _KEY.fullmatch(key):
            raise InvalidSpec(f"key '{key}' is invalid")
        if not _VALUE.fullmatch(value):
            raise InvalidSpec(f"value '{value}' is invalid")
        subject, name = _subject(key)
        return Constraint(subject, name, operator == "==", value)
    raise InvalidSpec("constraint expected one operator from ==, !=")


def _subject(key: str) -> tuple[Subject, str]:
    known = _SUBJECTS.get(fold(key))
    if known is not None:
        return known, ""
    return label_key(key) or (Subject.NOTHING, "")


def _matches(constraint: Constraint, node: Node) -> bool:
    if constraint.subject == Subject.NOTHING:
        return False
    if constraint.subject == Subject.IP:
        return _ip_matches(constraint, node.status.address)
    actual = _text(constraint, node)
    equal = actual == constraint.value or fold(actual) == fold(constraint.value)
    return equal == constraint.equal


def _text(constraint: Constraint, node: Node) -> str:
    description = node.description
    match constraint.subject:
        case Subject.ID:
            return node.id
        case Subject.ROLE:
            return "MANAGER" if node.role == NodeRole.MANAGER else "WORKER"
        case Subject.HOSTNAME:
            return description.hostname if description is not None else ""
        case Subject.OS:
            return description.os if description is not None else ""
        case Subject.ARCHITECTURE:
            return description.architecture if description is not None else ""
        case _:
            return label_of(constraint.subject, constraint.label, node)


def _ip_matches(constraint: Constraint, address: str) -> bool:
    actual = _address(address)
    wanted = _address(constraint.value)
    if wanted is not None:
        return (actual is not None and actual == wanted) == constraint.equal
    network = _network(constraint.value)
    if network is None:
        return False
    within = actual is not None and actual.version == network.version and actual in network
    return within == constraint.equal


def _address(text: str) -> Address | None:
    """An address; an IPv4 address in IPv6 clothing is the IPv4 address."""
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _network(text: str) -> Network | None:
    host, slash, length = text.partition("/")
    if not slash or not length.isascii() or not length.isdigit() or "%" in host:
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    bits = int(length)
    if bits > address.max_prefixlen:
        return None
    if (
        isinstance(address, ipaddress.IPv6Address)
        and address.ipv4_mapped is not None
        and bits >= 96
    ):
        address, bits = address.ipv4_mapped, bits - 96
    if isinstance(address, ipaddress.IPv4Address):
        return ipaddress.IPv4Network((address, bits), strict=False)
    return ipaddress.IPv6Network((address, bits), strict=False)
