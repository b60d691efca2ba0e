"""How images behave, from a file's words to the simulator's."""

from __future__ import annotations

from simswarm.scenario.acting.draws import simulated
from simswarm.scenario.grammar.durations import Fixed
from simswarm.scenario.model import Exit
from simswarm.scenario.model import ImageBehaviour as FileImage
from simswarm.sim.machine.images import CannotStart, ImageBehaviour, Missing, NeverHealthy
from simswarm.sim.machine.images import Exit as SimulatedExit


def simulated_image(image: FileImage) -> ImageBehaviour:
    """The simulator's behaviour for one of the file's."""
    pull = Missing() if isinstance(image.pull, str) else simulated(image.pull)
    start = CannotStart() if isinstance(image.start, str) else simulated(image.start)
    healthy = NeverHealthy() if isinstance(image.healthy, str) else simulated(image.healthy)
    stop = ImageBehaviour().stop if image.stop == Fixed(0) else simulated(image.stop)
    return ImageBehaviour(pull, start, healthy, stop, _exit(image.exit))


def _exit(exit: Exit | None) -> SimulatedExit | None:
    if exit is None or isinstance(exit.after, str):
        return None
    return SimulatedExit(simulated(exit.after), exit.code)
