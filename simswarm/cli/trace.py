"""`simswarm trace`: the records of a bundle, filtered, one JSON object a line."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any

import typer

from simswarm.cli.bundles import open_bundle
from simswarm.cli.exits import guarded
from simswarm.cli.run import span_of
from simswarm.cli.state import put, put_json, state


@guarded
def trace(
    bundle: Annotated[str, typer.Argument(help="A run bundle; 'last': the newest.")],
    kind: Annotated[str | None, typer.Option(help="Only kinds like this: 'task.*'.")] = None,
    node: Annotated[str | None, typer.Option(help="Only records of this node.")] = None,
    since: Annotated[str | None, typer.Option(help="From here on, such as 20s.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to here.")] = None,
) -> None:
    """Print trace records as NDJSON; with --format json as one object."""
    opened = open_bundle(bundle)
    first = None if since is None else _instant(since, "--since")
    last = None if until is None else _instant(until, "--until")
    found = (
        (line, record)
        for line, record in opened.pairs()
        if _matches(record, kind, node, first, last)
    )
    if state.format == "json":
        put_json({"bundle": str(opened.path), "records": [record for _, record in found]})
        return
    for line, _ in found:
        put(line.decode(errors="replace"))


def _instant(text: str, flag: str) -> float:
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    return sign * span_of(rest, flag) / 1e9


def _matches(
    record: dict[str, Any],
    kind: str | None,
    node: str | None,
    first: float | None,
    last: float | None,
) -> bool:
    return (
        (kind is None or fnmatchcase(record["kind"], kind))
        and (node is None or record["node"] == node)
        and (first is None or record["t"] >= first)
        and (last is None or record["t"] <= last)
    )
