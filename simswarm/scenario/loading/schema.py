"""The JSON Schema of the scenario format, for editors and other programs.

It is made from the models, so it can't fall behind them. It accepts everything that `check`
accepts, and says less: references, conditions and stack contents are checked only here.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from simswarm.scenario.model import Scenario

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, without the defaults that JSON can't hold."""

    ignored_warning_kinds = {"non-serializable-default"}  # noqa: RUF012 - the base's own attribute

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        """An optional part: leaving it out is enough, editors need not offer null."""
        return self.generate_inner(schema["schema"])

    def generate(self, schema: CoreSchema, mode: Any = "validation") -> JsonSchemaValue:
        """The whole schema, with its dialect and room for notes of the author's."""
        whole = super().generate(schema, mode)
        whole["$schema"] = DIALECT
        whole["title"] = "simswarm scenario"
        # a name is needed, but a file's own name will do
        whole["required"] = ["simswarm"]
        for part in (whole, *(whole["$defs"][name] for name in ("Event", "Expectation"))):
            part["patternProperties"] = {"^x-": {}}
        return whole


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file."""
    return Scenario.model_json_schema(by_alias=True, schema_generator=_Generator)
