"""All commands, and the flags that every one of them takes.

Global flags may stand anywhere on the command line: `simswarm run x.yaml --format json`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

from simswarm.cli import about, check, demo, diff, exits, hunt, live, plot, replay, sweep, trace
from simswarm.cli import run as run_command
from simswarm.cli.state import FORMATS, Format, state

app = typer.Typer(
    name="simswarm",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A deterministic simulator of Docker Swarm mode on its real control-plane logic.",
    epilog="Global flags may stand anywhere. Exit codes: 0 held, 1 failed, 2 bad usage or file, "
    "3 undecided, 4 bug in simswarm, 5 not deterministic, 6 live refused, 130 interrupted.",
)
app.command("run")(run_command.run)
app.command("check")(check.check)
app.command("replay")(replay.replay)
app.command("trace")(trace.trace)
app.command("sweep")(sweep.sweep)
app.command("plot")(plot.plot)
app.command("hunt")(hunt.hunt)
app.command("diff")(diff.diff)
app.command("demo")(demo.demo)
app.command("schema")(about.schema)
app.command("doctor")(about.doctor)
app.add_typer(live.app, name="live")


def _version(wanted: bool) -> None:
    if wanted:
        about.print_version()
        raise typer.Exit


@app.callback()
def flags(
    format: Annotated[
        Format, typer.Option("--format", help="What goes to stdout: text, json or ndjson.")
    ] = "text",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only results and errors.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No progress bar.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
) -> None:
    """Take the global flags."""
    state.format = format
    state.quiet = quiet
    state.verbose = verbose
    state.progress = not no_progress


_SWITCHES = ("-q", "--quiet", "-v", "--verbose", "--no-progress")
_TAKES_VALUE = ("--with",)
"""Options whose value may look like a flag of ours."""


def global_flags_first(words: Sequence[str]) -> list[str]:
    """The same words with the global flags in front, wherever they stood."""
    front: list[str] = []
    rest: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        if word == "--":
            rest += words[index:]
            break
        if word in _SWITCHES or word.startswith("--format="):
            front.append(word)
        elif word == "--format" or word in _TAKES_VALUE:
            (front if word == "--format" else rest).extend(words[index : index + 2])
            index += 1
        else:
            rest.append(word)
        index += 1
    return front + rest


def _format(words: Sequence[str]) -> Format:
    """What goes to stdout, as far as the words make that clear."""
    found: Format = "text"
    for before, word in pairwise(["", *words]):
        for format in FORMATS:
            if word == f"--format={format}" or (before, word) == ("--format", format):
                found = format
    return found


def run(words: Sequence[str]) -> int:
    """Carry out a command line and return its exit code."""
    if not __debug__:
        sys.stderr.write("simswarm checks itself while it runs: start Python without -O\n")
        return exits.USAGE
    state.reset()
    first = global_flags_first(words)
    # known before anything else is, so that a bad command line is answered in it too
    state.format = _format(first)
    try:
        app(first, prog_name="simswarm")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else exits.USAGE
    else:
        code = exits.OK
    if code == exits.USAGE:
        # words that were no command line: the reasons are on stderr
        exits.answer_failure(code, "bad usage")
    return code
