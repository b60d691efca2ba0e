"""`simswarm hunt`: drawn faults on managers alone, until something that must hold doesn't."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simswarm.cli.exits import FAILED, OK, UNDECIDED, Refused, guarded
from simswarm.cli.state import put, put_json, say, state

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from simswarm.hunt.planfile import Finding
    from simswarm.hunt.run import Outcome
    from simswarm.hunt.search import Catch, Figures, Search

HUNTS = Path(".simswarm/hunts")
SEEDS_WITHOUT_BUDGET = 1000
LINE_PERIOD = 10.0


@guarded
def hunt(
    file: Annotated[
        Path | None, typer.Argument(help="A scenario to hunt in; not supported yet.")
    ] = None,
    profile: Annotated[
        str, typer.Option(help="Faults to draw: swarm process network disk clock churn calm.")
    ] = "swarm",
    seeds: Annotated[
        str | None, typer.Option(help="N: seeds 1..N; or A..B, to go on where a hunt ended.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Stop after so long, such as 60s or 10m.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("-j", "--jobs", help="Processes; default: one a core.", min=1)
    ] = None,
    mutant: Annotated[
        str, typer.Option(help="Plant this bug first; `list` shows all there are.")
    ] = "",
    replay: Annotated[
        Path | None, typer.Option(help="Play one plan again, from the file that a hunt wrote.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for what is found.")] = HUNTS,
    executor: Annotated[str, typer.Option(help="local; dask is not supported yet.")] = "local",
    scheduler: Annotated[str | None, typer.Option(help="Address, for --executor dask.")] = None,
) -> None:
    """Hunt consensus bugs: draw faults, look at every step, shrink what fails."""
    if executor != "local" or scheduler is not None:
        raise Refused("--executor dask: not supported yet; the local one uses all cores")
    if file is not None:
        raise Refused("hunting in a scenario's whole swarm is not supported yet: leave FILE out")
    if mutant == "list":
        _list_mutants()
    elif replay is not None:
        _replay(replay)
    else:
        _search(_prepared(profile, mutant, seeds, budget), workers, out)


def _prepared(profile: str, mutant_id: str, seeds: str | None, budget: str | None) -> Search:
    from simswarm.base.errors import InvalidSpec
    from simswarm.base.time import SECOND, parse_duration
    from simswarm.hunt.draw import drawer
    from simswarm.hunt.mutants import mutant
    from simswarm.hunt.search import Search

    try:
        drawer(profile)
        id = mutant(mutant_id).id if mutant_id else ""
        limit = parse_duration(budget) / SECOND if budget else None
    except (InvalidSpec, ValueError) as error:
        raise Refused(str(getattr(error, "message", error))) from error
    first, last = _range(seeds, endless=limit is not None)
    return Search(profile, first, last, id, limit)


def _range(seeds: str | None, *, endless: bool) -> tuple[int, int]:
    if seeds is None:
        return 1, (1 << 31 if endless else SEEDS_WITHOUT_BUDGET)
    first, dots, last = seeds.partition("..")
    try:
        low, high = (int(first), int(last)) if dots else (1, int(first))
    except ValueError:
        raise Refused(f"--seeds {seeds}: a number, or such as 1001..2000") from None
    if not 0 <= low <= high:
        raise Refused(f"--seeds {seeds}: the first is not above the last")
    return low, high


def _list_mutants() -> None:
    from simswarm.hunt.mutants import MUTANTS

    if state.format != "text":
        put_json(
            [
                {"id": found.id, "mutation": found.mutation, "equivalent": found.equivalent}
                for found in MUTANTS.values()
            ]
        )
        return
    for found in MUTANTS.values():
        note = "  (equivalent)" if found.equivalent else ""
        put(f"{found.id:<5}{found.mutation}{note}")


def _search(search: Search, workers: int | None, out: Path) -> None:
    from simswarm.hunt.search import make_small, process_pool

    planted = f" with {search.mutant} planted" if search.mutant else ""
    say(f"hunt  profile {search.profile}, seeds from {search.first}{planted}")
    pool, count = process_pool(workers)
    try:
        with _Progress(search) as progress:
            search.run(pool, count, progress.add)
        failure = search.first_failure
        if failure is not None:
            say(f"seed {failure[0]} violates: {failure[1]}", style="bold red")
            say("making it small …")
            caught = pool.submit(make_small, search.profile, search.mutant, failure[0]).result()
            _report_catch(search, caught, out)
            raise typer.Exit(FAILED)
    except KeyboardInterrupt:
        say(f"\nstopped: {_done(search.figures)}")
        say(f"go on with  --seeds {search.next_seed}..{search.last}")
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    _report_nothing(search)


def _done(figures: Figures) -> str:
    return f"{figures.runs:,} hunts, {figures.simulated / 1e9:,.0f} simulated seconds"


def _report_nothing(search: Search) -> None:
    figures = search.figures
    if state.format != "text":
        put_json(_json(search) | {"verdict": "held" if figures.runs else "undecided"})
    else:
        put(f"held: {_done(figures)} in {figures.cpu_seconds:.1f} CPU-seconds")
        put(
            f"  not recoverable {figures.not_recoverable}, unknown {figures.unknown}; "
            + ", ".join(f"{name} {many:,}" for name, many in sorted(figures.counters.items()))
        )
        say(f"more  --seeds {search.next_seed}..{2 * search.next_seed}")
    raise typer.Exit(OK if figures.runs else UNDECIDED)


def _json(search: Search) -> dict[str, Any]:
    figures = search.figures
    return {
        "profile": search.profile,
        "mutant": search.mutant or None,
        "runs": figures.runs,
        "cpu_seconds": round(figures.cpu_seconds, 3),
        "simulated_seconds": figures.simulated / 1e9,
        "steps": figures.steps,
        "not_recoverable": figures.not_recoverable,
        "unknown": figures.unknown,
        "seen": figures.counters,
        "next_seed": search.next_seed,
    }


def _report_catch(search: Search, caught: Catch, out: Path) -> None:
    from simswarm.hunt.planfile import write

    out.mkdir(parents=True, exist_ok=True)
    planted = f"{search.mutant.lower()}-" if search.mutant else ""
    path = out / f"{planted}{search.profile}-{caught.seed}.hunt.yaml"
    path.write_text(write(caught.finding))
    if state.format != "text":
        put_json(
            _json(search)
            | {
                "verdict": "violated",
                "seed": caught.seed,
                "invariant": caught.outcome.invariant,
                "message": caught.outcome.message,
                "at": caught.outcome.at / 1e9,
                "digest": caught.outcome.digest,
                "faults_drawn": len(caught.found.faults),
                "faults_left": len(caught.finding.plan.faults),
                "necessary": list(caught.necessary),
                "file": str(path),
            }
        )
        return
    _tell(caught.finding, caught.outcome, caught.necessary)
    put(
        f"{len(caught.found.faults)} faults were drawn, {len(caught.finding.plan.faults)} are "
        f"left after {caught.played} more hunts"
    )
    put(f"again  simswarm hunt --replay {path}")


def _tell(finding: Finding, outcome: Outcome, necessary: tuple[bool, ...] = ()) -> None:
    from simswarm.hunt.story import setting, story, told

    put(f"members  {setting(finding.plan)}")
    for position, fault in enumerate(finding.plan.faults):
        needed = ""
        if position < len(necessary):
            needed = "  (necessary)" if necessary[position] else "  (not necessary)"
        put(f"fault  {fault.at / 1000:7.3f}s  {told(fault)}{needed}")
    for line in story(outcome):
        put(line)
    if outcome.violated:
        put(f"violated at {outcome.at / 1e9:.3f}s: {outcome.invariant}")
        put(f"  {outcome.message}")
    else:
        put(f"{outcome.verdict} at {outcome.at / 1e9:.3f}s")


def _replay(path: Path) -> None:
    from simswarm.base.errors import InvalidSpec
    from simswarm.hunt.mutants import mutant, planted
    from simswarm.hunt.planfile import read
    from simswarm.hunt.run import NOT_RECOVERABLE, UNKNOWN, play

    try:
        finding = read(path.read_text())
        if finding.mutant:
            mutant(finding.mutant)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    except InvalidSpec as error:
        raise Refused(f"{path}: {error.message}") from error
    # this process does nothing else: a planted bug harms nobody
    with planted(finding.mutant):
        outcome = play(finding.plan, keep_trace=True)
    if state.format != "text":
        put_json(
            {
                "verdict": outcome.verdict,
                "invariant": outcome.invariant or None,
                "message": outcome.message or None,
                "at": outcome.at / 1e9,
                "digest": outcome.digest,
                "steps": outcome.steps,
                "seen": outcome.counters,
                "mutant": finding.mutant or None,
                "as_recorded": outcome.invariant == finding.violated,
            }
        )
    else:
        _tell(finding, outcome)
        put(f"digest {outcome.digest}")
    if outcome.violated:
        raise typer.Exit(FAILED)
    raise typer.Exit(UNDECIDED if outcome.verdict in (UNKNOWN, NOT_RECOVERABLE) else OK)


class _Progress:
    """Hunts and their rate: a bar where somebody looks, else a line every ten seconds."""

    __slots__ = ("_bar", "_began", "_next_line", "_search", "_task")

    def __init__(self, search: Search) -> None:
        self._search = search
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._began = time.monotonic()
        self._next_line = self._began + LINE_PERIOD

    def __enter__(self) -> _Progress:
        if state.shows_progress:
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=state.console, transient=True)
            self._task = self._bar.add_task("hunting", total=None)
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

    def add(self, figures: Figures) -> None:
        """More hunts are done."""
        now = time.monotonic()
        rate = figures.runs / max(now - self._began, 1e-3)
        text = f"{_done(figures)}, {rate:.0f} hunts/s"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text)
        elif state.progress and state.format == "text" and now >= self._next_line:
            self._next_line = now + LINE_PERIOD
            say(f"  {text}")
