"""Lints of the cluster and of times: W201, W202, W203."""

from __future__ import annotations

from collections.abc import Iterator

from simswarm.base.time import format_duration
from simswarm.scenario.loading.reading import Reading
from simswarm.scenario.text.errors import Problem
from simswarm.scenario.text.positions import Path


def cluster_lints(reading: Reading) -> Iterator[Problem]:
    """What is doubtful about managers, elections and the end of the run."""
    yield from _too_fast(reading)
    yield from _even_managers(reading)
    yield from _too_late(reading)


def _too_fast(reading: Reading) -> Iterator[Problem]:
    raft = reading.scenario.cluster.raft
    shortest = raft.election_tick * raft.tick
    for index, expectation in enumerate(reading.scenario.expect):
        elected = expectation.leader_elected
        if elected is None or elected.within is None or elected.within >= shortest:
            continue
        path: Path = ("expect", index, "leader_elected", "within")
        message = f"no election ends within {format_duration(elected.within)}"
        hint = (
            f"followers wait {format_duration(shortest)} to {format_duration(2 * shortest)}; "
            f"try within: {format_duration(5 * shortest // 2)}"
        )
        yield reading.problem("W201", message, path, hint, "warning")


def _even_managers(reading: Reading) -> Iterator[Problem]:
    managers = reading.scenario.cluster.managers
    if managers % 2 == 0:
        message = f"{managers} managers tolerate no more failures than {managers - 1}"
        path: Path = ("cluster", "managers")
        hint = f"use {managers - 1} or {managers + 1}"
        yield reading.problem("W202", message, path, hint, "warning")


def _too_late(reading: Reading) -> Iterator[Problem]:
    until = reading.scenario.until
    for index, event in enumerate(reading.scenario.events):
        if until is not None and event.at is not None and event.at >= until:
            message = f"the run ends at {format_duration(until)}, before this event"
            path: Path = ("events", index, "at")
            yield reading.problem("W203", message, path, "", "warning")
