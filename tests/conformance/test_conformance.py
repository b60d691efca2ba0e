"""One script through both drivers: every object goes through the same states.

The script has an fsync error, a cancelled client call, a slow peer and a 120 s image pull; two
crashes, a rolling update and an election come with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simswarm.base.time import SECOND
from tests.conformance.script import END, Play
from tests.conformance.sequences import Sequences, sequences
from tests.conformance.stage import LiveStage, SimStage, Stage

pytestmark = pytest.mark.xdist_group("conformance")


class Played:
    """What came out on one stage."""

    def __init__(self, stage: Stage) -> None:
        play = Play(stage)
        try:
            play.run()
            self.records = list(stage.records)
        finally:
            stage.close()
        self.answers = play.answers
        self.sequences = sequences(self.records)

    def times(self, kind: str, **fields: Any) -> list[int]:
        return [
            at
            for at, _, kind_, fields_ in self.records
            if kind_ == kind and all(fields_.get(name) == value for name, value in fields.items())
        ]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Played]:
    simulated = Played(SimStage(Path()))
    live = Played(LiveStage(tmp_path_factory.mktemp("live")))
    return simulated, live


def test_every_object_goes_through_the_same_states(both: tuple[Played, Played]) -> None:
    simulated, live = both
    assert sorted(live.sequences) == sorted(simulated.sequences)
    differing = {
        name: (simulated.sequences[name], live.sequences[name])
        for name in simulated.sequences
        if live.sequences[name] != simulated.sequences[name]
    }
    assert differing == {}


def test_clients_get_the_same_answers(both: tuple[Played, Played]) -> None:
    simulated, live = both
    assert live.answers == simulated.answers
    assert live.answers["create web"] == "ServiceResult"
    assert live.answers["create on a worker"] == "CallFailedunavailable"


def test_a_cancelled_call_gets_no_answer(both: tuple[Played, Played]) -> None:
    assert [played.answers["create ghost"] for played in both] == ["none", "none"]


def test_an_fsync_error_halts_the_node_and_nothing_else(both: tuple[Played, Played]) -> None:
    for played in both:
        ((_, reason),) = played.sequences["crash m3"]
        assert reason.endswith("wal/0000000000000001: Input/output error")
        halted = [name for name in played.sequences if name.startswith("crash")]
        assert sorted(halted) == ["crash m1", "crash m3", "crash w2"]


def test_an_image_pull_of_two_minutes_is_waited_for(both: tuple[Played, Played]) -> None:
    for played in both:
        (preparing,) = played.times("task.state", service="slow", to="preparing")
        (running,) = played.times("task.state", service="slow", to="running")
        assert 120 * SECOND <= running - preparing < 123 * SECOND


def test_timers_fire_at_the_same_times(both: tuple[Played, Played]) -> None:
    """Not only the same states: what a timer makes happen, happens when it does in simulation."""
    simulated, live = both
    for kind, fields in (
        ("raft.role", {"role": "leader"}),
        ("node.state", {"subject": "w2", "to": "down"}),
    ):
        pairs = zip(simulated.times(kind, **fields), live.times(kind, **fields), strict=True)
        for one, other in pairs:
            assert abs(one - other) < SECOND, (kind, one, other)


def test_the_script_covers_what_it_says(both: tuple[Played, Played]) -> None:
    """The comparison is not of two empty traces."""
    found: Sequences = both[0].sequences
    assert found["raft m1"][2][0] == "leader"
    assert "leader" in [entry[0] for name in ("raft m2", "raft m3") for entry in found[name]]
    assert "down" in found["node.state w2"]
    assert found["update web"] == ["updating", "completed"]
    assert len(found["tasks of web"]) == 6
    assert ("shutdown", "shutdown") in found["tasks of web"][0][0]
    assert [len(slot) for slot in found["tasks of web"]].count(6) == 3  # three tasks, on w2
    assert max(at for at, *_ in both[1].records) > END - 60 * SECOND
