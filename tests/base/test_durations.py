"""Durations are read and printed with units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.time import HOUR, MILLISECOND, MINUTE, SECOND, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("500ms", 500 * MILLISECOND),
        ("30s", 30 * SECOND),
        ("1m30s", 90 * SECOND),
        ("1.5h", 90 * MINUTE),
        ("0.1s", 100 * MILLISECOND),
        ("2d", 48 * HOUR),
        ("7us", 7000),
        ("7µs", 7000),
        ("0s", 0),
        (" 1h2m3s4ms5us6ns ", HOUR + 2 * MINUTE + 3 * SECOND + 4_005_006),
        ("1.0000000001s", SECOND),
    ],
)
def test_durations_are_read(text, span):
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "-5s", "5x", "1h30", "5s!", "1..5s", ".5s", "5.s", "٣s", "1e3s"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="a duration needs a unit"):
        parse_duration(text)


@given(st.integers(0, 10**20))
def test_what_is_printed_reads_back_exactly(span):
    assert parse_duration(format_duration(span)) == span


def test_durations_are_printed_in_their_largest_units():
    spans = [0, 90 * SECOND, 250 * MILLISECOND, HOUR, -SECOND, 1_000_001]
    assert [format_duration(span) for span in spans] == [
        "0s", "1m30s", "250ms", "1h", "-1s", "1ms1ns",
    ]  # fmt: skip
