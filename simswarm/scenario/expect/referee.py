"""Asks the judges: whenever the scene changed, at the instants they wished for, and at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simswarm.base.time import Instant
from simswarm.scenario.expect.judge import Judge, Judgement
from simswarm.scenario.observed.scene import Scene

Announce = Callable[[Judgement], None]


class Referee:
    """All judges of a run, in file order."""

    __slots__ = ("_announce", "_scene", "judges")

    def __init__(self, scene: Scene, judges: Sequence[Judge], announce: Announce) -> None:
        """`announce` is told of every verdict when it falls."""
        self._scene = scene
        self.judges = tuple(judges)
        self._announce = announce

    def observe(self, now: Instant) -> None:
        """The scene changed, or a wished-for instant has come."""
        for judge in self.judges:
            judge.observe(now)
            self._report(judge)

    def next_wish(self, now: Instant) -> Instant | None:
        """The next instant at which a judge must be asked even if nothing changes."""
        wishes = [wish for judge in self.judges for wish in judge.wishes() if wish > now]
        return min(wishes, default=None)

    def horizon(self) -> Instant:
        """Until when the run must go on, as far as known now."""
        known = [judge.horizon() for judge in self.judges]
        return max((instant for instant in known if instant is not None), default=0)

    def finish(self, now: Instant) -> list[Judgement]:
        """The run is over: the last look, and all outcomes."""
        self._scene.marks.end = now
        for judge in self.judges:
            judge.observe(now)
            judge.finish(now)
            self._report(judge)
        return [judge.judgement() for judge in self.judges]

    def _report(self, judge: Judge) -> None:
        if judge.verdict is not None and not judge.reported:
            judge.reported = True
            self._announce(judge.judgement())
