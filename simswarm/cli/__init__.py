"""The command line.

`app` lists the commands; each has a module of its own that imports what it needs when it is
called, so that `simswarm --help` is quick. `show` is what people read, on stderr; results go to
stdout. `exits` turns errors into exit codes.
"""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Entry point of `simswarm`."""
    from simswarm.cli.app import run

    _mend_streams()
    sys.exit(run(sys.argv[1:]))


def _mend_streams() -> None:
    """Have somewhere to write to: streams may be closed, or know too few characters."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
