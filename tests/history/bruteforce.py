"""The meaning of linearizability, spelled out: every order is tried, nothing is remembered.

Written apart from the checker, on plain JSON values, for histories of a handful of operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from simswarm.check.history import Operation

NO = object()
"""What happened can't have happened."""


def after(operation: Operation, value: Any) -> Any:
    """The value after an operation that did take effect, or NO."""
    known = operation.end is not None
    if operation.op == "read":
        return value if not known or same(operation.output, value) else NO
    if operation.op == "write":
        return operation.input
    if operation.op == "append":
        return longer(value, operation.input)
    old, new = operation.input
    if known and operation.output != same(old, value):
        return NO
    return new if same(old, value) else value


def longer(value: Any, piece: Any) -> Any:
    if isinstance(value, list):
        return [*value, piece]
    return value + piece if isinstance(value, str) and isinstance(piece, str) else NO


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def in_real_time_order(order: Sequence[Operation]) -> bool:
    """Nothing comes after what started when it was already over."""
    return not any(
        later.end is not None and later.end < earlier.start
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )


def orders(
    done: list[Operation], rest: Sequence[Operation], values: dict[Any, Any], first: Any
) -> Iterator[list[Operation]]:
    """Every order, of any of these operations, that a register for each key allows."""
    yield done
    for place, operation in enumerate(rest):
        value = after(operation, values.get(operation.key, first))
        longer = [*done, operation]
        if value is not NO and in_real_time_order(longer):
            others = [*rest[:place], *rest[place + 1 :]]
            yield from orders(longer, others, {**values, operation.key: value}, first)


def explained(
    required: Sequence[Operation], optional: Sequence[Operation] = (), first: Any = None
) -> bool:
    """Whether an order exists with everything that is required in it."""
    wanted = len(required)
    marked = [(operation, True) for operation in required]
    marked += [(operation, False) for operation in optional]
    by_identity = {id(operation) for operation, is_required in marked if is_required}
    return any(
        sum(id(operation) in by_identity for operation in order) == wanted
        for order in orders([], [operation for operation, _ in marked], {}, first)
    )


def linearizable(history: Sequence[Operation], first: Any = None) -> bool:
    """Whether a history is, by definition; operations without an end may take effect or not."""
    ended = [operation for operation in history if operation.end is not None]
    unknown = [operation for operation in history if operation.end is None]
    return explained(ended, unknown, first)


def shortest_window(history: Sequence[Operation], first: Any = None) -> int | None:
    """How many operations the shortest failing window of a key has; all times differ."""
    ended = [operation for operation in history if operation.end is not None]
    begins = [float("-inf"), *(one.start + late for one in ended for late in (0, 0.5))]
    sizes = [
        len(inside_of(history, begin, end))
        for begin in begins
        for end in (operation.end for operation in ended)
        if end is not None and begin < end and window_fails(history, begin, end, first)
    ]
    return min(sizes, default=None)


def begin_of(history: Sequence[Operation], inside: Sequence[Operation]) -> float:
    """The first moment from which these alone lie within the window that ends with them."""
    end = max(one.end for one in inside if one.end is not None)
    first = min(one.start for one in inside)
    others = [one for one in history if one.end is not None and one.end <= end]
    earlier = [one.start for one in others if one.start < first]
    return max(earlier) + 0.5 if earlier else float("-inf")


def inside_of(history: Sequence[Operation], begin: float, end: float) -> list[Operation]:
    return [one for one in history if begin <= one.start and one.end is not None and one.end <= end]


def window_fails(history: Sequence[Operation], begin: float, end: float, first: Any) -> bool:
    """Whether no order explains a window, whatever was there before."""
    inside = inside_of(history, begin, end)
    names = {id(one) for one in inside}
    around = [
        one
        for one in history
        if id(one) not in names
        and one.start <= end
        and (one.end is None or one.end >= begin)
        and one.op in ("write", "cas", "append")
        and not (one.op == "cas" and one.end is not None and not one.output)
    ]
    before = [first]
    if any(one.op == "append" and one.start < begin for one in history):
        before = ["", "a", "b", "ab", "aa", "other", [], [1], [2], [1, 1], [1, 2], [0], 1, 2]
    elif begin != float("-inf"):
        earlier = [one for one in history if one.start < begin]
        before += [one.input for one in earlier if one.op == "write"]
        before += [one.input[1] for one in earlier if one.op == "cas" and _may_swap(one)]
    return not any(explained(inside, around, value) for value in before)


def _may_swap(one: Operation) -> bool:
    return one.end is None or bool(one.output)
