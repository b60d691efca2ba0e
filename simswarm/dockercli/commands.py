"""A docker command line, read: which command, on which node, with which settings.

    [docker] [--host NODE] service scale web=3

Commands are a closed union of frozen values. A line that docker would refuse raises `UsageError`
in docker's words; a command or flag that docker knows and we don't yet raises `Unsupported`.

Source: docker/cli cli/command/{service,node}; texts recorded from docker 20.10.24.
Not here: carrying a command out (`conversation.py`).
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from simswarm.base.errors import Unsupported
from simswarm.base.values import Value
from simswarm.dockercli import values
from simswarm.dockercli.changes import (
    LabelChange,
    NodeChange,
    Refused,
    ServiceChange,
    changed_service,
)
from simswarm.dockercli.flags import Flag, FlagSet, Parsed, UsageError
from simswarm.dockercli.serviceflags import (
    CREATE_FLAGS,
    DETACH,
    QUIET,
    UPDATE_FLAGS,
    Reader,
    service_change,
)
from simswarm.model.specs import (
    Availability,
    ContainerSpec,
    EndpointSpec,
    Global,
    Replicated,
    ServiceSpec,
    TaskSpec,
)


class CreateCommand(Value, frozen=True):
    """`docker service create`."""

    spec: ServiceSpec


class UpdateCommand(Value, frozen=True):
    """`docker service update`. `rollback`: `--rollback`, the rest of the change is then unused."""

    service: str
    change: ServiceChange
    rollback: bool = False


class ScaleCommand(Value, frozen=True):
    """`docker service scale`: replicas by service, in order."""

    services: tuple[tuple[str, int], ...]


class RollbackCommand(Value, frozen=True):
    """`docker service rollback`."""

    service: str


class RemoveCommand(Value, frozen=True):
    """`docker service rm`."""

    services: tuple[str, ...]


class NodeUpdateCommand(Value, frozen=True):
    """`docker node update`."""

    node: str
    change: NodeChange


Command: TypeAlias = (
    CreateCommand
    | UpdateCommand
    | ScaleCommand
    | RollbackCommand
    | RemoveCommand
    | NodeUpdateCommand
)


class CommandLine(NamedTuple):
    """A command and the node it is given to; None: any manager."""

    host: str | None
    command: Command


_AVAILABILITIES = {state.name.lower(): state for state in Availability}
_GLOBAL = FlagSet((Flag("host", letter="H"),), interspersed=False)
_CREATE = FlagSet(CREATE_FLAGS, interspersed=False)
_UPDATE = FlagSet(UPDATE_FLAGS)
_PLAIN = FlagSet((DETACH, QUIET))
_REMOVE = FlagSet(())
_NODE = FlagSet((Flag("availability"), Flag("label-add"), Flag("label-rm"), Flag("role")))

NOT_YET = {
    "service": ("inspect", "logs", "ls", "list", "ps"),
    "node": ("demote", "inspect", "ls", "list", "promote", "ps", "rm", "remove"),
    "stack": ("config", "deploy", "up", "ls", "list", "ps", "rm", "remove", "down", "services"),
    "swarm": ("ca", "init", "join", "join-token", "leave", "unlock", "unlock-key", "update"),
    "network": ("connect", "create", "disconnect", "inspect", "ls", "prune", "rm"),
    "secret": ("create", "inspect", "ls", "rm"),
    "config": ("create", "inspect", "ls", "rm"),
    "volume": ("create", "inspect", "ls", "prune", "rm"),
    "container": ("exec", "inspect", "kill", "logs", "ls", "rm", "run", "start", "stop"),
    "system": ("df", "events", "info"),
}
"""Commands of docker that can't be run yet, by group."""
_NOT_YET_ALONE = (
    *("events", "exec", "info", "inspect", "kill", "logs", "ps", "pull", "restart", "rm", "run"),
    *("start", "stop", "version"),
)


def parse(line: str) -> CommandLine:
    """Read a command line.

    Raises:
        UsageError: docker would refuse it without asking anybody.
        Unsupported: docker knows it, but it can't be run yet.
    """
    try:
        words = shlex.split(line)
    except ValueError:
        raise UsageError("a quote is not closed") from None
    if words[:1] == ["docker"]:
        words = words[1:]
    parsed = _GLOBAL.parse(words)
    return CommandLine(parsed.last("host"), _command(parsed.rest))


def _command(words: Sequence[str]) -> Command:
    if not words:
        raise UsageError("there is no command", "")
    group, name = words[0], words[1] if len(words) > 1 else ""
    reader = COMMANDS.get((group, "rm" if name == "remove" else name))
    if reader is not None:
        return reader(words[2:])
    full = f"{group} {name}".strip()
    if name in NOT_YET.get(group, ()):
        raise Unsupported(f"docker {full} is not supported yet")
    if group in _NOT_YET_ALONE:
        raise Unsupported(f"docker {group} is not supported yet")
    if group in NOT_YET:
        known = [two for one, two in COMMANDS if one == group] + list(NOT_YET[group])
        raise UsageError(f"'docker {full}' is not a docker command.{_near(name, known)}", name)
    known = [*NOT_YET, *_NOT_YET_ALONE]
    raise UsageError(f"'{group}' is not a docker command.{_near(group, known)}", group)


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _needs(command: str, parsed: Parsed, *, least: int, most: int | None) -> None:
    count = len(parsed.rest)
    if least <= count and (most is None or count <= most):
        return
    how = "exactly" if least == most else "at least"
    number = f"{least} argument{'' if least == 1 else 's'}"
    raise UsageError(f'"docker {command}" requires {how} {number}.')


def _create(words: Sequence[str]) -> Command:
    parsed = _CREATE.parse(words)
    _needs("service create", parsed, least=1, most=None)
    reader = Reader("service create", parsed)
    change = service_change(reader, is_update=False)
    name = parsed.last("name")
    if not name:
        raise Unsupported("docker service create without --name is not supported yet")
    base = ServiceSpec(
        name=name,
        task=TaskSpec(ContainerSpec(image=parsed.rest[0], args=parsed.rest[1:])),
        mode=_mode(parsed.last("mode")),
        endpoint=EndpointSpec(),
    )
    if change.replicas is not None and isinstance(base.mode, Global):
        raise UsageError(
            "replicas can only be used with replicated or replicated-job mode", "--replicas"
        )
    try:
        return CreateCommand(changed_service(base, change))
    except Refused as refused:
        raise UsageError(str(refused)) from None


def _mode(text: str | None) -> Replicated | Global:
    if text in (None, "", "replicated"):
        return Replicated(1)
    if text == "global":
        return Global()
    if text in ("replicated-job", "global-job"):
        raise Unsupported(f"services of mode {text} are not supported yet")
    raise UsageError(f"Unknown mode: {text}, only replicated and global supported", str(text))


def _update(words: Sequence[str]) -> Command:
    parsed = _UPDATE.parse(words)
    _needs("service update", parsed, least=1, most=1)
    reader = Reader("service update", parsed)
    change = service_change(reader, is_update=True)
    return UpdateCommand(parsed.rest[0], change, reader.is_set("rollback"))


def _scale(words: Sequence[str]) -> Command:
    parsed = _PLAIN.parse(words)
    _needs("service scale", parsed, least=1, most=None)
    services: list[tuple[str, int]] = []
    for word in parsed.rest:
        name, equals, count = word.partition("=")
        if not equals or not name:
            raise UsageError(f"invalid scale specifier '{word}'.", word)
        try:
            services.append((name, values.unsigned(count)))
        except values.BadValue as error:
            raise UsageError(f"{name}: invalid replicas value {count}: {error}", word) from None
    return ScaleCommand(tuple(services))


def _rollback(words: Sequence[str]) -> Command:
    parsed = _PLAIN.parse(words)
    _needs("service rollback", parsed, least=1, most=1)
    return RollbackCommand(parsed.rest[0])


def _remove(words: Sequence[str]) -> Command:
    parsed = _REMOVE.parse(words)
    _needs("service rm", parsed, least=1, most=None)
    return RemoveCommand(parsed.rest)


def _node_update(words: Sequence[str]) -> Command:
    parsed = _NODE.parse(words)
    _needs("node update", parsed, least=1, most=1)
    if parsed.last("role") is not None:
        raise Unsupported("--role of docker node update is not supported yet")
    reader = Reader("node update", parsed)
    availability = reader.word("availability", _AVAILABILITIES, 'invalid Availability: "{}"')
    labels = LabelChange(
        tuple(_node_label(text) for text in parsed.all("label-add")), parsed.all("label-rm")
    )
    return NodeUpdateCommand(parsed.rest[0], NodeChange(labels, availability))


def _node_label(text: str) -> values.Pair:
    try:
        return values.key_value(text)
    except values.BadValue as error:
        raise UsageError(str(error), text) from None


COMMANDS: dict[tuple[str, str], Callable[[Sequence[str]], Command]] = {
    ("service", "create"): _create,
    ("service", "update"): _update,
    ("service", "scale"): _scale,
    ("service", "rollback"): _rollback,
    ("service", "rm"): _remove,
    ("node", "update"): _node_update,
}
"""The commands that can be run."""
