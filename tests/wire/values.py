"""A hypothesis strategy for every kind of value, made from its type."""

from __future__ import annotations

import types
from enum import IntEnum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**64 - 1),
    str: st.text(max_size=8),
    bytes: st.binary(max_size=8),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    type(None): st.none(),
}


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type: a plain one, an enum, a tuple, a union, or a `Value` class."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*(values(member) for member in arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(member) for member in arguments))
    if issubclass(kind, IntEnum):
        return st.sampled_from(list(kind))
    assert issubclass(kind, msgspec.Struct), kind
    fields = msgspec.structs.fields(kind)
    return st.builds(kind, **{field.name: st.deferred(_later(field.type)) for field in fields})


def _later(kind: Any) -> Any:
    return lambda: values(kind)


def members(union: Any) -> list[type]:
    """All classes of a union of unions, in order."""
    found: list[type] = []
    for member in get_args(union):
        found.extend(members(member) if get_args(member) else [member])
    return found
