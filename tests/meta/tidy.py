"""House rules that no linter has, as an AST pass: `problems(source, path)` lists what breaks them.

Everywhere: sizes of modules and functions, no `utils`, no `pickle`, `eval`, `exec`.
Where a run must be deterministic (below the line, in the simulator and the checkers): no ambient
clock or chance, no `hash()`, no `id()`, no order taken from a set, no closures in queues, timers
and watches.

A set may be asked (`x in s`), measured and combined; whoever needs its elements sorts them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

BELOW_THE_LINE = ("base", "raft", "model", "store", "wire", "manager", "agent", "node")
DETERMINISTIC = (*BELOW_THE_LINE, "sim", "check")
MODULE_LINES, FUNCTION_LINES = 600, 70

BANNED_MODULES = {
    "time": "`now` is an argument",
    "random": "draw from an Entropy",
    "secrets": "draw from an Entropy",
    "uuid": "base.ids.new_id",
    "datetime": "integer nanoseconds (base.time)",
    "threading": "a node is single-threaded; drivers feed inputs",
    "pickle": "msgspec",
}
BANNED_CALLS = {
    "hash": "an explicit key",
    "id": "an explicit id",
    "eval": "the CEL module",
    "exec": "nothing",
    "print": "Outbox.observe",
}
QUEUES = {"call_at", "call_in", "set_timer", "watch", "update", "append"}
ORDERED_BY = {"sorted", "len", "sum", "min", "max", "any", "all", "set", "frozenset", "bool"}
MAY_IMPORT = {("base/entropy.py", "random")}


@dataclass
class Problem:
    """One broken rule, with its place."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def problems(source: str, path: str) -> list[Problem]:
    """What breaks the rules in one module; `path` is relative to the package folder."""
    tree = ast.parse(source)
    found = list(_sizes(tree, source, path))
    package = path.split("/")[0]
    if package in DETERMINISTIC:
        found += _ambient(tree, path)
        found += _SetOrder(path).check(tree)
        found += _closures(tree, path)
    return sorted(found, key=lambda problem: problem.line)


def _sizes(tree: ast.Module, source: str, path: str) -> Iterator[Problem]:
    lines = source.count("\n")
    if lines > MODULE_LINES:
        yield Problem(path, 1, f"module of {lines} lines (limit {MODULE_LINES}): split it")
    if not path.endswith("__init__.py") and not path.endswith("__main__.py"):
        if ast.get_docstring(tree) is None:
            yield Problem(path, 1, "module without a docstring")
        if path.rsplit("/", 1)[-1] in ("utils.py", "helpers.py", "common.py", "misc.py"):
            yield Problem(path, 1, "name the module after its concept")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield Problem(path, node.lineno, f"{node.name}: {length} lines (limit 70)")


def _ambient(tree: ast.Module, path: str) -> Iterator[Problem]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            root = name.split(".")[0]
            if root in BANNED_MODULES and (path, root) not in MAY_IMPORT:
                yield Problem(path, node.lineno, f"`{root}`: use instead: {BANNED_MODULES[root]}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = node.func.id
            if called in BANNED_CALLS:
                message = f"`{called}()`: use instead: {BANNED_CALLS[called]}"
                yield Problem(path, node.lineno, message)


def _closures(tree: ast.Module, path: str) -> Iterator[Problem]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in QUEUES:
            for argument in (*node.args, *(word.value for word in node.keywords)):
                if isinstance(argument, ast.Lambda):
                    message = f"a closure in `{node.func.attr}`: use a bound method or a value"
                    yield Problem(path, argument.lineno, message)


@dataclass
class _SetOrder(ast.NodeVisitor):
    """Finds iteration over what is known, from its text, to be a set."""

    path: str
    found: list[Problem] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def check(self, tree: ast.Module) -> list[Problem]:
        for node in ast.walk(tree):
            self._learn(node)
        self.visit(tree)
        return self.found

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            text = ast.unparse(node.annotation).strip("'\"")
            target = node.target if isinstance(node, ast.AnnAssign) else ast.Name(node.arg)
            if text.split("[")[0].split(".")[-1] in ("set", "frozenset", "Set", "AbstractSet"):
                self.known.add(ast.unparse(target))
        elif isinstance(node, ast.Assign) and self._is_set(node.value):
            self.known.update(ast.unparse(target) for target in node.targets)

    def _is_set(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Set | ast.SetComp):
            return True
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                return node.func.id in ("set", "frozenset")
            if isinstance(node.func, ast.Attribute):
                combining = ("union", "intersection", "difference", "symmetric_difference")
                return node.func.attr in combining and self._is_set(node.func.value)
        if isinstance(node, ast.BinOp) and isinstance(
            node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor
        ):
            return self._is_set(node.left) or self._is_set(node.right)
        return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in self.known

    def _flag(self, node: ast.expr) -> None:
        if self._is_set(node):
            message = f"order taken from a set (`{ast.unparse(node)}`): sort it, or use a dict"
            self.found.append(Problem(self.path, node.lineno, message))

    def visit_For(self, node: ast.For) -> None:
        self._flag(node.iter)
        self.generic_visit(node)

    def _comprehension(self, node: ast.ListComp | ast.DictComp) -> None:
        for generator in node.generators:
            self._flag(generator.iter)
        self.generic_visit(node)

    visit_ListComp = _comprehension
    visit_DictComp = _comprehension

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Name):
            if called.id in ("list", "tuple", "iter", "next", "enumerate", "zip", "map", "dict"):
                for argument in node.args:
                    self._flag(argument)
            if called.id not in ORDERED_BY:
                for argument in node.args:
                    if isinstance(argument, ast.GeneratorExp):
                        for generator in argument.generators:
                            self._flag(generator.iter)
        elif isinstance(called, ast.Attribute):
            if called.attr == "pop" and not node.args:
                self._flag(called.value)
            if called.attr in ("join", "extend", "fromkeys"):
                for argument in node.args:
                    self._flag(argument)
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        self._flag(node.value)
        self.generic_visit(node)
