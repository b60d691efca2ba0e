"""The replicated object store: view, update, apply, watch.

A write is a function of committed state. `Store.update(write)` queues it; when no proposal is in
flight it runs on a `Tx` overlay of the newest tables, its changes go to the proposer, and only
`Store.apply` - called for every committed entry on leader and followers alike - changes tables
and tells the watchers.

Reading order: `selectors`, `changes`, `tables`, `transaction`, `store`.
"""

from simswarm.store.changes import Change, Created, Deleted, ObjectChange, Put, Remove, Updated
from simswarm.store.selectors import (
    ALL,
    ByDesiredState,
    ByName,
    ByNode,
    ByService,
    BySlot,
    BySpecName,
    ByState,
    Selector,
)
from simswarm.store.store import Outcome, Proposer, Store, Watcher, Write, WriteOwner
from simswarm.store.tables import View
from simswarm.store.transaction import Tx

__all__ = [
    "ALL",
    "ByDesiredState",
    "ByName",
    "ByNode",
    "ByService",
    "BySlot",
    "BySpecName",
    "ByState",
    "Change",
    "Created",
    "Deleted",
    "ObjectChange",
    "Outcome",
    "Proposer",
    "Put",
    "Remove",
    "Selector",
    "Store",
    "Tx",
    "Updated",
    "View",
    "Watcher",
    "Write",
    "WriteOwner",
]
