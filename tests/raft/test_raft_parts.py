"""The parts of Raft that are mathematics: quorums, progress, the log, against naive models."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.errors import StorageCorrupt
from simswarm.raft import Entry, Log, ProgressState
from simswarm.raft.progress import Progress
from simswarm.raft.quorum import VoteResult, committed_index, majority, vote_result
from tests.raft.harness import log_of

# ── quorum ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)])
def test_a_majority_is_more_than_half(voters, needed):
    assert majority(voters) == needed


@pytest.mark.parametrize("voters", range(1, 8))
def test_any_two_majorities_share_a_voter(voters):
    quorums = [set(some) for some in combinations(range(voters), majority(voters))]
    assert all(one & other for one in quorums for other in quorums)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=9))
def test_the_committed_index_is_the_largest_that_a_majority_holds(matches):
    held = [
        index
        for index in range(21)
        if sum(match >= index for match in matches) >= majority(len(matches))
    ]
    assert committed_index(matches) == max(held)


@given(st.integers(1, 9), st.data())
def test_an_election_is_decided_as_soon_as_the_missing_answers_cannot_change_it(voters, data):
    granted = data.draw(st.integers(0, voters))
    refused = data.draw(st.integers(0, voters - granted))
    missing = voters - granted - refused
    outcomes = {granted + more >= majority(voters) for more in range(missing + 1)}
    expected = VoteResult.PENDING
    if outcomes == {False}:
        expected = VoteResult.LOST
    elif granted >= majority(voters):
        expected = VoteResult.WON
    assert vote_result(granted, refused, voters) is expected


# ── progress ─────────────────────────────────────────────────────────────────────────────────


def test_a_probe_waits_for_an_answer_before_the_next():
    progress = Progress(5, window=9)
    assert not progress.paused
    progress.on_sent(2)
    assert progress.paused
    assert progress.next == 5
    assert progress.on_acknowledged(6)
    assert not progress.paused


def test_replication_runs_ahead_until_the_window_is_full():
    progress = Progress(5, window=2)
    progress.match = 4
    progress.become_replicate()
    progress.on_sent(3)
    progress.on_sent(1)
    assert (progress.next, progress.paused, list(progress.inflight)) == (9, True, [7, 8])
    progress.on_acknowledged(7)
    assert (progress.match, progress.paused, list(progress.inflight)) == (7, False, [8])


@pytest.mark.parametrize(
    ("state", "rejected", "genuine"),
    [
        (ProgressState.REPLICATE, 3, False),
        (ProgressState.REPLICATE, 4, False),
        (ProgressState.REPLICATE, 5, True),
        (ProgressState.PROBE, 8, False),
        (ProgressState.PROBE, 9, True),
        (ProgressState.PROBE, 10, False),
    ],
)
def test_a_stale_rejection_changes_nothing(state, rejected, genuine):
    progress = Progress(10, window=9)
    progress.match = 4
    if state is ProgressState.REPLICATE:
        progress.become_replicate()
        progress.on_sent(5)
    before = (progress.next, progress.state)
    assert progress.on_rejected(rejected, hint=6) == genuine
    assert ((progress.next, progress.state) == before) == (not genuine)
    progress.check_invariants()


@pytest.mark.parametrize(("hint", "following"), [(6, 7), (9, 9), (2, 5), (0, 5)])
def test_a_rejected_probe_goes_back_to_the_hint_but_never_below_a_match(hint, following):
    progress = Progress(10, window=9)
    progress.match = 4
    progress.on_rejected(9, hint)
    assert progress.next == following


moves = st.lists(
    st.tuples(st.sampled_from(["sent", "ack", "reject", "probe"]), st.integers(0, 12)), max_size=60
)


@given(moves)
def test_progress_keeps_match_below_next_and_never_lets_match_fall(steps):
    progress = Progress(8, window=3)
    last = 12
    for step, number in steps:
        match = progress.match
        if step == "sent" and not progress.paused:
            full = progress.is_full() and progress.state is ProgressState.REPLICATE
            progress.on_sent(0 if full else min(number, last + 1 - progress.next))
        elif step == "ack":
            if progress.on_acknowledged(number) and progress.state is ProgressState.PROBE:
                progress.become_replicate()
        elif step == "reject":
            progress.on_rejected(number, number // 2)
        elif step == "probe":
            progress.become_probe()
        progress.check_invariants()
        assert progress.match >= match
        assert progress.next <= last + 1


# ── log ──────────────────────────────────────────────────────────────────────────────────────

rising_terms = st.lists(st.integers(1, 5), max_size=12).map(sorted)


@given(rising_terms, rising_terms, st.integers(0, 12))
def test_merging_equals_the_naive_rule_of_figure_2(own_terms, sent_terms, cut):
    previous = min(cut, len(own_terms), len(sent_terms))
    while own_terms[:previous] != sent_terms[:previous]:
        previous -= 1
    sent = log_of(sent_terms)[previous:]
    log = Log(log_of(own_terms))
    naive = list(log_of(own_terms))
    for entry in sent:
        if entry.index <= len(naive) and naive[entry.index - 1].term != entry.term:
            del naive[entry.index - 1 :]
        if entry.index > len(naive):
            naive.append(entry)
    log.merge(sent)
    assert list(log.entries()) == naive
    log.check_invariants()
    # what the disk is given next makes its image equal to the log
    taken = log.take_unwritten()
    image = list(log_of(own_terms))
    if taken:
        image[taken[0].index - 1 :] = taken
    assert image[: len(naive)] == naive


@given(rising_terms, st.integers(-3, 15), st.integers(0, 6))
def test_the_hint_is_the_largest_index_up_to_a_term(terms, index, term):
    fitting = [at for at, own in enumerate(terms, 1) if at <= index and own <= term]
    assert Log(log_of(terms)).last_up_to_term(index, term) == max(fitting, default=0)


@given(rising_terms, st.integers(0, 13), st.integers(0, 6))
def test_up_to_date_is_the_order_of_last_term_then_length(terms, index, term):
    own = (terms[-1] if terms else 0, len(terms))
    assert Log(log_of(terms)).is_up_to_date(index, term) == ((term, index) >= own)


@pytest.mark.parametrize(
    ("sizes", "limit", "taken"),
    [((5, 5, 5), 15, 3), ((5, 5, 5), 14, 2), ((5, 5, 5), 1, 1), ((9,), 1, 1), ((0, 0), 1, 2)],
)
def test_a_batch_fits_its_limit_but_is_never_empty(sizes, limit, taken):
    log = Log([Entry(1, index, b"x" * size) for index, size in enumerate(sizes, 1)])
    assert len(log.batch(1, limit)) == taken


def test_terms_are_known_from_zero_to_the_end():
    log = Log(log_of((1, 2)))
    assert [log.term_at(index) for index in (-1, 0, 1, 2, 3)] == [None, 0, 1, 2, None]


@pytest.mark.parametrize(
    "entries", [[Entry(1, 2, b"")], [Entry(2, 1, b""), Entry(1, 2, b"")], [Entry(1, 1, b"")] * 2]
)
def test_entries_that_are_no_log_are_refused(entries):
    with pytest.raises(StorageCorrupt):
        Log(entries)


def test_applied_beyond_the_end_is_refused():
    with pytest.raises(StorageCorrupt):
        Log(log_of((1,)), applied=2)


def test_committed_entries_are_never_removed():
    log = Log(log_of((1, 1)), committed=2)
    with pytest.raises(AssertionError):
        log.merge([Entry(2, 2, b"other")])


def test_a_late_write_says_nothing_about_the_entries_that_replaced_it():
    """Entry 2 is written in term 1, replaced in term 2, and restored in term 3 (the same entry,
    twice under way): the first write's end must not count as the third's."""
    log = Log(log_of((1,)))
    first = Entry(1, 2, b"first")
    log.merge([first])
    assert log.take_unwritten() == (first,)
    log.merge([Entry(2, 2, b"second")])
    assert log.take_unwritten() == (Entry(2, 2, b"second"),)
    log.merge([first, Entry(3, 3, b"")])
    assert log.take_unwritten() == (first, Entry(3, 3, b""))
    log.on_persisted(1, 2)
    assert log.persisted == 1
    log.on_persisted(2, 2)
    assert log.persisted == 1
    log.on_persisted(3, 3)
    assert log.persisted == 3


def test_an_acknowledgement_covers_the_writes_before_it():
    log = Log()
    for entry in log_of((1, 1, 1)):
        log.append(entry)
        log.take_unwritten()
    log.on_persisted(1, 2)
    assert log.persisted == 2
    log.on_persisted(1, 3)
    assert log.persisted == 3
    with pytest.raises(AssertionError):
        log.on_persisted(1, 3)
