"""Conditions: expressions in CEL, compiled when a file is read, evaluated while it runs.

A comparison with something that doesn't exist (yet) is false. CEL itself makes the whole
expression an error, so the boolean skeleton - `&&`, `||`, `!( )`, parentheses - is taken apart
here, and each leaf is a CEL program of its own whose error counts as false:

    services.web.running == 3 && !(nodes.m9.tasks == 0)
    ╰──────── leaf ─────────╯     ╰───── leaf ──────╯      m9 unknown: !(false) = true

Invariants:
    I1. Only this module knows the CEL engine.
    I2. Evaluating is a pure function of the values at the condition's paths.
    I3. A refused expression raises `wrong(...)` with the offset of the place in its text.

Not here: which names exist (`references.py`), what the tree holds (`variables.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import cel

from simswarm.base.values import Value
from simswarm.scenario.grammar.forms import Read, describe, shorten, wrong

LONGEST = 4_000
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<text>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|\"(?:\\.|[^"\\\n])*\"|'(?:\\.|[^'\\\n])*'))
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?[uU]?|0[xX][0-9a-fA-F]+[uU]?)
      | (?P<sign>&&|\|\||==|!=|<=|>=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_MACROS = ("all", "exists", "exists_one", "map", "filter")
_KEYWORDS = ("true", "false", "null", "in")
_POSITION = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")


class Token(NamedTuple):
    """A piece of an expression and where it stands."""

    kind: str
    text: str
    offset: int


class Path(Value, frozen=True):
    """A variable that an expression names: `nodes.m1.tasks` is ("nodes", "m1", "tasks").

    `open`: what follows is computed, so everything below may be read. `dashed` is the text up to
    the end of `a-b-c`, where a name with dashes was written without brackets.
    """

    parts: tuple[str, ...]
    offsets: tuple[int, ...]
    open: bool
    dashed: str = ""


class _Leaf:
    """One comparison (or call) of a condition."""

    __slots__ = ("_known", "_program", "_result", "offset", "paths", "source")

    def __init__(self, source: str, offset: int, paths: tuple[Path, ...]) -> None:
        self.source, self.offset, self.paths = source, offset, paths
        self._program = cel.compile(source)
        self._known: dict[str, Any] | None = None
        self._result = False

    def evaluate(self, snapshot: Mapping[str, Any]) -> bool:
        """Whether it holds; false where something it names doesn't exist."""
        variables: dict[str, Any] = {}
        for path in self.paths:
            _copy(snapshot, variables, path)
        if variables != self._known:
            self._result = self._run(variables) is True
            self._known = variables
        return self._result

    def _run(self, variables: dict[str, Any]) -> object:
        try:
            return self._program.execute(variables)
        except Exception:  # the engine's errors have no common base
            return None

    def check(self, variables: dict[str, Any]) -> None:
        """Refuse an expression that can't be true or false, given values of the right types."""
        try:
            result = self._program.execute(variables)
        except (KeyError, ZeroDivisionError, IndexError):
            return
        except Exception as error:
            raise self._refused(str(error)) from None
        if not isinstance(result, bool):
            raise wrong(
                "E142",
                f"{describe(self.source)} is neither true nor false",
                "compare it with something: … >= 1",
                offset=self.offset,
                length=len(self.source),
            )

    def _refused(self, text: str) -> Exception:
        if "Undefined variable or function" in text:
            name = text.split("'")[1] if "'" in text else "?"
            message, hint = f"there is no function '{name}' in CEL", ""
            place = max(self.source.find(name), 0)
            return wrong("E141", message, hint, offset=self.offset + place, length=len(name))
        message = "the types don't fit: " + text.split(". ")[0].split(": ", 1)[-1]
        hint = "time is in seconds (a number), names and states are texts in quotes"
        return wrong("E142", message, hint, offset=self.offset, length=len(self.source))


class _All(NamedTuple):
    parts: tuple[_Node, ...]


class _Any(NamedTuple):
    parts: tuple[_Node, ...]


class _Not(NamedTuple):
    part: _Node


_Node: TypeAlias = _Leaf | _All | _Any | _Not


class Condition:
    """An expression that is true or false of a snapshot of the swarm."""

    __slots__ = ("_leaves", "_root", "paths", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        if len(source) > LONGEST:
            raise wrong("E140", f"a condition of more than {LONGEST} characters")
        _compile_whole(source)
        tokens = [token for token in _tokens(source) if token.kind != "space"]
        self._leaves: list[_Leaf] = []
        self._root = self._skeleton(tokens)
        self.paths = tuple(path for leaf in self._leaves for path in leaf.paths)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Condition({self.source!r})"

    def __copy__(self) -> Condition:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Condition:
        return self

    def __reduce__(self) -> tuple[type[Condition], tuple[str]]:
        return (Condition, (self.source,))

    def evaluate(self, snapshot: Mapping[str, Any]) -> bool:
        """Whether the condition holds.

        Args:
            snapshot: The tree of `variables.py`: mappings of plain values. Only what the condition
                names is read, so the mappings may compute their values when asked.
        """
        return _holds(self._root, snapshot)

    def check(self, sample: Mapping[str, Any]) -> None:
        """Refuse what can't be true or false: types that don't fit, unknown functions.

        Args:
            sample: A tree with a value of the right type at every path that can exist.
        """
        for leaf in self._leaves:
            variables: dict[str, Any] = {}
            for path in leaf.paths:
                _copy(sample, variables, path)
            leaf.check(variables)

    def _skeleton(self, tokens: Sequence[Token]) -> _Node:
        for sign, kind in (("||", _Any), ("&&", _All)):
            parts = _split(tokens, sign)
            if len(parts) > 1:
                return kind(tuple(self._skeleton(part) for part in parts))
        if _is_group(tokens):
            return self._skeleton(tokens[1:-1])
        if tokens[0].text == "!" and _is_group(tokens[1:]):
            return _Not(self._skeleton(tokens[2:-1]))
        start, end = tokens[0].offset, tokens[-1].offset + len(tokens[-1].text)
        leaf = _Leaf(self.source[start:end], start, tuple(_paths(tokens)))
        self._leaves.append(leaf)
        return leaf


def _holds(node: _Node, snapshot: Mapping[str, Any]) -> bool:
    match node:
        case _All(parts):
            return all(_holds(part, snapshot) for part in parts)
        case _Any(parts):
            return any(_holds(part, snapshot) for part in parts)
        case _Not(part):
            return not _holds(part, snapshot)
    return node.evaluate(snapshot)


def _compile_whole(source: str) -> None:
    try:
        cel.compile(source)
    except Exception as error:
        found = _POSITION.search(str(error))
        if found is None:
            raise wrong("E140", "this is no CEL expression") from None
        lines = source.split("\n")
        line = min(int(found[1]), len(lines)) - 1
        offset = sum(len(text) + 1 for text in lines[:line]) + int(found[2]) - 1
        message = _syntax(found[3])
        hint = ""
        if re.search(r"(?<![=!<>])=(?!=)", source):
            hint = "equality is written =="
        elif re.search(r"\b(and|or|not)\b", source):
            hint = "and, or, not are written &&, ||, !"
        raise wrong("E140", message, hint, offset=min(offset, len(source))) from None


def _syntax(text: str) -> str:
    """The parser's complaint in plain words."""
    if "<EOF>" in text.partition(" expecting ")[0]:
        return "the expression ends too early"
    found = re.search(r"(?:input|error at:) '(.*?)'(?: expecting|$)", text)
    return f"unexpected '{shorten(found[1])}'" if found else "this is no CEL expression"


def _tokens(source: str) -> list[Token]:
    return [
        Token(str(found.lastgroup), found[0], found.start()) for found in _TOKEN.finditer(source)
    ]


def _split(tokens: Sequence[Token], sign: str) -> list[Sequence[Token]]:
    """The parts between a sign outside all brackets; one part inside a conditional `? :`."""
    parts: list[Sequence[Token]] = []
    depth = start = 0
    for index, token in enumerate(tokens):
        if token.kind != "sign":
            continue
        if token.text in "([{":
            depth += 1
        elif token.text in ")]}":
            depth -= 1
        elif depth == 0 and token.text == "?":
            return [tokens]
        elif depth == 0 and token.text == sign:
            parts.append(tokens[start:index])
            start = index + 1
    return [*parts, tokens[start:]]


def _is_group(tokens: Sequence[Token]) -> bool:
    """Whether the first token opens a parenthesis that only the last one closes."""
    if len(tokens) < 3 or tokens[0].text != "(":
        return False
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind == "sign":
            depth += (token.text in "([{") - (token.text in ")]}")
        if depth == 0:
            return index == len(tokens) - 1
    return False


def _paths(tokens: Sequence[Token]) -> list[Path]:
    """The variables that an expression names, macros' own variables left out."""
    texts = [token.text for token in tokens] + ["", "", ""]
    bound = [
        texts[index + 2]
        for index, text in enumerate(texts[: len(tokens)])
        if text in _MACROS and texts[index - 1] == "." and texts[index + 1] == "("
    ]
    found: list[Path] = []
    dashed_to = 0
    for index, token in enumerate(tokens):
        is_start = token.kind == "name" and texts[index - 1 if index else -1] != "."
        is_name = token.text not in _KEYWORDS and texts[index + 1] != "("
        if is_start and is_name and token.text not in bound and token.offset >= dashed_to:
            path = _path(tokens, texts, index)
            found.append(path)
            dashed_to = path.offsets[-1] + len(path.parts[-1]) + len(path.dashed)
    return found


def _path(tokens: Sequence[Token], texts: list[str], index: int) -> Path:
    parts, offsets = [tokens[index].text], [tokens[index].offset]
    is_open = False
    index += 1
    while index < len(tokens):
        if texts[index] == "." and texts[index + 2] != "(" and index + 1 < len(tokens):
            step = index + 1
            index += 2
        elif texts[index] == "[" and tokens[index + 1].kind == "text" and texts[index + 2] == "]":
            step = index + 1
            index += 3
        else:
            is_open = texts[index] in ("[", ".")
            break
        parts.append(_unquoted(tokens[step]))
        offsets.append(tokens[step].offset)
    return Path(tuple(parts), tuple(offsets), is_open, _dashed(tokens, index))


def _unquoted(token: Token) -> str:
    return token.text[1:-1] if token.kind == "text" else token.text


def _dashed(tokens: Sequence[Token], index: int) -> str:
    """The rest of a name that a dash cut: `-web` of `services.my-web.running`."""
    rest = ""
    while index + 1 < len(tokens) and tokens[index].text == "-":
        follows = tokens[index + 1]
        if tokens[index].offset + 1 != follows.offset or follows.kind not in ("name", "number"):
            break
        rest += "-" + follows.text
        index += 2
    return rest


def _copy(source: Mapping[str, Any], into: dict[str, Any], path: Path) -> None:
    """Copy what a path names, and nothing else, from a snapshot."""
    here: Any = source
    last = len(path.parts) - 1
    for index, part in enumerate(path.parts):
        if not isinstance(here, Mapping) or part not in here:
            return
        here = here[part]
        if index == last:
            into[part] = _plain(here)
            return
        below = into.setdefault(part, {})
        if not isinstance(below, dict):
            return
        into = below


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(below) for key, below in value.items()}
    return value


def condition(value: object) -> Condition:
    """Read a condition."""
    if isinstance(value, Condition):
        return value
    if isinstance(value, bool):
        return Condition(str(value).lower())
    if not isinstance(value, str) or not value.strip():
        hint = "such as: services.web.running >= 3"
        raise wrong("E140", f"a condition is an expression in CEL, not {describe(value)}", hint)
    return Condition(value)


def _write(value: Condition) -> str:
    return value.source


ConditionField = Annotated[
    Condition,
    Read(condition, _write, {"type": "string", "examples": ["services.web.running >= 3"]}),
]
"""A field that holds a condition."""
