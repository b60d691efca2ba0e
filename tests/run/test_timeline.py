"""Triggers: what fires when, in which order, and what is undone."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import SECOND
from simswarm.scenario.acting.timeline import Timeline
from simswarm.scenario.model.event import Event
from simswarm.scenario.observed.marks import Marks


class Diary:
    """A performer that writes down what it is asked for."""

    def __init__(self) -> None:
        self.entries: list[tuple[float, str]] = []
        self.now = 0

    def perform(self, number, event):
        self.entries.append((self.now / SECOND, event.note.text if event.note else event.verb))
        return number

    def undo(self, number, event, done):
        assert done == number
        self.entries.append((self.now / SECOND, f"undo {event.verb}"))


class Play:
    """A timeline with a clock that jumps to what is due next."""

    def __init__(self, *events: dict, seed: int = 1) -> None:
        self.diary = Diary()
        self.marks = Marks()
        parsed = [Event.model_validate(event) for event in events]
        self.line = Timeline(parsed, self.marks, self.diary, SeededEntropy(seed))
        self.variables = {"raft": SimpleNamespace(), "time": 0.0}
        self.line.begin(self.tree({}))

    @staticmethod
    def tree(values: dict) -> dict:
        return {"raft": values, "services": {}, "nodes": {}, "time": 0.0}

    def run(self, until: float) -> list[tuple[float, str]]:
        while self.line.next_due is not None and self.line.next_due <= until * SECOND:
            self.diary.now = self.line.next_due
            self.line.run_due(self.diary.now)
        self.diary.now = int(until * SECOND)
        return self.diary.entries

    def look(self, **raft) -> None:
        self.line.look(self.tree(raft), self.diary.now)


def note(text: str, **trigger) -> dict:
    return {"note": text, **trigger}


def test_events_fire_at_their_times_and_ties_run_in_file_order():
    play = Play(note("late", at="3s"), note("b", at="1s"), note("c", at="1s"), note("d", at="0s"))
    assert play.run(10) == [(0, "d"), (1, "b"), (1, "c"), (3, "late")]


def test_after_follows_a_chain_of_events():
    play = Play(
        note("third", after="second + 500ms"),
        note("first", at="1s", id="first"),
        note("second", after="first + 2s", id="second"),
        note("at once", after="first"),
    )
    assert play.run(10) == [(1, "first"), (1, "at once"), (3, "second"), (3.5, "third")]
    assert play.marks.fired == {"first": SECOND, "second": 3 * SECOND}


def test_a_tie_that_arises_late_still_runs_in_file_order():
    play = Play(
        note("follower", after="x + 1s"), note("x", at="1s", id="x"), note("plain", at="2s")
    )
    assert play.run(10)[1:] == [(2, "follower"), (2, "plain")]


def test_what_is_undone_is_undone_once_after_its_time():
    play = Play({"at": "1s", "crash": "m1", "for": "30s", "id": "dark"})
    assert play.line.horizon() == 31 * SECOND
    assert play.run(60) == [(1, "crash"), (31, "undo crash")]
    assert play.marks.undone == {"dark": 31 * SECOND}
    assert play.line.horizon() == 31 * SECOND


def test_a_condition_fires_once_on_its_edge():
    play = Play(note("now", when="raft.term >= 3"))
    play.look(term=2)
    play.look(term=3)
    assert play.run(0) == [(0, "now")]
    play.look(term=2)
    play.look(term=3)
    assert play.run(5) == [(0, "now")]
    assert not play.line.is_conditional


def test_a_condition_that_holds_at_the_start_must_first_become_false():
    play = Play.__new__(Play)
    Play.tree_at_start = None
    play.diary, play.marks = Diary(), Marks()
    event = Event.model_validate(note("now", when="raft.term == 2"))
    play.line = Timeline([event], play.marks, play.diary, SeededEntropy(1))
    play.line.begin(Play.tree({"term": 2}))
    play.look(term=2)
    assert play.run(1) == []
    play.look(term=3)
    play.look(term=2)
    assert play.run(2) == [(1, "now")]


def test_every_repeats_so_many_times_or_until_a_moment():
    play = Play(
        note("a", every={"period": "2s", "times": 2}),
        note("b", every={"period": "3s", "start": "1s", "until": "8s"}),
    )
    assert play.run(60) == [(2, "a"), (4, "a"), (4, "b"), (7, "b")]


def test_random_periods_come_from_the_seed_and_stay_in_their_range():
    def times(seed: int) -> list[float]:
        play = Play(note("a", every={"period": "8s..15s", "times": 20}), seed=seed)
        return [at for at, _ in play.run(1000)]

    first = times(1)
    gaps = [b - a for a, b in zip([0.0, *first], first, strict=False)]
    assert all(8 <= gap <= 15 for gap in gaps)
    assert len(set(gaps)) > 10
    assert times(1) == first
    assert times(2) != first


def test_what_waits_or_repeats_without_end_does_not_prolong_a_run():
    play = Play(
        note("a", every="10s"),
        note("b", when="raft.term == 9", id="never"),
        note("c", after="never + 1h"),
        note("d", at="5s", id="d"),
        note("e", after="d + 20s", id="e"),
        note("f", after="e + 1s"),
    )
    assert play.line.horizon() == 26 * SECOND
    play.run(25.5)
    assert play.line.horizon() == 26 * SECOND
    play.run(26)
    assert play.line.horizon() == 26 * SECOND
    assert [event.note.text for event in play.line.unfired()] == ["b", "c"]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_firing_order_is_time_then_file(seconds):
    play = Play(*[note(str(n), at=f"{at}s") for n, at in enumerate(seconds)])
    expected = sorted((float(at), n) for n, at in enumerate(seconds))
    assert [(at, int(text)) for at, text in play.run(10)] == expected
