"""Files of records: whole ones come back, torn ends are cut, damage is refused."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import HEADER, frame, frame_file, recover

payloads = st.lists(st.binary(max_size=40), max_size=8).map(tuple)


@given(payloads)
def test_what_was_written_comes_back(records):
    recovered = recover(frame_file(records), "f")
    assert (recovered.records, recovered.torn_bytes) == (records, 0)


def test_an_empty_file_holds_nothing():
    assert recover(b"", "f").records == ()
    assert recover(HEADER, "f").records == ()


def test_appending_is_framing():
    assert frame_file((b"a", b"bc")) == frame_file((b"a",)) + frame(b"bc")


@given(payloads, st.data())
def test_a_file_cut_anywhere_loses_only_its_tail(records, data):
    whole = frame_file(records)
    cut = data.draw(st.integers(1, len(whole)))
    recovered = recover(whole[:cut], "f")
    assert recovered.records == records[: len(recovered.records)]
    kept = frame_file(recovered.records)
    assert len(kept) + recovered.torn_bytes == cut
    assert recover(kept, "f").records == recovered.records, "and is whole when the rest is cut off"
    if cut < len(whole):
        whole_before = [n for n in range(len(records) + 1) if len(frame_file(records[:n])) <= cut]
        assert len(recovered.records) == max(whole_before), "and no whole record with it"


@given(payloads, st.integers(1, 5000))
def test_space_that_was_never_written_is_a_torn_tail(records, zeros):
    recovered = recover(frame_file(records) + bytes(zeros), "f")
    assert (recovered.records, recovered.torn_bytes) == (records, zeros)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), st.data())
def test_one_damaged_byte_is_never_taken_for_a_record(records, data):
    """Every byte after the header: in the last record it may be a torn end; anywhere else the file
    is refused. Never does another record appear, or one behind the damage get lost in silence."""
    whole = bytearray(frame_file(tuple(records)))
    last = len(whole) - len(frame(records[-1]))
    place = data.draw(st.integers(len(HEADER), len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    if place >= last:
        recovered = recover(bytes(whole), "f")
        assert recovered.records == tuple(records[:-1])
    else:
        with pytest.raises(StorageCorrupt, match=r"f: record \d+ is damaged"):
            recover(bytes(whole), "f")


@given(payloads, st.binary(min_size=1, max_size=30))
def test_garbage_behind_the_last_record_is_a_torn_tail(records, garbage):
    recovered = recover(frame_file(records) + garbage, "f")
    assume(recovered.torn_bytes)  # a frame by chance
    assert recovered.records == records


@pytest.mark.parametrize("first", [0, 2, 255])
def test_an_unknown_format_version_is_refused(first):
    with pytest.raises(StorageCorrupt, match=f"unknown format version {first}"):
        recover(bytes([first]) + frame(b"x"), "f")
