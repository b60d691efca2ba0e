"""Tables of frozen objects with their indexes, and the read side of the store.

Invariants:
    I1. Iteration is in lexical order of object ids (memdb's radix order), never set or hash order.
    I2. A captured table never changes: the next write copies it first.
    I3. An object is found under exactly the keys that `index_keys` gives for it.

Source: swarmkit manager/state/store/memory.go (its tables are memdb radix trees).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar, cast

from simswarm.model.objects import Cluster, Node, Service, StoredObject, Task
from simswarm.store.changes import KindName
from simswarm.store.selectors import ALL, IndexKey, Selector, index_key, index_keys

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


class Table(Generic[T]):
    """All objects of one kind."""

    __slots__ = ("_index", "_rows", "_shared")

    def __init__(self) -> None:
        self._rows: dict[str, T] = {}
        self._index: dict[IndexKey, dict[str, None]] = {}
        self._shared = False

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, id: str) -> T | None:
        """The object with this id, or None."""
        return self._rows.get(id)

    def ids(self, selector: Selector) -> Iterator[str]:
        """Ids that a selector names, in no particular order."""
        key = index_key(selector)
        return iter(self._rows if key is None else self._index.get(key, ()))

    def find(self, selector: Selector) -> list[T]:
        """The objects that a selector names, in order of id."""
        rows = self._rows
        return [rows[id] for id in sorted(self.ids(selector))]

    def put(self, item: T) -> T | None:
        """Store an object and return the one it replaces."""
        self._own()
        old = self._rows.get(item.id)
        keys = index_keys(item)
        if old is None:
            for key in keys:
                self._index.setdefault(key, {})[item.id] = None
        else:
            old_keys = index_keys(old)
            if old_keys != keys:
                self._reindex(item.id, old_keys, keys)
        self._rows[item.id] = item
        return old

    def remove(self, id: str) -> T | None:
        """Take an object out and return it."""
        self._own()
        old = self._rows.pop(id, None)
        if old is not None:
            self._reindex(id, index_keys(old), ())
        return old

    def capture(self) -> Mapping[str, T]:
        """The rows as they are now; O(1), and they stay so."""
        self._shared = True
        return self._rows

    def check_invariants(self) -> None:
        """I3, in both directions. As long as the table: for tests."""
        expected: dict[IndexKey, dict[str, None]] = {}
        for id, item in self._rows.items():
            assert id == item.id
            for key in index_keys(item):
                expected.setdefault(key, {})[id] = None
        assert expected == self._index

    def _own(self) -> None:
        if self._shared:
            self._rows = dict(self._rows)
            self._shared = False

    def _reindex(self, id: str, old: tuple[IndexKey, ...], new: tuple[IndexKey, ...]) -> None:
        for key in old:
            if key not in new:
                entry = self._index[key]
                del entry[id]
                if not entry:
                    del self._index[key]
        for key in new:
            if key not in old:
                self._index.setdefault(key, {})[id] = None


class Tables:
    """One table a kind; what is committed."""

    __slots__ = ("_tables",)

    def __init__(self) -> None:
        self._tables: dict[type, Table[StoredObject]] = {kind: Table() for kind in KINDS.values()}

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
