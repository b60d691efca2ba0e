"""A hunt told to people: what the plan does, what happened, what it showed.

Not here: colours and progress (`cli/hunt.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from simswarm.base.trace import TraceRecord
from simswarm.hunt.plan import (
    BadClock,
    BadDisk,
    Crash,
    Fault,
    Isolate,
    Link,
    Partition,
    Pause,
    Plan,
    PowerLoss,
    Strike,
)
from simswarm.hunt.run import Outcome

_LOSES = {
    "nothing": "is killed",
    "unsynced": "loses power (and what is not synced)",
    "disk": "loses its disk",
}
_MOMENTS = {
    "vote": "grants a vote",
    "stand": "stands for election",
    "append": "writes entries",
    "lead": "wins an election",
    "commit": "commits as leader",
}
_WAYS = {"both": "is cut off", "in": "hears nobody", "out": "is heard by nobody"}


def told(fault: Fault) -> str:
    """One fault in words."""
    match fault:
        case Crash(_, node, lose, down):
            back = "" if lose == "disk" else f", back after {down} ms"
            return f"{_who(node)} {_LOSES[lose]}{back}"
        case Strike(_, node, on, lose, down):
            return f"next time {_who(node)} {_MOMENTS[on]}, it {_LOSES[lose]}; back after {down} ms"
        case PowerLoss(_, nodes, down):
            return f"{', '.join(nodes)} lose power, back after {down} ms"
        case Pause(_, node, span):
            return f"{_who(node)} stands still for {span} ms"
        case Partition(_, span, groups, times):
            split = " | ".join(" ".join(group) for group in groups)
            often = f", {times} times" if times > 1 else ""
            return f"partition {split} for {span} ms{often}"
        case Isolate(_, span, node, way, company):
            also = f" (with {company} more)" if company else ""
            return f"{_who(node)}{also} {_WAYS[way]} for {span} ms"
        case Link(_, span, source, target):
            return f"links {source} to {target} are bad for {span} ms: {_badness(fault)}"
        case BadDisk(_, span, node, slow, bad):
            what = f"takes {slow} ms more a write" if slow else f"fails ({bad or 'not'})"
            return f"the disk of {_who(node)} {what} for {span} ms"
        case BadClock(_, span, node, drift, jump):
            return f"the clock of {_who(node)} runs {drift:+}% for {span} ms, jumps {jump} ms"


def _who(node: str) -> str:
    return {"leader": "the leader", "any": "somebody"}.get(node, node)


def _badness(link: Link) -> str:
    parts = [f"{link.latency}±{link.jitter} ms"] if link.latency or link.jitter else []
    chances = ("loss", "duplicate", "reorder")
    parts += [f"{name} {getattr(link, name)}%" for name in chances if getattr(link, name)]
    return ", ".join(parts) or "no worse than others"


def setting(plan: Plan) -> str:
    """Who takes part, in one line."""
    simplest = Plan()
    parts = [f"{plan.members} members", f"{plan.clients} clients"]
    if plan.transport != simplest.transport:
        parts.append("over datagrams")
    if plan.network != simplest.network:
        parts.append(f"network {plan.network}")
    parts.append(f"tick {plan.tick} ms, elections after {plan.election_ticks} ticks")
    if plan.pre_vote:
        parts.append("pre-vote")
    parts += [
        f"{name} {getattr(plan, name)}"
        for name in ("message_bytes", "inflight")
        if getattr(plan, name) != getattr(simplest, name)
    ]
    return ", ".join(parts)


def story(outcome: Outcome, last: int = 30) -> Iterator[str]:
    """What happened, from the trace: faults and elections, the last ones if there are many."""
    lines = [line for record in outcome.records if (line := _line(record))]
    if len(lines) > last:
        yield f"  … {len(lines) - last} earlier lines"
    yield from lines[-last:]


def _line(record: TraceRecord) -> str:
    fields = dict(record.fields)
    at = f"  {record.t / 1e9:8.3f}s  {record.node:<4}"
    match record.kind:
        case "raft.role" if fields["role"] == "leader":
            return f"{at}wins term {fields['term']}"
        case "process.crash":
            why = fields.get("reason") or f"loses {fields.get('lose')}"
            return f"{at}down: {why}"
        case "process.restart" | "process.pause" | "process.resume":
            return f"{at}{record.kind.removeprefix('process.')}"
        case "network.partition":
            return f"{at}partition {' | '.join(_texts(fields.get('groups')))}"
        case "network.link":
            sources, targets = _texts(fields.get("sources")), _texts(fields.get("targets"))
            return f"{at}link {' '.join(sources)} to {' '.join(targets)}"
        case "network.heal":
            return f"{at}heal"
        case "disk.fault" | "clock.fault":
            return f"{at}{record.kind}"
        case _:
            return ""


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, tuple) else []
