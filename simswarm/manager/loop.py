"""What a leader-only control loop is.

A loop marks on change and works once per commit: `on_changes` is called for every committed
entry, in a fixed order of loops; writes go through `Store.update`. A new leader's loop starts
with a full pass over the store, so it needs no memory of its predecessor.

Convention: timers are `TimerKey(loop.owner, epoch, name)`. The manager drops timers of another
epoch, so a loop never sees one that it (or a predecessor) left behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from simswarm.store import Change


class ControlLoop(Protocol):
    """A leader-only part of the control plane. Constructor: (config, store, out, entropy, epoch)
    with what it doesn't need left out, in that order."""

    @property
    def owner(self) -> str:
        """The word its timers and writes begin with."""
        ...

    def start(self) -> None:
        """A full pass: do whatever the committed state calls for."""
        ...

    def on_changes(self, changes: Sequence[Change], index: int) -> None:
        """One entry has been applied."""
        ...

    def on_timer(self, name: str) -> None:
        """A timer of this loop and epoch fired."""
        ...

    def stop(self) -> None:
        """Leadership is lost: cancel timers, forget everything."""
        ...
