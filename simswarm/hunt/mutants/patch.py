"""Planting one bug: names of modules, classes and tables, replaced for as long as it is wanted.

    with planted("E05"):
        play(plan)

A mutant replaces a function at the one place where it is looked up. It acts on the whole process:
searches plant it in their workers, never in the process that people talk to.

Invariants:
    I1. After the `with` everything is as before, whatever happened in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, cast

from simswarm.base.values import Value


class Patch:
    """What was replaced, and by what to put it back."""

    __slots__ = ("_undo",)

    def __init__(self) -> None:
        self._undo: list[tuple[Any, Any, Any, bool]] = []

    def attribute(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute of a module or class."""
        self._undo.append((owner, name, owner.__dict__[name], False))
        setattr(owner, name, value)

    def item(self, table: Mapping[Any, Any], key: Any, value: Any) -> None:
        """Replace an entry of a table."""
        self._undo.append((table, key, table[key], True))
        cast("MutableMapping[Any, Any]", table)[key] = value

    def undo(self) -> None:
        """Put everything back, the last first."""
        while self._undo:
            owner, name, value, is_item = self._undo.pop()
            if is_item:
                owner[name] = value
            else:
                setattr(owner, name, value)


class Mutant(Value, frozen=True):
    """One planted bug."""

    id: str
    """As in the catalogue of consensus bugs; a suffix tells variants apart."""
    mutation: str
    """What is wrong, in one sentence."""
    fires: tuple[str, ...]
    """Invariants of which one is expected to fire first."""
    plant: Callable[[Patch], None]
    equivalent: str = ""
    """Why no run can tell it from the right code; empty for bugs that can be found."""
