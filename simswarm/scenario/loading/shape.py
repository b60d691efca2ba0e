"""Bringing a file's data into the models' shape where that takes knowledge of the whole file.

`heal: cut` names an event if there is one of that id, else a node; `remove: w3` names a node if
there is such a node, else a service. `x-` keys are notes of the author's and are left out.

Invariant: the data given is never changed. Wrong data passes through: the models say what is
wrong with it.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from simswarm.scenario.grammar.moments import event_id

_NODE = re.compile(r"[mw][1-9][0-9]{0,5}")
_MEANT = ("x-trace", "x-live")


def known_extensions(data: dict[str, Any]) -> dict[str, Any]:
    """Data without the `x-` keys that mean nothing to us, at the top and in list items."""
    return {key: _items(one) for key, one in data.items() if not _is_note(key)}


def _is_note(key: str) -> bool:
    return key.startswith("x-") and key not in _MEANT


def _items(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {key: one for key, one in item.items() if not _is_note(key)}
        if isinstance(item, dict)
        else item
        for item in value
    ]


def normalised(data: dict[str, Any]) -> dict[str, Any]:
    """Data whose bare names say what they name."""
    events = data.get("events")
    if not isinstance(events, list):
        return data
    ids = [event["id"] for event in events if isinstance(event, dict) and "id" in event]
    return {**data, "events": [_event(event, ids) for event in events]}


def _event(event: Any, ids: list[Any]) -> Any:
    if not isinstance(event, dict):
        return event
    healed, removed = event.get("heal"), event.get("remove")
    if isinstance(healed, str) and healed in ids:
        return {**event, "heal": {"event": healed}}
    names = removed if isinstance(removed, list) else [removed]
    if removed and all(isinstance(name, str) and _NODE.fullmatch(name) for name in names):
        return {**event, "remove": {"node": removed}}
    return dict(event)


def without_wrong_parts(data: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """Data in which the parts with errors are placeholders, so that the rest can be checked.

    Events keep their place and their id; a wrong cluster leaves the default one.
    """
    result = dict(data)
    for details in error.errors(include_url=False):
        loc = details["loc"]
        key = str(loc[0]) if loc else ""
        items = result.get(key)
        if key in _PLACEHOLDERS and isinstance(items, list) and len(loc) > 1:
            index = int(loc[1])
            placeholder = dict(_PLACEHOLDERS[key])
            if key == "events" and isinstance(items[index], dict):
                id = items[index].get("id")
                placeholder |= {"id": id} if _is_id(id) else {}
            result[key] = [*items[:index], placeholder, *items[index + 1 :]]
        else:
            result.pop(key, None)
    return {"simswarm": 1, "name": "x", **result}


def hides_names(data: dict[str, Any], error: ValidationError) -> bool:
    """Whether a part with errors might name nodes or services that others refer to."""
    for details in error.errors(include_url=False):
        loc = details["loc"]
        if not loc or loc[0] in ("cluster", "stack"):
            return True
        items = data.get(str(loc[0]))
        if loc[0] == "events" and isinstance(items, list) and len(loc) > 1:
            event = items[int(loc[1])]
            if isinstance(event, dict) and any(key in event for key in _NAMING):
                return True
    return False


def _is_id(value: object) -> bool:
    try:
        event_id(value)
    except PydanticCustomError:
        return False
    return True


_NAMING = ("deploy", "docker", "join")
_PLACEHOLDERS: dict[str, dict[str, Any]] = {
    "events": {"at": "0s", "note": "an event with an error"},
    "expect": {"at_end": "true"},
}
