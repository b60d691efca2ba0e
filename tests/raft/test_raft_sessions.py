"""Client sessions: every command takes effect exactly once, or its client is told (THESIS 6.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.raft.sessions import SessionTable, Verdict


class Counter:
    """A state machine whose commands add one: doubling shows."""

    def __init__(self) -> None:
        self.total = 0
        self.table = SessionTable(lifetime=100, limit=3)

    def open(self, index: int, stamp: int) -> int:
        return self.table.open(index, stamp)

    def add(self, session: int, number: int, stamp: int = 0):
        verdict, reply = self.table.look(session, number, stamp)
        if verdict is Verdict.FRESH:
            self.total += 1
            reply = b"%d" % self.total
            self.table.record(session, number, reply)
        return verdict, reply


def opened(*indexes: int) -> Counter:
    machine = Counter()
    for index in indexes:
        machine.open(index, 0)
    return machine


def test_a_repeated_command_is_answered_again_and_not_applied_again():
    machine = opened(1)
    assert machine.add(1, 1) == (Verdict.FRESH, b"1")
    assert machine.add(1, 1) == (Verdict.REPEATED, b"1")
    assert machine.add(1, 2) == (Verdict.FRESH, b"2")
    assert machine.total == 2


def test_an_older_command_than_the_last_is_stale():
    machine = opened(1)
    machine.add(1, 2)
    assert machine.add(1, 1) == (Verdict.STALE, b"")
    assert machine.total == 1


def test_sessions_do_not_see_each_other():
    machine = opened(1, 2)
    machine.add(1, 1)
    assert machine.add(2, 1) == (Verdict.FRESH, b"2")


@pytest.mark.parametrize(("stamp", "verdict"), [(100, Verdict.FRESH), (101, Verdict.EXPIRED)])
def test_a_session_ends_when_unused_for_its_lifetime(stamp, verdict):
    machine = opened(1)
    assert machine.add(1, 1, stamp)[0] is verdict
    assert machine.total == (verdict is Verdict.FRESH)


def test_using_a_session_keeps_it():
    machine = opened(1, 2)
    machine.add(1, 1, 90)
    assert machine.add(1, 2, 180)[0] is Verdict.FRESH
    assert machine.add(2, 1, 180)[0] is Verdict.EXPIRED


def test_a_command_of_an_expired_session_is_refused_and_not_applied_again():
    machine = opened(1)
    machine.add(1, 1)
    assert machine.add(1, 1, 500) == (Verdict.EXPIRED, b"")
    assert machine.total == 1


def test_an_id_that_was_never_given_is_refused():
    assert opened().add(7, 1) == (Verdict.EXPIRED, b"")


def test_too_many_sessions_push_out_the_one_unused_for_longest():
    machine = opened(1, 2, 3)
    machine.add(1, 1)
    machine.open(4, 0)
    assert machine.add(2, 1)[0] is Verdict.EXPIRED
    assert [machine.add(id, 2)[0] for id in (1, 3, 4)] == [Verdict.FRESH] * 3


def test_a_closed_session_is_gone():
    machine = opened(1)
    machine.table.close(1)
    machine.table.close(1)
    assert machine.add(1, 1)[0] is Verdict.EXPIRED


def test_a_stamp_of_the_past_does_not_turn_time_back():
    machine = opened(1)
    machine.open(2, 90)
    machine.open(3, 10)
    assert machine.add(3, 1, 190)[0] is Verdict.FRESH
    assert machine.add(1, 1, 0)[0] is Verdict.EXPIRED


actions = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 4), st.integers(0, 300)), max_size=40
)


def play(machine: Counter, entries, first: int = 1) -> list[object]:
    results: list[object] = []
    for index, (session, number, stamp) in enumerate(entries, first):
        if session == 0:
            results.append(machine.open(index, stamp))
        else:
            results.append(machine.add(session, number, stamp))
    return results


@given(actions, st.data())
def test_a_member_that_loads_a_snapshot_answers_as_if_it_had_applied_everything(entries, data):
    cut = data.draw(st.integers(0, len(entries)))
    whole = Counter()
    expected = play(whole, entries)
    first = Counter()
    play(first, entries[:cut])
    second = Counter()
    second.total = first.total
    second.table.load(first.table.image())
    assert play(second, entries[cut:], cut + 1) == expected[cut:]
    assert second.table.image() == whole.table.image()


@given(actions)
def test_whatever_is_repeated_each_number_of_a_session_counts_once(entries):
    machine = Counter()
    applied = set()
    for index, (session, number, stamp) in enumerate(entries, 1):
        if session == 0:
            machine.open(index, stamp)
            continue
        verdict, _ = machine.add(session, number, stamp)
        if verdict is Verdict.FRESH:
            assert (session, number) not in applied
            applied.add((session, number))
    assert machine.total == len(applied)
    assert len(machine.table) <= 3
