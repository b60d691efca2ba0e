"""What each code means: `simswarm check --explain CODE`.

    E0xx  the file can't be read            E1xx  the scenario is wrong
    E16x  a stack file is wrong             E17x  --set and grid paths
    E3xx  right, but can't be run yet       W3xx  the same, as `check` reports it
    W2xx  right, but probably not what is meant
    E4xx  can't be done live                W401  is done in another way (`live check`)

A code is never given another meaning.
"""

from __future__ import annotations

EXPLANATIONS: dict[str, str] = {
    "E001": "The text is not YAML 1.2. Texts that start with >, *, &, !, %, @ or `, and texts with "
    "': ' or ' #' in them, need quotes. Indent with spaces.",
    "E002": "A file can't be read: it doesn't exist, is no file, or is not UTF-8. Paths are "
    "relative to the scenario file.",
    "E003": "A key is in a mapping twice; one of the two would be lost.",
    "E004": "The file must say which version of the format it follows: `simswarm: 1`.",
    "E005": "The file is larger or more deeply nested than any scenario, or its aliases stand for "
    "too much.",
    "E101": "There is no such key here. Unknown keys are errors, so that a slip of the pen is "
    "never passed over. In braces a comma ends a value: quote texts with commas.",
    "E102": "Something that is needed here is missing.",
    "E103": "A value of another kind is expected: a text, a whole number, true or false, a list, "
    "or a mapping of keys and values.",
    "E104": "Only a few words are possible here, and this is none of them.",
    "E105": "The number is larger or smaller than makes sense here.",
    "E110": "This is not written as it must be. A duration needs a unit (30s, 500ms, 1m30s); an "
    "event has one trigger and one action; an expectation has one kind.",
    "E111": "A percentage needs a %: 5%, 0.1%.",
    "E112": "A rate is a number per time: 50/s, 10/m.",
    "E113": "A range has two ends in order: 400ms..900ms, 4m..7m, 1..200; a distribution is "
    "{p50: 2s, p99: 9s}.",
    "E114": "An amount: memory 512m or 4g, processors 2 or 0.5, bandwidth 10mbit, drift 50ppm.",
    "E120": "No event has this id. `after` and `during` name events by their `id`.",
    "E121": "These events wait for each other; none of them can ever fire.",
    "E122": "Two events have the same id.",
    "E123": "An id is a word of letters, digits, - and _; `end` and `nemesis` are reserved.",
    "E124": "`for` undoes a fault after a time; this action can't be undone that way.",
    "E125": "This key has a meaning only with other kinds of expectations, or inside them.",
    "E126": "The window or moment can't be: it needs an event with `for`, a nemesis, or two "
    "moments in order.",
    "E130": "A target is a node's name, leader, followers, managers, workers, all, minority, "
    "majority, zone=a, labels.KEY==VALUE, running(SERVICE), random(TARGET) or "
    "random(N, TARGET); a container is SERVICE.SLOT.",
    "E140": "The condition is not a CEL expression: services.web.running >= 3 && time > 30.",
    "E141": "The condition names something that can never exist in this scenario. A name with "
    "dashes is written services['my-web'].",
    "E142": "The condition compares things of different kinds, or is neither true nor false.",
    "E150": "docker would refuse this command line: an unknown command or flag, or a value that "
    "isn't what the flag takes.",
    "E160": "A stack file must have services, each with an image.",
    "E161": "The swarm would refuse this service: its name, a constraint, a port or an amount.",
    "E162": "Two stacks have a service of the same name.",
    "E170": "The path names nothing in the scenario. Steps are separated by dots; events and "
    "expectations are named by id or name: events.noise.link.loss.",
    "E171": "A sweep measures kinds or names of its expectations, or a known metric.",
    "W201": "The expectation can't hold with these settings: an election takes at least "
    "`election_tick` ticks, 10 s with Swarm's defaults.",
    "W202": "An even number of managers tolerates no more failures than one fewer, and splits "
    "into halves of which neither has a quorum.",
    "W203": "The event is due after the end of the run.",
    "W204": "No node, service or zone of this name exists in the scenario, at its start or later.",
    "W205": "No node satisfies the constraint: the service's tasks stay pending. Labels of nodes "
    "are written node.labels.KEY.",
    "W206": "All nodes together may run fewer tasks than the service wants.",
    "W207": "Without a health check a new task counts as good as soon as it starts: an update "
    "can lose requests, and a broken image isn't noticed.",
    "W208": "`failure_action: rollback` without `monitor` watches a new task for 5 s only.",
    "W209": "The key has no effect: Swarm or simswarm ignores it, or it is none of Compose's.",
    "W210": "The service has one replica, and draining stops it before another one starts.",
    "W211": "`latest`, or no tag, is whatever image is newest: tasks may run different ones.",
    "W212": "The variable has no value here: simswarm reads no environment. Give it a default: "
    "${TAG:-1}.",
    "W220": "Networks, ports and volumes are kept in the spec, but have no effect yet.",
}
_NOT_YET = {
    "301": "This part of the format can't be run yet.",
    "302": "This action can't be run yet.",
    "303": "This expectation can't be judged yet.",
    "304": "This docker command can't be run yet.",
    "305": "This part of a stack can't be run yet.",
}
for _number, _text in _NOT_YET.items():
    EXPLANATIONS[f"E{_number}"] = f"{_text} The file is right; `check` accepts it."
    EXPLANATIONS[f"W{_number}"] = f"{_text} `run` refuses the file."

CODES: tuple[str, ...] = tuple(sorted(EXPLANATIONS))

LIVE_EXPLANATIONS: dict[str, str] = {
    "E401": "This action changes something that is real in a live run and can't be changed: an "
    "image, a disk, a clock, how a container ends. `run` simulates it.",
    "E402": "This setting is about a simulated machine or network. A live swarm's nodes are "
    "processes on this machine; use events for faults.",
    "E403": "The engine does not have the image, and nothing is pulled. Load it, or name another "
    "one that stands in for it under x-live.",
    "W401": "A live run carries this out in another way than a simulated one, or without effect.",
}
"""Codes of `live check`."""


def explain(code: str) -> str | None:
    """What a code means, or None if there is no such code."""
    return (EXPLANATIONS | LIVE_EXPLANATIONS).get(code.upper())
