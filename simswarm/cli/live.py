"""`simswarm live`: the same nodes as real processes with real containers.

    live check FILE   what of a scenario can be done live, and what not
    live up           one process per node, formed into a swarm
    live run FILE     a scenario on it, or on one of its own that is removed afterwards
    live watch        its trace, as it grows
    live down         nothing is left: processes, containers, files

Every way out of `up` and `run` — an error, Ctrl-C, SIGTERM — takes down what they started; after
a kill, `down` does, from the state folder.

Not here: what these do (`live/`, `scenario/liveplay.py`).
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, ParamSpec

import typer

from simswarm.cli.exits import LIVE, VERDICTS, Refused, guarded
from simswarm.cli.run import FILE, settings, span_of
from simswarm.cli.state import put, put_json, say, state

if TYPE_CHECKING:
    from simswarm.live.supervisor.state import StateFolder
    from simswarm.live.supervisor.world import LiveWorld
    from simswarm.scenario.model import Scenario
    from simswarm.scenario.outcome.finished import Run
    from simswarm.scenario.text.errors import Problem

P = ParamSpec("P")
EngineName = Literal["docker", "none"]
RUNS_FOLDER = Path(".simswarm/runs")

NAME = Annotated[str, typer.Option("--name", help="Which live swarm.")]
FOLDER = Annotated[
    Path | None, typer.Option("--dir", help="Where live swarms are kept; default .simswarm/live.")
]
ENGINE = Annotated[
    EngineName, typer.Option("--engine", help="docker, or none: containers in memory only.")
]
SET = Annotated[
    list[str] | None, typer.Option("--set", help="PATH=VALUE, such as cluster.managers=5.")
]

app = typer.Typer(no_args_is_help=True, help="Real processes, real sockets, a real Docker engine.")


def live(command: Callable[P, None]) -> Callable[P, None]:
    """What a live swarm or its engine refuses ends in exit code 6; SIGTERM is as Ctrl-C."""

    @guarded
    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from simswarm.base.errors import ScenarioError, SimswarmError

        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            command(*args, **kwargs)
        except ScenarioError:
            raise
        except SimswarmError as error:
            say(f"refused: {error.message}", style="bold red")
            raise typer.Exit(LIVE) from None
        finally:
            signal.signal(signal.SIGTERM, before)

    return run


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


# ── check ────────────────────────────────────────────────────────────────────────────────────


@app.command("check")
@live
def check(file: FILE, set: SET = None, engine: ENGINE = "docker") -> None:
    """Say what of a scenario can be done live."""
    backend, has_image = _backend(engine)
    _, problems = _checked(file, set, has_image)
    refused = [problem for problem in problems if problem.is_error]
    if state.format == "text":
        _print_check(file, backend, problems, len(refused))
    else:
        found = [_problem_json(problem) for problem in problems]
        put_json({"file": file, "backend": backend, "refused": len(refused), "problems": found})
    if refused or not backend["reachable"]:
        raise typer.Exit(LIVE)


def _print_check(file: str, backend: dict[str, Any], problems: list[Problem], refused: int) -> None:
    from simswarm.scenario.livecheck import CAN_DO

    put(f"backend   {backend['text']}")
    put(f"can do    {CAN_DO}")
    for problem in problems:
        put(problem.text())
    put(f"{file}: " + (f"{refused} refused" if refused else "can be run live"))


def _problem_json(problem: Problem) -> dict[str, Any]:
    fields = ("code", "severity", "message", "hint", "file", "line", "column")
    return {name: getattr(problem, name) for name in fields}


def _backend(engine: EngineName) -> tuple[dict[str, Any], Callable[[str], bool] | None]:
    """The engine in words, and whom to ask for images."""
    if engine == "none":
        return {"engine": "none", "reachable": True, "text": "none: containers in memory"}, None
    from simswarm.base.errors import Unavailable
    from simswarm.live.engine import docker_wanted

    try:
        with docker_wanted():
            from simswarm.live.docker import connect, has_image
        client = connect()
    except Unavailable as error:
        return {"engine": "docker", "reachable": False, "text": error.message}, None
    info = client.info()
    text = f"Docker Engine {info['ServerVersion']}, {info['NCPU']} CPUs, {info['OperatingSystem']}"
    found = {"engine": "docker", "reachable": True, "text": text, "version": info["ServerVersion"]}
    return found, functools.partial(has_image, client)


def _checked(
    file: str, set: list[str] | None, has_image: Callable[[str], bool] | None
) -> tuple[Scenario, list[Problem]]:
    """A scenario, and what a live swarm says to it.

    Raises:
        ScenarioErrors: the file is wrong, or can't be run at all yet.
    """
    from simswarm.scenario.livecheck import check_live
    from simswarm.scenario.loading.load import read
    from simswarm.scenario.loading.supported import unsupported
    from simswarm.scenario.shipped import find_scenario
    from simswarm.scenario.text.errors import ScenarioErrors

    reading, problems = read(find_scenario(file), settings(set or []))
    if reading is not None:
        problems += unsupported(reading, "error")
    if reading is None or any(problem.is_error for problem in problems):
        raise ScenarioErrors(problems)
    return reading.scenario, check_live(reading, has_image)


# ── up, down, watch ──────────────────────────────────────────────────────────────────────────


@app.command("up")
@live
def up(
    managers: Annotated[int, typer.Option(min=1, max=99)] = 3,
    workers: Annotated[int, typer.Option(min=0, max=200)] = 2,
    name: NAME = "default",
    dir: FOLDER = None,
    engine: ENGINE = "docker",
    tick: Annotated[str, typer.Option(help="Raft's tick, such as 200ms.")] = "1s",
) -> None:
    """Start one process per node and form a swarm of them."""
    from simswarm.base.time import MILLISECOND
    from simswarm.scenario.liveplay import form_swarm, start_swarm
    from simswarm.scenario.model.cluster import Cluster, RaftTuning

    _require(engine)
    if span_of(tick, "--tick") < MILLISECOND:
        raise Refused("--tick: at least 1ms")
    raft = RaftTuning.model_validate({"tick": tick})
    cluster = Cluster(managers=managers, workers=workers, raft=raft)
    folder = _folder(name, dir)
    with _swept_on_error(folder):
        world = start_swarm(folder, cluster, engine)
        try:
            took = form_swarm(world, cluster)
            _tell_up(world, took)
        finally:
            world.close()


def _tell_up(world: LiveWorld, took: float) -> None:
    nodes = {host.name: {"pid": host.pid, "address": host.place} for host in world.hosts.values()}
    if state.format != "text":
        label = world.record.label
        put_json({"name": world.record.name, "label": label, "nodes": nodes, "seconds": took})
        return
    put(f"live swarm '{world.record.name}' is up: {len(nodes)} nodes in {took:.1f} s")
    for host in world.hosts.values():
        where = "{}:{}".format(*host.place) if host.place else "nowhere"
        put(f"  {host.name:<6} pid {host.pid:<8} {where}")
    put(f"containers carry the label simswarm.swarm={world.record.label}")
    say("next      simswarm live run FILE · simswarm live watch · simswarm live down")


@app.command("down")
@live
def down(
    name: NAME = "default",
    dir: FOLDER = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the files.")] = False,
    all: Annotated[bool, typer.Option("--all", help="Every live swarm of the folder.")] = False,
) -> None:
    """Stop everything of a live swarm and leave nothing behind."""
    from simswarm.base.errors import Unavailable
    from simswarm.live.supervisor.state import DEFAULT_ROOT, StateFolder
    from simswarm.live.supervisor.sweep import sweep

    names = StateFolder.all(dir or DEFAULT_ROOT) if all else [name]
    left = ""
    for each in names:
        swept = sweep(_folder(each, dir), keep=keep)
        left = swept.warning or left
        put(f"{each}: {swept.processes} processes and {swept.containers} containers ended")
    if left:
        raise Unavailable(left)


@app.command("watch")
@live
def watch(
    name: NAME = "default",
    dir: FOLDER = None,
    kind: Annotated[str, typer.Option(help="Only kinds like this, such as 'task.*'.")] = "*",
    node: Annotated[str, typer.Option(help="Only this node's records.")] = "*",
    for_: Annotated[str | None, typer.Option("--for", help="Only so long, such as 30s.")] = None,
) -> None:
    """Print a live swarm's trace as it grows, from its beginning. Touches nothing."""
    from simswarm.base.time import SECOND
    from simswarm.live.supervisor.world import LiveWorld
    from simswarm.sim.fabric.faults import FaultBook

    world = LiveWorld(_folder(name, dir), FaultBook())
    world.observers.append(_Printer(kind, node))
    world.use_origin()
    end = None if for_ is None else world.now + span_of(for_, "--for")
    try:
        while end is None or world.now < end:
            world.run(world.now + SECOND if end is None else min(world.now + SECOND, end))
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        world.close()


class _Printer:
    """Prints records that fit."""

    def __init__(self, kind: str, node: str) -> None:
        self._kind, self._node = kind, node

    def on_record(self, record: Any) -> None:
        """A record was added to the trace."""
        from fnmatch import fnmatchcase

        if fnmatchcase(record.kind, self._kind) and fnmatchcase(record.node, self._node):
            put(record.line().decode())


# ── run ──────────────────────────────────────────────────────────────────────────────────────


@app.command("run")
@live
def run(
    file: FILE,
    name: NAME = "default",
    dir: FOLDER = None,
    set: SET = None,
    engine: ENGINE = "docker",
    until: Annotated[str | None, typer.Option(help="Where to end, such as 90s.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle.")] = None,
    trace: Annotated[Path | None, typer.Option(help="Write the trace here, as NDJSON.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the swarm running.")] = False,
) -> None:
    """Carry a scenario out in real time, and judge it as a simulated run.

    A swarm of that name that is up is used if it is what the scenario asks for; else one is
    started, and removed afterwards.
    """
    backend, has_image = _backend(engine)
    _require(engine)
    scenario, problems = _checked(file, set, has_image)
    _refuse(problems)
    say(f"live on {backend['text']}")
    folder = _folder(name, dir)
    end = None if until is None else span_of(until, "--until")
    done = _on_running(folder, scenario, end) if folder.exists else None
    if done is None:
        done = _on_own(folder, scenario, engine, end, keep=keep)
    _report_run(done, file, out, trace)
    raise typer.Exit(VERDICTS[done.verdict])


def _refuse(problems: list[Problem]) -> None:
    """Stop at what can't be done live, having said all of it."""
    refused = [problem for problem in problems if problem.is_error]
    for problem in problems:
        say(problem.text())
    if refused:
        say(f"refused: {len(refused)} of this can't be done live", style="bold red")
        raise typer.Exit(LIVE)


def _on_running(folder: StateFolder, scenario: Scenario, until: int | None) -> Run:
    from simswarm.scenario.liveplay import take_over

    world = take_over(folder, scenario.cluster)
    try:
        return _play(world, scenario, until)
    finally:
        world.undo_faults()
        world.close()


def _on_own(
    folder: StateFolder, scenario: Scenario, engine: EngineName, until: int | None, *, keep: bool
) -> Run:
    from simswarm.live.supervisor.sweep import sweep
    from simswarm.scenario.liveplay import start_swarm

    with _swept_on_error(folder):
        world = start_swarm(folder, scenario.cluster, engine, level=scenario.x_trace)
        try:
            done = _play(world, scenario, until)
        finally:
            world.close()
    if not keep:
        left = sweep(folder).warning
        if left:
            say(f"  note  {left}", style="bold red")
    return done


def _play(world: LiveWorld, scenario: Scenario, until: int | None) -> Run:
    from simswarm.cli import show
    from simswarm.cli.progress import SimulatedTime
    from simswarm.scenario.liveplay import play_live

    show.header(scenario, scenario.seed)
    with SimulatedTime() as progress:
        return play_live(scenario, world, until=until, progress=progress)


def _report_run(done: Run, file: str, out: Path | None, trace: Path | None) -> None:
    from simswarm.cli import show
    from simswarm.scenario.narration.story import Story
    from simswarm.scenario.outcome.bundle import trace_lines, write_trace
    from simswarm.scenario.outcome.keep import save

    if trace is not None:
        write_trace(trace, done.records)
    mark = done.result["trace_digest"].removeprefix("sha256:")[:6]
    path = (out or RUNS_FOLDER) / f"{done.scenario.name}-live-{mark}.swrun"
    bundle = save(done, path=path, live=True)
    show.story(Story().tell(done.records))
    show.verdicts(done)
    for warning in done.result["warnings"]:
        say(f"  note  {warning}", style="yellow")
    say(f"\n  again     simswarm live run {file}\n  simulated simswarm run {file}")
    say(f"  trace     simswarm trace {bundle}")
    if state.format == "ndjson":
        for line in trace_lines(done.records):
            put(line.decode().rstrip("\n"))
    if state.format != "text":
        put_json(done.result)


# ── common ───────────────────────────────────────────────────────────────────────────────────


def _folder(name: str, dir: Path | None) -> StateFolder:
    from simswarm.base.errors import InvalidSpec
    from simswarm.live.supervisor.state import DEFAULT_ROOT, StateFolder

    try:
        return StateFolder(name, dir or DEFAULT_ROOT)
    except InvalidSpec as error:
        raise Refused(error.message) from None


def _require(engine: EngineName) -> None:
    """Refuse to begin without the engine.

    Raises:
        Unavailable: there is none.
    """
    if engine == "docker":
        from simswarm.live.engine import docker_wanted

        with docker_wanted():
            from simswarm.live.docker import connect

        connect().close()


@contextmanager
def _swept_on_error(folder: StateFolder) -> Iterator[None]:
    """Leave nothing behind if what follows doesn't end well."""
    from simswarm.live.supervisor.sweep import sweep

    existed = folder.path.exists()
    try:
        yield
    except BaseException:
        if not existed:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not stop this
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sweep(folder, gently=False)
            signal.signal(signal.SIGINT, signal.default_int_handler)
        raise
