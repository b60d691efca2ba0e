"""Many hunts: seeds on all cores, until one finds something; then that one made small.

    seeds A..B ──chunks──> worker processes: draw plan(seed), play ──figures──> here
    first violation ──────> one worker: play again, shrink ──> Catch

A seed's plan is a function of profile and seed, so that a search is resumed by its range of seeds,
and a planted bug lives in the workers alone.

Not here: what a hunt is (`run.py`), how it looks (`cli/hunt.py`).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

from simswarm.hunt.draw import drawer
from simswarm.hunt.mutants import planted
from simswarm.hunt.plan import Plan
from simswarm.hunt.planfile import Finding
from simswarm.hunt.run import NOT_RECOVERABLE, UNKNOWN, Outcome, play
from simswarm.hunt.shrink import BUDGET, Shrinker

SEEDS_A_CHUNK = 10
AHEAD = 2
"""Chunks that wait beyond those under way."""


@dataclass(frozen=True)
class Order:
    """Seeds for one worker: first … first+count-1."""

    profile: str
    mutant: str
    first: int
    count: int


@dataclass
class Figures:
    """What hunts have seen so far."""

    runs: int = 0
    cpu_seconds: float = 0.0
    simulated: int = 0
    """Nanoseconds."""
    steps: int = 0
    not_recoverable: int = 0
    unknown: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[int, str, str]] = field(default_factory=list)
    """(Seed, invariant, message) of violations."""

    def take(self, seed: int, outcome: Outcome) -> None:
        """One run more."""
        self.runs += 1
        self.simulated += outcome.at
        self.steps += outcome.steps
        self.not_recoverable += outcome.verdict == NOT_RECOVERABLE
        self.unknown += outcome.verdict == UNKNOWN
        for name, count in outcome.counters.items():
            self.counters[name] = self.counters.get(name, 0) + count
        if outcome.violated:
            self.failed.append((seed, outcome.invariant, outcome.message))

    def add(self, other: Figures) -> None:
        """A chunk more."""
        self.runs += other.runs
        self.cpu_seconds += other.cpu_seconds
        self.simulated += other.simulated
        self.steps += other.steps
        self.not_recoverable += other.not_recoverable
        self.unknown += other.unknown
        for name, count in other.counters.items():
            self.counters[name] = self.counters.get(name, 0) + count
        self.failed += other.failed


@dataclass(frozen=True)
class Catch:
    """A violation, made small."""

    seed: int
    found: Plan
    """As it was drawn."""
    finding: Finding
    outcome: Outcome
    """Of the small plan, with its trace."""
    necessary: tuple[bool, ...]
    """For each fault of the small plan, whether it takes part."""
    played: int
    """Plans played to make it small."""


def carry_out(order: Order) -> Figures:
    """What a worker does: some seeds, up to the first violation."""
    figures = Figures()
    begun = time.process_time()
    draw = drawer(order.profile)
    with planted(order.mutant):
        for seed in range(order.first, order.first + order.count):
            figures.take(seed, play(draw.plan(seed)))
            if figures.failed:
                break
    figures.cpu_seconds = time.process_time() - begun
    return figures


def make_small(profile: str, mutant: str, seed: int, budget: int = BUDGET) -> Catch:
    """Make the plan of a seed that failed as small as possible."""
    plan = drawer(profile).plan(seed)
    with planted(mutant):
        shrinker = Shrinker(plan, play(plan), budget=budget)
        small = shrinker.shrink()
        necessary = shrinker.necessary()
        outcome = play(small, keep_trace=True)
    return Catch(
        seed, plan, Finding(small, outcome.invariant, mutant), outcome, necessary, shrinker.played
    )


@dataclass
class Search:
    """A search over seeds first … last."""

    profile: str
    first: int
    last: int
    mutant: str = ""
    budget: float | None = None
    """Seconds of wall time, or as long as there are seeds."""
    figures: Figures = field(default_factory=Figures)
    next_seed: int = 0
    """The first seed not known to be done: where to go on."""

    def run(
        self, executor: Executor, workers: int, on_figures: Callable[[Figures], None] | None = None
    ) -> None:
        """Search until something is found, or the seeds or the time are used up."""
        began = time.monotonic()
        upcoming = self.next_seed = max(self.first, self.next_seed)
        running: dict[Future[Figures], Order] = {}
        try:
            while True:
                late = self.budget is not None and time.monotonic() - began > self.budget
                while not late and upcoming <= self.last and len(running) < workers + AHEAD:
                    count = min(SEEDS_A_CHUNK, self.last - upcoming + 1)
                    order = Order(self.profile, self.mutant, upcoming, count)
                    running[executor.submit(carry_out, order)] = order
                    upcoming += count
                if not running:
                    return
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in [future for future in running if future in finished]:
                    del running[future]
                    self.figures.add(future.result())
                self.next_seed = min([o.first for o in running.values()], default=upcoming)
                if on_figures is not None:
                    on_figures(self.figures)
                if self.figures.failed or late:
                    return
        finally:
            for future in running:
                future.cancel()

    @property
    def first_failure(self) -> tuple[int, str, str] | None:
        """The violation with the smallest seed."""
        return min(self.figures.failed, default=None)


def process_pool(workers: int | None) -> tuple[ProcessPoolExecutor, int]:
    """A pool of fresh processes, and how many there are; None: one a core."""
    count = workers or os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_leave_interrupts_alone)
    return pool, count


def _leave_interrupts_alone() -> None:
    """Ctrl-C reaches every process of a terminal; what it means is for the first one to say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
