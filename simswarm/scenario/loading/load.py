"""Reading a scenario file: text to a `Scenario`, or to all that is wrong with it.

    YAML ─> settings ─> stacks ─> models ─> references     errors E…
                                       └──> lints          warnings W…

Each stage reports everything it finds; a later stage runs only on what the earlier one
understood. Warnings never keep a scenario from running.

Invariant: whatever the input, the outcome is a `Scenario` or `ScenarioErrors`, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from simswarm.scenario.compose import read_stack
from simswarm.scenario.loading.lint import lint
from simswarm.scenario.loading.lintstack import service_lints
from simswarm.scenario.loading.reading import Reading
from simswarm.scenario.loading.references import wrong_references
from simswarm.scenario.loading.shape import (
    hides_names,
    known_extensions,
    normalised,
    without_wrong_parts,
)
from simswarm.scenario.loading.stacks import StackReader
from simswarm.scenario.loading.supported import unsupported, unsupported_in_stack
from simswarm.scenario.model import Scenario
from simswarm.scenario.model.origin import Origin
from simswarm.scenario.text.errors import Place, Problem, ScenarioErrors, in_order
from simswarm.scenario.text.files import base_folder, read_text
from simswarm.scenario.text.positions import Document, Path
from simswarm.scenario.text.settings import BadPath, Given, assign
from simswarm.scenario.text.translate import Translator

Settings = Mapping[str, Any]
LOCKED = "scenario.lock.yaml"
NO_EFFECT = "networks, ports and volumes of the stack are kept, but have no effect yet"


def load_locked(text: str) -> Scenario:
    """Read the text of a locked scenario. It needs no other file, and is given none.

    Raises:
        ScenarioErrors: it is wrong, names a file, or can't be run yet.
    """
    reading, problems = _Loading(Document(text, LOCKED), None).run({})
    if reading is not None:
        problems += unsupported(reading, "error")
    if reading is None or any(problem.is_error for problem in problems):
        raise ScenarioErrors(in_order(problems))
    return reading.scenario


def load_scenario(
    source: str | FilePath, set: Settings | None = None, *, runnable: bool = False
) -> Scenario:
    """Read a scenario.

    Args:
        source: The path of a file, or a text of more than one line.
        set: Values to put in place of the file's, by path (`cluster.managers`).
        runnable: Refuse also what is right but can't be run yet.

    Raises:
        ScenarioErrors: with every error there is, and the warnings beside them.
    """
    reading, problems = read(source, set or {})
    if reading is not None and runnable:
        problems += unsupported(reading, "error")
    if reading is None or any(problem.is_error for problem in problems):
        raise ScenarioErrors(in_order(problems))
    return reading.scenario


def check(source: str | FilePath, set: Settings | None = None) -> list[Problem]:
    """Everything wrong or doubtful with a scenario: errors, lints, and what can't be run yet.

    A stack file is judged too, as far as it can be without a swarm to run on.
    """
    try:
        document = _document(source)
    except ScenarioErrors as errors:
        return in_order(errors.problems)
    if _is_stack(document.data):
        return in_order(_check_stack(document))
    reading, problems = _Loading(document, base_folder(source)).run(set or {})
    if reading is not None:
        problems += unsupported(reading, "warning")
        problems += lint(reading)
    return in_order(problems)


def read(source: str | FilePath, settings: Settings) -> tuple[Reading | None, list[Problem]]:
    """Read a scenario as far as it goes.

    Returns:
        The reading, None if there was an error in its form; and the problems found.
    """
    try:
        document = _document(source)
    except ScenarioErrors as errors:
        return None, list(errors.problems)
    return _Loading(document, base_folder(source)).run(settings)


def _document(source: str | FilePath) -> Document:
    text, file = read_text(source)
    return Document(text, file)


def _is_stack(data: Any) -> bool:
    return isinstance(data, dict) and "services" in data and "simswarm" not in data


def _check_stack(document: Document) -> list[Problem]:
    stack = read_stack(document, (), document.data)
    return [*stack.problems, *unsupported_in_stack(stack, "warning"), *service_lints(stack)]


class _Loading:
    """One file being read."""

    __slots__ = ("_document", "_folder", "_problems")

    def __init__(self, document: Document, folder: FilePath | None) -> None:
        """`folder`: what paths are relative to; None: no other file is read."""
        self._document, self._folder = document, folder
        self._problems: list[Problem] = []

    def run(self, settings: Settings) -> tuple[Reading | None, list[Problem]]:
        """Go through all stages."""
        data = self._document.data
        if not isinstance(data, dict):
            self._report("E004", "a scenario is keys and values", (), "begin with: simswarm: 1")
            return None, self._problems
        if _is_stack(data):
            hint = "name it in a scenario: stack: FILE"
            self._report("E004", "this is a stack file, not a scenario", (), hint)
        elif "simswarm" not in data:
            self._report("E004", "the version of the format is missing", (), "add: simswarm: 1")
        data = self._with_settings(data, settings)
        if self._problems:
            return None, self._problems
        reading = self._scenario(data)
        if reading is None:
            return None, self._problems
        self._problems += wrong_references(reading)
        if reading.is_patched:
            return None, self._problems
        self._problems += self._wrong_grid(reading)
        return reading, self._problems

    def _report(self, code: str, message: str, path: Path, hint: str = "") -> None:
        place = self._document.place(path)
        self._problems.append(self._document.problem(code, message, place, hint))

    def _with_settings(self, data: Any, settings: Settings) -> Any:
        for path, value in settings.items():
            given = value if isinstance(value, Given) else None
            try:
                data, where = assign(data, path, value if given is None else given.value)
            except BadPath as error:
                place = Place("--set", 1, 1, len(path))
                self._problems.append(
                    Problem("E170", error.message, *place[:3], error.hint, "error", len(path))
                )
                continue
            if given is None:
                self._document.override(where, f"{path}={_shown(value)}", len(path) + 1)
            else:
                self._document.override(where, _shown(given.text), 0, given.flag)
        return data

    def _scenario(self, data: dict[str, Any]) -> Reading | None:
        shaped = {"name": _default_name(self._document.file), **known_extensions(data)}
        stacks = StackReader(self._document, self._folder)
        shaped = stacks.replace(normalised(shaped))
        self._problems += stacks.problems
        try:
            scenario = Scenario.model_validate(shaped)
        except ValidationError as error:
            translator = Translator(self._document, (), Scenario, shaped)
            self._problems += translator.problems(error)
            return self._patched(shaped, error, stacks)
        self._mark_origins(scenario, stacks.uses_networks)
        return Reading(scenario, self._document, data, tuple(stacks.read))

    def _patched(
        self, shaped: dict[str, Any], error: ValidationError, stacks: StackReader
    ) -> Reading | None:
        """What is left when the parts with errors are taken out, if that says anything."""
        try:
            scenario = Scenario.model_validate(without_wrong_parts(shaped, error))
        except ValidationError:
            return None
        hidden = hides_names(shaped, error)
        return Reading(scenario, self._document, shaped, tuple(stacks.read), True, hidden)

    def _mark_origins(self, scenario: Scenario, uses_networks: bool) -> None:
        file = self._document.file
        warnings = (NO_EFFECT,) if uses_networks else ()
        scenario._origin = Origin(file, 1, warnings)
        parts: Sequence[tuple[str, Sequence[Any]]] = (
            ("events", scenario.events),
            ("expect", scenario.expect),
        )
        for key, items in parts:
            for index, item in enumerate(items):
                item._origin = Origin(file, self._document.place((key, index)).line)

    def _wrong_grid(self, reading: Reading) -> list[Problem]:
        """Every value of a sweep's grid must do where it is put."""
        sweep = reading.scenario.sweep
        found: list[Problem] = []
        for path in sweep.grid if sweep is not None else ():
            values = reading.value(("sweep", "grid", path))
            for index, value in enumerate(values if isinstance(values, list) else []):
                where: Path = ("sweep", "grid", path, index)
                try:
                    data, _ = assign(reading.data, path, value)
                except BadPath as error:
                    place = self._document.place(where[:3], key=True)
                    found.append(self._document.problem("E170", error.message, place, error.hint))
                    break
                found += self._wrong_value(data, where, path)
        return found

    def _wrong_value(self, data: Any, where: Path, path: str) -> list[Problem]:
        stacks = StackReader(self._document, self._folder)
        shaped = stacks.replace(normalised({"name": "x", **known_extensions(data)}))
        wrong = [problem for problem in stacks.problems if problem.is_error]
        try:
            Scenario.model_validate(shaped)
        except ValidationError as error:
            wrong += Translator(self._document, (), Scenario, shaped).problems(error)
        if not wrong:
            return []
        first = wrong[0]
        # a key that isn't there is the path's fault, anything else the value's
        is_key = first.code == "E101"
        code = "E170" if is_key else first.code
        place = self._document.place(where[:3] if is_key else where, key=is_key)
        return [self._document.problem(code, f"{path}: {first.message}", place, first.hint)]


def _shown(value: Any) -> str:
    text = str(getattr(value, "text", value))
    return " ".join(text.split())[:200]


def _default_name(file: str) -> str:
    stem = FilePath(file).name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".swarm")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "scenario"
