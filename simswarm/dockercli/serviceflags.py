"""The flags of `docker service create` and `docker service update`, and the change they make.

The two commands know the same settings; `update` has an `-add` and an `-rm` form for lists. Flags
that need what isn't built yet (secrets, users, capabilities, …) are refused by name, not ignored.

Source: docker/cli cli/command/service/opts.go (addServiceFlags), create.go, update.go.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TypeVar

from simswarm.base.errors import Unsupported
from simswarm.base.values import Labels
from simswarm.dockercli import values
from simswarm.dockercli.changes import (
    HealthChange,
    LabelChange,
    ListChange,
    PolicyChange,
    ResourceChange,
    RestartChange,
    ServiceChange,
)
from simswarm.dockercli.flags import Flag, Parsed, UsageError, bad_argument
from simswarm.dockercli.values import BadValue
from simswarm.model.specs import (
    EndpointMode,
    FailureAction,
    Port,
    RestartCondition,
    UpdateOrder,
)

T = TypeVar("T")

DETACH = Flag("detach", "switch", "d")
QUIET = Flag("quiet", "switch", "q")

_SETTINGS = (
    Flag("replicas"),
    Flag("replicas-max-per-node"),
    Flag("hostname"),
    Flag("entrypoint"),
    *(Flag(f"{kind}-{what}") for kind in ("limit", "reserve") for what in ("cpu", "memory")),
    *(Flag(f"restart-{what}") for what in ("condition", "delay", "max-attempts", "window")),
    *(
        Flag(f"{kind}-{what}")
        for kind in ("update", "rollback")
        for what in ("parallelism", "delay", "monitor", "failure-action", "order")
    ),
    Flag("update-max-failure-ratio"),
    Flag("rollback-max-failure-ratio"),
    *(Flag(f"health-{what}") for what in ("cmd", "interval", "timeout", "retries")),
    Flag("health-start-period"),
    Flag("no-healthcheck", "switch"),
    Flag("stop-grace-period"),
    Flag("stop-signal"),
    Flag("endpoint-mode"),
    DETACH,
    QUIET,
    Flag("no-resolve-image", "switch"),
    Flag("with-registry-auth", "switch"),
)
_NOT_YET = (
    *(Flag(name) for name in ("limit-pids", "user", "isolation", "log-driver", "max-concurrent")),
    Flag("workdir", letter="w"),
    *(Flag(name, "switch") for name in ("init", "read-only")),
    Flag("tty", "switch", "t"),
)
_LISTS_NOT_YET = (
    *("secret", "config", "group", "host", "dns", "dns-option", "dns-search", "cap"),
    *("sysctl", "ulimit"),
)

CREATE_FLAGS = (
    *_SETTINGS,
    Flag("name"),
    Flag("mode"),
    Flag("label", letter="l"),
    Flag("container-label"),
    Flag("env", letter="e"),
    Flag("constraint"),
    Flag("placement-pref"),
    Flag("publish", letter="p"),
    Flag("network"),
    Flag("mount"),
    Flag("generic-resource"),
    *_NOT_YET,
    Flag("env-file"),
    Flag("credential-spec"),
    Flag("log-opt"),
    *(Flag(name) for name in _LISTS_NOT_YET if name != "cap"),
    Flag("cap-add"),
    Flag("cap-drop"),
)
_LISTS = (
    *("label", "container-label", "env", "constraint", "placement-pref", "publish", "network"),
    *("mount", "generic-resource"),
)
UPDATE_FLAGS = (
    *_SETTINGS,
    Flag("image"),
    Flag("args"),
    Flag("force", "switch"),
    Flag("rollback", "switch"),
    *(Flag(f"{name}-{how}") for name in _LISTS for how in ("add", "rm")),
    *_NOT_YET,
    Flag("credential-spec"),
    Flag("log-opt"),
    *(Flag(f"{name}-{how}") for name in _LISTS_NOT_YET for how in ("add", "rm")),
    Flag("cap-drop"),
)
_FLAGS = {flag.name: flag for flag in (*CREATE_FLAGS, *UPDATE_FLAGS)}
_REFUSED = tuple(
    dict.fromkeys(
        (
            *(flag.name for flag in _NOT_YET),
            *("env-file", "credential-spec", "log-opt", "cap-add", "cap-drop", "cap-rm"),
            *_LISTS_NOT_YET,
            *(f"{name}-{how}" for name in _LISTS_NOT_YET for how in ("add", "rm")),
        )
    )
)
_ACTIONS = {action.name.lower(): action for action in FailureAction}
_ORDERS = {order.name.lower().replace("_", "-"): order for order in UpdateOrder}
_CONDITIONS = {
    condition.name.lower().replace("_", "-"): condition for condition in RestartCondition
}
_MODES = {"vip": EndpointMode.VIP, "dnsrr": EndpointMode.DNSRR}


class Reader:
    """Reads typed values out of parsed flags.

    Raises (every method):
        UsageError: the value isn't what the flag takes, in docker's words.
    """

    __slots__ = ("_command", "_parsed")

    def __init__(self, command: str, parsed: Parsed) -> None:
        self._command, self._parsed = command, parsed
        for name in parsed.given:
            if name in _REFUSED:
                raise Unsupported(f"--{name} of docker {command} is not supported yet")

    def one(self, name: str, read: Callable[[str], T]) -> T | None:
        """The value of a flag, None if it wasn't given."""
        text = self._parsed.last(name)
        return None if text is None else self._read(name, text, read)

    def each(self, name: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """Every value of a flag that may be repeated."""
        return tuple(self._read(name, text, read) for text in self._parsed.all(name))

    def word(self, name: str, known: dict[str, T], refusal: str) -> T | None:
        """A flag with few possible words; `refusal` is what the engine says of any other."""
        text = self._parsed.last(name)
        if text is None:
            return None
        if text not in known:
            raise UsageError(f"Error response from daemon: {refusal.format(text)}", text)
        return known[text]

    def is_set(self, name: str) -> bool:
        """Whether a switch is on."""
        return self._parsed.is_set(name)

    def _read(self, name: str, text: str, read: Callable[[str], T]) -> T:
        try:
            return read(text)
        except BadValue as error:
            raise UsageError(bad_argument(_FLAGS[name], text, str(error)), text) from None


def service_change(reader: Reader, *, is_update: bool) -> ServiceChange:
    """What the flags of `create` or `update` change in a service."""
    add = "-add" if is_update else ""
    return ServiceChange(
        image=reader.one("image", str) if is_update else None,
        replicas=reader.one("replicas", values.unsigned),
        entrypoint=reader.one("entrypoint", _words),
        args=reader.one("args", _words) if is_update else None,
        env=ListChange(reader.each(f"env{add}", values.variable), reader.each("env-rm", str)),
        labels=_label_change(reader, "label", add),
        container_labels=_label_change(reader, "container-label", add),
        hostname=reader.one("hostname", str),
        constraints=_list_change(reader, "constraint", add, str),
        preferences=_list_change(reader, "placement-pref", add, values.spread),
        max_replicas=reader.one("replicas-max-per-node", values.unsigned),
        limits=ResourceChange(
            reader.one("limit-cpu", values.nano_cpus), reader.one("limit-memory", values.size)
        ),
        reservations=ResourceChange(
            reader.one("reserve-cpu", values.nano_cpus),
            reader.one("reserve-memory", values.size),
            reader.each(f"generic-resource{add}", values.generic_resource),
            reader.each("generic-resource-rm", str),
        ),
        restart=_restart(reader),
        update=_policy(reader, "update"),
        rollback=_policy(reader, "rollback"),
        health=_health(reader),
        stop_grace=reader.one("stop-grace-period", values.span),
        stop_signal=reader.one("stop-signal", str),
        ports_add=_flat(reader.each(f"publish{add}", values.ports)),
        ports_rm=_flat(reader.each("publish-rm", values.ports)),
        networks=_list_change(reader, "network", add, _network),
        mounts_add=reader.each(f"mount{add}", values.mount),
        mounts_rm=reader.each("mount-rm", str),
        endpoint_mode=reader.word("endpoint-mode", _MODES, "unknown endpoint mode: {}"),
        force=reader.is_set("force"),
    )


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise BadValue("invalid command line string") from None


def _network(text: str) -> str:
    """`front`, or `name=front,alias=shop`."""
    if "=" not in text:
        return text
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    if not fields.get("name"):
        raise BadValue("network name/id is not specified")
    return fields["name"]


def _flat(groups: tuple[tuple[Port, ...], ...]) -> tuple[Port, ...]:
    return tuple(port for group in groups for port in group)


def _list_change(reader: Reader, name: str, add: str, read: Callable[[str], str]) -> ListChange:
    return ListChange(reader.each(f"{name}{add}", read), reader.each(f"{name}-rm", read))


def _label_change(reader: Reader, name: str, add: str) -> LabelChange:
    added: Labels = reader.each(f"{name}{add}", values.key_value)
    return LabelChange(added, reader.each(f"{name}-rm", str))


def _restart(reader: Reader) -> RestartChange:
    return RestartChange(
        reader.word("restart-condition", _CONDITIONS, 'invalid RestartCondition: "{}"'),
        reader.one("restart-delay", values.span),
        reader.one("restart-max-attempts", values.unsigned),
        reader.one("restart-window", values.span),
    )


def _policy(reader: Reader, kind: str) -> PolicyChange:
    refusal = f"unrecognized {kind} failure action {{}}"
    return PolicyChange(
        reader.one(f"{kind}-parallelism", values.unsigned),
        reader.one(f"{kind}-delay", values.span),
        reader.word(f"{kind}-failure-action", _ACTIONS, refusal),
        reader.one(f"{kind}-monitor", values.span),
        reader.one(f"{kind}-max-failure-ratio", values.ratio),
        reader.word(f"{kind}-order", _ORDERS, f"unrecognized {kind} order {{}}"),
    )


def _health(reader: Reader) -> HealthChange:
    command = reader.one("health-cmd", str)
    return HealthChange(
        None if command is None else ("CMD-SHELL", command),
        reader.one("health-interval", values.span),
        reader.one("health-timeout", values.span),
        reader.one("health-retries", values.unsigned),
        reader.one("health-start-period", values.span),
        reader.is_set("no-healthcheck"),
    )
