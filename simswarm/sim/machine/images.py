"""How images behave: how long their containers take to come up and go down, and how they fail.

Every duration is a distribution, drawn for each container from the seed. An image that nobody
described behaves as `ImageBehaviour()`.

Source of the defaults: the scenario format (pull 2 s, start 500 ms, healthy at once, no exit); an
image that ends when asked to took 0.12 s in the median on Docker 20.10.24.
Not here: the engine that runs them (`engine.py`).
"""

from __future__ import annotations

from simswarm.base.time import MILLISECOND, SECOND
from simswarm.base.values import Value
from simswarm.sim.distributions import Distribution, Fixed


class Missing(Value, frozen=True, tag="missing"):
    """There is no such image: pulling it fails."""


class CannotStart(Value, frozen=True, tag="cannot-start"):
    """Its command can't be run: starting fails, and the container has exited with 127."""


class NeverHealthy(Value, frozen=True, tag="never-healthy"):
    """Its health check always fails."""


class Exit(Value, frozen=True):
    """The container ends by itself, so long after it started, with this code."""

    after: Distribution
    code: int = 0


class ImageBehaviour(Value, frozen=True):
    """What an image's containers do."""

    pull: Distribution | Missing = Fixed(2 * SECOND)
    start: Distribution | CannotStart = Fixed(500 * MILLISECOND)
    healthy: Distribution | NeverHealthy = Fixed(0)
    """From the start until its health check succeeds. Anything but the default counts also where
    the service asks for no check: then the image brings one."""
    stop: Distribution = Fixed(100 * MILLISECOND)
    """From SIGTERM until it ends with code 0; longer than the grace period: SIGKILL, code 137."""
    exit: Exit | None = None


class Images:
    """The images of one world, by name."""

    __slots__ = ("_behaviours",)

    def __init__(self) -> None:
        self._behaviours: dict[str, ImageBehaviour] = {}

    def set(self, name: str, behaviour: ImageBehaviour) -> None:
        """Behave so from now on: at the next pull, start, …; what runs already goes on as it is."""
        self._behaviours[name] = behaviour

    def of(self, name: str) -> ImageBehaviour:
        """How an image behaves. `name`, `name:latest` and `name@sha256:…` are one image."""
        found = self._behaviours.get(name)
        if found is None:
            found = self._behaviours.get(_other_name(name), ImageBehaviour())
        return found


def _other_name(name: str) -> str:
    """The same image's name without digest, and without or with the default tag."""
    plain, _, digest = name.partition("@")
    if digest:
        return plain
    if plain.endswith(":latest"):
        return plain.removesuffix(":latest")
    return plain if ":" in plain.rpartition("/")[2] else f"{plain}:latest"
