"""From pydantic's errors to problems of a file: our codes and words, exact places, hints.

pydantic says where in the data (`("events", 3, "scale", "web")`) and what kind of error; the
document knows where that stands. A wrong value is pointed at, an unknown key is pointed at by its
key, something missing by the mapping it is missing from.

Invariant: none of pydantic's own words or addresses reach the user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails

from simswarm.base.time import format_duration
from simswarm.scenario.grammar.forms import describe
from simswarm.scenario.text.errors import Place, Problem, did_you_mean
from simswarm.scenario.text.positions import Document, Path

COMMA_HINT = "a comma ended the value: quote it or use one line per key"
_LIMITS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


class Translator:
    """Translates the errors of one part of a document.

    Args:
        document: Where the data came from.
        base: Path of the part in the document.
        model: The model it was validated against, for the names of known keys.
        data: The data that was validated.
    """

    __slots__ = ("_base", "_data", "_document", "_model")

    def __init__(self, document: Document, base: Path, model: type[BaseModel], data: Any) -> None:
        self._document, self._base, self._model, self._data = document, base, model, data

    def problems(self, error: ValidationError) -> list[Problem]:
        """All errors as problems, each with its place."""
        return [self._problem(details) for details in error.errors(include_url=False)]

    def _problem(self, details: ErrorDetails) -> Problem:
        kind, loc = details["type"], details["loc"]
        context: dict[str, Any] = details.get("ctx", {})
        if re.fullmatch(r"[EW]\d{3}", kind):
            place = self._own_place(loc, context)
            return self._document.problem(kind, context["message"], place, context["hint"])
        if kind == "extra_forbidden":
            return self._unknown_key(loc)
        if kind == "missing":
            message = f"'{loc[-1]}' is missing"
            return self._document.problem("E102", message, self._place(loc[:-1]))
        code, message, hint = self._wrong_value(kind, context, details["input"])
        if loc == ("simswarm",):
            message = f"version {describe(details['input'])} of the format is not known"
            code, hint = "E004", "this reader knows version 1: simswarm: 1"
        return self._document.problem(code, message, self._place(loc), hint)

    def _place(self, loc: tuple[int | str, ...], *, key: bool = False) -> Place:
        return self._document.place((*self._base, *loc), key=key)

    def _own_place(self, loc: tuple[int | str, ...], context: Mapping[str, Any]) -> Place:
        if "key" in context:
            return self._place((*loc, context["key"]), key=True)
        if "item" in context:
            return self._place((*loc, *context["item"]))
        if "offset" in context:
            path = (*self._base, *loc)
            return self._document.within(path, context["offset"], context.get("length", 1))
        return self._place(loc)

    def _unknown_key(self, loc: tuple[int | str, ...]) -> Problem:
        name = str(loc[-1])
        parent = (*self._base, *loc[:-1])
        cut = self._document.is_flow(parent) and _looks_cut(name)
        hint = COMMA_HINT if cut else did_you_mean(name, known_keys(self._model, loc[:-1]))
        place = self._place(loc, key=True)
        return self._document.problem("E101", f"unknown key '{name}'", place, hint)

    def _wrong_value(
        self, kind: str, context: Mapping[str, Any], value: object
    ) -> tuple[str, str, str]:
        if kind == "literal_error":
            words = re.findall(r"'([^']*)'|(\d+)", str(context["expected"]))
            known = [text or number for text, number in words]
            hint = did_you_mean(str(value), known) or "one of: " + ", ".join(known)
            return "E104", f"{describe(value)} is not known here", hint
        if kind in _LIMITS:
            name, words_ = _LIMITS[kind]
            limit = context[name]
            if isinstance(value, str):  # only durations are limited as texts
                limit = format_duration(limit)
            return "E105", f"{describe(value)} is out of range: {words_} {limit}", ""
        if kind in ("model_type", "mapping_type", "dict_type", "model_attributes_type"):
            return "E103", f"expected keys and values, found {describe(value)}", ""
        if kind in ("tuple_type", "list_type"):
            return "E103", f"expected a list, found {describe(value)}", "write it in [ ]"
        if kind == "too_short":
            return "E103", "at least one is needed here", ""
        return "E103", f"{describe(value)} is not what belongs here", ""


def _looks_cut(name: str) -> bool:
    """Whether a key looks like the rest of a text that a comma cut: `alias=shop green`."""
    return bool(re.search(r"[\s=)(]", name))


def known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that the model at a place knows."""
    here: Any = model
    for part in loc:
        here = _below(here, part)
    found = _model_of(here)
    if found is None:
        return []
    return [field.alias or name for name, field in found.model_fields.items()]


def _below(annotation: Any, part: int | str) -> Any:
    """The annotation of what a key or an index leads to; the same one where it leads nowhere."""
    found = _model_of(annotation)
    if found is not None and issubclass(found, RootModel):
        return _below(found.model_fields["root"].annotation, part)
    if found is not None:
        for name, field in found.model_fields.items():
            if (field.alias or name) == part:
                return field.annotation
        return annotation
    for candidate in _alternatives(annotation):
        if get_origin(candidate) in (tuple, Mapping, dict) or _is_mapping(candidate):
            arguments = get_args(candidate)
            return arguments[0] if get_origin(candidate) is tuple else arguments[1]
    return annotation


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union, annotations stripped."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        return [one for member in get_args(annotation) for one in _alternatives(member)]
    return [annotation]


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in _alternatives(annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
