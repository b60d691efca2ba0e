"""What may be asked of a container engine, and what it answers.

One closed vocabulary for the simulated engine and for Docker's. A command runs to its end and
gives one `Outcome`; what happens to a container later arrives as an `EngineEvent`.

Invariants:
    I1. Commands for one task are performed in the order given.
    I2. Every command yields exactly one outcome, unless the node crashes or cancels it.
    I3. `die` is reported once per start, also for containers that were stopped.

Source: moby daemon/cluster/executor/container (controller.go, adapter.go).
"""

from __future__ import annotations

from simswarm.base.time import Duration
from simswarm.base.values import Labels, Value


class HealthCheck(Value, frozen=True):
    """How an engine finds out whether a container is healthy. Times in nanoseconds."""

    test: tuple[str, ...] = ()
    interval: Duration = 0
    timeout: Duration = 0
    retries: int = 0
    start_period: Duration = 0

    @property
    def is_off(self) -> bool:
        """Whether it says that there is to be none, not even the image's own."""
        return self.test[:1] == ("NONE",)


class ContainerConfig(Value, frozen=True):
    """What is needed to create a task's container."""

    name: str
    """`<service>.<slot or node id>.<task id>`, as Swarm names containers."""
    image: str
    task: str
    service: str
    slot: int | None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    labels: Labels = ()
    health: HealthCheck | None = None
    nano_cpus: int = 0
    memory_bytes: int = 0


class PullImage(Value, frozen=True, tag=1):
    """Make the image present. Fails where there is no such image."""

    image: str
    task: str


class CreateContainer(Value, frozen=True, tag=2):
    """Create the container; the outcome carries its id."""

    config: ContainerConfig


class StartContainer(Value, frozen=True, tag=3):
    """Start it. With a health check the outcome comes when it is healthy (or failed)."""

    container: str
    task: str


class StopContainer(Value, frozen=True, tag=4):
    """Ask it to end; after `grace` nanoseconds end it by force. Outcome when it has ended."""

    container: str
    task: str
    grace: Duration


class RemoveContainer(Value, frozen=True, tag=5):
    """Remove a container, by force if it runs."""

    container: str
    task: str


class ListContainers(Value, frozen=True, tag=6):
    """All containers of this swarm node, at boot."""


EngineCommand = (
    PullImage | CreateContainer | StartContainer | StopContainer | RemoveContainer | ListContainers
)


class ContainerInfo(Value, frozen=True):
    """One container as the engine lists it."""

    container: str
    task: str
    running: bool
    exit_code: int | None = None
    healthy: bool | None = None


class Done(Value, frozen=True, tag=1):
    """The command succeeded. `container` for create; `pid` for start; `containers` for list."""

    container: str = ""
    pid: int = 0
    containers: tuple[ContainerInfo, ...] = ()


class Failed(Value, frozen=True, tag=2):
    """The command failed. `temporary`: trying again may help. `missing`: no such image or
    container. `exit_code` where the container ended instead of starting."""

    error: str
    exit_code: int | None = None
    temporary: bool = False
    missing: bool = False


Outcome = Done | Failed


class ContainerDied(Value, frozen=True, tag=1):
    """A container ended, for whatever reason."""

    container: str
    task: str
    exit_code: int
    error: str = ""


class ContainerUnhealthy(Value, frozen=True, tag=2):
    """A running container failed its health check as often as it may."""

    container: str
    task: str


EngineOccurrence = ContainerDied | ContainerUnhealthy
