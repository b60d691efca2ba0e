"""Running again in another process, with other hashes: the proof that a run is deterministic.

    this process                         python -m simswarm.scenario.verify
    Run ──digest, checkpoints──> compare <── digest, checkpoints ── Run   (other PYTHONHASHSEED)
                                    └─ different: both again with the steps in words ─> the first

Not here: the digest and its checkpoints (`sim/digest.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from simswarm.base.errors import SimswarmError
from simswarm.base.values import Value
from simswarm.scenario.loading.load import load_locked
from simswarm.scenario.outcome.finished import Run
from simswarm.scenario.outcome.result import Json
from simswarm.scenario.run import Playing
from simswarm.sim.digest import (
    INTERVAL,
    Checkpoint,
    StepRecord,
    differing_interval,
    first_difference,
)


class Difference(Value, frozen=True):
    """The first step in which two runs differ; `step` 0 where only the trace differs."""

    step: int
    mine: str
    other: str


def check_again(run: Run, lock: str, expected: str | None = None) -> Difference | None:
    """Run a locked scenario in a second process and compare.

    Args:
        run: The run in this process.
        lock: Its locked scenario.
        expected: A digest from elsewhere that both must have.

    Returns:
        None if both are the same.
    """
    other = _elsewhere({"lock": lock})
    same = other["digest"] == run.digest and other["trace_digest"] == run.result["trace_digest"]
    if same and expected in (None, run.digest):
        return None
    if other["digest"] == run.digest:
        words = "the trace differs although the execution is the same"
        return Difference(0, words, words)
    return _first(
        run, lock, [(number, bytes.fromhex(text)) for number, text in other["checkpoints"]]
    )


def _first(run: Run, lock: str, checkpoints: Sequence[Checkpoint]) -> Difference:
    """Find the first step that differs."""
    window = differing_interval(run.checkpoints, checkpoints)
    if window is None:
        last = min(len(run.checkpoints), len(checkpoints)) * INTERVAL
        window = (last + 1, last + 10 * INTERVAL)
    mine = steps_of(lock, window)
    other = [_step(record) for record in _elsewhere({"lock": lock, "window": window})["records"]]
    number = first_difference(mine, other)
    if number is None:
        words = "the difference did not come again when both were run once more"
        return Difference(window[0], words, words)
    return Difference(number, _words(mine, number), _words(other, number))


def steps_of(lock: str, window: tuple[int, int]) -> list[StepRecord]:
    """The steps of a locked scenario's run, in words."""
    playing = Playing(load_locked(lock), record_steps=window)
    playing.form()
    playing.play()
    return playing.world.recorded_steps


def _words(records: Sequence[StepRecord], number: int) -> str:
    for record in records:
        if record.number == number:
            return f"t={record.t} {record.node} {record.given} -> {'; '.join(record.effects)}"
    return "(the run is over)"


def _step(fields: Sequence[Any]) -> StepRecord:
    number, t, node, given, effects = fields
    return StepRecord(number, t, node, given, tuple(effects))


def _elsewhere(request: Json) -> Json:
    """What a second process makes of a locked scenario."""
    mine = os.environ.get("PYTHONHASHSEED", "random")
    environment = {**os.environ, "PYTHONHASHSEED": "1" if mine != "1" else "2"}
    done = subprocess.run(
        [sys.executable, "-m", "simswarm.scenario.verify"],
        input=json.dumps(request).encode(),
        env=environment,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        text = done.stderr.decode(errors="replace").strip()
        raise SimswarmError(f"the second process failed: {text.splitlines()[-1] if text else ''}")
    answer: Json = json.loads(done.stdout)
    return answer


def answer(request: Json) -> Json:
    """Run a locked scenario and tell its digest, checkpoints and, if asked for, steps."""
    window = request.get("window")
    scenario = load_locked(request["lock"])
    playing = Playing(scenario, record_steps=tuple(window) if window else None)
    playing.form()
    playing.play()
    run = playing.finish()
    return {
        "digest": run.digest,
        "trace_digest": run.result["trace_digest"],
        "checkpoints": [(number, prefix.hex()) for number, prefix in run.checkpoints],
        "records": [
            (step.number, step.t, step.node, step.given, step.effects)
            for step in playing.world.recorded_steps
        ],
    }


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
