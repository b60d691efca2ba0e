"""A scenario together with the texts it was read from, so that problems can point at them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from simswarm.scenario.compose import ReadStack
from simswarm.scenario.model import Scenario
from simswarm.scenario.text.errors import Place, Problem, Severity
from simswarm.scenario.text.positions import Document, Path


class Reading(NamedTuple):
    """A file that was read without an error in its form."""

    scenario: Scenario
    document: Document
    data: Any
    """The plain data it was made from, settings included."""
    stacks: tuple[ReadStack, ...]
    """The stacks at 0, then those of `deploy` events."""
    is_patched: bool = False
    """Parts with errors of form stand as placeholders: only errors of reference are of use."""
    hides_names: bool = False
    """A part with errors might have given nodes or services their names."""

    def problem(
        self, code: str, message: str, path: Path, hint: str = "", severity: Severity = "error"
    ) -> Problem:
        """A problem with the value at a path of the scenario."""
        return self.document.problem(code, message, self.document.place(path), hint, severity)

    def within(self, path: Path, part: str) -> Place:
        """Where a part of the text at a path stands; the whole text if it isn't in it."""
        value = self.value(path)
        offset = value.find(part) if isinstance(value, str) and part else -1
        if offset < 0:
            return self.document.place(path)
        return self.document.within(path, offset, len(part))

    def value(self, path: Path) -> Any:
        """The plain value at a path; parts that aren't there are passed over."""
        here = self.data
        for part in path:
            if isinstance(here, dict):
                here = here.get(str(part), here)
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                here = here[part]
        return here

    @property
    def is_incomplete(self) -> bool:
        """Whether something could not be read, so that some names may be missing."""
        return self.hides_names or any(stack.has_errors for stack in self.stacks)

    def all_services(self) -> Iterator[tuple[ReadStack, str]]:
        """Every service of every stack, under its name in the stack file."""
        for stack in self.stacks:
            for service in stack.services:
                yield stack, service.name
