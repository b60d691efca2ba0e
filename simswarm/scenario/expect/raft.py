"""`raft`: how often the leader changed, and how much that was committed is lost; both maxima."""

from __future__ import annotations

from simswarm.base.time import Instant
from simswarm.scenario.expect.judge import Watchful
from simswarm.scenario.grammar.moments import Window
from simswarm.scenario.observed.scene import Scene


class RaftStaysCalm(Watchful):
    """Counts wins and losses in a window."""

    __slots__ = ("_lost", "_lost_before", "_max_changes", "_max_lost")

    def __init__(
        self,
        scene: Scene,
        about: tuple[str, int],
        window: Window | None,
        *,
        leader_changes: int | None,
        committed_lost: int | None,
    ) -> None:
        """`about`: name and line."""
        name, line = about
        super().__init__(scene, "raft", name, line, window)
        self._max_changes, self._max_lost = leader_changes, committed_lost
        self._lost_before: int | None = None
        self._lost = 0
        """Committed entries that were lost in the window so far."""

    def observe(self, now: Instant) -> None:
        """Fail as soon as a maximum is exceeded."""
        if not self.is_open(now):
            return
        lost = self.scene.around.committed_lost()
        if self._lost_before is None:
            self._lost_before = lost
        self._lost = lost - self._lost_before
        if self.verdict is None and self._exceeded():
            self.decide("fail", now, "")

    def finish(self, now: Instant) -> None:
        """What was never exceeded passes."""
        if self.verdict is None and not self.never_began():
            self.decide("fail" if self._exceeded() else "pass", now, "")
        if self.verdict != "undecided":
            self._describe()

    def _changes(self) -> int:
        changes = self.scene.truth.leader_changes
        return sum(change.at > 0 and self.is_open(change.at) for change in changes)

    def _exceeded(self) -> bool:
        return (self._max_changes is not None and self._changes() > self._max_changes) or (
            self._max_lost is not None and self._lost > self._max_lost
        )

    def _describe(self) -> None:
        parts: list[str] = []
        if self._max_lost is not None:
            lost = self._lost
            self.measured, self.margin = lost, float(self._max_lost - lost)
            what = "nothing was lost" if not lost else f"{lost} committed entries were lost"
            parts.append(f"{what} (at most {self._max_lost}, margin {self._max_lost - lost})")
        if self._max_changes is not None:
            changes = self._changes()
            self.measured, self.margin = changes, float(self._max_changes - changes)
            word = "change" if changes == 1 else "changes"
            room = self._max_changes - changes
            parts.append(f"{changes} leader {word} (at most {self._max_changes}, margin {room})")
        self.message = ", ".join(parts)
