"""The verdict on a whole history: every key is asked, and the box is shared among them.

The box is a count of search steps, not time, so a verdict is the same on every machine. Each key
first gets an equal part; what the easy ones leave goes to the others, one after the other. One
key that has no order decides for the whole history, however many are undecided.

Finding the shortest window has a box of its own, of the same size, for all failing keys together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from simswarm.base.values import Value
from simswarm.check.history.model import Json, Operation, Register
from simswarm.check.history.partition import Timeline, timelines
from simswarm.check.history.search import Finite, Outcome, Search
from simswarm.check.history.spares import Spare
from simswarm.check.history.window import Piece, shortest_window

STEPS = 5_000_000
"""Search steps unless told otherwise: about ten seconds of one core."""

Result: TypeAlias = Literal["linearizable", "not linearizable", "unknown"]


class Window(Value, frozen=True):
    """The shortest piece of a history that no order explains; all by start."""

    key: Json
    numbers: tuple[int, ...]
    """Where its operations stand in the history, from 0."""
    operations: tuple[Operation, ...]
    around: tuple[Operation, ...]
    """Operations that reach into the window and may take effect there or not: they don't help."""
    around_numbers: tuple[int, ...]
    from_beginning: bool
    """It fails from the initial value; else from every value that something that started before
    it could have left."""
    shortest: bool
    """False: the box was reached, there may be a shorter one."""


class Verdict(Value, frozen=True):
    """What a history is. True in a condition if, and only if, it is linearizable."""

    result: Result
    operations: int
    keys: int
    steps: int
    """Search steps it took to decide, without those for the window."""
    window: Window | None = None
    """If it is not linearizable."""
    undecided: tuple[Json, ...] = ()
    """Keys for which the box was reached first."""

    def __bool__(self) -> bool:
        return self.result == "linearizable"

    def __str__(self) -> str:
        return self.result


def check(
    history: Iterable[Operation],
    model: Register | type[Register] = Register,
    *,
    steps: int = STEPS,
) -> Verdict:
    """Say whether one register for each key could have given these answers.

    Args:
        history: what the clients did, in any order.
        model: the register, with its initial value; the class itself means `Register()`.
        steps: the box. The verdict is `unknown` where it is reached first.

    Raises:
        InvalidSpec: something in the history is no operation.
    """
    register = model if isinstance(model, Register) else model()
    operations = list(history)
    lines = timelines(operations, register)
    searches = [_search(line) for line in lines]
    outcomes = _run_all(searches, steps)
    spent = sum(search.steps for search in searches)
    failed = [place for place, outcome in enumerate(outcomes) if outcome is Outcome.NONE]
    undecided = tuple(
        line.key for line, outcome in zip(lines, outcomes, strict=True) if outcome is Outcome.OPEN
    )
    window = _window(operations, [(lines[n], searches[n]) for n in failed], steps)
    result: Result = "linearizable"
    if failed:
        result = "not linearizable"
    elif undecided:
        result = "unknown"
    return Verdict(result, len(operations), len(lines), spent, window, undecided)


def _search(line: Timeline) -> Search:
    finite = [Finite(one.action, one.start, one.end) for one in line.ended if one.end is not None]
    spare = [Spare(one.action, one.start) for one in line.open]
    return Search(line.register, [line.initial], finite, spare)


def _run_all(searches: Sequence[Search], steps: int) -> list[Outcome]:
    share = steps // max(1, len(searches))
    outcomes = [search.run(share) for search in searches]
    for place, search in enumerate(searches):
        if outcomes[place] is Outcome.OPEN:
            others = sum(other.steps for other in searches) - search.steps
            outcomes[place] = search.run(max(share, steps - others))
    return outcomes


def _window(
    operations: Sequence[Operation], failed: Sequence[tuple[Timeline, Search]], steps: int
) -> Window | None:
    found: list[tuple[Piece, Json]] = []
    for line, search in failed:
        piece = shortest_window(line, search.furthest, steps // len(failed))
        found.append((piece, line.key))
    if not found:
        return None
    best, key = min(found, key=_length)
    return Window(
        key,
        best.inside,
        tuple(operations[number] for number in best.inside),
        tuple(operations[number] for number in best.around),
        best.around,
        best.from_beginning,
        all(piece.shortest for piece, _ in found),
    )


def _length(found: tuple[Piece, Json]) -> int:
    return len(found[0].inside)
