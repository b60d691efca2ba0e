"""What if: the same run, with something more happening at a moment.

A fork is a re-execution with one event more, so that it is the same run up to that moment; with
no event it is the same run altogether.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simswarm.base.errors import ScenarioError
from simswarm.base.time import Duration, format_duration
from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.loading.lock import lock
from simswarm.scenario.model import Event, Scenario
from simswarm.scenario.model.event import TRIGGERS
from simswarm.scenario.text.positions import Document
from simswarm.scenario.text.settings import Given

FORK_ID = "fork"


def forked(scenario: Scenario, at: Duration, events: list[str]) -> Scenario:
    """The scenario with these events at this moment, each written as in a file: `crash: m1`.

    Raises:
        ScenarioError: an event that makes no sense.
    """
    if not events:
        return scenario
    taken = [event.id for event in scenario.events]
    added: dict[str, Given] = {}
    for text in events:
        event = _mapping(text)
        if not _follows(event, added):
            event["at"] = format_duration(at)
        if "id" not in event and FORK_ID not in taken:
            event["id"] = FORK_ID
            taken.append(FORK_ID)
        added[f"events.{len(scenario.events) + len(added)}"] = Given(event, "--with", text)
    # room for the new ones, so that errors in them are told of the words they were given in
    room = tuple(Event.model_validate({"at": format_duration(at), "note": FORK_ID}) for _ in added)
    roomy = scenario.model_copy(update={"events": (*scenario.events, *room)})
    changed = load_scenario(lock(roomy), added, runnable=True)
    changed._origin = scenario._origin
    for copied, known in zip(changed.events, scenario.events, strict=False):
        copied._origin = known._origin
    for expectation, expected in zip(changed.expect, scenario.expect, strict=True):
        expectation._origin = expected._origin
    return changed


def _follows(event: dict[str, Any], added: Mapping[str, Given]) -> bool:
    """Whether an event comes after another one of the fork; it has no trigger else."""
    new = [given.value.get("id") for given in added.values()]
    if str(event.get("after", "")).split("+")[0].strip() in new:
        return True
    for trigger in TRIGGERS:
        if trigger in event:
            raise ScenarioError(f"--with: '{trigger}' has no place here, --fork-at is the moment")
    return False


def _mapping(text: str) -> dict[str, Any]:
    found = Document(text, "--with").data
    if not isinstance(found, dict):
        raise ScenarioError(f"--with '{text}': an event is ACTION: VALUE, such as 'crash: m1'")
    return found
