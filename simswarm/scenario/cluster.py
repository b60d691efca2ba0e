"""A swarm to steer by hand: in tests, notebooks and at a prompt.

    swarm = Cluster(managers=3, workers=2, seed=1)
    swarm.docker("service create --name web --replicas 3 nginx")
    swarm.advance(until="converged")
    swarm.crash("leader")

Time stands still until it is told to go on: `advance` lets it pass, `docker` as long as the
command takes. Everything goes the way of a scenario's events, and is in the trace like them.

Invariants:
    I1. The same calls with the same seed give the same digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from pydantic import ValidationError

from simswarm.base.errors import InvalidSpec, SimswarmError
from simswarm.base.time import MILLISECOND, SECOND, Duration, Instant
from simswarm.check.invariant import Violation
from simswarm.dockercli import Done, converse, parse
from simswarm.model.objects import Task
from simswarm.scenario.acting.client import Order
from simswarm.scenario.api import Span, span_of
from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.model import Event
from simswarm.scenario.outcome.finished import Trace
from simswarm.scenario.outcome.result import Json, nodes_json, service_json, state_json
from simswarm.scenario.run import Playing

STEP: Duration = 10 * MILLISECOND
"""How finely time passes while a command is waited for."""
COMMAND_LIMIT: Duration = 120 * SECOND
Lose = Literal["nothing", "unsynced", "disk"]


class CommandFailed(SimswarmError):
    """A docker command was refused, or nobody answered it."""

    code = "failed precondition"


class NotConverged(SimswarmError):
    """The swarm did not come to rest in time."""

    code = "deadline exceeded"


class Cluster:
    """A simulated swarm that is up: every node has joined and is ready, m1 leads."""

    def __init__(
        self,
        managers: int = 3,
        workers: int = 3,
        seed: int = 1,
        *,
        network: str = "lan",
        stack: str | Mapping[str, Any] | None = None,
        images: Mapping[str, Any] | None = None,
        **cluster: Any,
    ) -> None:
        """Bring a swarm up.

        Args:
            managers: `m1`, `m2`, …
            workers: `w1`, `w2`, …
            seed: Where all chance comes from.
            network: `perfect`, `lan`, `wan` or `flaky`.
            stack: A stack file or its content, deployed at once.
            images: How images behave, as in a scenario.
            cluster: More of a scenario's `cluster`: `zones`, `nodes`, `raft`, …

        Raises:
            ScenarioError: settings that a scenario would not be allowed either.
        """
        shape = {"managers": managers, "workers": workers, "network": network, **cluster}
        settings: dict[str, Any] = {"cluster": shape}
        if stack is not None:
            settings["stack"] = stack
        if images is not None:
            settings["images"] = images
        scenario = load_scenario("simswarm: 1\nname: cluster\n", settings, runnable=True)
        self._playing = Playing(scenario, seed=seed)
        self._playing.form()
        self._acts = 0

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> float:
        """Seconds since the swarm was up."""
        return self._playing.end / 1e9

    def advance(
        self, span: Span | None = None, *, until: Span | Literal["converged"] | None = None
    ) -> float:
        """Let time pass.

        Args:
            span: How long.
            until: Instead: `"converged"`, or a moment since the swarm was up. With `"converged"`
                `span` is the longest to wait (default 10 minutes).

        Returns:
            The time it is then, in seconds.

        Raises:
            NotConverged: it did not converge in time.
        """
        if until == "converged":
            self._converge(span_of("10m" if span is None else span))
        else:
            if (span is None) == (until is None):
                raise ValueError("advance takes a span, or until=")
            target = self._playing.end + span_of(span) if span is not None else span_of(until or 0)
            self._go(target)
        return self.now

    def _go(self, to: Instant) -> None:
        if to > self._playing.end:
            self._playing.advance(to)

    def _converge(self, limit: Duration) -> None:
        calm, end = self._playing.stage.calm, self._playing.end + limit
        self._go(self._playing.end + STEP)  # what was done just now has to show first
        while not calm.is_stable(self._playing.end):
            if self._playing.end >= end:
                raise NotConverged(f"not converged: {calm.what_lacks()}")
            wish = SECOND if calm.since is None else calm.since + calm.monitor - self._playing.end
            self._go(min(end, self._playing.end + max(STEP, min(wish, SECOND))))

    # ── what operators do ────────────────────────────────────────────────────────────────────

    def docker(self, line: str) -> str:
        """Carry out a docker command line and return what it prints.

        Args:
            line: With or without the word `docker`; `--host NODE` names the node to ask.

        Raises:
            CommandFailed: it was refused; the message is what docker prints.
        """
        read = parse(line)
        ended: list[Done] = []
        words = line.removeprefix("docker ").strip()
        make = partial(converse, read.command)
        order = Order(words, make, host=read.host, client="docker", on_done=ended.append)
        self._playing.stage.clients.ask(order)
        limit = self._playing.end + COMMAND_LIMIT
        while not ended:
            if self._playing.end >= limit:
                raise CommandFailed(f"{words}: no answer")
            self._go(self._playing.end + STEP)
        if ended[0].error:
            raise CommandFailed(ended[0].error)
        return ended[0].output

    def drain(self, target: str | Sequence[str]) -> None:
        """Take nodes out of service.

        Raises:
            CommandFailed: it was refused.
        """
        self._operate(drain=target)

    def activate(self, target: str | Sequence[str]) -> None:
        """Put nodes back into service.

        Raises:
            CommandFailed: it was refused.
        """
        self._operate(activate=target)

    def _operate(self, **action: Any) -> None:
        """Do what an operator does, and wait for the answer."""
        seen, limit = len(self._playing.world.trace), self._playing.end + COMMAND_LIMIT
        self.act(**action)
        while self._playing.stage.clients.open and self._playing.end < limit:
            self._go(self._playing.end + STEP)
        calls = [one for one in self._playing.world.trace[seen:] if one.kind == "call"]
        if calls and calls[-1].get("error"):
            raise CommandFailed(calls[-1].get("error"))

    # ── faults ───────────────────────────────────────────────────────────────────────────────

    def crash(self, target: str | Sequence[str], lose: Lose = "unsynced") -> None:
        """Nodes lose power; see a scenario's `crash`."""
        self.act(crash={"target": target, "lose": lose})

    def restart(self, target: str | Sequence[str]) -> None:
        """Boot nodes that are down."""
        self.act(restart=target)

    def pause(self, target: str | Sequence[str]) -> None:
        """Stop nodes' processes for a while."""
        self.act(pause=target)

    def resume(self, target: str | Sequence[str]) -> None:
        """Let paused nodes go on."""
        self.act(resume=target)

    def partition(self, *groups: str | Sequence[str]) -> None:
        """Cut the network into groups; nodes in none form one more."""
        self.act(partition=[[group] if isinstance(group, str) else list(group) for group in groups])

    def heal(self, target: str | Sequence[str] = "all") -> None:
        """Undo network faults."""
        self.act(heal=target)

    def act(self, **action: Any) -> None:
        """Do what an event of a scenario does, now: `act(link={"from": "m1", "loss": "5%"})`.

        Raises:
            InvalidSpec: no such action, or wrong settings for it.
        """
        self._acts += 1
        try:
            event = Event.model_validate({"at": "0s", **action})
        except ValidationError as error:
            raise InvalidSpec(error.errors(include_url=False)[0]["msg"]) from None
        self._playing.stage.actions.perform(self._acts, event)

    # ── what is to be seen ───────────────────────────────────────────────────────────────────

    @property
    def leader(self) -> str | None:
        """The manager that leads, if one does."""
        return self._scene.truth.leader or None

    @property
    def nodes(self) -> Json:
        """All nodes by name, as in a result."""
        return nodes_json(self._scene)

    @property
    def services(self) -> Json:
        """All services by name, with their tasks, as in a result."""
        known = self._scene.facts.services_by_name
        return {
            name: service_json(self._scene, known[name], with_tasks=True) for name in sorted(known)
        }

    def tasks(self, service: str | None = None) -> list[Task]:
        """The tasks that are kept, of one service or of all, in order of slot."""
        known = self._scene.facts.services_by_name
        chosen = [known[service]] if service is not None else list(known.values())
        found = [task for facts in chosen for task in facts.tasks.values()]
        return sorted(found, key=lambda task: (task.service_name, task.slot, task.id))

    @property
    def state(self) -> Json:
        """Nodes, services and Raft, as in a result."""
        return state_json(self._scene)

    @property
    def violations(self) -> list[tuple[str, Violation]]:
        """Invariants that were broken, each with its name."""
        return [
            (invariant.name, violation)
            for invariant in self._playing.stage.monitor.invariants
            for violation in invariant.violations
        ]

    @property
    def trace(self) -> Trace:
        """The records so far."""
        return Trace(self._playing.world.trace)

    @property
    def digest(self) -> str:
        """The digest over the execution so far."""
        return self._playing.world.digest

    @property
    def _scene(self) -> Any:
        self._playing.stage.scene.now = self._playing.end
        return self._playing.stage.scene
