"""What judges one expectation: it is shown the scene whenever that changes, and decides once.

    open ──observe…──> pass | fail | undecided        a judge that has decided may go on measuring

`Deadline` judges wait for something to come true in time; `Watchful` judges see to it that
something stays true in a window. A judge never looks ahead and never acts.

Invariants:
    I1. A verdict is given once; `measured` and `margin` may be filled in later.
    I2. A judge whose beginning never came decides `undecided`, never `pass`.

Not here: when judges are asked (`referee.py`).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from simswarm.base.time import Duration, Instant
from simswarm.base.values import Value, replace
from simswarm.scenario.grammar.moments import Moment, Window
from simswarm.scenario.observed.scene import Scene

Verdict: TypeAlias = Literal["pass", "fail", "undecided"]
Measured: TypeAlias = float | int | str | bool | None


class Judgement(Value, frozen=True):
    """How an expectation ended. Times in nanoseconds since the swarm was up."""

    name: str
    kind: str
    verdict: Verdict
    at: Instant | None
    measured: Measured
    margin: float | None
    """How far `measured` was from flipping the verdict; None where there is no distance."""
    message: str
    line: int
    waited: float | None = None
    """Seconds for which something was waited for that had not come when the run ended."""


class Judge:
    """Base of all judges."""

    __slots__ = (
        "at",
        "kind",
        "line",
        "margin",
        "measured",
        "message",
        "name",
        "reported",
        "scene",
        "verdict",
    )

    def __init__(self, scene: Scene, kind: str, name: str, line: int) -> None:
        self.scene = scene
        self.kind = kind
        self.name = name
        self.line = line
        self.verdict: Verdict | None = None
        self.at: Instant | None = None
        self.measured: Measured = None
        self.margin: float | None = None
        self.message = ""
        self.reported = False
        """Whether the trace has been told of the verdict."""

    def observe(self, now: Instant) -> None:
        """The scene changed, or an instant this judge asked for has come."""
        raise NotImplementedError

    def finish(self, now: Instant) -> None:
        """The run is over: decide what is still open."""
        raise NotImplementedError

    def wishes(self) -> tuple[Instant, ...]:
        """Instants, as far as known, at which this judge must be asked even if nothing changes."""
        return ()

    def horizon(self) -> Instant | None:
        """Until when the run must go on for this judge, as far as known; None: it can decide."""
        return None

    def waits_for(self) -> str | None:
        """The id of the event without which this judge can't begin, or None."""
        return None

    def decide(self, verdict: Verdict, at: Instant | None, message: str) -> None:
        """Give the verdict."""
        assert self.verdict is None, "a verdict is given once"
        self.verdict = verdict
        self.at = at
        self.message = message

    def judgement(self) -> Judgement:
        """The outcome."""
        assert self.verdict is not None, "not decided yet"
        return Judgement(
            self.name,
            self.kind,
            self.verdict,
            self.at,
            self.measured,
            self.margin,
            self.message,
            self.line,
        )


class Deadline(Judge):
    """Something must come true after a moment, within a span (by the end, if none is given)."""

    __slots__ = ("after", "settle", "within")

    def __init__(
        self,
        scene: Scene,
        kind: str,
        name: str,
        line: int,
        timing: tuple[Moment | None, Duration | None],
    ) -> None:
        super().__init__(scene, kind, name, line)
        self.after, self.within = timing
        self.settle: Duration = 0
        """How long after the deadline the decision may take (a span that must stay stable)."""

    @property
    def start(self) -> Instant | None:
        """When the clock starts, if known."""
        return self.scene.marks.moment(self.after)

    @property
    def deadline(self) -> Instant | None:
        """When time is up, if known and given."""
        start = self.start
        return None if start is None or self.within is None else start + self.within

    def wishes(self) -> tuple[Instant, ...]:
        """The start, and when the deadline is over."""
        start, deadline = self.start, self.deadline
        if start is None:
            return ()
        return (start,) if deadline is None else (start, deadline + 1, deadline + 1 + self.settle)

    def horizon(self) -> Instant | None:
        """The deadline."""
        if self.verdict is not None:
            return None
        deadline = self.deadline
        return None if deadline is None else deadline + self.settle

    def waits_for(self) -> str | None:
        """The event it is measured from."""
        return self.scene.marks.missing(self.after)

    def judgement(self) -> Judgement:
        """The outcome; what did not come true tells how long it was waited for."""
        judgement = super().judgement()
        start = self.start
        if self.measured is not None or start is None:
            return judgement
        return replace(judgement, waited=(self.scene.now - start) / 1e9)

    def is_late(self, now: Instant) -> bool:
        """Whether time is up. What happens at the very deadline is in time."""
        return self.verdict is None and self.deadline is not None and now > self.deadline

    def came_true(self, at: Instant, what: str) -> None:
        """It came true at this instant: judge that against the deadline."""
        start = self.start
        assert start is not None
        took = at - start
        self.measured = took / 1e9
        limit = ""
        if self.within is not None:
            self.margin = (self.within - took) / 1e9
            limit = f" (within {spell(self.within)}, margin {seconds(self.within - took)})"
        if self.verdict is None:
            late = self.within is not None and took > self.within
            self.decide("fail" if late else "pass", at, f"{what}{seconds(took)}{limit}")
        else:
            self.message = f"{what}{seconds(took)}{limit}"

    def time_is_up(self, now: Instant, what: str) -> None:
        """The deadline has passed (or the run has ended) and it did not come true."""
        limit = "by the end" if self.within is None else f"within {spell(self.within)}"
        deadline = now if self.deadline is None else min(now, self.deadline)
        self.decide("fail", deadline, f"{what} {limit}")

    def never_began(self) -> bool:
        """Decide `undecided` if the clock never started; tell whether so."""
        missing = self.waits_for()
        start = self.start
        if missing is None and start is not None:
            return False
        self.decide("undecided", None, f"event '{missing}' never fired")
        return True

    def cut_short(self, now: Instant) -> None:
        """The run ended before the deadline."""
        assert self.within is not None
        self.decide("undecided", now, f"the run ended before the {spell(self.within)} were over")


class Watchful(Judge):
    """Something must stay true in a window (the whole run, if none is given).

    The first instant of a window belongs to it, the last one does not: what ends a window is no
    part of it. Only where a window ends with the run, its last instant counts.
    """

    __slots__ = ("window",)

    def __init__(
        self, scene: Scene, kind: str, name: str, line: int, window: Window | None
    ) -> None:
        super().__init__(scene, kind, name, line)
        self.window = window

    @property
    def span(self) -> tuple[Instant | None, Instant | None]:
        """Begin and end of the window, as far as known."""
        return self.scene.marks.window(self.window)

    def is_open(self, now: Instant) -> bool:
        """Whether this instant lies in the window."""
        start, _ = self.span
        return start is not None and start <= now and self.is_before_end(now)

    def is_before_end(self, now: Instant) -> bool:
        """Whether the window had not been closed at this instant."""
        _, end = self.span
        if end is None or now < end:
            return True
        return now == end and self.scene.marks.ends_with_run(self.window)

    def is_over(self, now: Instant) -> bool:
        """Whether the window has been closed before the run ends."""
        return not self.scene.marks.ends_with_run(self.window) and not self.is_before_end(now)

    def wishes(self) -> tuple[Instant, ...]:
        """Both ends of the window."""
        return tuple(instant for instant in self.span if instant is not None)

    def horizon(self) -> Instant | None:
        """The end of the window, if that is not simply the end of the run."""
        return None if self.verdict is not None else self.span[1]

    def waits_for(self) -> str | None:
        """The event that opens the window, or closes it."""
        return self.scene.marks.missing(self.window)

    def never_began(self) -> bool:
        """Decide `undecided` if the window never opened; tell whether so."""
        missing = self.waits_for()
        if missing is None:
            return False
        self.decide("undecided", None, f"event '{missing}' never fired")
        return True


def seconds(span: Duration) -> str:
    """A measured span, as people read it: `14.2 s`."""
    return f"{span / 1e9:.1f} s"


def spell(span: Duration) -> str:
    """A span from the file, as people read it: `25 s`, `1.5 s`, `300 ms`."""
    if span and span < 1_000_000_000:
        return f"{span / 1e6:g} ms"
    return f"{span / 1e9:g} s"
