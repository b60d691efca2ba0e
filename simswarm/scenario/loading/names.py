"""Which nodes, services and zones there can ever be in a scenario.

Nodes: those of the start, and those that a `join` adds. Services: those of the stacks at 0, of
`deploy` events (prefixed if the stack has a name), and those that a docker command creates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from simswarm.base.errors import Unsupported
from simswarm.dockercli import CreateCommand, UsageError, parse
from simswarm.dockercli.stack import scoped
from simswarm.scenario.grammar import variables
from simswarm.scenario.grammar.variables import Variable
from simswarm.scenario.model import Scenario, actions


class Names(NamedTuple):
    """Everything that can be named, each in the order of the file."""

    nodes: tuple[str, ...]
    services: tuple[str, ...]
    zones: tuple[str, ...]

    def listed(self, kind: str) -> str:
        """A hint that says which names of a kind there are."""
        known = {"node": self.nodes, "service": self.services, "zone": self.zones}[kind]
        if not known:
            return f"there are no {kind}s"
        return f"{kind}s: " + ", ".join(known[:6]) + (", …" if len(known) > 6 else "")


def names_of(scenario: Scenario) -> Names:
    """The names that a scenario can use."""
    machines = scenario.cluster.machines
    joined = [
        event.action.node for event in scenario.events if isinstance(event.action, actions.Join)
    ]
    zones = [machine.zone for machine in machines if machine.zone is not None]
    return Names(
        nodes=tuple(dict.fromkeys([machine.name for machine in machines] + joined)),
        services=tuple(dict.fromkeys(_services(scenario))),
        zones=tuple(dict.fromkeys(zones)),
    )


def _services(scenario: Scenario) -> Iterator[str]:
    for spec in scenario.services:
        yield spec.name
    for event in scenario.events:
        action = event.action
        if isinstance(action, actions.Deploy):
            for spec in action.stack.services:
                yield spec.name if action.name is None else scoped(action.name, spec.name)
        elif isinstance(action, actions.Docker):
            try:
                command = parse(action.command).command
            except (UsageError, Unsupported):
                continue
            if isinstance(command, CreateCommand):
                yield command.spec.name


def sample(names: Names) -> dict[str, Any]:
    """A snapshot in which everything that can be named has a value of the right type."""
    return {
        "services": {name: _service() for name in names.services},
        "nodes": {name: _node() for name in names.nodes},
        "raft": _examples(variables.RAFT),
        "time": variables.TIME.example,
    }


def _examples(branch: dict[str, Variable]) -> dict[str, Any]:
    return {name: variable.example for name, variable in branch.items()}


def _service() -> dict[str, Any]:
    return {**_examples(variables.SERVICE), variables.IMAGES: {}}


def _node() -> dict[str, Any]:
    command = _examples(variables.COMMAND)
    return {**_examples(variables.NODE), variables.LAST_COMMAND: command}
