"""`leader_elected`: after something happened, somebody leads again in time.

Judged on the first election won after the moment. Where none was won by the deadline because
none was needed - a leader was up and in touch with a quorum all the while - that passes too.
"""

from __future__ import annotations

from simswarm.base.time import Instant
from simswarm.scenario.expect.judge import Deadline


class LeaderElected(Deadline):
    """A manager wins an election in time."""

    __slots__ = ()

    def observe(self, now: Instant) -> None:
        """Look for a win; at the deadline, look whether one was needed."""
        start = self.start
        if start is None or now < start or isinstance(self.measured, float):
            return
        change = self.scene.truth.leader_since(start)
        if change is not None:
            self.came_true(change.at, f"{change.leader} leads term {change.term}, ")
            return
        if self.is_late(now):
            self._decide_without_win(now)

    def finish(self, now: Instant) -> None:
        """By the end there must be a leader."""
        if self.verdict is not None or self.never_began():
            return
        if self.deadline is not None and now < self.deadline:
            self.cut_short(now)
        else:
            self._decide_without_win(now)

    def _decide_without_win(self, now: Instant) -> None:
        if self.scene.has_working_leader():
            self.decide("pass", now, f"no election was needed, {self.scene.truth.leader} leads")
        else:
            self.time_is_up(now, "no leader")
