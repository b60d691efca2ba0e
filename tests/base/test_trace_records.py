"""A record is one JSON object; what two leaders recorded is kept once."""

from __future__ import annotations

import json

from simswarm.base.trace import CommittedOnce, TraceRecord


def test_a_record_prints_its_time_with_nine_digits_and_its_fields_in_order():
    record = TraceRecord(12_345_678_901, "m1", "raft.role", (("role", "leader"), ("leader", None)))
    assert record.line() == (
        b'{"t":12.345678901,"node":"m1","kind":"raft.role","role":"leader","leader":null}'
    )


def test_times_before_the_swarm_was_up_are_negative():
    assert TraceRecord(-1, "", "x", ()).line() == b'{"t":-0.000000001,"node":"","kind":"x"}'
    assert TraceRecord(-1_500_000_000, "", "x", ()).line().startswith(b'{"t":-1.500000000,')


def test_names_with_quotes_stay_json():
    record = TraceRecord(0, 'm"1', "x", (("a", ("b\n", "ü")),))
    assert json.loads(record.line()) == {"t": 0, "node": 'm"1', "kind": "x", "a": ["b\n", "ü"]}


def test_fields_are_looked_up_by_name():
    record = TraceRecord(0, "m1", "x", (("a", 0),))
    assert (record.get("a"), record.get("b"), record.get("b", 5)) == (0, None, 5)


def test_an_entry_recorded_again_is_a_repeat():
    once = CommittedOnce()

    def entry(index, *tasks):
        return [("task.state", (("task", task), ("index", index))) for task in tasks]

    def kept(records):
        return [dict(fields)["task"] for kind, fields in records if not once.repeats(kind, fields)]

    assert kept(entry(5, "a", "b")) == ["a", "b"]
    assert kept(entry(6, "c")) == ["c"]
    assert kept(entry(5, "a", "b")) == [], "a new leader that didn't know it was committed"
    assert kept(entry(6, "c")) == []
    assert kept(entry(7, "a")) == ["a"]


def test_an_entry_whose_recording_was_cut_short_is_completed():
    once = CommittedOnce()
    first, second = (("task.state", (("task", task), ("index", 5))) for task in "ab")
    assert [once.repeats(*first), once.repeats(*first), once.repeats(*second)] == [
        False, True, False,
    ]  # fmt: skip


def test_other_kinds_are_never_repeats():
    once = CommittedOnce()
    fields = (("role", "leader"), ("term", 1), ("leader", "m1"))
    assert [once.repeats("raft.role", fields) for _ in range(2)] == [False, False]
