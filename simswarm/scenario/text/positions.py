"""YAML with positions: text to plain data, and from a path in the data back to its place.

YAML 1.2: `yes` and `no` are texts, `12` a number, `20.10` a number that remembers how it was
written. Anchors, aliases and `<<` work; tags of one's own don't. Keys are texts.

Invariants:
    I1. Any text gives a document or problems with places, never another exception.
    I2. What aliases stand for is bounded (`MOST_VALUES`): no small file fills the memory.

Source: YAML 1.2.2, core schema (10.3.2). Not here: what the keys mean (`model/`).
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from simswarm.scenario.text.errors import Place, Problem, ScenarioErrors, Severity

Path: TypeAlias = tuple[str | int, ...]

MOST_CHARACTERS = 2_000_000
MOST_VALUES = 200_000
DEEPEST = 60
DEEPEST_MERGE = 8
_STRING_TAG = "tag:yaml.org,2002:str"
_MERGE = "<<"
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,60}|0x[0-9a-fA-F]{1,60}")
_HALVES = re.compile("[\ud800-\udfff]")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_QUOTE_HINT = "a text that starts with >, *, &, !, %, @ or ` needs quotes"


class _Setting:
    """A setting given beside the file, as if it were a file of one line."""

    __slots__ = ("file", "lines", "place")

    def __init__(self, file: str, text: str, start: int) -> None:
        self.file, self.lines = file, [text]
        self.place = Place(file, 1, start + 1, max(1, len(text) - start))


class Real(float):
    """A number with a fraction that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> Real:
        """The number of this text."""
        number = super().__new__(cls, text)
        number.text = text
        return number


class Document:
    """A YAML file: its data, and the place of everything in it."""

    __slots__ = ("_lines", "_root", "_settings", "data", "file")

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self._settings: list[tuple[Path, _Setting]] = []
        self._lines = text.split("\n")
        self._root = _compose(text, self)
        builder = _Builder(self)
        self.data: Any = builder.value(self._root, 0) if self._root is not None else None
        if builder.problems:
            raise ScenarioErrors(builder.problems)

    def problem(
        self,
        code: str,
        message: str,
        place: Place,
        hint: str = "",
        severity: Severity = "error",
    ) -> Problem:
        """A problem at a place of this document, with its excerpt."""
        first = max(place.line - 1, 1)
        lines = next(
            (one.lines for _, one in self._settings if one.file == place.file), self._lines
        )
        excerpt = tuple(
            (number, _printable(lines[number - 1]))
            for number in range(first, min(place.line, len(lines)) + 1)
        )
        # the line before helps only where it says something
        if len(excerpt) > 1 and not excerpt[0][1].strip():
            excerpt = excerpt[1:]
        return Problem(
            code,
            message,
            place.file,
            place.line,
            place.column,
            hint,
            severity,
            place.length,
            excerpt,
        )

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at a path stands, or its key. Parts that aren't there are passed over,
        so that the nearest value around is found."""
        if (setting := self._setting(path)) is not None:
            return setting.place
        node, key_node = self._walk(path)
        if key and key_node is not None:
            return self._of(key_node)
        return self._of(node, key_node)

    def within(self, path: Path, offset: int, length: int) -> Place:
        """Where a part of the text at a path stands; the whole text where that can't be told."""
        if (setting := self._setting(path)) is not None:
            return setting.place
        node, key_node = self._walk(path)
        whole = self._of(node, key_node)
        if not isinstance(node, ScalarNode):
            return whole
        quote = 1 if node.style in ("'", '"') else 0
        column = whole.column - 1 + quote
        line = self._lines[whole.line - 1] if whole.line <= len(self._lines) else ""
        if line[column : column + len(node.value)] != node.value:
            return whole
        return Place(self.file, whole.line, column + offset + 1, max(1, length))

    def override(self, path: Path, setting: str, start: int, flag: str = "--set") -> None:
        """Say that the value at a path comes from a flag, not from the file: from `setting`,
        where it begins at `start`."""
        name = f"{flag}#{len(self._settings) + 1}"
        self._settings.insert(0, (path, _Setting(name, setting, start)))

    def _setting(self, path: Path) -> _Setting | None:
        for start, setting in self._settings:
            if path[: len(start)] == start:
                return setting
        return None

    def is_flow(self, path: Path) -> bool:
        """Whether the mapping at a path is written in braces."""
        node, _ = self._walk(path)
        return isinstance(node, MappingNode) and bool(node.flow_style)

    def _walk(self, path: Path) -> tuple[Node | None, Node | None]:
        node, key_node = self._root, None
        for part in path:
            if isinstance(node, MappingNode):
                found = next((pair for pair in _pairs(node) if pair[0].value == str(part)), None)
                if found is not None:
                    key_node, node = found
            elif (
                isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value)
            ):
                key_node, node = None, node.value[part]
        return node, key_node

    def _of(self, node: Node | None, key_node: Node | None = None) -> Place:
        if isinstance(node, ScalarNode) and node.value == "" and key_node is not None:
            node = key_node  # nothing to point at: point at its key
        if node is None:
            return Place(self.file, 1, 1)
        start, end = node.start_mark, node.end_mark
        is_short = isinstance(node, ScalarNode) and start.line == end.line
        length = end.column - start.column if is_short else 1
        return Place(self.file, start.line + 1, start.column + 1, max(1, length))


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else " " for char in line[:4000])


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.value == _MERGE and not key.style


def _pairs(node: MappingNode, depth: int = 0) -> list[tuple[Node, Node]]:
    """Keys and values of a mapping, its own before those it merges."""
    own: list[tuple[Node, Node]] = []
    merged: list[tuple[Node, Node]] = []
    for key, value in node.value:
        if not _is_merge(key):
            own.append((key, value))
            continue
        for source in value.value if isinstance(value, SequenceNode) else [value]:
            if isinstance(source, MappingNode) and depth < DEEPEST_MERGE:
                merged.extend(_pairs(source, depth + 1))
    return own + merged


class _Builder:
    """Makes plain data of nodes."""

    __slots__ = ("_document", "_open", "_values", "problems")

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[Node] = []
        self._values = 0
        self.problems: list[Problem] = []

    def value(self, node: Node, depth: int) -> Any:
        """The data of a node."""
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._fatal(node, f"more than {MOST_VALUES:,} values, aliases counted")
        if depth > DEEPEST or any(node is one for one in self._open):
            raise self._fatal(node, "nested too deeply, or an alias of itself")
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        self._check_tag(node)
        self._open.append(node)
        if isinstance(node, MappingNode):
            result: Any = self._mapping(node, depth)
        else:
            result = [self.value(item, depth + 1) for item in node.value]
        self._open.pop()
        return result

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        self._refuse_doubles(node)
        result: dict[str, Any] = {}
        for key, value in _pairs(node):
            if not isinstance(key, ScalarNode):
                self._report(key, "E001", "a key must be a text", _QUOTE_HINT)
                continue
            self._mend_text(key)
            if key.value not in result:
                result[key.value] = self.value(value, depth + 1)
        return result

    def _refuse_doubles(self, node: MappingNode) -> None:
        seen: dict[str, Node] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode) or _is_merge(key):
                continue
            if key.value in seen:
                line = seen[key.value].start_mark.line + 1
                self._report(key, "E003", f"'{key.value}' is here twice", f"first in line {line}")
            seen[key.value] = key

    def _scalar(self, node: ScalarNode) -> Any:
        self._mend_text(node)
        text: str = node.value
        self._check_tag(node)
        if node.style or node.tag == _STRING_TAG:
            return text
        return plain_scalar(text)

    def _mend_text(self, node: ScalarNode) -> None:
        """Two escapes that are halves of one character become it; a half alone is refused."""
        if _HALVES.search(node.value) is None:
            return
        try:
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._report(node, "E001", "a surrogate alone is no character", "write the character")

    def _check_tag(self, node: Node) -> None:
        tag = str(node.tag or "")
        if tag and not tag.startswith("tag:yaml.org,2002:"):
            self._report(node, "E001", f"unknown tag '{tag}'", _QUOTE_HINT)

    def _report(self, node: Node, code: str, message: str, hint: str = "") -> None:
        place = self._document._of(node)
        self.problems.append(self._document.problem(code, message, place, hint))

    def _fatal(self, node: Node, message: str) -> ScenarioErrors:
        self._report(node, "E005", message)
        return ScenarioErrors(self.problems)


def plain_scalar(text: str) -> Any:
    """What a scalar without quotes means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return Real(text) if _REAL.fullmatch(text) else text


def _compose(text: str, document: Document) -> Node | None:
    if len(text) > MOST_CHARACTERS:
        place = Place(document.file, 1, 1)
        message = f"more than {MOST_CHARACTERS:,} characters"
        raise ScenarioErrors([document.problem("E005", message, place)])
    yaml = YAML(typ="safe", pure=True)
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        raise ScenarioErrors([_syntax_problem(error, document)]) from None
    except RecursionError:
        problem = document.problem("E005", "nested too deeply", Place(document.file, 1, 1))
        raise ScenarioErrors([problem]) from None
    except (YAMLError, ValueError, IndexError, AttributeError, TypeError, AssertionError) as error:
        # the reader of the library refuses characters, and its scanner can stumble over odd text
        position = getattr(error, "position", 0)
        problem = document.problem("E001", _words(error), _at(text, position, document.file))
        raise ScenarioErrors([problem]) from None
    return node


def _words(error: BaseException) -> str:
    character = getattr(error, "character", None)
    if character is not None:
        code = character if isinstance(character, int) else ord(str(character)[:1] or "\0")
        return f"the character #x{code:04x} is not allowed in YAML"
    return "this can't be read as YAML"


def _at(text: str, position: object, file: str) -> Place:
    offset = position if isinstance(position, int) else 0
    before = text[:offset]
    return Place(file, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def _syntax_problem(error: MarkedYAMLError, document: Document) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(document.file, mark.line + 1, mark.column + 1) if mark else _at("", 0, "")
    message = " ".join(str(error.problem or error.context or "this can't be read as YAML").split())
    message = message.replace("but found another document", "expected a single document")
    hint = ""
    if "\\t" in message:
        hint = "indent with spaces, not with tabs"
    elif "cannot start any token" in message or "alias" in message or "tag" in message:
        hint = _QUOTE_HINT
    elif "mapping values are not allowed" in message:
        hint = "look at the indentation; a text with ': ' in it needs quotes"
    elif message.startswith("expected <block end>"):
        hint = "look at the indentation, and for a bracket or quote that isn't closed"
    return document.problem("E001", message, place, hint)
