"""Progress by simulated time: a bar where somebody looks, else a line every ten seconds."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from simswarm.cli.state import say, state

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_PERIOD = 10.0
"""Seconds between two lines where there is no terminal."""


class SimulatedTime:
    """Shows how far one run has come; says nothing beside JSON, nor where quiet is wanted."""

    __slots__ = ("_bar", "_next_line", "_task")

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._next_line = time.monotonic() + LINE_PERIOD

    def __enter__(self) -> SimulatedTime:
        if state.shows_progress:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                TextColumn("simulated"),
                BarColumn(),
                TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=state.console, transient=True)
            self._task = self._bar.add_task("run", total=1)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, now: int, end: int) -> None:
        """The run has come to `now`; it ends at `end` as far as is known."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=now / 1e9, total=max(end, 1) / 1e9)
        elif state.progress and state.format == "text" and time.monotonic() >= self._next_line:
            self._next_line += LINE_PERIOD
            say(f"  simulated {now / 1e9:.0f} of {end / 1e9:.0f} s")
