"""One simulated container: its states, and what it will do by itself.

    created ──start──> running ──die──> exited ──remove──> gone
       └──────────── can't start (127) ───^

Invariants:
    I1. A container runs at most once: Swarm replaces tasks, it never starts one again.
    I2. What was planned for a run (exit, health) is void once that run is over.

Not here: commands and their order (`engine.py`).
"""

from __future__ import annotations

from simswarm.base.engine import ContainerConfig, ContainerInfo, HealthCheck
from simswarm.base.time import SECOND, Duration
from simswarm.sim.machine.images import ImageBehaviour

CHECK_INTERVAL: Duration = 30 * SECOND
CHECK_RETRIES = 3
"""What a health check that leaves them open has. Source: Docker's Dockerfile reference."""


class Container:
    """One container of one node."""

    __slots__ = ("behaviour", "config", "exit_code", "healthy", "id", "ran", "running")

    def __init__(self, id: str, config: ContainerConfig, behaviour: ImageBehaviour) -> None:
        self.id = id
        self.config = config
        self.behaviour = behaviour
        """As its image was when it started."""
        self.running = False
        self.ran = False
        self.exit_code: int | None = None
        self.healthy: bool | None = None
        """None: it has no health check."""

    @property
    def is_checked(self) -> bool:
        """Whether it has a health check: the service's, or one that its image brings."""
        health = self.config.health
        if health is not None and health.test:
            return not health.is_off
        return self.behaviour.healthy != ImageBehaviour().healthy

    def start(self) -> None:
        """It runs from now on."""
        assert not self.ran, "a container runs once"
        self.running = self.ran = True
        self.healthy = False if self.is_checked else None

    def end(self, exit_code: int) -> None:
        """It runs no more."""
        self.running = False
        self.exit_code = exit_code

    def fail_to_start(self, exit_code: int) -> None:
        """Its command can't be run."""
        self.ran = True
        self.exit_code = exit_code

    def info(self) -> ContainerInfo:
        """As the engine lists it."""
        return ContainerInfo(self.id, self.config.task, self.running, self.exit_code, self.healthy)


def unhealthy_after(check: HealthCheck | None) -> Duration:
    """How long after its start a container whose every check fails is called unhealthy: checks
    come at every interval; those within the start period don't count.

    Source: Docker's Dockerfile reference, HEALTHCHECK.
    """
    interval, retries, grace = CHECK_INTERVAL, CHECK_RETRIES, 0
    if check is not None:
        interval = check.interval or interval
        retries = check.retries or retries
        grace = check.start_period
    return (grace // interval + retries) * interval
