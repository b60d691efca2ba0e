"""A scenario as one self-contained text: defaults filled in, stacks inlined.

A locked scenario reads back as an equal scenario anywhere, without its stack files.

Not here: the bundle it is put into (`bundle.py`).
"""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from simswarm.scenario.model import Scenario
from simswarm.scenario.text.positions import Real, plain_scalar

_TAGS = "tag:yaml.org,2002:"
_WIDEST = 1_000_000
"""No text is broken into lines."""


class _Writer(SafeRepresenter):
    """Writes scalars so that `positions` reads back exactly what was there."""

    def text(self, value: str) -> ScalarNode:
        """A text, quoted where it would be read as something else."""
        style = "'" if not isinstance(plain_scalar(value), str) else None
        node: ScalarNode = self.represent_scalar(_TAGS + "str", value, style=style)
        return node

    def number(self, value: Real) -> ScalarNode:
        """A number as it was written."""
        node: ScalarNode = self.represent_scalar(_TAGS + "float", value.text)
        return node


_Writer.add_representer(str, _Writer.text)
_Writer.add_representer(Real, _Writer.number)


def lock(scenario: Scenario) -> str:
    """The text of a locked scenario."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Writer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = _WIDEST
    stream = io.StringIO()
    yaml.dump(_plain(scenario.model_dump(exclude_none=True)), stream)
    return stream.getvalue()


def _plain(value: Any) -> Any:
    """Lists and dictionaries all the way down, none of them twice (no aliases)."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
