"""Ctrl-C during a run: the first one stops it between two slices, so that nothing is lost.

What was simulated so far is a whole run that ends there, and is kept as such. A second Ctrl-C
ends the program at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class Interrupted(Exception):
    """The run is to end here."""


class Interrupts:
    """Listens for Ctrl-C while a run is under way."""

    __slots__ = ("_before", "_wanted")

    def __init__(self) -> None:
        self._wanted = False
        self._before: signal.Handlers | Callable[[int, FrameType | None], object] | int | None
        self._before = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def before(self, progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
        """The same progress, which stops where Ctrl-C was pressed meanwhile."""

        def tell(now: int, end: int) -> None:
            if self._wanted:
                raise Interrupted
            progress(now, end)

        return tell

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._wanted:
            raise KeyboardInterrupt
        self._wanted = True
