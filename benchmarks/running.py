"""Rounds in turns: every case once, then every case again, each in a process of its own.

What else the machine does at some moment then hits all cases alike, and no case finds the heap
that another one left behind. Profiles are taken in runs of their own, which don't count.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cluster import Case, Figures

ROOT = Path(__file__).resolve().parents[1]
Say = Callable[[str], None]


def run(case: Case, *, tiny: bool = False, profile: bool = False) -> Figures:
    """Measure a case in a new process.

    Raises:
        RuntimeError: it failed, or an invariant was broken.
    """
    command = [sys.executable, "-m", "benchmarks.cluster", case.name]
    command += ["--tiny"] * tiny + ["--profile"] * profile
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{case.name}: {done.stderr.strip().splitlines()[-1]}")
    return Figures(**json.loads(done.stdout))


def rounds(
    cases: Sequence[Case], count: int, *, tiny: bool, say: Say
) -> dict[str, Sequence[Figures]]:
    """Measure all cases `count` times, in turns.

    Raises:
        RuntimeError: a case failed, or its rounds were not the same run.
    """
    taken: dict[str, list[Figures]] = {case.name: [] for case in cases}
    for number in range(1, count + 1):
        for case in cases:
            figures = run(case, tiny=tiny)
            taken[case.name].append(figures)
            say(f"round {number}  {case.name:16} {figures.cpu:7.2f} s of CPU")
    for name, all_figures in taken.items():
        if len({one.digest for one in all_figures}) > 1:
            raise RuntimeError(f"{name}: rounds with different digests")
    return dict(taken)
