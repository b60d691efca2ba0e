"""`simswarm run`: one run, its story, its verdict, its bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simswarm.cli.exits import NOT_DETERMINISTIC, VERDICTS, Refused, Wrecked, guarded
from simswarm.cli.interrupt import Interrupted, Interrupts
from simswarm.cli.state import put, put_json, say, state

if TYPE_CHECKING:
    from simswarm.scenario.model import Scenario
    from simswarm.scenario.outcome.finished import Run

FILE = Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped scenario.")]


@guarded
def run(
    file: FILE,
    seed: Annotated[int | None, typer.Option(help="Instead of the scenario's own.", min=0)] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", help="PATH=VALUE, such as cluster.managers=5.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Where to end, such as 90s.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle.")] = None,
    trace: Annotated[Path | None, typer.Option(help="Write the trace here, as NDJSON.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Run again in a second process and compare.")
    ] = False,
    fork_at: Annotated[
        str | None, typer.Option("--fork-at", help="The moment of a what-if, such as 29s.")
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help="What happens then: 'crash: m1', 'scale: {web: 3}'."),
    ] = None,
) -> None:
    """Run a scenario once: story, verdict, run bundle."""
    from simswarm.scenario.loading.load import load_scenario
    from simswarm.scenario.shipped import find_scenario

    scenario = load_scenario(find_scenario(file), settings(set or []), runnable=True)
    meta: dict[str, Any] = {"settings": set or []}
    if fork_at is not None:
        from simswarm.scenario.fork import forked

        scenario = forked(scenario, span_of(fork_at, "--fork-at"), with_ or [])
        meta["fork"] = {"at": fork_at, "with": with_ or []}
    elif with_:
        raise Refused("--with needs --fork-at: when is it to happen?")
    end = None if until is None else span_of(until, "--until")
    _make_room(out, trace)
    try:
        done = perform(scenario, seed, end)
    except Stopped as stopped:
        report(stopped.run, file, out, meta)
        raise
    again = None
    if verify:
        from simswarm.scenario.outcome.keep import locked
        from simswarm.scenario.verify import check_again

        again = check_again(done, locked(scenario, done.seed, done.until, done.resolved))
        if again is None:
            say(f"  identical in a second process: {done.digest}")
    if trace is not None:
        from simswarm.scenario.outcome.bundle import write_trace

        write_trace(trace, done.records)
    report(done, file, out, meta)
    if again is not None:
        say(f"NOT DETERMINISTIC: step {again.step}")
        say(f"  here       {again.mine}")
        say(f"  elsewhere  {again.other}")
        raise typer.Exit(NOT_DETERMINISTIC)
    raise typer.Exit(VERDICTS[done.verdict])


def _make_room(out: Path | None, trace: Path | None) -> None:
    """Find out before the run whether its results can be kept."""
    from simswarm.scenario.outcome.bundle import DEFAULT_FOLDER

    (out or DEFAULT_FOLDER).mkdir(parents=True, exist_ok=True)
    if trace is not None:
        if trace.is_dir():
            raise Refused(f"--trace {trace} is a folder")
        trace.parent.mkdir(parents=True, exist_ok=True)


class Stopped(KeyboardInterrupt):
    """Ctrl-C: the run ends earlier than it should; `run` is what there is of it."""

    def __init__(self, run: Run) -> None:
        super().__init__("interrupted")
        self.run = run


def perform(scenario: Scenario, seed: int | None, until: int | None) -> Run:
    """Play a scenario, with a header and a progress bar.

    Raises:
        Stopped: somebody pressed Ctrl-C; what there is of the run is whole as far as it goes.
        Wrecked: simswarm itself failed; what there was is kept.
    """
    from simswarm.base.errors import ScenarioError, Unsupported
    from simswarm.cli import show
    from simswarm.cli.progress import SimulatedTime
    from simswarm.scenario.acting.formation import FormationFailed
    from simswarm.scenario.run import Playing

    show.header(scenario, scenario.seed if seed is None else seed)
    playing = Playing(scenario, seed=seed, until=until, views=True)
    try:
        with Interrupts() as interrupts, SimulatedTime() as progress:
            playing.form()
            playing.play(interrupts.before(progress))
            return playing.finish()
    except Interrupted:
        playing.interrupt()
        so_far = playing.finish()
        so_far.result["interrupted"] = True
        raise Stopped(so_far) from None
    except (ScenarioError, Unsupported, FormationFailed):
        raise
    except Exception as error:
        from simswarm.scenario.outcome.bundle import DEFAULT_FOLDER
        from simswarm.scenario.outcome.keep import save_wreck

        name = f"{scenario.name}-{playing.seed}-bug.swrun"
        records, text = list(playing.world.trace), f"{type(error).__name__}: {error}"
        path = save_wreck(records, scenario, playing.seed, text, DEFAULT_FOLDER / name)
        raise Wrecked(error, str(path)) from error


def report(done: Run, file: str, out: Path | None, meta: dict[str, Any]) -> None:
    """Tell what happened, and keep it."""
    from simswarm.cli import show
    from simswarm.scenario.narration.story import Story
    from simswarm.scenario.outcome.bundle import DEFAULT_FOLDER, trace_lines
    from simswarm.scenario.outcome.keep import save

    bundle = save(done, folder=out or DEFAULT_FOLDER, **meta)
    show.story(Story().tell(done.records))
    show.verdicts(done)
    show.closing(done, file, str(bundle))
    if state.format == "ndjson":
        for line in trace_lines(done.records):
            put(line.decode().rstrip("\n"))
    if state.format != "text":
        put_json(done.result)


def settings(words: list[str]) -> dict[str, Any]:
    """What `--set` asks for."""
    from simswarm.scenario.text.settings import BadPath, parse_setting

    found: dict[str, Any] = {}
    for word in words:
        try:
            path, value = parse_setting(word)
        except BadPath as error:
            raise Refused(f"--set: {error.message} ({error.hint})") from None
        found[path] = value
    return found


def span_of(text: str, flag: str) -> int:
    """A span of time on the command line."""
    from simswarm.base.time import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise Refused(f"{flag} {text}: {error}") from None
