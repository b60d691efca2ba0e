"""Lints of stacks, together with what the scenario does to their services: W205 to W211, W220."""

from __future__ import annotations

from collections.abc import Iterator

from simswarm.base.errors import InvalidSpec, Unsupported
from simswarm.dockercli import Command, UsageError, parse
from simswarm.dockercli.commands import NodeUpdateCommand, UpdateCommand
from simswarm.model.constraints import Constraint, Subject, node_matches
from simswarm.model.constraints import parse as parse_constraints
from simswarm.model.objects import Node, NodeDescription
from simswarm.model.specs import Availability, FailureAction, NodeSpec, Replicated, ServiceSpec
from simswarm.scenario.compose import ReadStack
from simswarm.scenario.loading.reading import Reading
from simswarm.scenario.model import Event, Scenario, actions
from simswarm.scenario.text.errors import Problem, did_you_mean
from simswarm.scenario.text.positions import Path


def stack_lints(reading: Reading) -> Iterator[Problem]:
    """What is doubtful about services."""
    nodes = _nodes(reading.scenario)
    for stack in reading.stacks:
        yield from service_lints(stack)
        for spec in stack.services:
            yield from _placement(reading, stack, spec, nodes)
    for index, event in enumerate(reading.scenario.events):
        yield from _event(reading, event, ("events", index, event.verb))
    if reading.scenario.warnings:
        path: Path = ("stack",) if reading.value(("stack",)) is not reading.data else ("events",)
        place = reading.document.place(path, key=True)
        yield reading.document.problem("W220", reading.scenario.warnings[0], place, "", "warning")


def service_lints(stack: ReadStack) -> Iterator[Problem]:
    """What is doubtful about services whatever swarm they run on."""
    for spec in stack.services:
        yield from _update_settings(stack, spec)
        if _is_unpinned(spec.task.container.image):
            yield _unpinned(stack, spec)


def _nodes(scenario: Scenario) -> list[Node]:
    """The nodes of the start, as the scheduler would see them."""
    return [
        Node(
            id="",
            spec=NodeSpec(machine.name, machine.labels),
            description=NodeDescription(hostname=machine.name),
            role=machine.role,
        )
        for machine in scenario.cluster.machines
    ]


# ── placement ────────────────────────────────────────────────────────────────────────────────


def _placement(
    reading: Reading, stack: ReadStack, spec: ServiceSpec, nodes: list[Node]
) -> Iterator[Problem]:
    placement = spec.task.placement
    try:
        constraints = parse_constraints(placement.constraints)
    except InvalidSpec:
        return  # an error already
    if any(one.subject in (Subject.ID, Subject.IP) for one in constraints):
        return  # ids and addresses are known only when it runs
    changing = _changing_labels(reading.scenario)
    if any(one.label in changing for one in constraints):
        return
    base = stack.path(spec.name, "deploy", "placement")
    fitting = [node for node in nodes if node_matches(constraints, node)]
    if not fitting:
        yield from _unsatisfied(stack, spec, constraints, nodes)
    elif isinstance(spec.mode, Replicated) and placement.max_replicas:
        room = placement.max_replicas * len(fitting)
        if room < spec.mode.replicas:
            message = (
                f"{len(fitting)} nodes may run {room} tasks of '{spec.name}', "
                f"fewer than its {spec.mode.replicas} replicas"
            )
            place = stack.document.place((*base, "max_replicas_per_node"))
            yield stack.document.problem("W206", message, place, "", "warning")


def _changing_labels(scenario: Scenario) -> list[str]:
    """Labels that some event sets."""
    found: list[str] = []
    for event in scenario.events:
        action = event.action
        if isinstance(action, actions.Label):
            found += action.add
        elif isinstance(action, actions.Docker):
            command = _command(action)
            if isinstance(command, NodeUpdateCommand):
                found += [key for key, _ in command.change.labels.add]
    return found


def _unsatisfied(
    stack: ReadStack, spec: ServiceSpec, constraints: tuple[Constraint, ...], nodes: list[Node]
) -> Iterator[Problem]:
    path = stack.path(spec.name, "deploy", "placement", "constraints")
    alone = [
        index
        for index, constraint in enumerate(constraints)
        if not any(node_matches([constraint], node) for node in nodes)
    ]
    if not alone:
        place = stack.document.place(path)
        message = f"no node satisfies all constraints of '{spec.name}'"
        yield stack.document.problem("W205", message, place, "", "warning")
    for index in alone:
        text = spec.task.placement.constraints[index]
        place = stack.document.place((*path, index))
        message = f"no node satisfies the constraint '{text}'"
        hint = _constraint_hint(text, constraints[index], nodes)
        yield stack.document.problem("W205", message, place, hint, "warning")


def _constraint_hint(text: str, constraint: Constraint, nodes: list[Node]) -> str:
    if constraint.subject == Subject.NOTHING:
        known = ("node.hostname", "node.role", "node.labels.KEY", "node.platform.os")
        key = text.partition("=")[0].rstrip("!").strip()
        near = did_you_mean(key, known[:2])
        return near or f"did you mean 'node.labels.{text.strip()}'?"
    if constraint.subject == Subject.NODE_LABEL:
        values = [
            value for node in nodes for key, value in node.spec.labels if key == constraint.label
        ]
        if not values:
            return f"no node has the label: cluster.nodes.w1.labels.{constraint.label}"
        return did_you_mean(constraint.value, values) or f"nodes have {', '.join(sorted(values))}"
    return ""


# ── settings of a service ────────────────────────────────────────────────────────────────────


def _update_settings(stack: ReadStack, spec: ServiceSpec) -> Iterator[Problem]:
    config = spec.update
    if config is None or config.failure_action != FailureAction.ROLLBACK:
        return
    if config.monitor is None:
        path = stack.path(spec.name, "deploy", "update_config", "failure_action")
        message = f"'{spec.name}' rolls back, but new tasks are watched for 5s only"
        place = stack.document.place(path)
        hint = "say how long to watch them: monitor: 30s"
        yield stack.document.problem("W208", message, place, hint, "warning")


def _is_unpinned(image: str) -> bool:
    if "@" in image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest")


def _unpinned(stack: ReadStack, spec: ServiceSpec) -> Problem:
    image = spec.task.container.image
    place = stack.document.place(stack.path(spec.name, "image"))
    message = f"'{image}' is whatever is newest"
    hint = f"name a version: {image.removesuffix(':latest')}:1.2"
    return stack.document.problem("W211", message, place, hint, "warning")


# ── what events do to services ───────────────────────────────────────────────────────────────


def _event(reading: Reading, event: Event, path: Path) -> Iterator[Problem]:
    updated = _updated(event)
    if updated:
        for stack in reading.stacks:
            for spec in stack.services:
                if spec.name == updated and spec.task.container.health is None:
                    message = f"'{updated}' has no healthcheck: an update can lose requests"
                    hint = f"add one in {stack.document.file}"
                    yield reading.problem("W207", message, path, hint, "warning")
    if _drains(event):
        alone = [
            spec.name
            for spec in reading.scenario.services
            if isinstance(spec.mode, Replicated) and spec.mode.replicas == 1
        ]
        if alone:
            listed = ", ".join(f"'{name}'" for name in alone)
            message = f"draining stops the only task of {listed} before a new one starts"
            hint = "two replicas on different nodes stay up"
            yield reading.problem("W210", message, path, hint, "warning")


def _updated(event: Event) -> str:
    """The service that an event makes replace its tasks."""
    action = event.action
    if isinstance(action, actions.Update):
        return action.service if action.image is not None or action.force else ""
    if isinstance(action, actions.Docker):
        command = _command(action)
        if isinstance(command, UpdateCommand):
            change = command.change
            return command.service if change.image is not None or change.force else ""
    return ""


def _drains(event: Event) -> bool:
    action = event.action
    if isinstance(action, actions.Docker):
        command = _command(action)
        if isinstance(command, NodeUpdateCommand):
            return command.change.availability == Availability.DRAIN
    return isinstance(action, actions.Drain)


def _command(action: actions.Docker) -> Command | None:
    """The command of a docker event; None if it is an error, or can't be run yet."""
    try:
        return parse(action.command).command
    except (UsageError, Unsupported):
        return None
