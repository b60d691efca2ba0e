"""Whole swarms: simulated seconds per CPU second, with digest and invariants on.

Each case is measured in a process of its own, because memory and the garbage collector remember
what was there before:

    python -m benchmarks.cluster CASE [--tiny] [--profile]

prints one JSON object. Forming the swarm is not counted; in the case with tasks, creating them is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from time import process_time

from benchmarks.machine import bare_calls, max_rss, pin
from benchmarks.sampling import Sampler
from benchmarks.swarms import Faults, Services, Swarm, Writes
from simswarm.base.time import MILLISECOND, SECOND, Duration

HOUR = 3600
TICK: Duration = 50 * MILLISECOND
PATIENCE = 600
"""Simulated seconds within which all tasks have to run."""
SLICE: Duration = SECOND // 2


@dataclass(frozen=True)
class Case:
    """What is simulated for how long, and what the issue asks of it."""

    name: str
    title: str
    seconds: int
    managers: int = 5
    workers: int = 0
    tick: Duration = SECOND
    writes: int = 0
    """A second."""
    faults: bool = False
    services: int = 0
    replicas: int = 0
    watched: bool = True
    """All invariants are on."""
    target: float | None = None
    """Simulated seconds per CPU second."""
    cpu_limit: float | None = None
    """CPU seconds for all of it, and below the memory it may take (bytes) and the least task
    creations per CPU second."""
    memory_limit: int | None = None
    creations: float | None = None

    def tiny(self) -> Case:
        """Much the same in small, to see that it works; it has no targets."""
        return replace(
            self,
            title=f"{self.title} (tiny)",
            target=None,
            cpu_limit=None,
            memory_limit=None,
            creations=None,
            seconds=5,
            managers=min(self.managers, 3),
            workers=min(self.workers, 2),
            services=min(self.services, 2),
            replicas=min(self.replicas, 3),
        )


CASES: Sequence[Case] = (
    Case("idle-5", "5 managers, idle", 10_000, target=2000),
    Case("idle-5-bare", "the same, without invariants", 10_000, watched=False),
    Case("tick-5", "5 managers, 50 ms tick, idle", 1_000, tick=TICK),
    Case("faults-5-idle", "the same, a fault every 3 s", 300, tick=TICK, faults=True),
    Case("faults-5-light", "the same, 5 writes/s", 300, tick=TICK, faults=True, writes=5),
    Case(
        "faults-5",
        "5 managers, 50 ms tick, a fault every 3 s, 10 writes/s",
        300,
        tick=TICK,
        writes=10,
        faults=True,
        target=200,
    ),
    Case("idle-25", "5 managers + 20 workers, idle", 5_000, workers=20, target=300),
    Case(
        "writes-25",
        "5 managers + 20 workers, 200 writes/s",
        60,
        workers=20,
        writes=200,
        target=60,
    ),
    Case(
        "writes-25-bare",
        "the same, without invariants",
        60,
        workers=20,
        writes=200,
        watched=False,
    ),
    Case(
        "large-1000",
        "1,000 nodes, 10,000 tasks, one hour",
        HOUR,
        workers=995,
        services=100,
        replicas=100,
        cpu_limit=120,
        memory_limit=2**30,
        creations=200,
    ),
)


@dataclass
class Figures:
    """One measurement of one case."""

    name: str
    digest: str
    simulated: float
    """Seconds."""
    cpu: float
    """Seconds of CPU time."""
    steps: int
    """Steps that nodes took: one per message, timer, write or call that reached one."""
    bare_calls: float
    """Plain method calls per CPU second, in the same process just before."""
    rss: int
    """The most memory the process has had, in bytes."""
    checked: int = 0
    """How often an invariant looked."""
    writes: int = 0
    """Committed writes of clients."""
    failed_writes: int = 0
    faults: int = 0
    tasks: int = 0
    """Running at the end."""
    creation_cpu: float = 0
    """CPU seconds until all tasks ran for the first time."""
    profile: Sequence[tuple[str, str, float]] = ()
    """(module, function, share of the samples), most first."""


def measure(case: Case, *, profile: bool = False) -> Figures:
    """Run a case in this process."""
    yardstick = bare_calls()
    swarm = Swarm(case.managers, case.workers, tick=case.tick, watched=case.watched)
    writes = Writes(swarm, case.writes) if case.writes else None
    faults = Faults(swarm) if case.faults else None
    if writes is not None:
        writes.begin()
    if faults is not None:
        faults.begin()
    world = swarm.world
    steps, began, end = world.steps, process_time(), world.now + case.seconds * SECOND
    sampler = Sampler()
    if profile:
        sampler.start()
    creation = _create_tasks(swarm, case) if case.services else 0.0
    world.run(end)
    cpu = process_time() - began
    sampler.stop()
    if problems := swarm.problems():
        raise RuntimeError(f"{case.name}: an invariant is broken: {problems[0]}")
    return Figures(
        case.name,
        world.digest,
        case.seconds,
        cpu,
        world.steps - steps,
        yardstick,
        max_rss(),
        checked=sum(one.checked for one in swarm.monitor.invariants) if swarm.monitor else 0,
        writes=writes.committed if writes is not None else 0,
        failed_writes=writes.failed if writes is not None else 0,
        faults=faults.injected if faults is not None else 0,
        tasks=swarm.running_tasks(),
        creation_cpu=creation,
        profile=sampler.table(),
    )


def _create_tasks(swarm: Swarm, case: Case) -> float:
    """Create all tasks and wait until they run; returns the CPU seconds that took."""
    began, world = process_time(), swarm.world
    services = Services(swarm, case.services, case.replicas)
    services.create()
    wanted, deadline = case.services * case.replicas, world.now + PATIENCE * SECOND
    while swarm.running_tasks() < wanted:
        if world.now > deadline or services.refused:
            raise RuntimeError(f"{case.name}: {swarm.running_tasks()} of {wanted} tasks run")
        world.run(world.now + SLICE)
    return process_time() - began


def find(name: str) -> Case:
    """The case of this name."""
    return next(case for case in CASES if case.name == name)


def main() -> None:
    """Measure one case and print what came out."""
    parser = argparse.ArgumentParser(description="Measure one swarm.")
    parser.add_argument("case", choices=[case.name for case in CASES])
    parser.add_argument("--tiny", action="store_true", help="a few simulated seconds, to try it")
    parser.add_argument("--profile", action="store_true", help="also say where the time goes")
    options = parser.parse_args()
    pin()
    case = find(options.case)
    figures = measure(case.tiny() if options.tiny else case, profile=options.profile)
    print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main()
