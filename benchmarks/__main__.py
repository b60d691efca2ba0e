"""Measure everything, or what is named: `python -m benchmarks [NAME…]` (`make bench`).

Without names the results are also written to `results/`; with names, only where `--out` says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import kernel, raft_core
from benchmarks.cluster import CASES
from benchmarks.machine import describe, pin
from benchmarks.report import Json, Report
from benchmarks.running import ROOT, rounds, run

PARTS: dict[str, Callable[[], Json]] = {
    "kernel": kernel.measure,
    "raft-core": lambda: raft_core.measure(3),
}
NAMES = (*PARTS, *(case.name for case in CASES))
ROUNDS = 3


def measure(names: Sequence[str], count: int, *, tiny: bool = False) -> Report:
    """Measure what is named, and profile what falls short."""
    report = Report({**describe(), "pinned": pin()}, count)
    for name in PARTS:
        if name in names:
            _say(name)
            report.add_part(name, PARTS[name]())
    cases = [case for case in CASES if case.name in names]
    taken = rounds(cases, count, tiny=tiny, say=_say)
    for case in cases:
        if not report.add_swarm(case.tiny() if tiny else case, taken[case.name]):
            _say(f"profile  {case.name}")
            report.profiles[case.name] = run(case, profile=True).profile
    report.add_pairs(taken)
    return report


def write(report: Report, folder: Path) -> None:
    """Write both forms of a report."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_json(), indent=1, ensure_ascii=False)
    (folder / "benchmarks.json").write_text(text + "\n")
    (folder / "benchmarks.md").write_text(report.as_markdown())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--tiny", action="store_true", help="swarms of a few nodes, to try it")
    parser.add_argument("--out", type=Path, help="folder to write benchmarks.json and .md to")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in NAMES]:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    report = measure(options.names or NAMES, options.rounds, tiny=options.tiny)
    print(report.as_markdown())
    out = options.out or (None if options.names or options.tiny else ROOT / "results")
    if out is not None:
        write(report, out)


if __name__ == "__main__":
    main()
