"""What can't be run yet: the one table. Taking a line out of it makes the thing runnable.

A file that uses any of it is right: `check` says so and warns (W3xx); `run` refuses (E3xx).
Nothing is ever passed over in silence.

Not here: networks, ports and volumes, which are kept without effect (`load.py`, W220).
"""

from __future__ import annotations

from collections.abc import Iterator

from simswarm.base.errors import Unsupported
from simswarm.dockercli import UsageError, parse
from simswarm.scenario.compose import ReadStack
from simswarm.scenario.loading.reading import Reading
from simswarm.scenario.model import actions
from simswarm.scenario.text.errors import Problem, Severity
from simswarm.scenario.text.positions import Path

KEYS = {
    "traffic": "there is no data plane yet",
    "nemesis": "random faults are drawn in a later version",
}
"""Top-level keys, and why not."""
ACTIONS = {
    "promote": "a node keeps its role",
    "demote": "a node keeps its role",
    "join": "the nodes are those of the start",
    "leave": "the nodes are those of the start",
    "disk": "disks don't fail by themselves yet",
    "clock": "clocks don't change during a run yet",
}
"""Actions, and why not."""
EXPECTATIONS = {"exposure": "there are no secrets and configs yet"}
"""Kinds of expectations, and why not."""
ENGINES = ("20.10",)
"""Engines whose rules are known."""
REMOVES_NODES = False
COUNTS_REQUESTS = False
"""Whether `availability` can count failed requests."""
SECRETS = False
"""Whether services may use secrets and configs."""
MODES = ("replicated", "global")
"""Modes of services that there is an orchestrator for."""


def unsupported(reading: Reading, severity: Severity) -> list[Problem]:
    """Everything in a scenario that can't be run yet, as errors or as warnings."""
    letter = "E" if severity == "error" else "W"
    problems = [
        reading.document.problem(
            letter + number, message, reading.document.place(path, key=True), hint, severity
        )
        for number, path, message, hint in _in_scenario(reading)
    ]
    for stack in reading.stacks:
        problems += unsupported_in_stack(stack, severity)
    return problems


def unsupported_in_stack(stack: ReadStack, severity: Severity) -> list[Problem]:
    """Everything in a stack that can't be run yet."""
    code = "E305" if severity == "error" else "W305"
    return [
        stack.document.problem(code, message, stack.document.place(path), "", severity)
        for path, message in _in_stack(stack)
    ]


def _in_scenario(reading: Reading) -> Iterator[tuple[str, Path, str, str]]:
    """Number of the code, path, message, reason."""
    scenario = reading.scenario
    for key, reason in KEYS.items():
        if getattr(scenario, key):
            yield "301", (key,), f"'{key}' is not supported yet", reason
    if scenario.cluster.engine not in ENGINES:
        message = f"engine {scenario.cluster.engine} is not supported yet"
        yield "301", ("cluster", "engine"), message, f"known: {', '.join(ENGINES)}"
    for index, event in enumerate(scenario.events):
        path: Path = ("events", index, event.verb)
        if event.verb in ACTIONS:
            yield "302", path, f"'{event.verb}' is not supported yet", ACTIONS[event.verb]
        action = event.action
        if isinstance(action, actions.Remove) and action.node is not None and not REMOVES_NODES:
            yield "302", path, "removing nodes is not supported yet", ""
        if isinstance(action, actions.Docker):
            yield from _in_command(path, action.command)
    for index, expectation in enumerate(scenario.expect):
        path = ("expect", index, expectation.kind)
        if expectation.kind in EXPECTATIONS:
            reason = EXPECTATIONS[expectation.kind]
            yield "303", path, f"'{expectation.kind}' is not supported yet", reason
        counts = expectation.availability
        if counts is not None and counts.failed_requests is not None and not COUNTS_REQUESTS:
            reason = "there is no data plane yet"
            path = (*path, "failed_requests")
            yield "303", path, "'failed_requests' is not supported yet", reason


def _in_command(path: Path, line: str) -> Iterator[tuple[str, Path, str, str]]:
    try:
        parse(line)
    except Unsupported as error:
        yield "304", path, error.message, ""
    except UsageError:
        return  # an error of its own (references.py)


def _in_stack(stack: ReadStack) -> Iterator[tuple[Path, str]]:
    if stack.file is None:
        return
    for name, service in stack.file.services.items():
        mode = service.deploy.mode
        if mode not in MODES:
            path = stack.path(name, "deploy", "mode")
            yield path, f"services of mode {mode} are not supported yet"
        for key in ("secrets", "configs"):
            if getattr(service, key) and not SECRETS:
                yield stack.path(name, key), f"'{key}' of services are not supported yet"
