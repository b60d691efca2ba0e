"""Values and actions as small numbers, and what each action makes of each value, worked out once.

The search asks millions of times; a look-up in a dict of integers is all it costs.
"""

from __future__ import annotations

from simswarm.check.history.model import (
    REFUSED,
    Action,
    Frozen,
    NotSwap,
    Read,
    Register,
    Swap,
    Write,
    begins,
)

NOT = -1
"""The number of no value: the action can't happen."""
ANY = -2
"""An action needs no one value in particular, but may depend on it."""


class Moves:
    """The actions of one question, by number; values get theirs as they turn up."""

    __slots__ = ("_after", "_begins", "_kinds", "_numbers", "_register", "_values", "actions")

    def __init__(self, register: Register) -> None:
        self._register = register
        self._kinds: dict[Action, int] = {}
        self._numbers: dict[Frozen, int] = {}
        self._values: list[Frozen] = []
        self._begins: dict[tuple[int, int], bool] = {}
        self._after: list[dict[int, int]] = []
        self.actions: list[Action] = []

    def kind(self, action: Action) -> int:
        """The number of an action; equal actions have the same."""
        kind = self._kinds.setdefault(action, len(self.actions))
        if kind == len(self.actions):
            self.actions.append(action)
            self._after.append({})
        return kind

    def number(self, value: Frozen) -> int:
        """The number of a value."""
        number = self._numbers.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number

    def after(self, kind: int, value: int) -> int:
        """The value after an action, or `NOT`."""
        known = self._after[kind].get(value)
        if known is not None:
            return known
        found = self._register.apply(self.actions[kind], self._values[value])
        after = NOT if found == REFUSED else self.number(found)
        self._after[kind][value] = after
        return after

    def begins(self, value: int, longer: int) -> bool:
        """Whether one value is the beginning of another, or all of it."""
        known = self._begins.get((value, longer))
        if known is None:
            known = begins(self._values[value], self._values[longer])
            self._begins[value, longer] = known
        return known

    def needs(self, kind: int) -> int:
        """Which value an action needs: a number, `NOT` if it does not care, or `ANY`."""
        match self.actions[kind]:
            case Read(value=value) | Swap(old=value):
                return self.number(value)
            case Write():
                return NOT
            case _:
                return ANY

    def makes(self, kind: int) -> int:
        """Which value is there after an action, if it happens and that is always the same."""
        match self.actions[kind]:
            case Write(value=value) | Swap(new=value):
                return self.number(value)
            case NotSwap() | Read():
                return NOT
            case _:
                return ANY
