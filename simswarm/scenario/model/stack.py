"""A stack: Compose content and the services it stands for.

The content is kept as it was read, so that a locked scenario can hold it inline.

Not here: reading and converting it (`compose/`), which the loader does before anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from simswarm.model.specs import ServiceSpec
from simswarm.scenario.grammar.forms import JsonSchema, Read, wrong


class Stack(NamedTuple):
    """Compose content and what it means."""

    name: str
    """Its name in the scenario; services carry no prefix of it here."""
    content: Mapping[str, Any]
    services: tuple[ServiceSpec, ...]
    """In the order of the file."""


_ONE: JsonSchema = {
    "anyOf": [
        {"type": "string", "description": "path of a stack file", "examples": ["./stack.yml"]},
        {"type": "object", "description": "the content of a stack file"},
    ]
}


def _stack(value: object) -> Stack:
    if isinstance(value, Stack):
        return value
    raise wrong("E103", "a stack is the path of a stack file, or its content")


def _stacks(value: object) -> tuple[Stack, ...]:
    if isinstance(value, tuple) and all(isinstance(one, Stack) for one in value):
        return value
    raise wrong("E103", "a stack is the path of a stack file, its content, or {name: path}")


def _write_stack(value: Stack) -> Any:
    return value.content


def _write_stacks(value: tuple[Stack, ...]) -> Any:
    if len(value) == 1 and not value[0].name:
        return value[0].content
    return {stack.name: stack.content for stack in value}


StackField = Annotated[Stack, Read(_stack, _write_stack, _ONE)]
"""A field that holds one stack."""
StacksField = Annotated[tuple[Stack, ...], Read(_stacks, _write_stacks, _ONE)]
"""A field that holds the stacks that are deployed at 0."""
