"""Changes: as they stand in a log entry, and as watchers see them once committed.

In the log: `Put` and `Remove`. To watchers: `Created`, `Updated` (with the old object), `Deleted`.
"""

from __future__ import annotations

from typing import Literal

from simswarm.base.values import Value
from simswarm.model.objects import StoredObject

KindName = Literal["Cluster", "Node", "Service", "Task"]
"""A kind of object by name. Another word in a log entry is an entry of an unknown kind."""


class Put(Value, frozen=True, tag=1):
    """This object is now so."""

    object: StoredObject


class Remove(Value, frozen=True, tag=2):
    """The object of this kind and id is no more."""

    kind: KindName
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
