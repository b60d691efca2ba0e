"""The window that is shown fails by itself, and none is shorter."""

from __future__ import annotations

from hypothesis import given, settings

from simswarm.check.history import Register, check
from tests.history.bruteforce import begin_of, inside_of, shortest_window, window_fails
from tests.history.drawn import good_histories, random_histories
from tests.history.test_linearizability import append, cas, read, write

MANY = settings(max_examples=max(250, settings().max_examples))


@MANY
@given(random_histories(ties=False))
def test_no_failing_window_is_shorter_than_the_one_shown(history):
    window = check(history).window
    assert (window and len(window.operations)) == shortest_window(history)


@MANY
@given(random_histories(ops=("read", "cas"), ties=False))
def test_no_failing_window_of_swaps_is_shorter_than_the_one_shown(history):
    window = check(history).window
    assert (window and len(window.operations)) == shortest_window(history)


@MANY
@given(random_histories(of="list", ops=("read", "append", "write"), ties=False))
def test_no_failing_window_of_a_list_is_shorter_than_the_one_shown(history):
    window = check(history, Register([])).window
    assert (window and len(window.operations)) == shortest_window(history, [])


@MANY
@given(random_histories(of="text", ops=("read", "append", "cas"), ties=False))
def test_the_window_of_a_text_with_swaps_fails_by_definition(history):
    window = check(history, Register("")).window
    if window is not None:
        end = max(one.end for one in window.operations if one.end is not None)
        assert window_fails(history, begin_of(history, window.operations), end, "")


@MANY
@given(random_histories(of="text", ops=("read", "append", "write"), ties=False))
def test_no_failing_window_of_a_text_is_shorter_than_the_one_shown(history):
    window = check(history, Register("")).window
    assert (window and len(window.operations)) == shortest_window(history, "")


@MANY
@given(random_histories(ties=False))
def test_the_window_shown_fails_by_definition_and_is_contiguous(history):
    window = check(history).window
    if window is None:
        return
    begin = begin_of(history, window.operations)
    assert begin == float("-inf") or not window.from_beginning
    end = max(one.end for one in window.operations if one.end is not None)
    assert window_fails(history, begin, end, None)
    inside = sorted(inside_of(history, begin, end), key=lambda one: one.start)
    assert tuple(inside) == window.operations
    assert tuple(history[number] for number in window.numbers) == window.operations
    assert tuple(history[number] for number in window.around_numbers) == window.around


@given(good_histories(size=25))
def test_a_fault_between_good_times_is_cut_out(history):
    last = max(one.end or one.start for one in history) + 1
    fault = [write(8, last, last + 1), write(9, last + 2, last + 3), read(8, last + 4, last + 5)]
    again = [write(n, last + 10 * n, last + 10 * n + 5) for n in range(1, 30)]
    window = check([*history, *fault, *again]).window
    assert window is not None
    assert window.operations == tuple(fault[1:])
    assert window.shortest


def test_a_value_that_nobody_wrote_is_a_window_of_one():
    good = [
        one
        for n in range(20)
        for one in (write(n, 4 * n, 4 * n + 1), read(n, 4 * n + 2, 4 * n + 3))
    ]
    window = check([*good, read(99, 30, 31)]).window
    assert window is not None
    assert window.numbers == (40,)
    assert not window.from_beginning


def test_of_two_keys_that_fail_the_shorter_window_is_shown():
    long = [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)]
    short = [read(5, 0, 1, key="y")]
    window = check([*long, *short]).window
    assert window is not None
    assert window.key == "y"


def test_a_text_that_shrinks_is_a_window_of_two_reads():
    history = [append(letter, 10 * n, 10 * n + 1) for n, letter in enumerate("abcdefgh")]
    history += [read("abc"[: n + 1], 10 * n + 2, 10 * n + 3) for n in range(3)]
    history += [read("abcdefgh", 80, 81), read("abcdefg", 82, 83)]
    window = check(history).window
    assert window is not None
    assert [one.output for one in window.operations] == ["abcdefgh", "abcdefg"]


def test_operations_that_cannot_change_anything_are_not_shown_around():
    history = [
        write(1, 0, 1),
        write(2, 2, 3),
        read(2, 2, 9),
        cas(7, 8, False, 2, 9),
        write(4, 4, None),
        cas(4, 4, None, 4, None),
        read(1, 5, 6),
    ]
    window = check(history).window
    assert window is not None
    assert window.around_numbers == (4,)


def test_a_box_that_is_reached_shows_a_longer_window_and_says_so():
    writes = [write(n, 4 * n, 4 * n + 1) for n in range(30)]
    history = [*writes, write(5, 150, None), read(5, 200, 201), read(6, 202, 203)]
    window = check(history).window
    assert window is not None
    assert window.shortest
    assert window.numbers == (31, 32)
    boxed = check(history, steps=check(history).steps + 1).window
    assert boxed is not None
    assert not boxed.shortest
    assert len(boxed.operations) > 2


def test_a_later_window_is_shown_if_it_is_shorter():
    long = [write(1, 10, 11), write(2, 12, 13), cas(2, 3, True, 14, 15), cas(2, 4, True, 16, 17)]
    long.append(write(2, 0, None))
    again = [cas(2, 5, True, 18, 19)]
    short = [write(1, 30, 31), read(7, 32, 33)]
    window = check([*long, *again, *short]).window
    assert window is not None
    assert window.numbers == (7,)
    window = check([*long, *again]).window
    assert window is not None
    assert window.numbers == (2, 3, 5)


def test_a_swap_that_reaches_out_of_a_window_may_find_what_it_looks_for():
    fault = [write(6, 0, 1), write(5, 2, 3), read(6, 4, 5)]
    fine = [write(2, 10, 11), read(2, 12, 13), cas(2, 3, True, 14, 19), read(3, 15, 16)]
    window = check([*fault, *fine]).window
    assert window is not None
    assert window.numbers == (1, 2)


def test_a_window_begins_as_early_as_it_can_without_taking_in_one_more():
    """Nothing was appended before the first append, so the read of "a" fails alone."""
    history = [read("", 0, 3), append("b", 1, 5), read("a", 2, 4)]
    window = check(history).window
    assert window is not None
    assert window.numbers == (2,)


def test_a_window_that_fails_from_the_initial_value_alone_says_so():
    history = [write(1, 0, None), cas(1, 2, True, 1, 2), cas(1, 3, True, 3, 4)]
    window = check(history).window
    assert window is not None
    assert window.numbers == (1, 2)
    assert window.from_beginning
    window = check([*history, write(5, 5, 6), read(4, 7, 8)]).window
    assert window is not None
    assert not window.from_beginning


def test_an_element_that_got_lost_is_a_window_of_the_append_and_the_read():
    history = [write([0], 0, 1), append(1, 2, 3), append(2, 4, 5), append(3, 6, 7)]
    history.append(read([0, 1, 2], 8, 9))
    for more in ([], [write([7], 0, None)]):
        window = check([*history, *more]).window
        assert window is not None
        assert window.numbers == (3, 4)
