"""Tables of frozen objects with their indexes, and the read side of the store.

Invariants:
    I1. Iteration is in lexical order of object ids (memdb's radix order), never set or hash order.
    I2. A captured table never changes: the next write copies it first.
    I3. An object stands in each index under exactly the value that `index_values` gives for it.

Source: swarmkit manager/state/store/memory.go (its tables are memdb radix trees).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar, cast

from simswarm.model.objects import Cluster, Node, Service, StoredObject, Task
from simswarm.store.changes import KindName
from simswarm.store.selectors import (
    ALL,
    INDEXES,
    IndexValue,
    Selector,
    index_of,
    index_values,
)

T = TypeVar("T", bound=StoredObject)

KINDS: dict[KindName, type[StoredObject]] = {
    "Node": Node,
    "Service": Service,
    "Task": Task,
    "Cluster": Cluster,
}


KIND_NAMES: dict[type, KindName] = {kind: name for name, kind in KINDS.items()}


class View(Protocol):
    """A consistent read of the store."""

    def get(self, kind: type[T], id: str) -> T | None:
        """The object with this id, or None."""
        ...

    def find(self, kind: type[T], selector: Selector = ALL) -> list[T]:
        """The objects that a selector names, in order of id."""
        ...


_Index = dict[IndexValue, dict[str, None]]
"""Ids by value."""


class Table(Generic[T]):
    """All objects of one kind."""

    __slots__ = ("_indexes", "_rows", "_shared")

    def __init__(self, kind: type[StoredObject]) -> None:
        self._rows: dict[str, T] = {}
        self._indexes: dict[str, _Index] = {name: {} for name in INDEXES[kind]}
        """In the order of `INDEXES`."""
        self._shared = False

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, id: str) -> T | None:
        """The object with this id, or None."""
        return self._rows.get(id)

    def ids(self, selector: Selector) -> Iterator[str]:
        """Ids that a selector names, in no particular order."""
        wanted = index_of(selector)
        if wanted is None:
            return iter(self._rows)
        name, value = wanted
        index = self._indexes.get(name)
        return iter(() if index is None else index.get(value, ()))

    def find(self, selector: Selector) -> list[T]:
        """The objects that a selector names, in order of id."""
        rows = self._rows
        return [rows[id] for id in sorted(self.ids(selector))]

    def put(self, item: T) -> T | None:
        """Store an object and return the one it replaces."""
        self._own()
        id = item.id
        old = self._rows.get(id)
        values = index_values(item)
        if old is None:
            for index, value in zip(self._indexes.values(), values, strict=True):
                index.setdefault(value, {})[id] = None
        else:
            before = index_values(old)
            if before != values:
                for index, was, value in zip(self._indexes.values(), before, values, strict=True):
                    if was != value:
                        _take_out(index, was, id)
                        index.setdefault(value, {})[id] = None
        self._rows[id] = item
        return old

    def remove(self, id: str) -> T | None:
        """Take an object out and return it."""
        self._own()
        old = self._rows.pop(id, None)
        if old is not None:
            for index, value in zip(self._indexes.values(), index_values(old), strict=True):
                _take_out(index, value, id)
        return old

    def capture(self) -> Mapping[str, T]:
        """The rows as they are now; O(1), and they stay so."""
        self._shared = True
        return self._rows

    def check_invariants(self) -> None:
        """I3, in both directions. As long as the table: for tests."""
        expected: dict[str, _Index] = {name: {} for name in self._indexes}
        for id, item in self._rows.items():
            assert id == item.id
            for name, value in zip(self._indexes, index_values(item), strict=True):
                expected[name].setdefault(value, {})[id] = None
        assert expected == self._indexes

    def _own(self) -> None:
        if self._shared:
            self._rows = dict(self._rows)
            self._shared = False


def _take_out(index: _Index, value: IndexValue, id: str) -> None:
    entry = index[value]
    del entry[id]
    if not entry:
        del index[value]


class Tables:
    """One table a kind; what is committed."""

    __slots__ = ("_tables",)

    def __init__(self) -> None:
        self._tables: dict[type, Table[StoredObject]] = {
            kind: Table(kind) for kind in KINDS.values()
        }

    def table(self, kind: type[T]) -> Table[T]:
        """The table of a kind."""
        return cast("Table[T]", self._tables[kind])

    def get(self, kind: type[T], id: str) -> T | None:
        """The object with this id, or None."""
        return self.table(kind).get(id)

    def find(self, kind: type[T], selector: Selector = ALL) -> list[T]:
        """The objects that a selector names, in order of id."""
        return self.table(kind).find(selector)

    def check_invariants(self) -> None:
        """The invariants of every table."""
        for table in self._tables.values():
            table.check_invariants()
