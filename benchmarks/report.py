"""What came out, as data, as Markdown, and for the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.cluster import Case, Figures

Profile = Sequence[tuple[str, str, float]]
Json = dict[str, Any]
PROFILE_MODULES, PROFILE_FUNCTIONS = 12, 20
PAIRS = (("idle-5-bare", "idle-5"), ("writes-25-bare", "writes-25"))
"""Cases without invariants, and the same with them."""
PARTS = {
    "callback_ratio": ("kernel: callbacks, to stock SimPy's `Timeout` + callback", 1.4),
    "reset_ratio": ("kernel: timers set again, to interrupts of a SimPy process", 5.0),
}


@dataclass
class Report:
    """All results of one run."""

    machine: Mapping[str, str | int]
    rounds: int
    swarms: list[Json] = field(default_factory=list)
    ratios: list[Json] = field(default_factory=list)
    parts: dict[str, Json] = field(default_factory=dict)
    """What `kernel` and `raft-core` measured, by these names."""
    profiles: dict[str, Profile] = field(default_factory=dict)
    """Where the time goes in what falls short."""

    def add_swarm(self, case: Case, figures: Sequence[Figures]) -> bool:
        """Add a case; False if it falls short of a target."""
        row = summary(case, figures)
        self.swarms.append(row)
        return all(target["reached"] for target in row["targets"])

    def add_pairs(self, taken: Mapping[str, Sequence[Figures]]) -> None:
        """Add what the invariants cost where both sides were measured."""
        for bare, watched in PAIRS:
            if bare in taken and watched in taken:
                sides = zip(taken[watched], taken[bare], strict=True)
                value = median(one.cpu / other.cpu for one, other in sides)
                self._ratio(f"{watched}: CPU time with invariants, to without", value)

    def add_part(self, name: str, result: Json) -> None:
        """Add what a part measured by itself."""
        self.parts[name] = result
        for key, (title, target) in PARTS.items():
            if key in result:
                self._ratio(title, result[key], target)

    def _ratio(self, title: str, value: float, target: float | None = None) -> None:
        self.ratios.append(
            {
                "name": title,
                "ratio": round(value, 3),
                "target": target,
                "reached": None if target is None else value >= target,
            }
        )

    def as_json(self) -> Json:
        """All of it, for `results/benchmarks.json`."""
        return {
            "machine": dict(self.machine),
            "rounds": self.rounds,
            "swarms": self.swarms,
            "ratios": self.ratios,
            "parts": self.parts,
            "profiles": self.profiles,
        }

    def as_markdown(self) -> str:
        """All of it, for `results/benchmarks.md` and the screen."""
        sections = [
            "# Benchmarks",
            f"Written by `python -m benchmarks`. {_sentence(self.machine)} CPU time, median of "
            f"{self.rounds} rounds taken in turns. What each case is: `benchmarks/README.md`.",
        ]
        if self.swarms:
            sections += ["## Swarms, with digest and invariants on", _swarm_table(self.swarms)]
        if any(row["targets"] for row in self.swarms):
            sections += [_target_table(self.swarms)]
        if self.ratios:
            sections += ["## Ratios within this run", _ratio_table(self.ratios)]
        if "raft-core" in self.parts:
            sections += ["## The Raft core by itself", _part_table(self.parts["raft-core"])]
        for name, profile in self.profiles.items():
            sections += [f"## Where the time goes: {name}", _profile_table(profile)]
        return "\n\n".join(sections) + "\n"


def summary(case: Case, figures: Sequence[Figures]) -> Json:
    """One case: medians over its rounds, and how they stand to the targets."""
    first = figures[0]
    cpu = median(one.cpu for one in figures)
    speed = first.simulated / cpu
    rss = max(one.rss for one in figures)
    creation = median(one.creation_cpu for one in figures)
    created = first.tasks / creation if creation else None
    row: Json = {
        "name": case.name,
        "title": case.title,
        "simulated_seconds": first.simulated,
        "cpu_seconds": round(cpu, 3),
        "simulated_seconds_per_cpu_second": round(speed, 2),
        "spread": [round(first.simulated / one.cpu, 2) for one in figures],
        "events_per_simulated_second": round(first.steps / first.simulated, 2),
        "events_per_cpu_second": round(first.steps / cpu),
        "bare_calls_per_event": round(
            median(one.bare_calls * one.cpu / one.steps for one in figures), 1
        ),
        "max_rss_mib": round(rss / 2**20),
        "invariant_checks": first.checked,
        "digest": first.digest,
    }
    if first.writes:
        row["writes"] = first.writes
        row["failed_writes"] = first.failed_writes
        row["writes_per_cpu_second"] = round(first.writes / cpu)
    if first.faults:
        row["faults"] = first.faults
    if created is not None:
        row["tasks"] = first.tasks
        row["task_creations_per_cpu_second"] = round(created)
    row["targets"] = [
        {"name": name, "value": round(value, 2), "target": limit, "reached": reached}
        for name, value, limit, reached in _targets(case, cpu, speed, rss, created)
    ]
    return row


def _targets(
    case: Case, cpu: float, speed: float, rss: int, created: float | None
) -> list[tuple[str, float, float, bool]]:
    found = []
    if case.target is not None:
        name = "simulated seconds per CPU second, at least"
        found.append((name, speed, case.target, speed >= case.target))
    if case.cpu_limit is not None:
        found.append(("CPU seconds, at most", cpu, case.cpu_limit, cpu <= case.cpu_limit))
    if case.memory_limit is not None:
        limit = case.memory_limit / 2**20
        found.append(("MiB of memory, at most", rss / 2**20, limit, rss <= case.memory_limit))
    if case.creations is not None and created is not None:
        name = "task creations per CPU second, at least"
        found.append((name, created, case.creations, created >= case.creations))
    return found


# ── tables ───────────────────────────────────────────────────────────────────────────────────


def _sentence(machine: Mapping[str, str | int]) -> str:
    said = "; ".join(f"{name} {value}" for name, value in machine.items())
    return f"{said[:1].upper()}{said[1:]}."


def _swarm_table(rows: Sequence[Json]) -> str:
    head = (
        "swarm",
        "simulated s per CPU s",
        "events per simulated s",
        "µs per event",
        "plain calls per event",
        "writes per CPU s",
        "MiB",
    )
    return _table(
        head,
        [
            (
                row["title"],
                f"{row['simulated_seconds_per_cpu_second']:,.1f}",
                f"{row['events_per_simulated_second']:,.1f}",
                f"{1e6 / row['events_per_cpu_second']:.1f}",
                f"{row['bare_calls_per_event']:.0f}",
                f"{row['writes_per_cpu_second']:,}" if "writes" in row else "",
                str(row["max_rss_mib"]),
            )
            for row in rows
        ],
    )


def _target_table(rows: Sequence[Json]) -> str:
    head = ("swarm", "target", "limit", "measured", "")
    return _table(
        head,
        [
            (
                row["title"],
                target["name"],
                f"{target['target']:,g}",
                f"{target['value']:,.1f}",
                "reached" if target["reached"] else "**falls short**",
            )
            for row in rows
            for target in row["targets"]
        ],
    )


def _ratio_table(ratios: Sequence[Json]) -> str:
    return _table(
        ("ratio", "measured", "target", ""),
        [
            (
                ratio["name"],
                f"{ratio['ratio']:.2f}",
                "" if ratio["target"] is None else f"{ratio['target']:g}",
                {None: "", True: "reached", False: "**falls short**"}[ratio["reached"]],
            )
            for ratio in ratios
        ],
    )


def _part_table(result: Json) -> str:
    return _table(("figure", "value"), [(key, str(value)) for key, value in result.items()])


def _profile_table(profile: Profile) -> str:
    modules: dict[str, float] = {}
    for module, _, share in profile:
        modules[module] = modules.get(module, 0.0) + share
    most = sorted(modules.items(), key=lambda item: -item[1])[:PROFILE_MODULES]
    by_module = _table(("module", "share"), [(name, f"{share:.1%}") for name, share in most])
    by_function = _table(
        ("function", "share"),
        [
            (f"{module} {function}", f"{share:.1%}")
            for module, function, share in profile[:PROFILE_FUNCTIONS]
        ],
    )
    return f"{by_module}\n\n{by_function}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---" if place == 0 else "---:" for place in range(len(head))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
