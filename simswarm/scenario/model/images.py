"""How images behave: what the simulator can't know of the user's containers.

An image that is not listed takes 2 s to pull and 500 ms to start, is healthy at once, stops at
once when asked, and never ends by itself.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from simswarm.base.time import MILLISECOND, SECOND
from simswarm.scenario.grammar.durations import Distribution, Fixed, Spread, SpreadOr
from simswarm.scenario.grammar.forms import Frozen, Short
from simswarm.scenario.grammar.quantities import Integer

Pull = Annotated[Distribution | Literal["missing"], SpreadOr("missing", "there is no such image")]
Start = Annotated[
    Distribution | Literal["fail"], SpreadOr("fail", "the container can't start, exit code 127")
]
Healthy = Annotated[
    Distribution | Literal["never"], SpreadOr("never", "the health check never succeeds")
]


After = Annotated[
    Distribution | Literal["never"], SpreadOr("never", "it doesn't end by itself any more")
]


class Exit(Short):
    """The container ends by itself."""

    short: ClassVar[str] = "after"
    after: After
    """From the start of the container."""
    code: Annotated[Integer, Field(ge=0, le=255)] = 0


class ImageChange(Frozen):
    """What an `image` event changes; what is not given stays as it was."""

    pull: Pull | None = None
    start: Start | None = None
    healthy: Healthy | None = None
    stop: Spread | None = None
    exit: Exit | None = None


class ImageBehaviour(Frozen):
    """How containers of one image behave. Ranges are drawn for each container."""

    pull: Pull = Fixed(2 * SECOND)
    start: Start = Fixed(500 * MILLISECOND)
    healthy: Healthy = Fixed(0)
    """From the start of the container to the first good health check."""
    stop: Spread = Fixed(0)
    """From SIGTERM to the end; longer than the grace period means SIGKILL and exit code 137."""
    exit: Exit | None = None

    def changed(self, change: ImageChange) -> ImageBehaviour:
        """The behaviour after an `image` event."""
        given = {name: getattr(change, name) for name in sorted(change.model_fields_set)}
        if change.exit is not None and change.exit.after == "never":
            given["exit"] = None
        return self.model_copy(update=given)
