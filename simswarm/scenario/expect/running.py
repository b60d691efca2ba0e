"""`running`, `spread` and `placement`: how many tasks run, and where, by what is committed.

Each takes a reading - one number - and holds it against bounds: all through a window, or by a
deadline, or at the last instant.
"""

from __future__ import annotations

from simswarm.base.time import Duration, Instant
from simswarm.base.values import Value, label
from simswarm.model.specs import Availability
from simswarm.scenario.expect.judge import Deadline, Watchful, seconds
from simswarm.scenario.grammar.moments import Moment, Window
from simswarm.scenario.grammar.targets import Target
from simswarm.scenario.observed.resolve import Resolver
from simswarm.scenario.observed.scene import Scene


class Bounds(Value, frozen=True):
    """What a number may be."""

    low: int | None = None
    high: int | None = None

    def holds(self, value: int) -> bool:
        """Whether a value lies within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def margin(self, value: int) -> int:
        """How far inside a value is; negative outside."""
        room = [value - self.low] if self.low is not None else []
        if self.high is not None:
            room.append(self.high - value)
        return min(room, default=0)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"exactly {self.low}"
        if self.high is None:
            return f"at least {self.low}"
        if self.low is None:
            return f"at most {self.high}"
        return f"{self.low} to {self.high}"


class Reading:
    """A number to be read from a scene. Subclasses are frozen in what they read."""

    __slots__ = ()

    def read(self, scene: Scene) -> int | None:
        """The number now; None where there is nothing to read."""
        raise NotImplementedError


class RunningTasks(Reading):
    """Running tasks of a service, perhaps only those of one image."""

    __slots__ = ("_image", "_service")

    def __init__(self, service: str, image: str | None) -> None:
        self._service, self._image = service, image

    def read(self, scene: Scene) -> int | None:
        """Counted as `docker service ls` counts."""
        facts = scene.facts.services_by_name.get(self._service)
        if facts is None:
            return 0
        return facts.running if self._image is None else facts.images.get(self._image, 0)


class Unevenness(Reading):
    """How many running tasks of a service the fullest place has more than the emptiest."""

    __slots__ = ("_key", "_service")

    def __init__(self, service: str, by: str) -> None:
        """`by`: `zone`, `node` or `labels.KEY`."""
        self._service = service
        self._key = None if by == "node" else by.removeprefix("labels.")

    def read(self, scene: Scene) -> int | None:
        """Places are those with a node that is up and takes tasks."""
        facts = scene.facts.services_by_name.get(self._service)
        counts: dict[str, int] = {}
        for id, node in scene.facts.nodes.items():
            place = node.node.name if self._key is None else label(node.node.spec.labels, self._key)
            takes = not node.is_down and node.node.spec.availability == Availability.ACTIVE
            if place is not None and takes:
                counts.setdefault(place, 0)
            if place is not None and place in counts and facts is not None:
                counts[place] += facts.per_node.get(id, 0)
        return max(counts.values()) - min(counts.values()) if counts else None


class Misplaced(Reading):
    """Running tasks of a service on nodes where they should not be."""

    __slots__ = ("_never", "_only", "_resolver", "_service")

    def __init__(
        self,
        service: str,
        resolver: Resolver,
        only: tuple[Target, ...] | None,
        never: tuple[Target, ...] | None,
    ) -> None:
        self._service, self._resolver = service, resolver
        self._only, self._never = only, never

    def read(self, scene: Scene) -> int | None:
        """Targets mean what is true now."""
        facts = scene.facts.services_by_name.get(self._service)
        if facts is None:
            return 0
        allowed = None if self._only is None else self._resolver.nodes(self._only)
        banned = () if self._never is None else self._resolver.nodes(self._never)
        count = 0
        for id, running in facts.per_node.items():
            name = scene.facts.node_name(id)
            if name in banned or (allowed is not None and name not in allowed):
                count += running
        return count


class Bounded(Watchful):
    """A reading stays within its bounds all through a window."""

    __slots__ = ("_bounds", "_first_value", "_lasted", "_reading", "_since", "_worst", "_worst_at")

    def __init__(
        self,
        scene: Scene,
        about: tuple[str, str, int],
        window: Window | None,
        reading: Reading,
        bounds: Bounds,
    ) -> None:
        """`about`: kind, name and line."""
        super().__init__(scene, *about, window)
        self._reading, self._bounds = reading, bounds
        self._first_value: int | None = None
        self._worst: int | None = None
        self._worst_at: Instant = 0
        self._since: Instant | None = None
        """Since when the bounds are broken; None while they hold."""
        self._lasted: Duration = 0
        """How long they were broken, spans that are over."""

    def observe(self, now: Instant) -> None:
        """Keep the worst value and how long the bounds were broken."""
        if not self.is_open(now):
            if self._worst is not None and self.is_over(now):
                self._close(now)
                if self.verdict is None:
                    self.decide("pass", now, "")
            return
        value = self._reading.read(self.scene)
        if value is None:
            return
        bounds = self._bounds
        if self._first_value is None:
            self._first_value = value
        if self._worst is None or bounds.margin(value) < bounds.margin(self._worst):
            self._worst, self._worst_at = value, now
        if not bounds.holds(value):
            if self._since is None:
                self._since = now
            if self.verdict is None:
                self.decide("fail", now, "")
        elif self._since is not None:
            self._lasted += now - self._since
            self._since = None

    def _close(self, now: Instant) -> None:
        """The window is over: so is the time for which the bounds were broken."""
        if self._since is not None:
            _, end = self.span
            self._lasted += (now if end is None else min(end, now)) - self._since
            self._since = None

    def finish(self, now: Instant) -> None:
        """What was never broken passes; a failure says how bad it was and for how long."""
        self._close(now)
        if self.verdict is None and not self.never_began():
            if self._worst is None:
                self.decide("undecided", None, "nothing to look at in the window")
            else:
                self.decide("pass", now, "")
        if self._worst is not None:
            self._describe()

    def _describe(self) -> None:
        assert self._worst is not None
        self.measured = self._worst
        self.margin = float(self._bounds.margin(self._worst))
        limit = f"({self._bounds}, margin {self._bounds.margin(self._worst)})"
        if self.verdict != "fail":
            self.message = f"{self._worst} {limit}"
            return
        moved = str(self._worst)
        if self._first_value is not None and self._first_value != self._worst:
            moved = f"{self._first_value} -> {self._worst}"
        lasted = f" for {seconds(self._lasted)}" if self._lasted else ""
        where = f"at {seconds(self._worst_at)}"
        self.message = f"{moved} {where}{lasted} {limit}"


class Reached(Deadline):
    """A reading comes within its bounds in time."""

    __slots__ = ("_bounds", "_reading")

    def __init__(
        self,
        scene: Scene,
        about: tuple[str, str, int],
        timing: tuple[Moment | None, Duration | None],
        reading: Reading,
        bounds: Bounds,
    ) -> None:
        """`about`: kind, name and line."""
        super().__init__(scene, *about, timing)
        self._reading, self._bounds = reading, bounds

    def observe(self, now: Instant) -> None:
        """Pass at the first instant at which the bounds hold."""
        start = self.start
        if start is None or now < start or isinstance(self.measured, float):
            return
        value = self._reading.read(self.scene)
        if value is not None and self._bounds.holds(value):
            self.came_true(now, f"{value} after ")
        elif self.is_late(now):
            self.time_is_up(now, f"{value}, not {self._bounds},")

    def finish(self, now: Instant) -> None:
        """By the end it must have come true."""
        if self.verdict is not None or self.never_began():
            return
        if self.deadline is not None and now < self.deadline:
            self.cut_short(now)
        else:
            value = self._reading.read(self.scene)
            self.time_is_up(now, f"{value}, not {self._bounds},")
