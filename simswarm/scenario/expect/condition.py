"""The free forms: `always`, `never`, `eventually` and `at_end`, conditions in CEL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simswarm.base.time import Duration, Instant
from simswarm.scenario.expect.judge import Deadline, Watchful, seconds
from simswarm.scenario.grammar.cel import Condition
from simswarm.scenario.grammar.moments import Finally, Moment, Window
from simswarm.scenario.observed.scene import Scene


class Holds(Watchful):
    """A condition is true (`always`, `at_end`) or false (`never`) all through a window."""

    __slots__ = ("_condition", "_looked", "_tree", "_wanted")

    def __init__(
        self,
        scene: Scene,
        about: tuple[str, str, int],
        window: Window | None,
        condition: tuple[Condition, Mapping[str, Any]],
        *,
        wanted: bool,
    ) -> None:
        """`about`: kind, name and line; `condition`: with the tree it is evaluated over."""
        super().__init__(scene, *about, window)
        self._condition, self._tree = condition
        self._wanted = wanted
        self._looked = False

    def observe(self, now: Instant) -> None:
        """Fail at the first instant at which it does not hold."""
        if self.verdict is not None:
            return
        if not self.is_open(now):
            if self._looked and self.is_over(now):
                self._pass(now)
            return
        self._looked = True
        if self._condition.evaluate(self._tree) is not self._wanted:
            word = "false" if self._wanted else "true"
            self.measured = not self._wanted
            self.decide("fail", now, f"{word} at {seconds(now)}")

    def finish(self, now: Instant) -> None:
        """What held all along passes."""
        if self.verdict is not None or self.never_began():
            return
        if not self._looked:
            self.decide("undecided", None, "the window never opened")
        else:
            self._pass(now)

    def _pass(self, now: Instant) -> None:
        self.measured = self._wanted
        if isinstance(self.window, Finally):
            self.decide("pass", now, "held at the end")
        else:
            self.decide("pass", now, "held" if self._wanted else "never came true")


class ComesTrue(Deadline):
    """A condition becomes true in time (`eventually`)."""

    __slots__ = ("_condition", "_tree")

    def __init__(
        self,
        scene: Scene,
        about: tuple[str, int],
        timing: tuple[Moment | None, Duration | None],
        condition: tuple[Condition, Mapping[str, Any]],
    ) -> None:
        """`about`: name and line; `condition`: with the tree it is evaluated over."""
        name, line = about
        super().__init__(scene, "eventually", name, line, timing)
        self._condition, self._tree = condition

    def observe(self, now: Instant) -> None:
        """Pass at the first instant at which it is true."""
        start = self.start
        if start is None or now < start or isinstance(self.measured, float):
            return
        if self._condition.evaluate(self._tree):
            self.came_true(now, "true after ")
        elif self.is_late(now):
            self.time_is_up(now, "not true")

    def finish(self, now: Instant) -> None:
        """By the end it must have come true."""
        if self.verdict is not None or self.never_began():
            return
        if self.deadline is not None and now < self.deadline:
            self.cut_short(now)
        else:
            self.time_is_up(now, "not true")
