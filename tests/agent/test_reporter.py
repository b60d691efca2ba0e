"""Reports: one at a time, the latest of each task, until they are taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simswarm.agent.reporter import REPORT_TIMER, Reporter
from simswarm.agent.session import Phase
from simswarm.base.time import SECOND
from simswarm.model.objects import TaskStatus
from simswarm.model.taskstate import TaskState as S
from tests.agent.bench import Desk


class Line:
    """As much of a session as a reporter needs."""

    def __init__(self) -> None:
        self.phase = Phase.OPEN
        self.id = "s1"
        self.target = "m1"


class Counter(Desk):
    def __init__(self) -> None:
        super().__init__()
        self.reporter = Reporter(self.out, "n1")
        self.line = Line()

    def pump(self, after: int = 0) -> None:
        self.reporter.pump(self.line, after)
        self.drain()
        self.reporter.check_invariants()


def updates(desk: Desk) -> list[tuple[str, S]]:
    return [(id, status.state) for message in desk.take() for id, status in message.updates]


def test_reports_go_one_at_a_time_in_order():
    desk = Counter()
    desk.reporter.put("t1", TaskStatus(S.ACCEPTED))
    desk.reporter.put("t2", TaskStatus(S.ACCEPTED))
    desk.pump()
    desk.pump()
    assert updates(desk) == [("t1", S.ACCEPTED)]
    desk.reporter.taken(1)
    desk.pump()
    assert updates(desk) == [("t2", S.ACCEPTED)]


def test_only_the_latest_status_of_a_task_waits():
    desk = Counter()
    for state in (S.ACCEPTED, S.PREPARING, S.ACCEPTED, S.READY):
        desk.reporter.put("t1", TaskStatus(state))
    desk.pump()
    assert updates(desk) == [("t1", S.READY)]
    desk.reporter.taken(1)
    desk.pump()
    assert updates(desk) == []


def test_report_waits_for_the_write_of_its_status():
    desk = Counter()
    desk.reporter.put("t1", TaskStatus(S.ACCEPTED))
    desk.pump(after=7)
    assert [after for _, _, after in desk.sent] == [7]


def test_report_under_way_is_sent_again_after_a_lost_session():
    desk = Counter()
    desk.reporter.put("t1", TaskStatus(S.READY))
    desk.pump()
    desk.reporter.session_lost()
    desk.drain()
    assert REPORT_TIMER not in desk.timers
    desk.pump()
    assert updates(desk) == [("t1", S.READY), ("t1", S.READY)]


def test_report_under_way_gives_way_to_a_newer_one():
    desk = Counter()
    desk.reporter.put("t1", TaskStatus(S.READY))
    desk.pump()
    desk.reporter.put("t1", TaskStatus(S.RUNNING))
    desk.reporter.session_lost()
    desk.take()
    desk.pump()
    assert updates(desk) == [("t1", S.RUNNING)]


def test_nothing_is_sent_without_a_session():
    desk = Counter()
    desk.line.phase = Phase.WAITING
    desk.reporter.put("t1", TaskStatus(S.READY))
    desk.pump()
    assert desk.sent == []


def test_answer_to_an_earlier_report_is_ignored():
    desk = Counter()
    desk.reporter.put("t1", TaskStatus(S.READY))
    desk.pump()
    desk.reporter.session_lost()
    desk.pump()
    desk.reporter.taken(1)
    desk.reporter.put("t2", TaskStatus(S.READY))
    desk.take()
    desk.pump()
    assert desk.sent == []


def test_report_has_5_seconds():
    desk = Counter()
    desk.reporter.put("t1", TaskStatus(S.READY))
    desk.pump()
    assert desk.timers[REPORT_TIMER] == desk.out.now.mono + 5 * SECOND


def test_forgotten_task_is_not_reported():
    desk = Counter()
    desk.reporter.put("t1", TaskStatus(S.READY))
    desk.pump()
    desk.reporter.put("t2", TaskStatus(S.READY))
    desk.reporter.forget("t2")
    desk.reporter.forget("t1")
    desk.take()
    desk.pump()
    assert desk.sent == []


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from([S.ACCEPTED, S.READY, S.RUNNING, S.FAILED])),
            st.tuples(st.just("taken"), st.none()),
            st.tuples(st.just("lost"), st.none()),
        ),
        max_size=40,
    )
)
def test_reported_states_never_fall_and_the_last_arrives(events):
    """The task itself never goes back; whatever the session does, neither do its reports."""
    desk = Counter()
    highest = None
    for event, state in events:
        if event == "put" and (highest is None or state >= highest):
            highest = state
            desk.reporter.put("t1", TaskStatus(state))
        elif event == "taken":
            desk.reporter.taken(desk.reporter._request)
        elif event == "lost":
            desk.reporter.session_lost()
        desk.pump()
    for _ in range(3):
        desk.reporter.taken(desk.reporter._request)
        desk.pump()
    seen = [state for _, state in updates(desk)]
    assert seen == sorted(seen)
    assert (seen[-1] if seen else None) == highest
