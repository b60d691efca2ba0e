"""`availability`: how much of a service really ran, by what the engines know.

    share     healthy containers / desired tasks, at its lowest in the window
    downtime  the longest span in which no container was healthy

Requests of simulated clients come with the data plane.
"""

from __future__ import annotations

from simswarm.base.time import Duration, Instant
from simswarm.base.values import Value
from simswarm.scenario.expect.judge import Watchful, seconds, spell
from simswarm.scenario.grammar.moments import Window
from simswarm.scenario.observed.scene import Scene

WHOLE = 1_000_000


class Limits(Value, frozen=True):
    """What is tolerated. `lowest` in millionths of the desired tasks."""

    lowest: int | None = None
    max_downtime: Duration | None = None


class Available(Watchful):
    """A service stays available in a window."""

    __slots__ = (
        "_down_since",
        "_limits",
        "_longest",
        "_lowest",
        "_lowest_at",
        "_seen",
        "_service",
    )

    def __init__(
        self,
        scene: Scene,
        about: tuple[str, int],
        window: Window | None,
        service: str,
        limits: Limits,
    ) -> None:
        """`about`: name and line."""
        name, line = about
        super().__init__(scene, "availability", name, line, window)
        self._service, self._limits = service, limits
        self._seen = False
        self._lowest = WHOLE
        self._lowest_at: Instant = 0
        self._down_since: Instant | None = None
        self._longest: Duration = 0

    def observe(self, now: Instant) -> None:
        """Keep the lowest share and the longest downtime; fail at the first excess."""
        if not self.is_open(now):
            if self._down_since is not None and self.is_over(now):
                self._close(now)
            return
        facts = self.scene.facts.services_by_name.get(self._service)
        desired = facts.desired if facts is not None else 0
        healthy = self.scene.truth.healthy.get(self._service, 0)
        self._seen = True
        if desired:
            share = min(WHOLE, healthy * WHOLE // desired)
            if share < self._lowest:
                self._lowest, self._lowest_at = share, now
        if healthy == 0 and self._down_since is None:
            self._down_since = now
        elif self._down_since is not None:
            self._longest = max(self._longest, now - self._down_since)
            if healthy:
                self._down_since = None
        if self.verdict is None and self._broken():
            self.decide("fail", now, "")

    def wishes(self) -> tuple[Instant, ...]:
        """Also the moment at which the present downtime becomes too long."""
        wishes = super().wishes()
        limit = self._limits.max_downtime
        if self._down_since is None or limit is None:
            return wishes
        return (*wishes, self._down_since + limit + 1)

    def finish(self, now: Instant) -> None:
        """What was never broken passes."""
        self._close(now)
        if self.verdict is None and not self.never_began():
            if not self._seen:
                self.decide("undecided", None, "nothing to look at in the window")
            elif self._broken():
                self.decide("fail", now, "")
            else:
                self.decide("pass", now, "")
        if self._seen:
            self._describe()

    def _close(self, now: Instant) -> None:
        if self._down_since is not None:
            _, end = self.span
            last = now if end is None else min(now, end)
            self._longest = max(self._longest, last - self._down_since)
            self._down_since = None

    def _broken(self) -> bool:
        limits = self._limits
        return (limits.lowest is not None and self._lowest < limits.lowest) or (
            limits.max_downtime is not None and self._longest > limits.max_downtime
        )

    def _describe(self) -> None:
        limits = self._limits
        parts: list[str] = []
        if limits.max_downtime is not None:
            room = limits.max_downtime - self._longest
            self.measured, self.margin = self._longest / 1e9, room / 1e9
            limit = f"at most {spell(limits.max_downtime)}, margin {seconds(room)}"
            parts.append(f"down for {seconds(self._longest)} ({limit})")
        if limits.lowest is not None:
            room = self._lowest - limits.lowest
            self.measured, self.margin = self._lowest / 1e4, room / 1e4
            at = f" at {seconds(self._lowest_at)}" if self._lowest < WHOLE else ""
            limit = f"at least {percent(limits.lowest)}, margin {percent(room)}"
            parts.append(f"{percent(self._lowest)}{at} ({limit})")
        self.message = ", ".join(parts) or "nothing was asked for"


def percent(millionths: int) -> str:
    """A share as people read it: `66.7%`."""
    return f"{millionths / 1e4:.1f}".removesuffix(".0") + "%"
