"""What people read about a run: header, story, verdicts, and what to do next.

Not here: the sentences of the story (`scenario/narration/story.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simswarm.cli.state import put, say, state

if TYPE_CHECKING:
    from simswarm.scenario.model import Scenario
    from simswarm.scenario.narration.story import Line
    from simswarm.scenario.outcome.finished import Run

REMARK_AT = 64
STYLES = {"pass": "green", "fail": "bold red", "undecided": "yellow"}
WORDS = {"pass": "PASS", "fail": "FAIL", "undecided": "????"}


def plural(count: int, word: str) -> str:
    """`1 worker`, `3 workers`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def header(scenario: Scenario, seed: int) -> None:
    """What is being run."""
    cluster = scenario.cluster
    parts = [scenario.name, f"{plural(cluster.managers, 'manager')}, "]
    size = f"{plural(cluster.managers, 'manager')}, {plural(cluster.workers, 'worker')}"
    parts = [scenario.name, size, f"network {cluster.network.profile}", f"seed {seed}"]
    say(" · ".join(parts), style="bold")
    if scenario.title:
        say(scenario.title)
    say()


def story(lines: Sequence[Line]) -> None:
    """The story of the run."""
    for line in lines:
        if line.alarm:
            say(f"           ! {line.text}", style="yellow")
            continue
        head = f"  {line.t / 1e9:7.1f}s  {line.text}"
        remark = f"  ({line.remark})" if line.remark else ""
        say(f"{head:<{REMARK_AT}}{remark}" if remark else head)
    say()


def verdicts(run: Run) -> None:
    """Every expectation with its margin, every broken invariant, and the sum. On stdout as text."""
    width = max([len(judgement.name) for judgement in run.judgements], default=0)
    for judgement in run.judgements:
        _verdict(judgement.verdict, f"{judgement.name:<{min(width, 40)}}  {judgement.message}")
        if judgement.verdict == "fail" and judgement.line and run.scenario.file:
            _line(f"        at {run.scenario.file}:{judgement.line}")
    for invariant in run.invariants:
        for violation in invariant.violations:
            _verdict("fail", f"{invariant.name}: {violation.message} ({violation.at / 1e9:.3f} s)")
        if invariant.stopped:
            _verdict("undecided", f"{invariant.name}: its checker stopped ({invariant.stopped})")
        elif state.verbose and invariant.holds:
            _verdict("pass", f"{invariant.name}: held, looked at {invariant.checked:,} times")
    _summary(run)


def _summary(run: Run) -> None:
    held = sum(judgement.verdict == "pass" for judgement in run.judgements)
    invariants = sum(invariant.holds for invariant in run.invariants)
    timing = run.result["timing"]
    from simswarm.scenario.narration.story import span

    lasted = span(round(run.result["simulated_seconds"] * 1e9))
    counts = f"{held} of {plural(len(run.judgements), 'expectation')}, "
    counts += f"{invariants} of {plural(len(run.invariants), 'invariant')}"
    _verdict(run.verdict, f"{counts}    simulated {lasted} in {timing['wall_seconds']:.1f} s")


def _verdict(verdict: str, text: str) -> None:
    _line(f"  {WORDS[verdict]}  {text}", STYLES[verdict])


def _line(text: str, style: str = "") -> None:
    """A line of the verdict: the result in text form, else for people beside the JSON."""
    if state.format == "text":
        put(text)
    else:
        say(text, style=style or None)


def closing(run: Run, file: str, bundle: str | None) -> None:
    """How to read this run, and the next useful commands."""
    free = all(machine.service_time == 0 for machine in run.scenario.cluster.machines)
    remarks = ["1 seed: an example, not a probability"]
    if free:
        remarks.append("cpu: free")
    say("        " + " · ".join(remarks), style="dim")
    for warning in run.result["warnings"]:
        say(f"  note  {warning}", style="yellow")
    say()
    say(f"  again     simswarm run {file} --seed {run.seed}")
    if bundle is not None:
        say(f"  exactly   simswarm replay {bundle}")
    if run.verdict != "pass":
        from simswarm import __version__

        say(f"  this is   simswarm {__version__} engine {run.result['engine']} {run.digest}")
