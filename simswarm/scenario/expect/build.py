"""From what a scenario expects to the judges of a run.

Without any timing `running` and `spread` are judged at the last instant, and `placement` over the
whole run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simswarm.base.errors import Unsupported
from simswarm.scenario.expect.availability import Available, Limits
from simswarm.scenario.expect.condition import ComesTrue, Holds
from simswarm.scenario.expect.converged import Converged
from simswarm.scenario.expect.judge import Judge
from simswarm.scenario.expect.leader import LeaderElected
from simswarm.scenario.expect.raft import RaftStaysCalm
from simswarm.scenario.expect.running import (
    Bounded,
    Bounds,
    Misplaced,
    Reached,
    Reading,
    RunningTasks,
    Unevenness,
)
from simswarm.scenario.expect.update import UpdateReaches
from simswarm.scenario.grammar.cel import Condition
from simswarm.scenario.grammar.moments import Finally, Window
from simswarm.scenario.model import expect as model
from simswarm.scenario.observed.resolve import Resolver
from simswarm.scenario.observed.scene import Scene


def build_judges(
    expectations: Sequence[model.Expectation],
    scene: Scene,
    variables: Mapping[str, Any],
    resolver: Resolver,
) -> list[Judge]:
    """One judge for each expectation, in file order.

    Raises:
        Unsupported: an expectation that needs what isn't built yet.
    """
    builder = _Builder(scene, variables, resolver)
    return [builder.build(expectation) for expectation in expectations]


def name_of(expectation: model.Expectation) -> str:
    """The expectation's name, or a sentence that can stand for it."""
    if expectation.name is not None:
        return expectation.name
    match expectation.check:
        case model.Converged(service=None):
            return "converged"
        case model.Converged(service=names):
            return f"{' and '.join(names or ())} converged"
        case model.LeaderElected():
            return "leader elected"
        case model.Availability(service=service):
            return f"{service} available"
        case model.Running(service=service, image=image) as check:
            of = f" of {image}" if image is not None else ""
            return f"{service} running {_bounds(check)}{of}"
        case model.Spread(service=service, by=by):
            return f"{service} spread by {by}"
        case model.UpdateReaches(service=service, state=state):
            return f"{service} {state}"
        case model.Raft():
            return "raft stays calm"
        case model.Placement(service=service):
            return f"{service} in its place"
        case model.Exposure():
            return "exposure"
        case model.Always(condition) | model.Never(condition) | model.Eventually(condition):
            return f"{expectation.kind}: {condition.source}"
        case model.AtEndOfRun(condition):
            return f"at end: {condition.source}"


def _bounds(check: model.Running) -> Bounds:
    if check.exactly is not None:
        return Bounds(check.exactly, check.exactly)
    return Bounds(check.at_least, check.at_most)


class _Builder:
    """Knows what judges are made with."""

    __slots__ = ("_resolver", "_scene", "_variables")

    def __init__(self, scene: Scene, variables: Mapping[str, Any], resolver: Resolver) -> None:
        self._scene, self._variables, self._resolver = scene, variables, resolver

    def build(self, expectation: model.Expectation) -> Judge:
        """The judge of one expectation."""
        scene, about = self._scene, (name_of(expectation), expectation.line)
        match expectation.check:
            case model.Converged(service=names, stable=stable) as check:
                return Converged(scene, about, (check.after, check.within), names, stable)
            case model.LeaderElected() as check:
                return LeaderElected(scene, "leader_elected", *about, (check.after, check.within))
            case model.Availability() as check:
                return self._availability(check, about)
            case model.Running() as check:
                reading: Reading = RunningTasks(check.service, check.image)
                return self._counted(expectation, check, reading, _bounds(check))
            case model.Spread() as check:
                reading = Unevenness(check.service, check.by)
                return self._counted(
                    expectation, check, reading, Bounds(None, check.max_difference)
                )
            case model.Placement() as check:
                reading = Misplaced(check.service, self._resolver, check.only, check.never)
                return self._counted(expectation, check, reading, Bounds(None, 0))
            case model.UpdateReaches() as check:
                timing = (check.after, check.within)
                return UpdateReaches(scene, about, timing, check.service, check.state)
            case model.Raft() as check:
                return RaftStaysCalm(
                    scene,
                    about,
                    check.during,
                    leader_changes=check.leader_changes,
                    committed_lost=check.committed_lost,
                )
            case model.Exposure():
                raise Unsupported(f"line {expectation.line}: 'exposure' is not supported yet")
            case free:
                return self._free(expectation, free)

    def _availability(self, check: model.Availability, about: tuple[str, int]) -> Judge:
        if check.failed_requests is not None:
            raise Unsupported(f"line {about[1]}: 'failed_requests' is not supported yet")
        limits = Limits(check.min, check.max_downtime)
        return Available(self._scene, about, check.during, check.service, limits)

    def _counted(
        self,
        expectation: model.Expectation,
        check: model.Running | model.Spread | model.Placement,
        reading: Reading,
        bounds: Bounds,
    ) -> Judge:
        about = (expectation.kind, name_of(expectation), expectation.line)
        if check.during is None and (check.after is not None or check.within is not None):
            timing = (check.after, check.within)
            return Reached(self._scene, about, timing, reading, bounds)
        window: Window | None = check.during
        if window is None and not isinstance(check, model.Placement):
            window = Finally()
        return Bounded(self._scene, about, window, reading, bounds)

    def _free(
        self,
        expectation: model.Expectation,
        check: model.Always | model.Never | model.Eventually | model.AtEndOfRun,
    ) -> Judge:
        name, line = name_of(expectation), expectation.line
        about = (expectation.kind, name, line)
        match check:
            case model.Always(condition, window):
                return self._holds(about, window, condition, wanted=True)
            case model.Never(condition, window):
                return self._holds(about, window, condition, wanted=False)
            case model.AtEndOfRun(condition):
                return self._holds(about, Finally(), condition, wanted=True)
            case model.Eventually(condition, after, within):
                over = (condition, self._variables)
                return ComesTrue(self._scene, (name, line), (after, within), over)

    def _holds(
        self,
        about: tuple[str, str, int],
        window: Window | None,
        condition: Condition,
        *,
        wanted: bool,
    ) -> Judge:
        over = (condition, self._variables)
        return Holds(self._scene, about, window, over, wanted=wanted)
