"""Where the time goes: the function at work, looked at every millisecond of CPU time.

A sampling profiler, because one that counts every call makes small functions look expensive. What
a function of C (`heapq`, `msgspec`, `hashlib`) takes counts for the Python function that calls it.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

INTERVAL = 0.001
PACKAGE = "simswarm"

Place = tuple[str, str]
"""Module and function."""


class Sampler:
    """Counts in which function the process is."""

    def __init__(self) -> None:
        self._hits: Counter[Place] = Counter()
        self._running = False

    def start(self) -> None:
        """Begin to look."""
        self._running = True
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def stop(self) -> None:
        """Look no more."""
        if self._running:
            self._running = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, signal.SIG_DFL)

    def _look(self, signum: int, frame: FrameType | None) -> None:
        if frame is not None:
            code = frame.f_code
            self._hits[_module(code.co_filename), code.co_qualname] += 1

    def table(self) -> Sequence[tuple[str, str, float]]:
        """Module, function and share of all looks, most first."""
        total = sum(self._hits.values())
        return [
            (module, function, hits / total)
            for (module, function), hits in sorted(
                self._hits.items(), key=lambda item: (-item[1], item[0])
            )
        ]


def _module(file: str) -> str:
    parts = Path(file).with_suffix("").parts
    if PACKAGE in parts:
        return ".".join(parts[len(parts) - parts[::-1].index(PACKAGE) :]) or PACKAGE
    return parts[-1]
