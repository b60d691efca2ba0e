"""Hypothesis strategies: histories at random, and such as a real register could have given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from simswarm.check.history import Operation
from simswarm.check.history.reading import FIELDS
from tests.history.bruteforce import after

VALUES: dict[str, Sequence[Any]] = {
    "register": (None, 0, 1, 2),
    "text": ("a", "b"),
    "list": (1, 2),
}
SEEN: dict[str, Sequence[Any]] = {
    "register": VALUES["register"],
    "text": ("", "a", "ab", "aa", "b"),
    "list": ([], [1], [1, 2], [1, 1], [2]),
}
OPS = {
    "register": ("read", "write", "cas"),
    "text": ("read", "append", "write", "cas"),
    "list": ("read", "append"),
}
EMPTY: dict[str, Any] = {"register": None, "text": "", "list": []}


def changed(operation: Operation, **fields: Any) -> Operation:
    return Operation(**{**{name: getattr(operation, name) for name in FIELDS}, **fields})


@st.composite
def asked(draw: DrawFn, client: int, keys: Sequence[str], of: str, ops: Sequence[str]) -> Operation:
    """An operation without an answer, and without a time."""
    op = draw(st.sampled_from(ops))
    value = st.sampled_from(VALUES[of])
    given = None if op == "read" else draw(st.tuples(value, value)) if op == "cas" else draw(value)
    key = draw(st.sampled_from(keys))
    return Operation(client=client, op=op, key=key, input=given, start=0, end=0)


@st.composite
def random_histories(
    draw: DrawFn,
    *,
    size: int = 5,
    keys: Sequence[str] = ("x",),
    of: str = "register",
    ops: Sequence[str] = (),
    ties: bool = True,
) -> list[Operation]:
    """Anything at all: most are not linearizable."""
    count = draw(st.integers(1, size))
    times = draw(_times(2 * count, ties=ties))
    history: list[Operation] = []
    for client in range(count):
        one = draw(asked(client, keys, of, ops or OPS[of]))
        start, end = sorted(times[2 * client : 2 * client + 2])
        output: Any = None
        if one.op == "read":
            output = draw(st.sampled_from(SEEN[of]))
        elif one.op == "cas":
            output = draw(st.booleans())
        unknown = draw(st.integers(0, 3)) == 0
        history.append(changed(one, output=output, start=start, end=None if unknown else end))
    return history


def _times(count: int, *, ties: bool) -> st.SearchStrategy[list[int]]:
    if ties:
        return st.lists(st.integers(0, 10), min_size=count, max_size=count)
    return st.permutations(range(count))


@st.composite
def good_histories(
    draw: DrawFn,
    *,
    size: int = 6,
    keys: Sequence[str] = ("x",),
    of: str = "register",
    ops: Sequence[str] = (),
    unique: bool = False,
) -> list[Operation]:
    """What a register did, one operation after the other, each seen by a client a while around it.

    An operation whose outcome is unknown did take effect or not. `unique`: no value twice.
    """
    values: dict[str, Any] = {}
    history: list[Operation] = []
    for moment in range(draw(st.integers(1, size))):
        one = draw(asked(moment, keys, of, ops or OPS[of]))
        if unique and one.op == "write":
            one = changed(one, input=100 + moment)
        start = 10 * moment - draw(st.integers(0, 35))
        end = 10 * moment + draw(st.integers(0, 35))
        now = values.get(one.key, EMPTY[of])
        fate = draw(st.sampled_from(("known", "known", "known", "took effect", "lost")))
        if fate != "known":
            one = changed(one, start=start, end=None)
        elif one.op == "read":
            one = changed(one, output=now, start=start, end=end)
        elif one.op == "cas":
            one = changed(one, output=one.input[0] == now, start=start, end=end)
        else:
            one = changed(one, start=start, end=end)
        history.append(one)
        if fate != "lost":
            values[one.key] = after(one, now)
    return draw(st.permutations(history))
