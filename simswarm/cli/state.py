"""What the global flags say, and the two places to write to."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

Format = Literal["text", "json", "ndjson"]
FORMATS: tuple[Format, ...] = ("text", "json", "ndjson")


class State:
    """The global flags of this call."""

    __slots__ = ("_console", "answered", "format", "progress", "quiet", "verbose")

    def __init__(self) -> None:
        self._console: Console | None = None
        self.reset()

    def reset(self) -> None:
        """Back to what holds without any flag."""
        self.format: Format = "text"
        self.quiet = False
        self.verbose = False
        self.progress = True
        self.answered = False
        """Whether the one JSON object of this call has been written."""

    @property
    def console(self) -> Console:
        """Where people read: stderr. `NO_COLOR` is respected."""
        if self._console is None or self._console.file is not sys.stderr:
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        return self._console

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar makes sense."""
        wanted = self.progress and not self.quiet and self.format == "text"
        return wanted and sys.stderr.isatty()


state = State()


def say(text: str = "", **style: Any) -> None:
    """A line for people, unless they want quiet."""
    if not state.quiet:
        state.console.print(text, markup=False, **style)


def put(text: str) -> None:
    """A line of the result, on stdout; at once, so that it stands in its place beside stderr."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def put_json(value: Any) -> None:
    """A result as JSON on stdout: indented, or on one line for `ndjson`."""
    state.answered = True
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    indent = None if state.format == "ndjson" else 1
    put(json.dumps(value, ensure_ascii=plain, indent=indent))
