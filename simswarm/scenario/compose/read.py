"""Reading a stack: content with places to services, errors and warnings.

Unknown and ignored keys are warnings (W209), as docker warns of them; everything else that docker
or the swarm would refuse is an error at its own place in the stack file.

Not here: where the content comes from (`scenario/loading/load.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from simswarm.base.errors import InvalidSpec
from simswarm.manager.controlapi.validation import (
    MEMORY_BYTES_MIN,
    NANO_CPUS_MIN,
    validate_service_spec,
)
from simswarm.model.constraints import parse
from simswarm.model.specs import ServiceSpec
from simswarm.scenario.compose.convert import service_spec
from simswarm.scenario.compose.files import StackFile
from simswarm.scenario.compose.ignored import why_ignored
from simswarm.scenario.compose.interpolate import interpolate
from simswarm.scenario.grammar.forms import describe
from simswarm.scenario.text.errors import Problem, did_you_mean
from simswarm.scenario.text.positions import Document, Path
from simswarm.scenario.text.translate import Translator, known_keys

_ROUNDS = 5
"""Unknown keys show up level by level; there are no more levels than this."""


class ReadStack(NamedTuple):
    """What a stack's content came to."""

    document: Document
    base: Path
    """Where the content is in the document."""
    content: Mapping[str, Any]
    file: StackFile | None
    services: tuple[ServiceSpec, ...]
    problems: tuple[Problem, ...]

    @property
    def has_errors(self) -> bool:
        """Whether some of it could not be used."""
        return any(problem.is_error for problem in self.problems)

    def path(self, service: str, *below: str | int) -> Path:
        """The path of a part of a service in the document."""
        return (*self.base, "services", service, *below)


def read_stack(document: Document, base: Path, content: Any) -> ReadStack:
    """Check the content of a stack and convert its services.

    Args:
        document: The file it stands in.
        base: Its path in that file; empty for a file of its own.
        content: The content as plain data.
    """
    reader = _Reader(document, base)
    file = reader.validate(content)
    services = reader.services(file) if file is not None else ()
    kept = content if isinstance(content, Mapping) else {}
    return ReadStack(document, base, kept, file, services, tuple(reader.problems))


class _Reader:
    __slots__ = ("_base", "_document", "problems")

    def __init__(self, document: Document, base: Path) -> None:
        self._document, self._base = document, base
        self.problems: list[Problem] = []

    def validate(self, content: Any) -> StackFile | None:
        """The content as a stack file, or None, with everything wrong with it reported."""
        if not isinstance(content, Mapping) or "services" not in content:
            message = "a stack file needs services"
            if not isinstance(content, Mapping):
                message += f", this is {describe(content)}"
            place = self._document.place(self._base)
            self.problems.append(self._document.problem("E160", message, place))
            return None
        data = interpolate(_without_extensions(content), (), self._missing)
        for rounds_left in reversed(range(_ROUNDS)):
            try:
                return StackFile.model_validate(data)
            except ValidationError as error:
                unknown = [
                    details["loc"]
                    for details in error.errors(include_url=False)
                    if details["type"] == "extra_forbidden"
                ]
                if not unknown or not rounds_left:
                    self._report(error, data)
                    return None
                for loc in unknown:
                    self._ignore(loc)
                data = _without(data, unknown)
        return None

    def _report(self, error: ValidationError, data: Any) -> None:
        translator = Translator(self._document, self._base, StackFile, data)
        self.problems.extend(translator.problems(error))

    def _missing(self, path: Path, name: str) -> None:
        place = self._document.place((*self._base, *path))
        message = f"the variable '{name}' is empty"
        hint = f"give it a default: ${{{name}:-…}}"
        self.problems.append(self._document.problem("W212", message, place, hint, "warning"))

    def _ignore(self, loc: tuple[int | str, ...]) -> None:
        name = str(loc[-1])
        reason = why_ignored(name) if len(loc) == 3 and loc[0] == "services" else None
        if reason is None:
            hint = did_you_mean(name, known_keys(StackFile, loc[:-1]))
            reason = (f"'{name}' is no key of Compose that has an effect here", hint)
        place = self._document.place((*self._base, *loc), key=True)
        problem = self._document.problem("W209", reason[0], place, reason[1], "warning")
        self.problems.append(problem)

    def services(self, file: StackFile) -> tuple[ServiceSpec, ...]:
        """The services, each checked as the swarm would check it."""
        specs: list[ServiceSpec] = []
        for name, service in file.services.items():
            spec = service_spec(name, service)
            specs.append(spec)
            try:
                validate_service_spec(spec)
            except InvalidSpec as error:
                self._refused(spec, error.message)
        return tuple(specs)

    def _refused(self, spec: ServiceSpec, message: str) -> None:
        below = _blame(spec, message)
        path = (*self._base, "services", spec.name, *below)
        place = self._document.place(path, key=not below)
        text = f"the swarm refuses service '{spec.name}': {message}"
        self.problems.append(self._document.problem("E161", text, place))


def _blame(spec: ServiceSpec, message: str) -> Path:
    """Which part of a service a refusal is about; empty: its name."""
    if "constraint expected" in message or message.startswith(("key '", "value '")):
        constraints = spec.task.placement.constraints
        bad = next(number for number, one in enumerate(constraints) if not _is_constraint(one))
        return ("deploy", "placement", "constraints", bad)
    if message.startswith(("invalid memory", "invalid cpu")):
        what = "memory" if "memory" in message else "cpus"
        return ("deploy", "resources", _smallest(spec, what), what)
    for word, path in (
        ("ContainerSpec: image", ("image",)),
        ("valid repository/tag", ("image",)),
        ("duplicate mount", ("volumes",)),
        ("EndpointSpec", ("ports",)),
        ("HealthConfig", ("healthcheck",)),
    ):
        if word in message:
            return path
    return ()


def _smallest(spec: ServiceSpec, what: str) -> str:
    """Whether the limits or the reservations hold the amount that is too small."""
    reserved = spec.task.reservations
    amount = reserved.memory_bytes if what == "memory" else reserved.nano_cpus
    least = MEMORY_BYTES_MIN if what == "memory" else NANO_CPUS_MIN
    return "reservations" if 0 < amount < least else "limits"


def _is_constraint(text: str) -> bool:
    try:
        parse((text,))
    except InvalidSpec:
        return False
    return True


def _without_extensions(content: Mapping[str, Any]) -> dict[str, Any]:
    """Content without `x-` keys, at the top and in services."""
    kept = {key: one for key, one in content.items() if not key.startswith("x-")}
    services = kept.get("services")
    if isinstance(services, dict):
        kept["services"] = {
            name: {key: one for key, one in service.items() if not key.startswith("x-")}
            if isinstance(service, dict)
            else service
            for name, service in services.items()
        }
    return kept


def _without(data: Any, unknown: list[tuple[int | str, ...]]) -> Any:
    """A copy of the data without the keys at these places."""
    if isinstance(data, list):
        return [
            _without(one, [loc[1:] for loc in unknown if loc[0] == index and len(loc) > 1])
            for index, one in enumerate(data)
        ]
    if not isinstance(data, dict):
        return data
    gone = [loc[0] for loc in unknown if len(loc) == 1]
    return {
        key: _without(one, [loc[1:] for loc in unknown if loc[0] == key and len(loc) > 1])
        for key, one in data.items()
        if key not in gone
    }
