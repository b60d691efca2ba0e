"""The public Python interface: `simswarm.run` for files, `simswarm.Cluster` to steer by hand.

    run = simswarm.run("scenarios/leader-crash.yaml", seed=7, set={"cluster.managers": 5})
    run.verdict, run.digest, run.result, run.trace.records("task.state"), run.save("x.swrun")

Not here: the command line (`cli/`), property-based testing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simswarm.base.time import Duration, parse_duration
from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.model import Scenario
from simswarm.scenario.outcome.finished import Run
from simswarm.scenario.run import play
from simswarm.scenario.shipped import find_scenario

Span = str | float | int
"""A span of time: `"30s"`, or a number of seconds."""


def span_of(value: Span) -> Duration:
    """A span in nanoseconds.

    Raises:
        ValueError: a text that is no duration, or a negative number.
    """
    if isinstance(value, str):
        return parse_duration(value)
    if value < 0:
        raise ValueError("a span of time is not negative")
    return round(value * 1e9)


def run(
    source: str | Path | Scenario,
    seed: int | None = None,
    set: Mapping[str, Any] | None = None,
    *,
    until: Span | None = None,
) -> Run:
    """Run a scenario once.

    Args:
        source: A file, the name of a shipped scenario, the text of a scenario (more than one
            line), or one that was read already.
        seed: Instead of the scenario's own.
        set: Values to put in place of the file's, by path: `{"cluster.managers": 5}`.
        until: Where to end, instead of the scenario's own end.

    Raises:
        ScenarioError: the scenario is wrong; with every error there is.
    """
    if isinstance(source, Scenario):
        scenario = source
    elif isinstance(source, str) and "\n" in source:
        scenario = load_scenario(source, set, runnable=True)
    else:
        scenario = load_scenario(find_scenario(str(source)), set, runnable=True)
    end = None if until is None else span_of(until)
    return play(scenario, seed=seed, until=end, views=True)
