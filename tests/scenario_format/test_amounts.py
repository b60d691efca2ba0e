"""What is written reads back - durations, shares, targets, windows - and wrong is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from simswarm.base.time import HOUR, MILLISECOND, MINUTE, SECOND
from simswarm.scenario.grammar import durations, moments, quantities, ranges, targets
from simswarm.scenario.grammar.durations import Fixed, Quantiles, Uniform
from simswarm.scenario.text.positions import Real

SPANS = st.integers(0, durations.LONGEST)


def refused(read, value) -> PydanticCustomError:
    with pytest.raises(PydanticCustomError) as raised:
        read(value)
    return raised.value


@given(st.one_of(SPANS.map(Fixed), st.tuples(SPANS, SPANS).map(lambda two: Uniform(*sorted(two)))))
def test_a_distribution_reads_back(value):
    assert durations.distribution(durations.write_distribution(value)) == value


def test_quantiles_read_back():
    value = Quantiles(2 * SECOND, 9 * SECOND)
    assert durations.distribution(durations.write_distribution(value)) == value


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("500ms", 500 * MILLISECOND),
        ("1m30s", 90 * SECOND),
        ("1.5h", 90 * MINUTE),
        (" 2d ", 48 * HOUR),
        ("0s", 0),
        ("250us", 250_000),
        ("0.5ns", 0),
    ],
)
def test_durations(text, span):
    assert durations.duration(text) == span


@pytest.mark.parametrize("value", [10, "10", "", "s", "1 s", "ten", True, None, 1.5, [], "1s2", {}])
def test_a_duration_without_a_unit_is_refused(value):
    assert refused(durations.duration, value).type == "E110"


@pytest.mark.parametrize(("value", "hint"), [(10, "'10s'"), ("1.5", "'1.5s'"), (True, "")])
def test_the_unit_is_suggested_where_one_is_missing(value, hint):
    assert hint in refused(durations.duration, value).context["hint"]


def test_a_signed_duration_points_back():
    assert durations.signed_duration("-200ms") == -200 * MILLISECOND
    assert refused(durations.duration, "-200ms").type == "E110"


@given(st.integers(0, quantities.WHOLE))
def test_a_share_reads_back(value):
    assert quantities.share(quantities.write_share(value)) == value


@given(st.integers(0, 2**50))
def test_processors_read_back(value):
    assert quantities.cpus(quantities.write_cpus(value)) == value


@given(st.integers(1, 10**15))
def test_bandwidth_reads_back(value):
    assert quantities.bandwidth(quantities.write_bandwidth(value)) == value


@pytest.mark.parametrize(
    ("text", "size"),
    [("4g", 4 * 2**30), ("512M", 2**29), ("1.5k", 1536), ("64MiB", 2**26), (1024, 1024)],
)
def test_memory_is_in_powers_of_1024(text, size):
    assert quantities.memory(text) == size


def test_a_number_of_processors_keeps_its_digits():
    assert quantities.cpus(Real("0.50")) == 500_000_000
    assert quantities.cpus(2) == 2_000_000_000


@pytest.mark.parametrize(
    ("read", "value", "code"),
    [
        (quantities.share, 5, "E111"),
        (quantities.share, "5", "E111"),
        (quantities.share, "101%", "E105"),
        (quantities.rate, 50, "E112"),
        (quantities.rate, "50/y", "E112"),
        (quantities.memory, "lots", "E114"),
        (quantities.memory, True, "E114"),
        (quantities.bandwidth, "10", "E114"),
        (quantities.parts_per_million, "5%", "E114"),
        (durations.distribution, "5s..1s", "E113"),
        (ranges.time_range, "4m", "E113"),
        (ranges.seeds, "5..1", "E113"),
        (ranges.seeds, [], "E113"),
        (ranges.seeds, True, "E113"),
    ],
)
def test_what_is_not_an_amount_is_refused(read, value, code):
    assert refused(read, value).type == code


def test_seeds_are_counted_with_both_ends():
    found = ranges.seeds(["1..3", 7])
    assert list(found) == [1, 2, 3, 7]
    assert len(found) == 4
    assert ranges.seeds(ranges.write_seeds(found)) == found


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,6}[a-z0-9]", fullmatch=True).filter(
    lambda name: name not in targets.WORDS
)
ONE = st.one_of(
    st.sampled_from(sorted(targets.WORDS)).map(targets.WORDS.__getitem__),
    NAMES.map(targets.Named),
    NAMES.map(targets.Running),
    st.builds(targets.Labelled, NAMES, NAMES, st.booleans()),
)
TARGETS = st.one_of(ONE, st.builds(targets.Random, st.integers(1, 99), ONE))


@given(TARGETS)
def test_a_target_reads_back(value):
    assert targets.target(targets.write_target(value)) == value


@given(st.lists(TARGETS, min_size=1, max_size=4).map(tuple))
def test_targets_read_back(value):
    assert targets.targets(targets.write_targets(value)) == value


@given(st.lists(st.lists(TARGETS, min_size=1, max_size=3).map(tuple), min_size=1).map(tuple))
def test_groups_read_back(value):
    assert targets.groups(targets.write_groups(value)) == value


def test_a_zone_is_a_label_and_random_draws_one_unless_told():
    assert targets.target("zone=a") == targets.Labelled("zone", "a")
    assert targets.target("zone != a") == targets.Labelled("zone", "a", False)
    assert targets.target("node.labels.disk == ssd") == targets.Labelled("disk", "ssd")
    assert targets.target("random( workers )") == targets.Random(1, targets.Workers())
    assert targets.groups(["m1", "m2"]) == ((targets.Named("m1"), targets.Named("m2")),)
    assert targets.groups("minority") == ((targets.Minority(),),)


@pytest.mark.parametrize("value", ["", "a b", "random(", "random()", "zone=", 5, None, {}, "m1,m2"])
def test_what_is_no_target_is_refused(value):
    assert refused(targets.target, value).type == "E130"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("noise", moments.Throughout("noise")),
        ("end", moments.Finally()),
        ("good..end", moments.Between(moments.AfterEvent("good"), moments.AtEnd())),
        ("1.5s..2m", moments.Between(moments.AtTime(1_500_000_000), moments.AtTime(2 * MINUTE))),
        (
            "cut + 5s .. end",
            moments.Between(moments.AfterEvent("cut", 5 * SECOND), moments.AtEnd()),
        ),
    ],
)
def test_windows_read_and_read_back(text, meant):
    assert moments.window(text) == meant
    assert moments.window(moments.write_window(meant)) == meant


@pytest.mark.parametrize("text", ["end", "+ 5s", "a +", "a + b", "a - 5s", "", 5, None])
def test_what_is_no_moment_after_an_event_is_refused(text):
    assert refused(moments.after, text).type == "E110"
