"""Distributions over many seeds, beside what a real swarm was seen to do.

    python -m benchmarks.figures [--seeds 500] [--out results]

Runs `scenarios/fidelity/c-worker-crash.yaml` and `e-leader-crash.yaml` once a seed, reads every
figure from the trace; writes `results/distributions.md`, a JSON and an ECDF (PNG, SVG, CSV) each.
`recorded.json` holds what was measured on Docker 20.10.24.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simswarm.base.trace import TraceRecord
from simswarm.campaign.sweep import process_pool
from simswarm.report.distribution import ecdf, quantile_rows
from simswarm.report.sample import Sample, share_interval
from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.run import play

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "scenarios" / "fidelity"
CHUNK = 10

Figures = dict[str, float | None]
"""Seconds by name; None: it didn't happen before the run ended."""
Reader = Callable[[Sequence[TraceRecord], float], Figures]


@dataclass(frozen=True)
class Study:
    """One scenario, and what is read from each of its runs."""

    scenario: str
    title: str
    read: Reader
    shown: tuple[str, ...]
    """The figures in the picture."""


def worker_crash(records: Sequence[TraceRecord], crash: float) -> Figures:
    """When the node was seen down, and when its task was replaced."""
    down = _first(records, "node.state", crash, subject="w2", to="down")
    created = _first(records, "task.state", crash, to="new")
    replacement = _find(records, "task.state", crash, to="new")
    running = None
    if replacement is not None:
        running = _first(records, "task.state", crash, task=replacement.get("task"), to="running")
    ready = replacement is not None and replacement.get("desired") == "ready"
    return {
        "node down after crash": _minus(down, crash),
        "replacement created after node down": _minus(created, down),
        "replacement created with desired state ready": 1.0 if ready else 0.0,
        "replacement running after node down": _minus(running, down),
        "replacement running after crash": _minus(running, crash),
    }


def leader_crash(records: Sequence[TraceRecord], crash: float) -> Figures:
    """When there was a leader again, and whether a vote was split before."""
    won = _find(records, "raft.role", crash, role="leader")
    leads = None if won is None else won.t / 1e9
    before = _find(records, "raft.role", -1e9, role="leader")
    elections = 0 if won is None or before is None else won.get("term") - before.get("term")
    written = _first(records, "service.spec", crash)
    running = [
        _first(records, "task.state", crash, task=record.get("task"), to="running")
        for record in records
        if record.kind == "task.state" and record.t / 1e9 > crash and record.get("to") == "new"
        and record.get("desired") == "ready"
    ]  # fmt: skip
    return {
        "new leader after crash": _minus(leads, crash),
        "elections until there was a leader": float(elections),
        "first write accepted after crash": _minus(written, crash),
        "old leader's node down after crash": _minus(
            _first(records, "node.state", crash, subject="m1", to="down"), crash
        ),
        "replacement running after crash": _minus(next(iter(running), None), crash),
    }


STUDIES = (
    Study(
        "c-worker-crash",
        "A worker crashes",
        worker_crash,
        ("node down after crash", "replacement running after crash"),
    ),
    Study(
        "e-leader-crash",
        "The leader crashes",
        leader_crash,
        ("new leader after crash", "replacement running after crash"),
    ),
)


def _find(
    records: Sequence[TraceRecord], kind: str, since: float, **fields: object
) -> TraceRecord | None:
    for record in records:
        here = record.kind == kind and record.t / 1e9 >= since
        if here and all(record.get(name) == value for name, value in fields.items()):
            return record
    return None


def _first(
    records: Sequence[TraceRecord], kind: str, since: float, **fields: object
) -> float | None:
    found = _find(records, kind, since, **fields)
    return None if found is None else found.t / 1e9


def _minus(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else later - earlier


def run_chunk(name: str, seeds: Sequence[int]) -> list[tuple[int, str, float, Figures]]:
    """(seed, verdict, simulated seconds after the crash, figures) of some runs."""
    study = next(study for study in STUDIES if study.scenario == name)
    scenario = load_scenario(SCENARIOS / f"{name}.yaml", runnable=True)
    rows = []
    for seed in seeds:
        run = play(scenario, seed=seed)
        crash = run.result["marks"]["crash"]
        waited = run.result["simulated_seconds"] - crash
        rows.append((seed, run.verdict, waited, study.read(run.records, crash)))
    return rows


def collect(study: Study, seeds: Sequence[int], pool: Executor) -> dict[str, object]:
    """All runs of a study: samples by figure, and verdicts counted."""
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    rows = [row for found in pool.map(partial(run_chunk, study.scenario), chunks) for row in found]
    names = list(rows[0][3])
    samples = {
        name: Sample(
            tuple(figures[name] for *_, figures in rows if figures[name] is not None),
            tuple(waited for _, _, waited, figures in rows if figures[name] is None),
        )
        for name in names
    }
    passed = sum(verdict == "pass" for _, verdict, _, _ in rows)
    return {"runs": len(rows), "passed": passed, "samples": samples}


def report(study: Study, found: dict[str, object], recorded: dict[str, list[float]]) -> list[str]:
    """The study as Markdown."""
    samples: dict[str, Sample] = found["samples"]
    lines = [f"## {study.title}", ""]
    lines += [f"`scenarios/fidelity/{study.scenario}.yaml`, {found['runs']} seeds, "
              f"{found['passed']} passed all expectations. Seconds.", ""]  # fmt: skip
    lines.append("| figure | min | p1 | p50 | p99 | max | never | real swarm (3 runs) | inside |")
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in quantile_rows(samples):
        real = recorded.get(str(row["sample"]), [])
        inside = sum(row["min"] <= value <= row["max"] for value in real) if real else None
        cells = [row["sample"], *(_cell(row[key]) for key in ("min", "p1", "p50", "p99", "max")),
                 str(row["never"]), ", ".join(f"{value:.2f}" for value in sorted(real)),
                 "" if inside is None else f"{inside} of {len(real)}"]  # fmt: skip
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return [*lines, ""]


def _cell(value: object) -> str:
    return "never" if value is None else f"{value:.3f}"


def split_votes(samples: dict[str, Sample]) -> list[str]:
    """How often the first vote was split, and what that costs."""
    elections = samples["elections until there was a leader"].reached
    after = samples["new leader after crash"].reached
    total = len(elections)
    split = sum(count > 1 for count in elections)
    low, high = share_interval(split, total)
    at_once = [t for t, count in zip(after, elections, strict=True) if count == 1]
    later = [t for t, count in zip(after, elections, strict=True) if count > 1]
    lines = [f"The first vote was split in {split} of {total} runs ({split / total:.1%}; "
             f"95 % interval {low:.1%} to {high:.1%})."]  # fmt: skip
    for words, found in (("not split", at_once), ("split", later)):
        if found:
            span = f"{min(found):.2f} to {max(found):.2f} s"
            lines.append(f"When it was {words}, there was a new leader {span} after the crash.")
    return [*lines, ""]


def main() -> None:
    """Run the studies and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    chosen = parser.parse_args()
    recorded = json.loads((Path(__file__).parent / "recorded.json").read_text())
    lines = ["# Distributions, beside a real swarm", ""]
    lines += ["Written by `python -m benchmarks.figures`; what was recorded is in "
              "`benchmarks/recorded.json`.", ""]  # fmt: skip
    figures: dict[str, object] = {}
    pool, _ = process_pool(None)
    with pool:
        for study in STUDIES:
            found = collect(study, range(1, chosen.seeds + 1), pool)
            samples: dict[str, Sample] = found["samples"]
            lines += report(study, found, recorded[study.scenario])
            if study.scenario == "e-leader-crash":
                lines += split_votes(samples)
            shown = {name: samples[name] for name in study.shown}
            ecdf(study.title, "seconds", shown).save(chosen.out / study.scenario)
            figures[study.scenario] = quantile_rows(samples)
            print(f"{study.scenario}: {found['passed']} of {found['runs']} passed")
    notes = Path(__file__).with_name("differences.md")
    lines += notes.read_text().splitlines() if notes.exists() else []
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "distributions.md").write_text("\n".join(lines).rstrip() + "\n")
    (chosen.out / "distributions.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
