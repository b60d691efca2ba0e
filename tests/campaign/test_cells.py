"""Cells, jobs and the journal: one order of rows, whatever was done before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.errors import FailedPrecondition, ScenarioError
from simswarm.campaign.cells import cells, jobs
from simswarm.campaign.journal import Heading, Journal
from simswarm.campaign.measures import measure

HEADING = Heading("abc", ("all",), ("converged",), 1, "0.1.0")


def test_cells_are_every_combination_in_the_order_of_the_file():
    grid = {"cluster.managers": [3, 5], "cluster.network": ["lan", "wan"]}
    assert [cell.words for cell in cells(grid)] == [
        "cluster.managers=3, cluster.network=lan",
        "cluster.managers=3, cluster.network=wan",
        "cluster.managers=5, cluster.network=lan",
        "cluster.managers=5, cluster.network=wan",
    ]
    assert [cell.words for cell in cells({})] == ["all"]


@given(
    st.integers(1, 4),
    st.sets(st.integers(1, 30), min_size=1),
    st.dictionaries(st.integers(0, 3), st.frozensets(st.integers(1, 30))),
    st.integers(1, 7),
)
def test_jobs_cover_exactly_what_is_left(count, seeds, done, size):
    left = [
        (job.cell, seed) for job in jobs(count, sorted(seeds), done, size) for seed in job.seeds
    ]
    assert len(left) == len(set(left))
    expected = {
        (cell, seed) for cell in range(count) for seed in seeds if seed not in done.get(cell, ())
    }
    assert set(left) == expected


def test_a_stopped_sweep_goes_on_where_its_journal_ends(tmp_path):
    journal = Journal(tmp_path)
    assert journal.open(HEADING) == []
    journal.add([{"cell": 0, "seed": 1}, {"cell": 0, "seed": 2}])
    with journal.path.open("a") as file:
        file.write('{"cell": 0, "se')
    assert Journal(tmp_path).open(HEADING) == [{"cell": 0, "seed": 1}, {"cell": 0, "seed": 2}]
    Journal(tmp_path).add([{"cell": 0, "seed": 3}])
    assert [row["seed"] for row in Journal(tmp_path).open(HEADING)] == [1, 2, 3]


def test_a_journal_of_something_else_is_refused(tmp_path):
    Journal(tmp_path).open(HEADING)
    with pytest.raises(FailedPrecondition, match="another scenario"):
        Journal(tmp_path).open(Heading("other", ("all",), ("converged",), 1, "0.1.0"))


RESULT = {
    "simulated_seconds": 120.0,
    "expectations": [
        {"name": "new leader", "kind": "leader_elected", "measured": 14.2},
        {"name": "work goes on", "kind": "converged", "measured": None},
    ],
    "raft": {"term": 3, "leader_changes": [{"at": -4.0}, {"at": 14.2}]},
    "services": {},
}


def test_a_measure_is_an_expectation_by_name_or_kind_or_a_count():
    assert measure(RESULT, "new leader") == (14.2, None)
    assert measure(RESULT, "leader_elected") == (14.2, None)
    assert measure(RESULT, "converged") == (None, 120.0)
    assert measure(RESULT, "leader_changes") == (1.0, None)
    with pytest.raises(ScenarioError, match="unknown measure 'speed'"):
        measure(RESULT, "speed")
