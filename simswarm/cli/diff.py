"""`simswarm diff`: what differs between two runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from simswarm.cli.bundles import newest, open_bundle, trusting
from simswarm.cli.exits import Refused, guarded
from simswarm.cli.state import put, put_json, state


@guarded
def diff(
    bundles: Annotated[list[str] | None, typer.Argument(help="Two run bundles.")] = None,
    last: Annotated[bool, typer.Option("--last", help="The two newest.")] = False,
) -> None:
    """Show the first difference between two runs, and how their outcomes differ."""
    from simswarm.scenario.outcome.diff import compare

    if last or bundles == ["2"]:
        a, b = newest(2)
    elif bundles is not None and len(bundles) == 2:
        a, b = (open_bundle(text) for text in bundles)
    else:
        raise Refused("diff compares two bundles: simswarm diff A B, or --last")
    with trusting(a, b):
        found = compare(a, b)
        if state.format == "text":
            _print(found)
    if state.format != "text":
        put_json({"a": str(a.path), "b": str(b.path), **found})


def _print(found: dict[str, Any]) -> None:
    if found["identical"]:
        put(f"identical: digest {found['digests'][0]}")
        return
    first = found["first_difference"]
    if first is None:
        put("the traces are equal; the difference is below what they show")
    else:
        put(f"first difference   {first['t']:.3f} s   record {first['record']}")
        put(f"  a  {_record(first['a'])}")
        put(f"  b  {_record(first['b'])}")
    rows = [("verdict", found["verdicts"]), ("simulated s", found["simulated_seconds"])]
    rows.append(("leader changes", found["leader_changes"]))
    for entry in found["expectations"]:
        pairs = list(zip(entry["verdicts"], entry["measured"], strict=True))
        rows.append((entry["name"], [f"{verdict} {_short(value)}" for verdict, value in pairs]))
    rows += [(f"{entry['name']} running", entry["running"]) for entry in found["services"]]
    width = max(len(name) for name, _ in rows)
    for name, (a, b) in rows:
        mark = " " if a == b else "*"
        put(
            f"{mark} {name:<{width}}  {_short(a)} -> {_short(b)}"
            if a != b
            else _same(name, a, width)
        )


def _same(name: str, value: object, width: int) -> str:
    return f"  {name:<{width}}  {_short(value)}"


def _short(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _record(record: dict[str, Any] | None) -> str:
    if record is None:
        return "(no more records)"
    fields = {key: value for key, value in record.items() if key not in ("t", "node", "kind")}
    words = " ".join(f"{key}={value}" for key, value in fields.items() if value not in (None, ""))
    return f"{record['kind']} {record['node']} {words}"
