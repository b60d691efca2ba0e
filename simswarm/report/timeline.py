"""Pictures of one run over time: running tasks with faults shaded, and who led when.

Input is trace records as a bundle holds them: dictionaries with `t` (seconds), `node`, `kind` and
the kind's fields. Engine truth (`engine.container`) counts as running, not what managers believe.

Not here: reading bundles (`scenario/outcome/bundle.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simswarm.report.figure import COLOURS, FAULT, Drawing, look, new_figure
from simswarm.report.table import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]
ENDINGS = {
    "process.crash": "process.restart",
    "process.pause": "process.resume",
    "network.partition": "network.heal",
    "network.link": "network.heal",
}
ROLES = {"follower": COLOURS[5], "candidate": COLOURS[4], "leader": COLOURS[0]}


@dataclass(frozen=True)
class Span:
    """Something that lasted: a fault, or a role."""

    start: float
    end: float
    what: str
    node: str = ""


def running_tasks(records: Sequence[Record], end: float) -> Drawing:
    """Running containers of each service over time, by engine truth; faults shaded."""
    figure, axes = new_figure("Running tasks")
    _shade(axes, faults(records, end))
    rows: list[dict[str, Cell]] = []
    for number, (service, steps) in enumerate(_running_by_service(records).items()):
        instants = [instant for instant, _ in steps] + [end]
        counts = [count for _, count in steps] + [steps[-1][1]]
        colour, dash = look(number)
        axes.step(instants, counts, where="post", color=colour, linestyle=dash, label=service)
        rows += [{"service": service, "seconds": t, "running": n} for t, n in steps]
    axes.set_xlabel("seconds since the swarm was up")
    axes.set_ylabel("running containers")
    axes.set_xlim(0, end)
    axes.set_ylim(bottom=0)
    if rows:
        axes.legend(frameon=False, fontsize=9, ncols=6, loc="lower right", bbox_to_anchor=(1, 1))
    return Drawing(figure, ("service", "seconds", "running"), rows)


def roles(records: Sequence[Record], end: float) -> Drawing:
    """A lane a manager: when it followed, stood for election, led; faults shaded."""
    spans = role_spans(records, end)
    nodes = sorted({span.node: None for span in spans}, reverse=True)
    figure, axes = new_figure("Who led when", height=1.2 + 0.5 * max(len(nodes), 1))
    _shade(axes, faults(records, end))
    for span in spans:
        lane = nodes.index(span.node)
        role = span.what.split(",")[0]
        width = span.end - span.start
        axes.barh(lane, width, left=span.start, height=0.6, color=ROLES[role])
        if role == "leader" and width > end / 15:
            axes.text(span.start + width / 2, lane, span.what, ha="center", va="center",
                      color="white", fontsize=8)  # fmt: skip
    axes.set_yticks(range(len(nodes)), nodes)
    axes.set_xlim(0, end)
    axes.set_xlabel("seconds since the swarm was up")
    for role, colour in ROLES.items():
        axes.plot([], [], color=colour, linewidth=6, label=role)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    rows: list[dict[str, Cell]] = [
        {"node": span.node, "start": span.start, "end": span.end, "role": span.what}
        for span in spans
    ]
    return Drawing(figure, ("node", "start", "end", "role"), rows)


def faults(records: Iterable[Record], end: float) -> list[Span]:
    """Every fault from when it began to when it was undone (or the end of the run)."""
    spans: list[Span] = []
    open_faults: list[tuple[Record, str]] = []
    for record in records:
        kind = record["kind"]
        if kind in ENDINGS:
            open_faults.append((record, ENDINGS[kind]))
        still_open = []
        for begun, ending in open_faults:
            same = ending == "network.heal" or begun["node"] == record["node"]
            if kind == ending and same and record is not begun:
                spans.append(_fault_span(begun, record["t"]))
            else:
                still_open.append((begun, ending))
        open_faults = still_open
    spans += [_fault_span(begun, end) for begun, _ in open_faults]
    return sorted(spans, key=lambda span: (span.start, span.end, span.node))


def role_spans(records: Iterable[Record], end: float) -> list[Span]:
    """What each manager was, from `raft.role` records; down while crashed."""
    spans: list[Span] = []
    now: dict[str, tuple[float, str]] = {}
    for record in records:
        node, t = record["node"], max(record["t"], 0.0)
        if record["kind"] == "raft.role":
            what = f"{record['role']}, term {record['term']}"
        elif record["kind"] == "process.crash" and node in now:
            what = ""
        else:
            continue
        if node in now:
            _close(spans, node, now[node], t)
        now[node] = (t, what)
    for node in sorted(now):
        _close(spans, node, now[node], end)
    return sorted(spans, key=lambda span: (span.node, span.start))


def _close(spans: list[Span], node: str, open_span: tuple[float, str], t: float) -> None:
    start, what = open_span
    if what and t > start:
        spans.append(Span(start, t, what, node))


def _fault_span(begun: Record, end: float) -> Span:
    return Span(max(begun["t"], 0.0), end, begun["kind"].split(".")[1], begun["node"])


def _shade(axes: Axes, spans: Iterable[Span]) -> None:
    for span in spans:
        axes.axvspan(span.start, span.end, color=FAULT, alpha=0.08, linewidth=0)
        axes.axvline(span.start, color=FAULT, linewidth=0.8)
        axes.text(span.start, 1.0, f" {span.what} {span.node}", fontsize=7, color=FAULT,
                  rotation=90, va="top", transform=axes.get_xaxis_transform())  # fmt: skip


def _running_by_service(records: Iterable[Record]) -> dict[str, list[tuple[float, int]]]:
    """Per service the (instant, count) steps of its running containers."""
    alive: dict[str, dict[tuple[str, str], None]] = {}
    steps: dict[str, list[tuple[float, int]]] = {}
    for record in records:
        touched: list[str] = []
        if record["kind"] == "engine.container":
            service = record["service"]
            running = alive.setdefault(service, {})
            key = (record["node"], record["task"])
            if record["action"] == "start":
                running[key] = None
            elif record["action"] in ("die", "kill", "remove"):
                running.pop(key, None)
            touched = [service]
        elif record["kind"] == "process.crash":
            touched = _drop_node(alive, record["node"])
        for service in touched:
            steps.setdefault(service, []).append((max(record["t"], 0.0), len(alive[service])))
    return dict(sorted(steps.items()))


def _drop_node(alive: dict[str, dict[tuple[str, str], None]], node: str) -> list[str]:
    touched = []
    for service, running in alive.items():
        gone = [key for key in running if key[0] == node]
        for key in gone:
            del running[key]
        if gone:
            touched.append(service)
    return touched
