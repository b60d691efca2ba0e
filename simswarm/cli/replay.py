"""`simswarm replay`: the same run again, from its bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from simswarm.cli.bundles import open_bundle
from simswarm.cli.exits import NOT_DETERMINISTIC, OK, VERDICTS, guarded
from simswarm.cli.run import perform, span_of
from simswarm.cli.state import put, put_json, say, state

if TYPE_CHECKING:
    from simswarm.scenario.outcome.bundle import Bundle
    from simswarm.scenario.outcome.finished import Run


@guarded
def replay(
    bundle: Annotated[str, typer.Argument(help="A run bundle; 'last': the newest.")],
    to: Annotated[str | None, typer.Option(help="Stop here and show the state.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare digests; name the first difference.")
    ] = False,
) -> None:
    """Run a bundle's scenario again."""
    from simswarm.scenario.loading.load import load_locked

    opened = open_bundle(bundle)
    _warn(opened)
    scenario = load_locked(opened.lock)
    if to is not None:
        _show_state(scenario, span_of(to, "--to"))
        raise typer.Exit(OK)
    done = perform(scenario, None, None)
    code = VERDICTS[done.verdict]
    if verify:
        code = _compare(opened, done)
    elif state.format == "text":
        from simswarm.cli import show
        from simswarm.scenario.narration.story import Story

        show.story(Story().tell(done.records))
        show.verdicts(done)
    if state.format != "text" and not verify:
        done.result["bundle"] = str(opened.path)
        put_json(done.result)
    raise typer.Exit(code)


def _warn(opened: Bundle) -> None:
    """A bundle of another engine number need not give the same run."""
    from simswarm.scenario.outcome.result import ENGINE

    engine = opened.meta.get("engine")
    if engine != ENGINE:
        version = opened.meta.get("simswarm")
        say(f"made by engine {engine}, this is engine {ENGINE}: pip install simswarm=={version}")


def _compare(opened: Bundle, done: Run) -> int:
    """Whether the run is the bundle's; where not, the first record that differs."""
    expected = opened.result.get("digest")
    same = expected == done.digest
    answer: dict[str, Any] = {"identical": same, "digests": [expected, done.digest]}
    if not same:
        answer["first_difference"] = _first_difference(opened, done)
    if state.format != "text":
        put_json(answer)
    elif same:
        put(f"identical: {done.result['events']} events, digest {done.digest}")
    else:
        put(f"different: {expected} became {done.digest}")
        put(f"  first difference: {answer['first_difference']}")
    return OK if same else NOT_DETERMINISTIC


def _first_difference(opened: Bundle, done: Run) -> str:
    ours = iter(done.records)
    for number, line in enumerate(opened.lines(), 1):
        record = next(ours, None)
        if record is None or record.line() != line:
            here = "(no more records)" if record is None else record.line().decode()
            return f"record {number}: {line.decode()} became {here}"
    return "the traces are equal; the difference is below what they show"


def _show_state(scenario: Any, to: int) -> None:
    from simswarm.scenario.narration.story import Story
    from simswarm.scenario.outcome.result import state_json
    from simswarm.scenario.run import Playing

    playing = Playing(scenario, until=to)
    playing.form()
    playing.play()
    playing.stage.scene.now = playing.end
    found: dict[str, Any] = {"t": playing.end / 1e9, "digest": playing.world.digest}
    found |= state_json(playing.stage.scene)
    if state.format != "text":
        put_json(found)
        return
    from simswarm.cli import show

    show.story(Story().tell(playing.world.trace))
    put(f"at {playing.end / 1e9:g} s")
    for name, node in found["nodes"].items():
        flags = "leader" if node["leader"] else node["role"]
        up = "" if node["up"] else "  (off)"
        put(f"  {name:<6} {flags:<8} {node['status']:<8} {node['availability']:<7}{up}")
    for name, service in found["services"].items():
        put(f"  {name:<16} {service['running']}/{service['replicas']}  {service['image']}")
        for task in service["tasks"]:
            place = f"{name}.{task['slot']}" if task["slot"] else name
            put(f"    {place:<14} {task['node'] or '-':<6} {task['state']:<10} {task['error']}")
