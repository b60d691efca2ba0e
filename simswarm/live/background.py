"""Tasks of the live runtime that nobody awaits: kept alive, and never failing in silence.

An exception in such a task goes to the event loop's exception handler; a node process ends on
it (a bug is a crash, never a node that limps on).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_alive: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run a coroutine beside the caller."""
    task = asyncio.get_running_loop().create_task(work)
    _alive.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _alive.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        context = {"message": f"{task.get_name()} failed", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)
