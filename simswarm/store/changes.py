"""Changes: as they stand in a log entry, and as watchers see them once committed.

In the log: `Put` and `Remove`. To watchers: `Created`, `Updated` (with the old object), `Deleted`.
"""

from __future__ import annotations

from simswarm.base.values import Value
from simswarm.model.objects import StoredObject


class Put(Value, frozen=True, tag=1):
    """This object is now so."""

    object: StoredObject


class Remove(Value, frozen=True, tag=2):
    """The object of this kind (`Node`, `Service`, `Task`, `Cluster`) and id is no more."""

    kind: str
    id: str


ObjectChange = Put | Remove


class Created(Value, frozen=True):
    """A new object."""

    object: StoredObject


class Updated(Value, frozen=True):
    """An object changed from `old` to `object`."""

    object: StoredObject
    old: StoredObject


class Deleted(Value, frozen=True):
    """An object is gone; this is what it was last."""

    object: StoredObject


Change = Created | Updated | Deleted
