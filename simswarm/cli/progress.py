"""A bar by simulated time, only where somebody looks."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from simswarm.cli.state import state

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class SimulatedTime:
    """A progress bar for one run; does nothing where none is wanted."""

    __slots__ = ("_bar", "_task")

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None

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
