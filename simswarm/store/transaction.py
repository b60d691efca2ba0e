"""A transaction: an overlay on committed tables that sees its own writes.

Its result is a list of changes in the order made; nothing is changed until they are committed
and applied. Raising inside a write drops the whole transaction.

Invariants:
    I1. Reads see the committed tables with this transaction's own changes on top.
    I2. Replaying `changes` on the tables gives what the transaction saw at its end.

Source: swarmkit manager/state/store/memory.go (tx.create, tx.update, tx.delete, touchMeta).
"""

from __future__ import annotations

from simswarm.base.errors import NameConflict, NotFound, ObjectExists, SequenceConflict
from simswarm.base.time import Now
from simswarm.base.values import replace
from simswarm.model.objects import Cluster, Meta, Service, StoredObject
from simswarm.store.changes import ObjectChange, Put, Remove
from simswarm.store.selectors import ALL, ByName, Selector, is_found_by
from simswarm.store.tables import KIND_NAMES, T, Tables


class Tx:
    """Reads and writes of one write function.

    `version` is the commit index at the start of the transaction: every object written carries
    it. `now` is the proposing manager's clock.
    """

    __slots__ = ("_overlay", "_tables", "changes", "now", "version")

    def __init__(self, tables: Tables, version: int, now: Now) -> None:
        self._tables = tables
        self._overlay: dict[type, dict[str, StoredObject | None]] = {}
        self.version = version
        self.now = now
        self.changes: list[ObjectChange] = []

    def get(self, kind: type[T], id: str) -> T | None:
        """The object with this id as this transaction sees it, or None."""
        overlay = self._overlay.get(kind)
        if overlay is not None and id in overlay:
            found = overlay[id]
            assert found is None or isinstance(found, kind)
            return found
        return self._tables.get(kind, id)

    def find(self, kind: type[T], selector: Selector = ALL) -> list[T]:
        """The objects that a selector names as this transaction sees them, in order of id."""
        overlay = self._overlay.get(kind)
        if not overlay:
            return self._tables.find(kind, selector)
        ids = {id: None for id in self._tables.table(kind).ids(selector) if id not in overlay}
        for id, item in overlay.items():
            if item is not None and is_found_by(item, selector):
                ids[id] = None
        found = [self.get(kind, id) for id in sorted(ids)]
        return [item for item in found if item is not None]

    def create(self, item: T) -> T:
        """Add an object and return it as stored.

        Raises:
            ObjectExists: the id is taken.
            NameConflict: another service (or cluster) has this name.
        """
        kind = type(item)
        if self.get(kind, item.id) is not None:
            raise ObjectExists("object already exists")
        self._check_name(item)
        created = item.meta.created_at or self.now.wall
        return self._put(kind, replace(item, meta=Meta(self.version, created, self.now.wall)))

    def update(self, item: T) -> T:
        """Replace an object that was read in this transaction and return it as stored.

        Raises:
            NotFound: no such object.
            SequenceConflict: the object was changed since it was read.
            NameConflict: another service (or cluster) has this name.
        """
        kind = type(item)
        stored = self.get(kind, item.id)
        if stored is None:
            raise NotFound("object does not exist")
        if stored.meta.version != item.meta.version:
            raise SequenceConflict("update out of sequence")
        self._check_name(item)
        return self._put(
            kind, replace(item, meta=Meta(self.version, stored.meta.created_at, self.now.wall))
        )

    def delete(self, kind: type[T], id: str) -> None:
        """Take an object out.

        Raises:
            NotFound: no such object.
        """
        if self.get(kind, id) is None:
            raise NotFound("object does not exist")
        self._overlay.setdefault(kind, {})[id] = None
        self.changes.append(Remove(KIND_NAMES[kind], id))

    def _put(self, kind: type[T], item: T) -> T:
        self._overlay.setdefault(kind, {})[item.id] = item
        self.changes.append(Put(item))
        return item

    def _check_name(self, item: StoredObject) -> None:
        if isinstance(item, Service | Cluster):
            for other in self.find(type(item), ByName(item.spec.name)):
                if other.id != item.id:
                    raise NameConflict("name conflicts with an existing object")
