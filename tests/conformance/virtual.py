"""An asyncio loop whose clock jumps to the next timer as soon as nothing real is under way.

Sockets, files and threads are real; only waiting is not. Before it jumps, the loop waits for all
jobs in threads, and gives the loopback `GRACE` to bring what was sent.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from simswarm.base.time import SECOND, Now

GRACE = 0.002
WALL = 1_767_225_600 * SECOND


class _Selector(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
    """Waits for real events; when there are none, lets the loop's clock jump."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        events: list[Any] = super().select(0)
        if events or timeout == 0:
            return events
        while self.loop.jobs:
            events = super().select(1.0)
            if events:
                return events
        events = super().select(GRACE)
        if events:
            return events
        if timeout is None:
            return list(super().select(None))
        self.loop.passed += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on virtual time."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.passed = 0.0
        self.jobs = 0
        """Calls that are running in threads."""
        super().__init__(selector)

    def time(self) -> float:
        return self.passed

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        self.jobs += 1
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._job_ended)
        return future

    def _job_ended(self, _: asyncio.Future[Any]) -> None:
        self.jobs -= 1


class VirtualClock:
    """Both clocks of a node on the loop's time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> Now:
        mono = round(self._loop.time() * SECOND)
        return Now(mono, WALL + mono)
