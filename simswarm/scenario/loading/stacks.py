"""The stacks of a scenario: found at their paths or inline, read, and put in the data's place.

    stack: ./stack.yml     stack: {services: …}     stack: {shop: ./shop.yml, …}
    deploy: ./stack.yml    deploy: {shop: ./shop.yml}    deploy: {name: shop, stack: …, prune: …}

A stack that can't be read is replaced by an empty one, so that the rest of the scenario is still
checked.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from simswarm.scenario.compose import ReadStack, read_stack
from simswarm.scenario.grammar.forms import describe
from simswarm.scenario.model.stack import Stack
from simswarm.scenario.text.errors import Problem, ScenarioErrors
from simswarm.scenario.text.files import Unreadable, file_text
from simswarm.scenario.text.positions import Document, Path

_LONG_DEPLOY = ("stack", "name", "prune")


class StackReader:
    """Reads the stacks that a scenario's data mention."""

    __slots__ = ("_document", "_files", "_folder", "problems", "read")

    def __init__(self, document: Document, folder: FilePath | None) -> None:
        """`folder`: what paths are relative to; None: no file is read."""
        self._document, self._folder = document, folder
        self._files: dict[str, Document] = {}
        self.problems: list[Problem] = []
        self.read: list[ReadStack] = []

    @property
    def uses_networks(self) -> bool:
        """Whether any stack has networks, ports or volumes of its own."""
        files = [stack.file for stack in self.read if stack.file is not None]
        return any(
            file.networks
            or file.volumes
            or any(one.ports or one.networks or one.volumes for one in file.services.values())
            for file in files
        )

    def replace(self, data: dict[str, Any]) -> dict[str, Any]:
        """Data with every stack in place of its path or content."""
        data = dict(data)
        if data.get("stack") is not None:
            data["stack"] = self._top(data["stack"])
        else:
            data.pop("stack", None)
        events = data.get("events")
        if isinstance(events, list):
            data["events"] = [self._event(index, event) for index, event in enumerate(events)]
        return data

    def _top(self, value: Any) -> Any:
        if isinstance(value, str) or _is_content(value):
            return (self._stack("", value, ("stack",)),)
        if not isinstance(value, dict):
            self._report("E103", f"expected a path or a stack, found {describe(value)}", ("stack",))
            return ()
        stacks = tuple(self._stack(name, one, ("stack", name)) for name, one in value.items())
        self._refuse_doubles(stacks)
        return stacks

    def _refuse_doubles(self, stacks: tuple[Stack, ...]) -> None:
        seen: dict[str, str] = {}
        for stack in stacks:
            for service in stack.services:
                if service.name in seen:
                    message = f"the stack '{seen[service.name]}' has a service '{service.name}' too"
                    self._report("E162", message, ("stack", stack.name))
                seen[service.name] = stack.name

    def _event(self, index: int, event: Any) -> Any:
        if not isinstance(event, dict) or event.get("deploy") is None:
            return event
        path: Path = ("events", index, "deploy")
        value = event["deploy"]
        if isinstance(value, str) or _is_content(value):
            return {**event, "deploy": {"stack": self._stack("", value, path)}}
        if isinstance(value, dict) and "stack" in value:
            stack = self._stack("", value["stack"], (*path, "stack"))
            return {**event, "deploy": {**value, "stack": stack}}
        is_named = isinstance(value, dict) and not any(key in value for key in _LONG_DEPLOY)
        if is_named and len(value) == 1:
            ((name, one),) = value.items()
            stack = self._stack("", one, (*path, name))
            return {**event, "deploy": {"name": name, "stack": stack}}
        return event

    def _stack(self, name: str, value: Any, path: Path) -> Stack:
        if isinstance(value, str):
            document = self._file(value, path)
            base: Path = ()
        else:
            document, base = self._document, path
        if document is None:
            return Stack(name, {}, ())
        found = read_stack(document, base, document.data if base == () else value)
        self.problems += found.problems
        self.read.append(found)
        return Stack(name, found.content, found.services)

    def _file(self, name: str, path: Path) -> Document | None:
        if name in self._files:
            return self._files[name]
        if self._folder is None:
            self._report("E002", f"{name} is not read: this scenario stands alone", path)
            return None
        file = self._folder / name
        try:
            text = file_text(file).replace("\r\n", "\n").replace("\r", "\n")
            self._files[name] = Document(text, str(file))
        except Unreadable as error:
            hint = "paths are relative to the scenario file"
            self._report("E002", error.reason, path, hint)
            return None
        except ScenarioErrors as errors:
            self.problems += errors.problems
            return None
        return self._files[name]

    def _report(self, code: str, message: str, path: Path, hint: str = "") -> None:
        place = self._document.place(path)
        self.problems.append(self._document.problem(code, message, place, hint))


def _is_content(value: Any) -> bool:
    """Whether a value is the content of a stack file, not names of stacks."""
    return isinstance(value, dict) and isinstance(value.get("services"), dict)
