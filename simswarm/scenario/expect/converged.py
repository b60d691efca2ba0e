"""`converged`: the swarm is as it should be, and stays so.

Every service has its desired running tasks of the current spec, none in excess, no update under
way, and the containers behind them really run; a leader works, and everybody in touch with it is
ready - for the monitoring period. The verdict is dated at the first instant of that stable span.

Source: the span is docker's (cli/command/service/progress/progress.go: the update's `monitor`,
or 5 s). Not here: networks' tables, which have to agree too once there are networks.
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.time import Duration, Instant
from simswarm.model.defaults import UPDATE_MONITOR
from simswarm.model.objects import UpdateState
from simswarm.scenario.expect.judge import Deadline
from simswarm.scenario.grammar.moments import Moment
from simswarm.scenario.observed.facts import ServiceFacts
from simswarm.scenario.observed.scene import Scene


def monitor_of(service: ServiceFacts) -> Duration:
    """How long a service must stay as it is."""
    spec, status = service.service.spec, service.update
    rolled_back = status is not None and status.state is UpdateState.ROLLBACK_COMPLETED
    config = spec.rollback if rolled_back else spec.update
    return UPDATE_MONITOR if config is None or config.monitor is None else config.monitor


class StableSpan:
    """Since when the services of a scene (one, or all) have been settled."""

    __slots__ = ("_given", "_scene", "_services", "monitor", "since")

    def __init__(
        self, scene: Scene, services: Sequence[str] | None, monitor: Duration | None = None
    ) -> None:
        """`services` None: all. `monitor` None: the longest of the services' own."""
        self._scene = scene
        self._services = services
        self._given = monitor
        self.since: Instant | None = None
        self.monitor: Duration = UPDATE_MONITOR if monitor is None else monitor

    def observe(self, now: Instant) -> None:
        """Look again."""
        chosen = self._chosen()
        scene = self._scene
        settled = chosen is not None and all(scene.is_settled(service) for service in chosen)
        if chosen is None or not settled or not scene.is_whole():
            self.since = None
            return
        if self._given is None:
            self.monitor = max((monitor_of(service) for service in chosen), default=UPDATE_MONITOR)
        if self.since is None:
            self.since = now

    def is_stable(self, now: Instant) -> bool:
        """Whether the span has lasted long enough."""
        return self.since is not None and now - self.since >= self.monitor

    def what_lacks(self) -> str:
        """What keeps the services from being settled, in words."""
        chosen = self._chosen()
        if chosen is None:
            known = self._scene.facts.services_by_name
            missing = [name for name in self._services or () if name not in known]
            return f"there is no service {' or '.join(missing)}"
        parts = [self._lack(service) for service in chosen if not self._scene.is_settled(service)]
        if not self._scene.has_working_leader():
            parts.append("there is no leader")
        elif not self._scene.is_whole():
            parts.append("a node in touch with the leader is not ready yet")
        return ", ".join(parts) or "it did not last"

    def _lack(self, service: ServiceFacts) -> str:
        if service.updating:
            return f"{service.name} is being updated"
        running = min(service.good, self._scene.really_running(service))
        if running == service.desired:
            return f"{service.name} has tasks in excess"
        return f"{service.name} {running}/{service.desired}"

    def _chosen(self) -> list[ServiceFacts] | None:
        services = self._scene.facts.services_by_name
        if self._services is None:
            return list(services.values())
        chosen = [services[name] for name in self._services if name in services]
        return chosen if len(chosen) == len(self._services) else None


class Converged(Deadline):
    """The services settle in time and stay settled for their monitoring period."""

    __slots__ = ("_span",)

    def __init__(
        self,
        scene: Scene,
        about: tuple[str, int],
        timing: tuple[Moment | None, Duration | None],
        services: Sequence[str] | None,
        stable: Duration | None = None,
    ) -> None:
        """`about`: name and line."""
        name, line = about
        super().__init__(scene, "converged", name, line, timing)
        self._span = StableSpan(scene, services, stable)
        self.settle = self._span.monitor

    def observe(self, now: Instant) -> None:
        """Follow the span; pass when it has lasted, fail when it can't begin in time any more."""
        span = self._span
        span.observe(now)
        self.settle = span.monitor
        start = self.start
        if start is None or now < start or isinstance(self.measured, float):
            return
        if span.since is not None and now - max(span.since, start) >= span.monitor:
            self.came_true(max(span.since, start), "")
            return
        deadline = self.deadline
        if deadline is None or not self.is_late(now):
            return
        if span.since is None or span.since > deadline:
            self.time_is_up(now, self._late())

    def wishes(self) -> tuple[Instant, ...]:
        """Also the moment at which the present span has lasted long enough."""
        wishes = super().wishes()
        if self._span.since is None or self.start is None:
            return wishes
        return (*wishes, max(self._span.since, self.start) + self._span.monitor)

    def finish(self, now: Instant) -> None:
        """A span that has lasted long enough passes; one that might still have is undecided."""
        if self.verdict is not None or self.never_began():
            return
        start, since = self.start, self._span.since
        assert start is not None
        if since is not None and now >= start:
            begun = max(since, start)
            if now - begun >= self._span.monitor:
                self.came_true(begun, "")
            else:
                self.decide("undecided", now, "the run ended before it had lasted long enough")
        elif self.deadline is not None and now < self.deadline:
            self.cut_short(now)
        else:
            self.time_is_up(now, self._late())

    def _late(self) -> str:
        return f"not converged ({self._span.what_lacks()})"
