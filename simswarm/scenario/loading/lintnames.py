"""Lint W204: names of nodes, services and zones that nothing in the scenario has.

They are no errors: docker's answer to such a name is something a scenario may want to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simswarm.base.errors import Unsupported
from simswarm.dockercli import UsageError, parse
from simswarm.dockercli.commands import (
    CommandLine,
    NodeUpdateCommand,
    RemoveCommand,
    RollbackCommand,
    ScaleCommand,
    UpdateCommand,
)
from simswarm.scenario.grammar.targets import Labelled, Named, Random, Running, Target
from simswarm.scenario.loading.names import names_of
from simswarm.scenario.loading.reading import Reading
from simswarm.scenario.model import actions
from simswarm.scenario.text.errors import Problem, did_you_mean
from simswarm.scenario.text.positions import Path


class Use(NamedTuple):
    """A name, what kind of thing it is meant to name, and where it stands."""

    kind: str
    name: str
    path: Path
    is_key: bool = False


def name_lints(reading: Reading) -> Iterator[Problem]:
    """Every name that nothing has."""
    names = names_of(reading.scenario)
    known = {"node": names.nodes, "service": names.services, "zone": names.zones}
    for use in _uses(reading):
        if use.name in known[use.kind] or (use.kind == "service" and reading.is_incomplete):
            continue
        place = reading.document.place(use.path, key=True)
        if not use.is_key:
            place = reading.within(use.path, use.name)
        message = f"there is no {use.kind} '{use.name}'"
        hint = did_you_mean(use.name, known[use.kind]) or names.listed(use.kind)
        yield reading.document.problem("W204", message, place, hint, "warning")


def _uses(reading: Reading) -> Iterator[Use]:
    scenario = reading.scenario
    for name in scenario.cluster.nodes:
        yield Use("node", name, ("cluster", "nodes", name), is_key=True)
    for index, traffic in enumerate(scenario.traffic):
        if "==" not in traffic.to:
            yield Use("service", traffic.to, ("traffic", index, "to"))
    for index, event in enumerate(scenario.events):
        yield from _in_action(reading, event.action, ("events", index, event.verb))
    for index, expectation in enumerate(scenario.expect):
        path: Path = ("expect", index, expectation.kind)
        typed = getattr(expectation, expectation.kind)
        service = getattr(typed, "service", None)
        for number, name in enumerate(_listed(service)):
            yield Use("service", name, (*path, "service", number))
        for key in ("only", "never"):
            targets = getattr(typed, key, None)
            if isinstance(targets, tuple):
                yield from _in_targets(targets, (*path, key))


def _listed(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return value if isinstance(value, tuple) else ()


def _in_action(reading: Reading, action: actions.Action, path: Path) -> Iterator[Use]:
    match action:
        case actions.Scale():
            for name in action.services:
                yield Use("service", name, (*path, name), is_key=True)
        case actions.Update(service=name):
            yield Use("service", name, (*path, "service"))
        case actions.Rollback() | actions.Remove():
            for number, name in enumerate(_listed(action.service)):
                yield Use("service", name, (*path, "service", number))
        case actions.ExitContainer():
            yield Use("service", action.target.service, (*path, "target"))
        case actions.Docker():
            yield from _in_command(action.command, (*path, "command"))
        case actions.Partition() | actions.Heal():
            yield from _in_groups(reading, action, path)
        case actions.LinkFault():
            yield from _in_targets(action.source, (*path, "from"))
            yield from _in_targets(action.target, (*path, "to"))
        case _:
            targets = getattr(action, "target", None)
            if isinstance(targets, tuple):
                yield from _in_targets(targets, (*path, "target"))


def _in_groups(
    reading: Reading, action: actions.Partition | actions.Heal, path: Path
) -> Iterator[Use]:
    if isinstance(action, actions.Heal) and action.target is not None:
        yield from _in_targets(action.target, (*path, "target"))
    written = reading.value((*path, "groups"))
    is_nested = isinstance(written, list) and any(isinstance(one, list) for one in written)
    for number, group in enumerate(action.groups or ()):
        below: Path = (number,) if is_nested else ()
        yield from _in_targets(group, (*path, "groups", *below))


def _in_targets(targets: tuple[Target, ...], path: Path) -> Iterator[Use]:
    for number, target in enumerate(targets):
        yield from _in_target(target, (*path, number))


def _in_target(target: Target, path: Path) -> Iterator[Use]:
    match target:
        case Named(name):
            yield Use("node", name, path)
        case Running(service):
            yield Use("service", service, path)
        case Labelled("zone", zone, _):
            yield Use("zone", zone, path)
        case Random(_, of):
            yield from _in_target(of, path)


def _in_command(text: str, path: Path) -> Iterator[Use]:
    try:
        line: CommandLine = parse(text)
    except (UsageError, Unsupported):
        return
    if line.host is not None:
        yield Use("node", line.host, path)
    match line.command:
        case ScaleCommand(services):
            for name, _ in services:
                yield Use("service", name, path)
        case UpdateCommand(service=name) | RollbackCommand(service=name):
            yield Use("service", name, path)
        case RemoveCommand(services):
            for name in services:
                yield Use("service", name, path)
        case NodeUpdateCommand(node=name):
            yield Use("node", name, path)
