"""One run: a scenario and a seed in, a verdict and everything behind it out.

    formation ──> t = 0: the stack is deployed, the timeline begins ──> … ──> the end ──> verdict

How long: to `until` if that is given; else to the last event and expectation window, and then
until the swarm has converged, or for 60 s.

Invariants:
    I1. The same scenario, seed and engine number give the same digest, whoever watches.
    I2. Where the run ends depends on the scenario and on what happened alone, never on the
        machine.

Not here: reading files (`load.py`), keeping runs (`bundle.py`), showing them (`cli/`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from simswarm import __version__
from simswarm.base.errors import ScenarioError
from simswarm.base.time import SECOND, Duration, Instant
from simswarm.check.invariant import Invariant
from simswarm.dockercli import Done, conversations
from simswarm.scenario.acting.client import Order
from simswarm.scenario.acting.formation import Formation, build_world
from simswarm.scenario.acting.imagery import simulated_image
from simswarm.scenario.acting.links import network_profile
from simswarm.scenario.acting.stage import Stage
from simswarm.scenario.expect.judge import Judgement
from simswarm.scenario.model import Scenario
from simswarm.scenario.outcome import model_card
from simswarm.scenario.outcome.finished import Asked, Found, Run
from simswarm.scenario.outcome.result import (
    ENGINE,
    Json,
    expectation_json,
    invariant_json,
    overall,
    state_json,
    view_json,
)
from simswarm.sim.recorder import trace_digest
from simswarm.sim.world import World

GRACE: Duration = 60 * SECOND
"""How long a run without a given end goes on after everything else, at most."""
SLICE: Duration = SECOND
VIEW_PERIOD: Duration = 10 * SECOND
VIEWS_KEPT = 64
REFUSALS = ("code = InvalidArgument", "code = Unimplemented")
"""Answers to the scenario's own stack that no second try changes."""

Progress = Callable[[Instant, Instant], None]
"""Told of the simulated time so far, and of the end as far as it is known."""


class Playing:
    """A run under way."""

    __slots__ = (
        "_begun",
        "_refused",
        "_view_period",
        "_wants_views",
        "end",
        "judgements",
        "scenario",
        "seed",
        "stage",
        "until",
        "views",
        "world",
    )

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        until: Duration | None = None,
        views: bool = False,
        record_steps: tuple[int, int] | None = None,
        world: World | None = None,
    ) -> None:
        """`views`: keep summaries of state for seeking; `record_steps`: steps to keep in words;
        `world`: play on this one instead of a simulated one of its own."""
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self.until = scenario.until if until is None else until
        self.world: World = world or build_world(scenario, self.seed, record_steps)
        self.stage = Stage(self.world, scenario, self.seed)
        self.end: Instant = 0
        """How far the run has come."""
        self.judgements: list[Judgement] = []
        self.views: list[Json] = []
        self._wants_views = views
        self._view_period = VIEW_PERIOD
        self._refused = ""
        self._begun = time.perf_counter()

    def form(self) -> None:
        """Bring the swarm up, and begin: t = 0.

        Raises:
            FormationFailed: it does not come up.
        """
        scenario, world = self.scenario, self.world
        Formation(world, scenario.cluster, self.stage.scene.facts).run()
        world.use_profile(network_profile(scenario.cluster))
        for name, image in scenario.images.items():
            world.set_image(name, simulated_image(image))
        world.mark_origin()
        if scenario.services:
            make = partial(conversations.deploy, scenario.services)
            order = Order(
                "stack deploy", make, retry=SECOND, fatal=REFUSALS, on_done=self._deployed
            )
            self.stage.clients.ask(order)
        self.stage.begin()
        self._keep_view()

    def advance(self, to: Instant) -> None:
        """Play up to and including an instant.

        Raises:
            ScenarioError: the swarm refused the scenario's own stack.
        """
        self.world.run(self.world.origin + to + 1)
        self.end = to
        if self._refused:
            raise ScenarioError(f"the stack was refused: {self._refused}")
        if self._wants_views and to - self._last_view >= self._view_period:
            self._keep_view()

    def play(self, progress: Progress | None = None) -> None:
        """Play to the end."""
        while not self._is_over():
            known = self.known_end
            next_slice = (self.end // SLICE + 1) * SLICE
            stop = min(known, next_slice) if self.end < known else next_slice
            if progress is not None:
                progress(self.end, max(stop, known))
            self.advance(stop)

    @property
    def invariants(self) -> Sequence[Invariant]:
        """What is watched all the time."""
        return self.stage.monitor.invariants

    @property
    def known_end(self) -> Instant:
        """The end as far as it is known now."""
        if self.until is not None:
            return self.until
        return max(self.stage.timeline.horizon(), self.stage.referee.horizon())

    def _is_over(self) -> bool:
        """Whether to stop here. Without a given end only whole slices are asked, so that where a
        run ends doesn't depend on where it was stopped in between."""
        if self.until is not None:
            return self.end >= self.until
        known = self.known_end
        if self.end < known or self.end % SLICE:
            return False
        if self.end >= known + GRACE:
            return True
        calm = self.stage.calm
        # what happened last must have had the time to show
        lasted = self.end - known >= calm.monitor
        return lasted and calm.is_stable(self.end) and not self.stage.clients.open

    def interrupt(self) -> None:
        """End here, between two slices: what is not decided yet stays open."""
        self.until = self.end
        for judge in self.stage.referee.judges:
            if judge.verdict is None:
                judge.decide("undecided", None, "the run was interrupted")

    def finish(self) -> Run:
        """Judge what is still open, and put the result together."""
        scene = self.stage.scene
        scene.now = self.end
        self.judgements = self.stage.referee.finish(self.end)
        self._keep_view()
        asked = Asked(self.scenario, self.seed, self.until, self.stage.actions.resolved)
        found = Found(
            self.judgements, self.invariants, self.world.trace, self.world.checkpoints, self.views
        )
        return Run(asked, found, self._result())

    # ── the result ───────────────────────────────────────────────────────────────────────────

    def _result(self) -> Json:
        stage, world = self.stage, self.world
        scene, invariants = stage.scene, self.invariants
        elapsed = time.perf_counter() - self._begun
        return {
            "simswarm": __version__,
            "engine": ENGINE,
            "scenario": self.scenario.name,
            "seed": self.seed,
            "digest": world.digest,
            "trace_digest": trace_digest(world.trace),
            "warnings": self._warnings(),
            "model": self._model(),
            "verdict": overall(self.judgements, invariants),
            "simulated_seconds": self.end / 1e9,
            "events": world.steps,
            "marks": {id: at / 1e9 for id, at in scene.marks.fired.items()},
            "expectations": [expectation_json(judgement) for judgement in self.judgements],
            "invariants": [invariant_json(invariant) for invariant in invariants],
            **state_json(scene),
            "timing": {
                "wall_seconds": round(elapsed, 3),
                "events_per_second": round(world.steps / max(elapsed, 1e-9)),
            },
            "bundle": None,
        }

    def _warnings(self) -> list[str]:
        found = [*self.scenario.warnings, *self.stage.actions.warnings]
        for event in self.stage.timeline.unfired():
            name = f"event '{event.id}'" if event.id is not None else f"the {event.verb} event"
            found.append(f"line {event.line}: {name} never fired")
        return found + self.stage.actions.left_in_force()

    def _model(self) -> Json:
        listed = self.scenario.images
        used = [service.task.container.image for service in self.scenario.services]
        unlisted = dict.fromkeys(image for image in used if image not in listed)
        return {
            "card": model_card.CARD,
            "engine": self.scenario.cluster.engine,
            "not_modelled": list(model_card.NOT_MODELLED),
            "guessed_inputs": model_card.guessed_inputs(
                self.scenario.cluster.network.profile, unlisted
            ),
        }

    def _deployed(self, done: Done) -> None:
        self._refused = done.error

    # ── views ────────────────────────────────────────────────────────────────────────────────

    @property
    def _last_view(self) -> Instant:
        return round(self.views[-1]["t"] * 1e9) if self.views else -self._view_period

    def _keep_view(self) -> None:
        """Keep a summary of this moment; of too many every other one, further apart from now."""
        if not self._wants_views:
            return
        self.stage.scene.now = self.end
        self.views.append(view_json(self.stage.scene))
        if len(self.views) > VIEWS_KEPT:
            self.views = self.views[::2]
            self._view_period *= 2


def play(
    scenario: Scenario,
    *,
    seed: int | None = None,
    until: Duration | None = None,
    views: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Run a scenario from beginning to end.

    Args:
        scenario: What to run.
        seed: Instead of the scenario's own.
        until: Where to end, instead of the scenario's own end.
        views: Keep summaries of state, for a bundle.
        progress: Told how far the run has come.
    """
    playing = Playing(scenario, seed=seed, until=until, views=views)
    playing.form()
    playing.play(progress)
    return playing.finish()
