"""What if: the same run, with something more happening at a moment.

A fork is a re-execution with one event more, so that it is the same run up to that moment; with
no event it is the same run altogether.
"""

from __future__ import annotations

from typing import Any

from simswarm.base.errors import ScenarioError
from simswarm.base.time import Duration, format_duration
from simswarm.scenario.load import load_scenario
from simswarm.scenario.lock import lock
from simswarm.scenario.model import Scenario
from simswarm.scenario.positions import Document

FORK_ID = "fork"


def forked(scenario: Scenario, at: Duration, events: list[str]) -> Scenario:
    """The scenario with these events at this moment, each written as in a file: `crash: m1`.

    Raises:
        ScenarioError: an event that makes no sense.
    """
    if not events:
        return scenario
    data = Document(lock(scenario), "fork").data
    taken = [event.id for event in scenario.events]
    for text in events:
        event = {"at": format_duration(at), **_mapping(text)}
        if "id" not in event and FORK_ID not in taken:
            event["id"] = FORK_ID
            taken.append(FORK_ID)
        data.setdefault("events", []).append(event)
    changed = load_scenario(lock(scenario), {"events": data["events"]}, runnable=True)
    return changed.model_copy(update={"name": scenario.name})


def _mapping(text: str) -> dict[str, Any]:
    found = Document(text, "--with").data
    if not isinstance(found, dict):
        raise ScenarioError(f"--with '{text}': an event is ACTION: VALUE, such as 'crash: m1'")
    return found
