"""A run that is over: what was asked, what was found, and how to keep it.

Not here: playing it (`run.py`), what is in its result (`result.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from simswarm.base.time import Duration
from simswarm.base.trace import TraceRecord
from simswarm.check.invariant import Invariant
from simswarm.scenario.expect.judge import Judgement, Verdict
from simswarm.scenario.model import Scenario
from simswarm.scenario.narration.story import Story
from simswarm.scenario.outcome.keep import save
from simswarm.scenario.outcome.result import Json
from simswarm.sim.digest import Checkpoint


class Asked(NamedTuple):
    """What was to be run."""

    scenario: Scenario
    seed: int
    until: Duration | None
    resolved: Mapping[int, Mapping[str, tuple[str, ...]]]
    """What random targets meant: event number → field → nodes."""


class Found(NamedTuple):
    """What came of it, besides the result."""

    judgements: Sequence[Judgement]
    invariants: Sequence[Invariant]
    records: Sequence[TraceRecord]
    checkpoints: Sequence[Checkpoint]
    views: Sequence[Json]


class Trace:
    """The records of a run."""

    __slots__ = ("_records",)

    def __init__(self, records: Sequence[TraceRecord]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[TraceRecord]:
        return iter(self._records)

    def records(self, kind: str | None = None, node: str | None = None) -> list[TraceRecord]:
        """The records whose kind is (or is like: `task.*`) this, at this node; in order of time."""
        return [
            record
            for record in self._records
            if (kind is None or fnmatchcase(record.kind, kind))
            and (node is None or record.node == node)
        ]


class Run:
    """A run that is over."""

    __slots__ = (
        "checkpoints",
        "digest",
        "invariants",
        "judgements",
        "records",
        "resolved",
        "result",
        "scenario",
        "seed",
        "until",
        "verdict",
        "views",
    )

    def __init__(self, asked: Asked, found: Found, result: Json) -> None:
        self.scenario, self.seed, self.until, self.resolved = asked
        self.judgements = found.judgements
        self.invariants = found.invariants
        self.records = found.records
        self.checkpoints = found.checkpoints
        self.views = found.views
        self.result = result
        self.verdict: Verdict = result["verdict"]
        self.digest: str = result["digest"]

    @property
    def trace(self) -> Trace:
        """The records, to be asked for by kind."""
        return Trace(self.records)

    def story(self) -> list[str]:
        """The story, a line a sentence."""
        return [f"{line.t / 1e9:7.1f}s  {line.text}" for line in Story().tell(self.records)]

    def save(self, path: str | Path) -> Path:
        """Keep the run as a bundle."""
        return save(self, Path(path))
