"""What judges are shown: committed facts, the truth, and when events happened."""

from __future__ import annotations

from typing import Protocol

from simswarm.base.time import Instant
from simswarm.scenario.observed.facts import Facts, ServiceFacts
from simswarm.scenario.observed.marks import Marks
from simswarm.scenario.observed.truth import Truth


class Surroundings(Protocol):
    """What only the world knows: simulated, or live as far as the supervisor can tell."""

    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes there are, managers first."""
        ...

    def members(self) -> tuple[str, ...]:
        """Names of all managers in the member list."""
        ...

    def can_talk(self, a: str, b: str) -> bool:
        """Whether no partition stands between two nodes."""
        ...

    def committed_lost(self) -> int:
        """Committed entries that were lost, as far as watched."""
        ...


class Scene:
    """Everything that conditions and expectations are about."""

    __slots__ = ("around", "facts", "marks", "now", "truth")

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.facts = Facts()
        self.truth = Truth()
        self.marks = Marks()
        self.now: Instant = 0

    @property
    def revision(self) -> int:
        """Rises whenever anything changed."""
        return self.facts.revision + self.truth.revision

    def really_running(self, service: ServiceFacts) -> int:
        """Healthy containers of a service, bar those that the swarm can know nothing of.

        Left out are containers on nodes that the swarm holds for down and that are out of touch
        with the leader. A node that is back but not yet ready counts: what it still runs may be
        in excess.
        """
        count = self.truth.healthy.get(service.name, 0)
        for facts in self.facts.not_ready.values():
            if facts.is_down and not self._in_reach(facts.node.name):
                count -= self.truth.healthy_on(service.name, facts.node.name)
        return count

    def _in_reach(self, name: str) -> bool:
        leader = self.truth.leader
        return bool(leader) and self.truth.is_up(name) and self.around.can_talk(leader, name)

    def is_settled(self, service: ServiceFacts) -> bool:
        """Whether managers and engines agree that a service is as it should be."""
        return service.settled and self.really_running(service) == service.desired

    def is_whole(self) -> bool:
        """Whether a leader works, and knows everybody for ready who is in touch with it."""
        return self.has_working_leader() and not any(
            self._in_reach(facts.node.name) for facts in self.facts.not_ready.values()
        )

    def reachable_members(self) -> int:
        """Managers that are up and can talk to a quorum."""
        members = self.around.members()
        up = [name for name in members if self.truth.is_up(name)]
        return sum(self._in_touch(name, up) * 2 > len(members) for name in up)

    def has_working_leader(self) -> bool:
        """Whether a leader is up and in touch with a quorum of the managers."""
        members = self.around.members()
        up = [name for name in members if self.truth.is_up(name)]
        leader = self.truth.leader
        return leader in up and self._in_touch(leader, up) * 2 > len(members)

    def in_touch(self, name: str) -> bool:
        """Whether a manager that is up can talk to a quorum."""
        members = self.around.members()
        up = [name for name in members if self.truth.is_up(name)]
        return name in up and self._in_touch(name, up) * 2 > len(members)

    def _in_touch(self, one: str, up: list[str]) -> int:
        return sum(one == other or self.around.can_talk(one, other) for other in up)
