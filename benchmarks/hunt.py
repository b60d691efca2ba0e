"""How well the hunter finds planted bugs: `python -m benchmarks.hunt`, into results/hunt.md.

Every mutant is hunted with fresh seeds until it is found or its CPU-seconds are used up; what is
found is made small. Then the right code is hunted, which must show nothing.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path

from simswarm.hunt.mutants import MUTANTS
from simswarm.hunt.search import Figures, Order, carry_out, make_small

CHUNK = 10
DRAWN = "swarm"


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--cpu", type=float, default=60.0, help="CPU-seconds for each mutant")
    words.add_argument("--clean", type=int, default=1000, help="hunts of the right code")
    words.add_argument("--first", type=int, default=100_001, help="the first seed")
    words.add_argument("--only", nargs="*", default=[], help="ids of mutants")
    words.add_argument("--out", type=Path, default=Path("results/hunt.md"))
    given = words.parse_args()
    rows, times = [], []
    given.out.parent.mkdir(exist_ok=True)
    clean = _clean(given.first, given.clean)
    for id in given.only or MUTANTS:
        row, seconds = _hunt(id, given.first, given.cpu)
        rows.append(row)
        sys.stderr.write(row + "\n")
        if not MUTANTS[id].equivalent:
            times.append(seconds)
        given.out.write_text(_page(rows, times, clean, given))
    return 1 if clean.failed else 0


def _hunt(id: str, first: int, cpu: float) -> tuple[str, float | None]:
    mutant, figures, seed = MUTANTS[id], Figures(), first
    while not figures.failed and figures.cpu_seconds < cpu:
        figures.add(carry_out(Order(DRAWN, id, seed, CHUNK)))
        seed += CHUNK
    head = f"| {id} | {mutant.mutation} |"
    spent = f"{figures.runs} | {figures.cpu_seconds:.2f}"
    if not figures.failed:
        why = "equivalent" if mutant.equivalent else "not found"
        return f"{head} {why} | {spent} | | | |", None
    found, invariant, _ = figures.failed[0]
    began = time.process_time()
    caught = make_small(DRAWN, id, found)
    shrinking = time.process_time() - began
    small = len(caught.finding.plan.faults)
    necessary = sum(caught.necessary)
    row = (
        f"{head} {invariant} | {spent} | {len(caught.found.faults)} to {small} | "
        f"{necessary} of {small} | {shrinking:.1f} |"
    )
    return row, figures.cpu_seconds


def _clean(first: int, count: int) -> Figures:
    figures, seed = Figures(), first
    while figures.runs < count and not figures.failed:
        figures.add(carry_out(Order(DRAWN, "", seed, CHUNK)))
        seed += CHUNK
    return figures


def _page(
    rows: list[str], times: list[float | None], clean: Figures, given: argparse.Namespace
) -> str:
    found = [seconds for seconds in times if seconds is not None]
    # not found is worse than anything found: a median, never an average
    ranked = sorted(seconds if seconds is not None else float("inf") for seconds in times)
    middle = statistics.median_low(ranked) if ranked else float("nan")
    per_run = clean.cpu_seconds / max(clean.runs, 1)
    lines = [
        "# What the hunter finds",
        "",
        f"`python -m benchmarks.hunt --cpu {given.cpu:g} --clean {given.clean} "
        f"--first {given.first}`, Python {platform.python_version()}, one core, profile {DRAWN}.",
        "",
        f"- planted bugs found within {given.cpu:g} CPU-seconds each: **{len(found)} of "
        f"{len(times)}** (equivalent ones not counted); median {middle:.2f} CPU-seconds.",
        f"- the right code: **{len(clean.failed)} violations in {clean.runs:,} hunts** "
        f"({clean.simulated / 1e9:,.0f} simulated seconds, {clean.steps:,} steps; "
        f"{clean.not_recoverable} not recoverable, {clean.unknown} unknown).",
        f"- a hunt takes {1000 * per_run:.1f} ms of CPU, {clean.steps / max(clean.runs, 1):.0f} "
        f"steps and {clean.simulated / 1e9 / max(clean.runs, 1):.1f} simulated seconds: "
        f"{clean.simulated / 1e9 / clean.cpu_seconds:.0f} simulated seconds a CPU-second, "
        "all oracles on.",
        "- seen in the clean hunts: "
        + ", ".join(f"{name} {many:,}" for name, many in sorted(clean.counters.items()))
        + ".",
        "",
        "| id | planted bug | found by | hunts | CPU s | faults | necessary | shrink CPU s |",
        "| --- | --- | --- | ---: | ---: | --- | --- | ---: |",
        *rows,
        "",
    ]
    equivalent = [mutant for mutant in MUTANTS.values() if mutant.equivalent]
    if equivalent:
        lines += ["Equivalent ones, and why:", ""]
        lines += [f"- {mutant.id}: {mutant.equivalent}." for mutant in equivalent]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
