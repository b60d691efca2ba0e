"""The command line.

`app` lists the commands; each has a module of its own that imports what it needs when it is
called, so that `simswarm --help` is quick. `show` is what people read, on stderr; results go to
stdout. `exits` turns errors into exit codes.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of `simswarm`."""
    from simswarm.cli.app import run

    sys.exit(run(sys.argv[1:]))
