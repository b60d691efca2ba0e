"""A history, cut by key and put in order: what the search works on.

A history of many keys is linearizable if and only if the history of each key is (locality), so
each key is a question of its own, and the cost is a sum instead of a product.

Times only order things, so they are replaced by positions: 0, 1, 2 … over all starts and ends of
the key. Where a start and an end coincide, the start comes first: such operations overlap, and
nothing is claimed about their order.

Where nothing is appended, every value that nobody ever saw becomes one value: it makes
operations equal that would else be tried one by one.

Source: M. Herlihy, J. Wing: Linearizability (1990), locality; A. Horn, D. Kroening: Faster
linearizability checking via P-compositionality (2015).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.errors import InvalidSpec
from simswarm.base.values import Value
from simswarm.check.history.model import (
    DEPTH,
    OTHER,
    Action,
    Append,
    Frozen,
    NotSwap,
    Operation,
    Read,
    Register,
    Swap,
    Write,
    empty_of,
    freeze,
    mistake,
    settle,
    too_deep,
)

NEVER = 1 << 62
"""A position after all others."""


class Placed(Value, frozen=True):
    """One operation of a key: what it does, from which position to which."""

    number: int
    """Its place in the history, from 0."""
    action: Action
    start: int
    end: int | None
    """None: the outcome is unknown."""


class Timeline:
    """All that happened to one key."""

    __slots__ = (
        "appended",
        "ended",
        "initial",
        "key",
        "open",
        "reach",
        "register",
        "size",
        "written",
    )

    def __init__(
        self, key: object, register: Register, initial: Frozen, placed: Sequence[Placed]
    ) -> None:
        self.key = key
        self.register = register
        self.initial = initial
        self.size = len(placed)
        self.ended = [one for one in placed if one.end is not None]
        """Operations with a known outcome, by their start."""
        self.open = [one for one in placed if one.end is None]
        """Those without, by their start; reads are gone, as they neither tell nor change."""
        self.reach = _reach(self.ended)
        """For each of `ended`: the last end of it and all before it."""
        self.written = _written(placed)
        """Value → position from which it may have been there; by position. What appends made is
        not listed."""
        appends = (one.start for one in placed if isinstance(one.action, Append))
        self.appended = min(appends, default=NEVER)
        """Where the first append starts."""


def timelines(operations: Sequence[Operation], register: Register) -> list[Timeline]:
    """The history of each key, in the order in which the keys appear."""
    if too_deep(register.initial):
        raise InvalidSpec(f"the initial value is nested too deeply ({DEPTH} levels at most)")
    by_key: dict[Frozen, list[int]] = {}
    for number, operation in enumerate(operations):
        wrong = mistake(operation)
        if wrong is not None:
            raise InvalidSpec(f"operation {number}: {wrong.message} ({wrong.hint})")
        by_key.setdefault(freeze(operation.key), []).append(number)
    default = empty_of(operations)
    return [_timeline(operations, numbers, register, default) for numbers in by_key.values()]


def _timeline(
    operations: Sequence[Operation], numbers: list[int], register: Register, default: Frozen
) -> Timeline:
    own = [operations[number] for number in numbers]
    empty = empty_of(own)
    if empty is None:
        # the store appends, only not to this key: what is nothing elsewhere is nothing here
        empty = default
    initial = settle(register.initial, empty)
    actions = [register.action(operation, empty) for operation in own]
    if not any(isinstance(action, Append) for action in actions):
        actions = _without_the_unseen(actions)
    return Timeline(own[0].key, register, initial, _place(own, numbers, actions))


def _place(
    own: Sequence[Operation], numbers: Sequence[int], actions: Sequence[Action | None]
) -> list[Placed]:
    events: list[tuple[float, int, int]] = []
    for place, operation in enumerate(own):
        events.append((operation.start, 0, place))
        if operation.end is not None:
            events.append((operation.end, 1, place))
    events.sort()
    starts, ends = [0] * len(own), [0] * len(own)
    order: list[int] = []
    for position, (_, is_end, place) in enumerate(events):
        if is_end:
            ends[place] = position
        else:
            starts[place] = position
            order.append(place)
    placed: list[Placed] = []
    for place in order:
        action = actions[place]
        if action is not None:
            end = None if own[place].end is None else ends[place]
            placed.append(Placed(numbers[place], action, starts[place], end))
    return placed


def _without_the_unseen(actions: Sequence[Action | None]) -> list[Action | None]:
    seen: set[Frozen] = set()
    for action in actions:
        match action:
            case Read(value=value) | Swap(old=value) | NotSwap(old=value):
                seen.add(value)
            case _:
                pass
    plain: list[Action | None] = []
    for action in actions:
        match action:
            case Write(value=value) if value not in seen:
                plain.append(Write(OTHER))
            case Swap(old=old, new=new) if new not in seen:
                plain.append(Swap(old, OTHER))
            case _:
                plain.append(action)
    return plain


def _reach(ended: Sequence[Placed]) -> list[int]:
    reach: list[int] = []
    furthest = 0
    for one in ended:
        furthest = max(furthest, one.end or 0)
        reach.append(furthest)
    return reach


def _written(placed: Sequence[Placed]) -> dict[Frozen, int]:
    written: dict[Frozen, int] = {}
    for one in placed:
        match one.action:
            case Write(value=value) | Swap(new=value):
                written.setdefault(value, one.start)
            case _:
                pass
    return written
