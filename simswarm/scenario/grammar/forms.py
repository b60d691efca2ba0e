"""What every part of the scenario format is built from: frozen models, small syntaxes, short forms.

A part of the file is a pydantic model that allows no unknown key. A small syntax (a duration, a
target) is a `Read` in an annotation: one function that reads, one that writes, one JSON Schema.
A `Short` model may be written as one value (`crash: leader`) instead of a mapping.

Invariants:
    I1. A validator that refuses raises `wrong(...)`: our code, our words, never pydantic's.
    I2. What `write` makes reads back as the same value.

Not here: where an error stands in the file (`positions.py`), its code's meaning (`codes.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")
JsonSchema: TypeAlias = dict[str, Any]


def wrong(code: str, message: str, hint: str = "", **place: Any) -> PydanticCustomError:
    """An error of the format.

    Args:
        code: One of `codes.CODES`.
        message: What is wrong, without a full stop.
        hint: What to do about it.
        place: `key` names a key of the mapping at hand; `offset` and `length` a part of the text;
            `item` the path of an element of the list.
    """
    # pydantic fills a template; our texts may hold braces, so they go in as a value
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint, **place})


def each(read: Callable[[object], T], values: Sequence[object]) -> tuple[T, ...]:
    """Read every element of a list; a refusal points at the element."""
    found: list[T] = []
    for index, value in enumerate(values):
        try:
            found.append(read(value))
        except PydanticCustomError as error:
            context = dict(error.context or {})
            item = (index, *context.pop("item", ()))
            raise wrong(error.type, **context, item=item) from None
    return tuple(found)


class Read:
    """Annotation of a field with a syntax of its own."""

    __slots__ = ("_read", "_schema", "_write")

    def __init__(
        self,
        read: Callable[[object], Any],
        write: Callable[[Any], Any] | None,
        schema: JsonSchema,
    ) -> None:
        self._read, self._write, self._schema = read, write, schema

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        writer = self._write and core_schema.plain_serializer_function_ser_schema(self._write)
        return core_schema.no_info_plain_validator_function(self._read, serialization=writer)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        return dict(self._schema)


class OneOrMany:
    """Annotation of a tuple that may be written as its only element."""

    __slots__ = ()

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._spread, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        whole = handler(schema)
        return {"anyOf": [whole["items"], whole]}

    @staticmethod
    def _spread(value: object) -> object:
        if isinstance(value, list | tuple):
            if not value:
                raise wrong("E103", "an empty list: at least one is needed")
            return value
        return [value]


Many = Annotated[tuple[T, ...], OneOrMany()]
"""`Many[X]`: one X or a list of them."""


class Frozen(BaseModel):
    """Base of every part of a scenario: frozen, and unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        serialize_by_alias=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    also: ClassVar[tuple[JsonSchema, ...]] = ()
    """Other shapes that a validator of the part takes, for the JSON Schema."""

    @classmethod
    def _shapes(cls, whole: JsonSchema) -> list[JsonSchema]:
        return [*cls.also, whole]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        reference = handler(schema)
        whole = handler.resolve_ref_schema(reference)
        shapes = cls._shapes(whole)
        return reference if shapes == [whole] else {"anyOf": shapes}


class Short(Frozen):
    """A part that may be written as one value: that of the field named by `short`."""

    short: ClassVar[str]
    """The key the one value stands for."""

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: object) -> object:
        if isinstance(data, Mapping | cls):
            return data
        return {cls.short: data}

    @classmethod
    def _shapes(cls, whole: JsonSchema) -> list[JsonSchema]:
        return [whole["properties"][cls.short], *cls.also, whole]


def describe(value: object) -> str:
    """A value in the words of an error message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case int() | float():
            return shorten(text_of(value))
    return f"'{shorten(str(value))}'"


def shorten(text: str) -> str:
    """A text cut to what an error message can hold."""
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "…"


def text_of(value: object) -> str:
    """A scalar as it stood in the file: `20.10` stays `20.10`."""
    return str(getattr(value, "text", value))
