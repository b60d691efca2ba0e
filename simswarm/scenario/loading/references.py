"""Do the parts of a scenario that name each other fit together? Errors, each at its place.

Ids are unique and known; `after` makes no circle; windows are windows; conditions name what can
exist and compare what can be compared; docker would take the command lines; a sweep measures
what there is.

Not here: names of nodes, services and zones outside conditions (`lint.py`, W204): a command for
something that doesn't exist is a mistake that a scenario may want to show.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import PydanticCustomError

from simswarm.base.errors import Unsupported
from simswarm.dockercli import UsageError, parse
from simswarm.scenario.grammar import variables
from simswarm.scenario.grammar.cel import Condition
from simswarm.scenario.grammar.cel import Path as Variable
from simswarm.scenario.grammar.moments import (
    NEMESIS,
    AfterEvent,
    AtEnd,
    AtTime,
    Between,
    Moment,
    Throughout,
    Window,
)
from simswarm.scenario.loading.names import Names, names_of, sample
from simswarm.scenario.loading.reading import Reading
from simswarm.scenario.model import actions
from simswarm.scenario.model.expect import KINDS
from simswarm.scenario.text.errors import Problem, did_you_mean
from simswarm.scenario.text.positions import Path

METRICS = ("leader_changes", "term", "tasks")
"""What a sweep can measure besides expectations."""


def wrong_references(reading: Reading) -> list[Problem]:
    """Every reference in a scenario that leads nowhere."""
    checker = _Checker(reading)
    checker.events()
    checker.circles()
    checker.expectations()
    checker.sweep()
    return checker.problems


class _Checker:
    __slots__ = ("_ids", "_names", "_reading", "_sample", "problems")

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._ids = [event.id for event in reading.scenario.events if event.id is not None]
        self._names: Names = names_of(reading.scenario)
        self._sample = sample(self._names)
        self.problems: list[Problem] = []

    def _report(self, code: str, message: str, path: Path, hint: str = "") -> None:
        self.problems.append(self._reading.problem(code, message, path, hint))

    # ── events ───────────────────────────────────────────────────────────────────────────────

    def events(self) -> None:
        """Ids, triggers and command lines."""
        seen: list[str] = []
        for index, event in enumerate(self._reading.scenario.events):
            path: Path = ("events", index)
            if event.id is not None and event.id in seen:
                first = seen.index(event.id)
                self._report("E122", f"the id '{event.id}' is taken", (*path, "id"), _first(first))
            seen.append(event.id or "")
            if event.after is not None:
                self._known_event(event.after, (*path, "after"))
            if event.when is not None:
                self._condition(event.when, (*path, "when"))
            if isinstance(event.action, actions.Docker):
                self._command(event.action.command, (*path, "docker", "command"))
            if isinstance(event.action, actions.Heal) and event.action.event is not None:
                self._known_event(AfterEvent(event.action.event), (*path, "heal"))

    def _known_event(self, moment: AfterEvent, path: Path) -> None:
        if moment.id == NEMESIS:
            if self._reading.scenario.nemesis is None:
                self._report("E126", "there is no nemesis in this scenario", path)
        elif moment.id not in self._ids:
            hint = did_you_mean(moment.id, self._ids) or "events are named by their id"
            place = self._reading.within(path, moment.id)
            message = f"no event has the id '{moment.id}'"
            self.problems.append(self._reading.document.problem("E120", message, place, hint))

    def circles(self) -> None:
        """Events that wait for each other."""
        events = self._reading.scenario.events
        waits = {
            event.id: event.after.id
            for event in events
            if event.id is not None and event.after is not None
        }
        for index, event in enumerate(events):
            chain: list[str] = []
            here = event.id
            while here is not None and here in waits and here not in chain:
                chain.append(here)
                here = waits[here]
            # report a circle once, at its first event in the file
            if chain and here == event.id and _is_first(chain, self._ids):
                circle = " → ".join([*chain, chain[0]])
                self._report("E121", f"events wait for each other: {circle}", ("events", index))

    def _command(self, line: str, path: Path) -> None:
        try:
            parse(line)
        except UsageError as error:
            place = self._reading.within(path, error.word)
            problem = self._reading.document.problem("E150", error.message, place)
            self.problems.append(problem)
        except Unsupported:
            return  # not an error: supported.py

    # ── expectations ─────────────────────────────────────────────────────────────────────────

    def expectations(self) -> None:
        """Windows, moments and conditions."""
        for index, expectation in enumerate(self._reading.scenario.expect):
            kind = expectation.kind
            path: Path = ("expect", index, kind)
            check = expectation.check
            during = getattr(check, "during", None)
            after = getattr(check, "after", None)
            condition = getattr(expectation, kind)
            base = path[:2] if isinstance(condition, Condition) else path
            if during is not None:
                self._window(during, (*base, "during"))
            if after is not None:
                self._moment(after, (*base, "after"))
            if isinstance(condition, Condition):
                self._condition(condition, path)

    def _window(self, window: Window, path: Path) -> None:
        match window:
            case Throughout(id):
                self._known_event(AfterEvent(id), path)
            case Between(start, end):
                self._moment(start, path)
                self._moment(end, path)
                late = isinstance(start, AtEnd)
                if isinstance(start, AtTime) and isinstance(end, AtTime):
                    late = late or start.at >= end.at
                if late:
                    self._report("E126", "the window ends before it begins", path)

    def _moment(self, moment: Moment, path: Path) -> None:
        if isinstance(moment, AfterEvent):
            self._known_event(moment, path)

    # ── conditions ───────────────────────────────────────────────────────────────────────────

    def _condition(self, condition: Condition, path: Path) -> None:
        unknown = False
        for variable in condition.paths:
            found = self._unknown(variable)
            if found is None:
                continue
            unknown = True
            step, message, hint = found
            length = len(variable.parts[step])
            place = self._reading.document.within(path, variable.offsets[step], length)
            self.problems.append(self._reading.document.problem("E141", message, place, hint))
        if not unknown and not self._reading.is_incomplete:
            self._types(condition, path)

    def _types(self, condition: Condition, path: Path) -> None:
        try:
            condition.check(self._sample)
        except PydanticCustomError as error:
            context = error.context or {}
            place = self._reading.document.within(
                path, context.get("offset", 0), context.get("length", 1)
            )
            message, hint = context["message"], context["hint"]
            problem = self._reading.document.problem(error.type, message, place, hint)
            self.problems.append(problem)

    def _unknown(self, variable: Variable) -> tuple[int, str, str] | None:
        """Which step of a variable's path can never exist: its number, and what to say."""
        parts = variable.parts
        root = parts[0]
        if root not in variables.ROOTS:
            hint = did_you_mean(root, variables.ROOTS)
            if root in self._names.services:
                hint = f"did you mean 'services.{root}'?"
            elif root in self._names.nodes:
                hint = f"did you mean 'nodes.{root}'?"
            return 0, f"there is no variable '{root}'", hint or _listed(variables.ROOTS)
        if root == "time":
            return _leaf(parts, 0)
        if root == "raft":
            return _branch(parts, 1, tuple(variables.RAFT), "raft")
        if len(parts) == 1:
            return None
        if root == "services":
            return self._unknown_service(variable)
        return self._unknown_node(variable)

    def _unknown_service(self, variable: Variable) -> tuple[int, str, str] | None:
        parts = variable.parts
        if parts[1] not in self._names.services:
            return self._no_such("service", variable, self._names.services)
        if len(parts) > 2 and parts[2] == variables.IMAGES:
            return _leaf(parts, 3)
        return _branch(parts, 2, (*variables.SERVICE, variables.IMAGES), "a service")

    def _unknown_node(self, variable: Variable) -> tuple[int, str, str] | None:
        parts = variable.parts
        if parts[1] not in self._names.nodes:
            return self._no_such("node", variable, self._names.nodes)
        if len(parts) > 2 and parts[2] == variables.LAST_COMMAND:
            return _branch(parts, 3, tuple(variables.COMMAND), "last_command")
        return _branch(parts, 2, (*variables.NODE, variables.LAST_COMMAND), "a node")

    def _no_such(
        self, kind: str, variable: Variable, known: Sequence[str]
    ) -> tuple[int, str, str] | None:
        if self._reading.is_incomplete:
            return None  # it may be one that could not be read
        name = variable.parts[1]
        whole = name + variable.dashed
        if len(variable.parts) == 2 and variable.dashed and whole in known:
            hint = f"a name with dashes is written {variable.parts[0]}['{whole}']"
            return 1, f"there is no {kind} '{name}'", hint
        hint = did_you_mean(name, known) or self._names.listed(kind)
        return 1, f"there is no {kind} '{name}'", hint

    # ── sweeps ───────────────────────────────────────────────────────────────────────────────

    def sweep(self) -> None:
        """What a sweep measures."""
        sweep = self._reading.scenario.sweep
        if sweep is None:
            return
        expectations = self._reading.scenario.expect
        known = [*METRICS, *KINDS, *(one.name for one in expectations if one.name is not None)]
        for index, metric in enumerate(sweep.measure):
            if metric not in known:
                hint = did_you_mean(metric, known) or _listed(METRICS)
                path: Path = ("sweep", "measure", index)
                self._report("E171", f"there is nothing to measure named '{metric}'", path, hint)


def _is_first(chain: Sequence[str], ids: Sequence[str]) -> bool:
    return min(ids.index(one) for one in chain) == ids.index(chain[0])


def _first(index: int) -> str:
    return f"event number {index + 1} of the file has it"


def _listed(words: Sequence[str]) -> str:
    return "there are: " + ", ".join(words)


def _leaf(parts: Sequence[str], last: int) -> tuple[int, str, str] | None:
    """Nothing may follow the step of this number."""
    if len(parts) > last + 1:
        return last + 1, f"'{parts[last]}' has no '{parts[last + 1]}'", ""
    return None


def _branch(
    parts: Sequence[str], step: int, known: Sequence[str], owner: str
) -> tuple[int, str, str] | None:
    """The step of this number must be one of the known ones, and nothing may follow."""
    if len(parts) <= step:
        return None
    if parts[step] not in known:
        hint = did_you_mean(parts[step], known) or _listed(known)
        return step, f"{owner} has no '{parts[step]}'", hint
    return _leaf(parts, step)
