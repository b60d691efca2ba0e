"""The checker agrees with the definition of linearizability, on histories small enough to try every
order (`bruteforce`), and with what is true of all histories on larger ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simswarm.base.errors import InvalidSpec
from simswarm.check.history import Operation, Register, Verdict, check
from tests.history.bruteforce import linearizable
from tests.history.drawn import changed, good_histories, random_histories

MANY = settings(max_examples=max(300, settings().max_examples))


def did(op, start, end, *, key="x", given=None, output=None):
    return Operation(client=0, op=op, key=key, input=given, output=output, start=start, end=end)


def read(output, start, end, key="x"):
    return did("read", start, end, output=output, key=key)


def write(value, start, end, key="x"):
    return did("write", start, end, given=value, key=key)


def cas(old, new, output, start, end):
    return did("cas", start, end, given=[old, new], output=output)


def append(value, start, end, key="x"):
    return did("append", start, end, given=value, key=key)


def within(one, other):
    return other.start <= one.start and one.end <= other.end


# by definition


@MANY
@given(random_histories())
def test_any_history_of_a_register_is_judged_by_definition(history):
    assert bool(check(history)) == linearizable(history)


@MANY
@given(random_histories(of="text"))
def test_any_history_of_a_text_is_judged_by_definition(history):
    assert bool(check(history, Register(""))) == linearizable(history, "")


@MANY
@given(random_histories(of="text", ops=("read", "append")))
def test_any_history_of_a_text_that_only_grows_is_judged_by_definition(history):
    assert bool(check(history, Register(""))) == linearizable(history, "")


@MANY
@given(random_histories(of="list"))
def test_any_history_of_a_list_is_judged_by_definition(history):
    assert bool(check(history, Register([]))) == linearizable(history, [])


@MANY
@given(random_histories(keys=("x", "y", "z")))
def test_any_history_of_several_keys_is_judged_by_definition(history):
    assert bool(check(history)) == linearizable(history)


@MANY
@given(good_histories(), st.data())
def test_a_history_with_one_answer_changed_is_judged_by_definition(history, data):
    place = data.draw(st.integers(0, len(history) - 1))
    one = history[place]
    if one.op == "cas":
        history[place] = changed(one, output=not one.output)
    elif one.op == "read":
        history[place] = changed(one, output=data.draw(st.sampled_from((None, 0, 1, 2))))
    assert bool(check(history)) == linearizable(history)


# what a register did


@given(good_histories(size=30, keys=("x", "y")))
def test_what_a_register_did_is_linearizable(history):
    assert check(history)


@given(good_histories(size=30, keys=("x", "y"), of="text"))
def test_what_a_text_did_is_linearizable(history):
    assert check(history, Register(""))


@given(good_histories(size=30, of="text", ops=("read", "append")))
def test_what_a_text_that_only_grows_did_is_linearizable(history):
    assert check(history, Register(""))


@given(good_histories(size=30, of="list"))
def test_what_a_list_did_is_linearizable(history):
    assert check(history, Register([]))


@MANY
@given(good_histories(of="text"), st.data())
def test_a_history_of_a_text_with_one_answer_changed_is_judged_by_definition(history, data):
    place = data.draw(st.integers(0, len(history) - 1))
    if history[place].op == "read":
        seen = data.draw(st.sampled_from(("", "a", "b", "ab", "ba")))
        history[place] = changed(history[place], output=seen)
    assert bool(check(history, Register(""))) == linearizable(history, "")


@given(good_histories(size=25, unique=True), st.data())
def test_a_read_of_what_nobody_wrote_is_caught_and_shown(history, data):
    reads = [place for place, one in enumerate(history) if one.op == "read" and one.end is not None]
    if not reads:
        return
    place = data.draw(st.sampled_from(reads))
    history[place] = changed(history[place], output=77)
    verdict = check(history)
    assert verdict.result == "not linearizable"
    assert verdict.window is not None
    shown = verdict.window.operations
    assert history[place] in shown
    assert all(within(one, history[place]) for one in shown)


@given(good_histories(size=25), st.integers(0, 3))
def test_a_stale_read_at_the_end_is_caught(history, value):
    last = max(one.end or one.start for one in history)
    history = [
        *history,
        write(50, last + 1, last + 2),
        write(51, last + 3, last + 4),
        read(50, last + 5, last + 6),
    ]
    window = check(history).window
    assert window is not None
    assert {one.output for one in window.operations} == {None, 50}
    assert len(window.operations) == 2


# what holds of all histories


@given(random_histories(size=12, keys=("x", "y", "z")))
def test_a_history_is_linearizable_if_and_only_if_each_key_is(history):
    keys = sorted({one.key for one in history})
    alone = [bool(check([one for one in history if one.key == key])) for key in keys]
    assert bool(check(history)) == all(alone)


@given(random_histories(size=10), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_means_nothing(history, chance):
    shuffled = list(history)
    chance.shuffle(shuffled)
    assert check(shuffled).result == check(history).result


@given(random_histories(size=10), st.integers(0, 9))
def test_a_second_copy_of_a_read_changes_nothing(history, place):
    one = history[place % len(history)]
    if one.op == "read":
        assert check([*history, one]).result == check(history).result


@given(good_histories(size=30), st.integers(0, 29))
def test_forgetting_an_outcome_never_turns_a_good_history_bad(history, place):
    place %= len(history)
    history[place] = changed(history[place], end=None)
    assert check(history)


@given(random_histories(size=10, ties=False), st.integers(2, 5))
def test_only_the_order_of_times_counts(history, factor):
    stretched = [
        changed(one, start=one.start**factor, end=None if one.end is None else one.end**factor)
        for one in history
    ]
    assert check(stretched).result == check(history).result


# unknown outcomes


def test_a_write_with_unknown_outcome_may_take_effect_much_later():
    assert check([write(1, 0, None), read(None, 1, 2), read(None, 3, 4), read(1, 5, 6)])


def test_a_write_with_unknown_outcome_may_never_take_effect():
    assert check([write(1, 0, None), read(None, 1, 2), read(None, 3, 4)])


def test_a_write_with_unknown_outcome_takes_effect_once():
    history = [write(1, 0, None), read(1, 1, 2), write(2, 3, 4), read(1, 5, 6)]
    assert check(history).result == "not linearizable"
    assert check([*history, write(1, 3, None)])


def test_a_write_with_unknown_outcome_takes_no_effect_before_it_starts():
    assert not check([read(1, 0, 1), write(1, 2, None)])


def test_a_swap_with_unknown_outcome_swaps_only_what_it_found():
    assert check([write(1, 0, 1), cas(1, 2, None, 2, None), read(2, 3, 4)])
    assert not check([write(1, 0, 1), cas(3, 2, None, 2, None), read(2, 3, 4)])


def test_unknown_swaps_may_build_on_each_other():
    chain = [cas(n, n + 1, None, 10 - n, None) for n in range(5)]
    assert check([write(0, 0, 1), *chain, read(5, 20, 21)])
    assert not check([write(0, 0, 1), *chain[:2], *chain[3:], read(5, 20, 21)])


def test_a_write_of_the_value_that_is_there_may_be_what_brings_it_back():
    history = [write(0, 0, 1), write(0, 2, 9), cas(0, 3, True, 3, 4), cas(0, 4, True, 5, 10)]
    assert check(history)


def test_an_answer_that_never_came_is_not_looked_at():
    assert check([write(1, 0, 1), did("read", 2, None, output=5)])


# times


def test_operations_that_touch_overlap():
    assert check([write(1, 0, 5), read(None, 5, 6)])
    assert not check([write(1, 0, 5), read(None, 6, 7)])


def test_an_operation_may_take_no_time():
    assert check([write(1, 3, 3), read(1, 3, 3), read(1, 4, 4)])


# values


@pytest.mark.parametrize(
    ("written", "seen", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (0, None, False),
        ("", None, False),
        ("1", 1, False),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ([True], [1], False),
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ([], {}, False),
        (["true"], True, False),
        (2**70, 2**70, True),
        (2**70, 2**70 + 1, False),
    ],
)
def test_values_are_equal_as_json(written, seen, same):
    assert bool(check([write(written, 0, 1), read(seen, 2, 3)])) == same
    assert bool(check([write(written, 0, 1), cas(seen, 5, True, 2, 3)])) == same


def test_the_initial_value_is_the_models():
    assert check([read(None, 0, 1)])
    assert check([read(7, 0, 1)], Register(7))
    assert not check([read(7, 0, 1)], Register)
    assert check([cas(None, 1, True, 0, 1), read(1, 2, 3)])


def test_to_text_that_grows_null_is_empty():
    history = [read(None, 0, 1), read("", 1, 2), append("a", 3, 4), read("a", 5, 6)]
    assert check(history)
    assert check([*history, read("", 0, 1, key="never appended to")])
    assert not check([write("", 0, 1), read(None, 2, 3)])


def test_lists_grow_by_one_element():
    history = [read(None, 0, 1), append(1, 2, 3), append([2], 4, 5), read([1, [2]], 6, 7)]
    assert check(history)
    assert not check([append(1, 0, 1), append(2, 2, 3), read([2, 1], 4, 5)])


def test_pieces_of_text_in_a_list_stay_apart():
    assert check([append("a", 0, 1), append("b", 2, 3), read(["a", "b"], 4, 5)])
    assert check([append("a", 0, 1), append("b", 2, 3), read("ab", 4, 5)])


def test_nothing_is_appended_to_a_number():
    assert not check([write(1, 0, 1), append("a", 2, 3)])
    assert check([write(1, 0, 1), append("a", 2, None)])


# the box


def tangled(count):
    """Writes that all overlap, and reads that make every order of them matter."""
    writes = [write(n, 0, 1000) for n in range(count)]
    swaps = [cas(n, n + 100, False, 0, 1000) for n in range(count)]
    return [*writes, *swaps, read(0, 2000, 2001), read(1, 2002, 2003)]


def test_a_box_that_is_reached_leaves_it_unknown():
    history = tangled(9)
    history[-1] = cas(0, 5, False, 2002, 2003)
    verdict = check(history, steps=50)
    assert verdict.result == "unknown"
    assert verdict.undecided == ("x",)
    assert verdict.window is None
    assert not verdict
    assert check(history).result == "not linearizable"


def test_one_key_that_fails_decides_for_all():
    history = tangled(9)
    history[-1] = cas(0, 5, False, 2002, 2003)
    verdict = check([*history, read(1, 0, 1, key="y")], steps=50)
    assert verdict.result == "not linearizable"
    assert verdict.undecided == ("x",)
    assert verdict.window is not None
    assert verdict.window.key == "y"


def test_what_easy_keys_leave_of_the_box_goes_to_the_hard_one():
    history = tangled(9)
    history[-1] = cas(0, 5, False, 2002, 2003)
    enough = check(history).steps
    easy = [read(None, 0, 1, key=f"y{n}") for n in range(20)]
    assert check([*history, *easy], steps=enough + 100).result == "not linearizable"


@given(random_histories(size=8), st.integers(1, 40))
def test_a_box_may_hide_a_verdict_but_never_turns_it(history, steps):
    boxed = check(history, steps=steps).result
    assert boxed in ("unknown", check(history).result)


@given(random_histories(size=8))
def test_the_same_history_takes_the_same_steps(history):
    assert check(history) == check(list(history))


def test_thousands_of_operations_take_few_steps():
    history = []
    for n in range(2000):
        history += [
            write(n, 10 * n, 10 * n + 25),
            read(n, 10 * n + 5, 10 * n + 12),
            write(-n, 10 * n + 1, None),
        ]
    verdict = check(history)
    assert verdict
    assert verdict.steps < 100_000


# a verdict and its input


def test_an_empty_history_is_linearizable():
    assert check([]) == Verdict("linearizable", 0, 0, 0)


def test_a_verdict_is_true_only_if_linearizable():
    assert check([write(1, 0, 1)])
    assert str(check([write(1, 0, 1)])) == "linearizable"
    assert not check([read(1, 0, 1)])
    assert str(check([read(1, 0, 1)])) == "not linearizable"


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (did("delete", 0, 1), "unknown op 'delete'"),
        (did("cas", 0, 1, given=[1], output=True), "old and new"),
        (did("cas", 0, 1, given=[1, 2]), "neither true nor false"),
        (write(1, 2, 1), "before it starts"),
        (write(1, float("nan"), 1), "start is not a number"),
        (write(1, 0, float("inf")), "neither a number nor null"),
    ],
)
def test_what_is_no_operation_is_refused_by_its_number(operation, words):
    with pytest.raises(InvalidSpec, match=rf"operation 1: .*{words}"):
        check([read(None, 0, 1), operation])
