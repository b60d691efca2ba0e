"""`simswarm demo`: a shipped scenario, for the first contact."""

from __future__ import annotations

from typing import Annotated

import typer

from simswarm.cli.exits import VERDICTS, Refused, guarded
from simswarm.cli.run import Stopped, perform, report
from simswarm.cli.state import put, put_json, say, state


@guarded
def demo(
    name: Annotated[str | None, typer.Argument(help="Which one; see --list.")] = None,
    list: Annotated[bool, typer.Option("--list", help="What there is.")] = False,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
) -> None:
    """Run a shipped scenario and tell its story."""
    from simswarm.scenario.loading.load import load_scenario
    from simswarm.scenario.shipped import DEMO, shipped_scenarios

    shipped = shipped_scenarios()
    if list:
        _list({name: load_scenario(path).title for name, path in shipped.items()})
        return
    chosen = name or DEMO
    if chosen not in shipped:
        raise Refused(f"there is no demo '{chosen}'; there are: {', '.join(shipped)}")
    scenario = load_scenario(shipped[chosen], runnable=True)
    try:
        done = perform(scenario, seed, None)
    except Stopped as stopped:
        report(stopped.run, chosen, None, {})
        raise
    report(done, chosen, None, {})
    say(f"  try it    simswarm run {chosen} --set cluster.managers=5 --seed 2")
    others = [other for other in shipped if other != chosen]
    if others:
        say(f"  more      simswarm demo {others[0]}    (all: simswarm demo --list)")
    raise typer.Exit(VERDICTS[done.verdict])


def _list(titles: dict[str, str]) -> None:
    if state.format == "text":
        for name, title in titles.items():
            put(f"{name:<24} {title}")
    else:
        put_json(titles)
