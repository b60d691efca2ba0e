"""`update`: a service's update reaches a state in time."""

from __future__ import annotations

from simswarm.base.time import Duration, Instant
from simswarm.scenario.expect.judge import Deadline
from simswarm.scenario.grammar.moments import Moment
from simswarm.scenario.observed.scene import Scene
from simswarm.scenario.observed.snapshot import UPDATE_STATE_WORDS


class UpdateReaches(Deadline):
    """The update status of a service becomes what is expected."""

    __slots__ = ("_baseline", "_service", "_state")

    def __init__(
        self,
        scene: Scene,
        about: tuple[str, int],
        timing: tuple[Moment | None, Duration | None],
        service: str,
        state: str,
    ) -> None:
        """`about`: name and line."""
        name, line = about
        super().__init__(scene, "update", name, line, timing)
        self._service, self._state = service, state
        self._baseline: Instant | bool | None = False
        """When the update that the clock found had started; False before the clock starts."""

    def observe(self, now: Instant) -> None:
        """Pass when the state is reached by an update that is newer than the clock's start."""
        start = self.start
        if start is None or now < start or isinstance(self.measured, float):
            return
        if self._baseline is False:
            self._baseline = self._begun() if self._reached() else None
        if self._reached() and (self._baseline is None or self._begun() != self._baseline):
            self.came_true(now, f"{self._state} after ")
        elif self.is_late(now):
            self.time_is_up(now, self._instead())

    def finish(self, now: Instant) -> None:
        """By the end it must have come true."""
        if self.verdict is not None or self.never_began():
            return
        if self.deadline is not None and now < self.deadline:
            self.cut_short(now)
        else:
            self.time_is_up(now, self._instead())

    def _current(self) -> str:
        facts = self.scene.facts.services_by_name.get(self._service)
        if facts is None or facts.update is None:
            return ""
        return UPDATE_STATE_WORDS[facts.update.state]

    def _begun(self) -> Instant | None:
        facts = self.scene.facts.services_by_name.get(self._service)
        return None if facts is None or facts.update is None else facts.update.started_at

    def _reached(self) -> bool:
        return self._current() == self._state

    def _instead(self) -> str:
        return f"{self._current() or 'no update'} instead of {self._state}"
