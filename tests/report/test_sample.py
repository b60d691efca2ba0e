"""Samples with censored values: shares count every run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.report.distribution import ecdf, quantile_rows
from simswarm.report.sample import Sample, share_interval
from simswarm.report.table import read_csv

seconds = st.floats(0.001, 1000, allow_nan=False)


@given(st.lists(seconds, min_size=1, max_size=40))
def test_without_censoring_a_quantile_is_an_order_statistic(values):
    sample = Sample(tuple(values))
    ordered = sorted(values)
    for share in (0.1, 0.5, 0.9, 1.0):
        reached = sum(value <= sample.quantile(share) for value in ordered)
        assert reached >= share * len(values) - 1e-9
        below = sum(value < sample.quantile(share) for value in ordered)
        assert below < share * len(values) + 1e-9


@given(st.lists(seconds, min_size=1, max_size=20), st.integers(1, 20))
def test_runs_that_never_got_there_keep_the_curve_below_one(values, never):
    sample = Sample(tuple(values), (1000.0,) * never)
    _, shares = sample.curve()
    assert shares[-1] == pytest.approx(len(values) / (len(values) + never))
    assert sample.quantile(1.0) is None


def test_the_share_interval_is_wilsons():
    low, high = share_interval(8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)


def test_a_figure_comes_with_its_numbers(tmp_path):
    samples = {"3 managers": Sample((9.5, 12.0), (60.0,)), "5 managers": Sample((10.0,))}
    png, svg, csv = ecdf("Election", "seconds", samples).save(tmp_path / "election")
    assert png.stat().st_size > 5000
    assert "svg" in svg.read_text()[:200]
    rows = read_csv(csv)
    assert [row["sample"] for row in rows if float(row["share"]) > 0].count("3 managers") == 3
    assert quantile_rows(samples)[0] == {
        "sample": "3 managers", "runs": 3, "never": 1, "p1": 9.5, "p10": 9.5, "p50": 12.0,
        "p90": None, "p99": None, "min": 9.5, "max": 12.0,
    }  # fmt: skip


def test_the_same_data_gives_the_same_files(tmp_path):
    samples = {"a": Sample((1.0, 2.0))}
    first = ecdf("T", "s", samples).save(tmp_path / "first")
    second = ecdf("T", "s", samples).save(tmp_path / "second")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_nothing_to_draw_is_an_error_not_an_empty_figure():
    with pytest.raises(ValueError, match="nothing to draw"):
        ecdf("T", "s", {"a": Sample((), (1.0,))})
