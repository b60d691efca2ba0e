"""The story: its sentences, one by one and as a whole."""

from __future__ import annotations

import pytest

import simswarm
from simswarm.base.time import SECOND
from simswarm.base.trace import TraceRecord
from simswarm.scenario.narration.story import Story, span

UP = ("", "swarm.up", {"leader": "m1", "term": 1})


def told(*records: tuple, start: float = 0.0) -> list[str]:
    """Sentences about records (node, kind, fields[, seconds]) after the swarm is up."""
    story = Story()
    for record in (UP, *records):
        node, kind, fields, *at = record
        t = int((at[0] if at else start) * SECOND)
        story.on_record(TraceRecord(t, node, kind, tuple(fields.items())))
    story.close()
    return [f"{line.text}" + (f" [{line.remark}]" if line.remark else "") for line in story.lines][
        1:
    ]


def task(number: int, state: str, desired: str = "running", **fields) -> tuple:
    shape = {"task": f"t{number}", "service": "web", "slot": number, "assigned": "w1"}
    return "m1", "task.state", shape | {"to": state, "desired": desired} | fields


def event(id: str, action: str, text: str, **fields) -> tuple:
    return "", "event", {"id": id, "action": action, "text": text} | fields


def test_how_long_there_was_no_leader_is_told_where_it_was_lost():
    lines = told(
        event("crash", "crash", "crash m1"),
        ("m1", "process.crash", {"lose": "unsynced"}, 0.0),
        ("m3", "raft.role", {"role": "candidate", "term": 2}, 14.0),
        ("m3", "raft.role", {"role": "leader", "term": 2}, 14.2),
        ("m1", "process.restart", {}, 40.0),
        ("m1", "raft.role", {"role": "follower", "term": 1}, 40.0),
    )
    assert lines == [
        "m1 loses power [event crash]",
        "no leader for 14.2 s: nothing can be scheduled, running tasks go on",
        "m3 is leader, term 2",
        "m1 is back, now follower",
    ]


def test_a_leader_that_is_not_replaced_is_told_of_at_the_end():
    lines = told(("m1", "process.crash", {"lose": "nothing"}))
    assert lines == ["m1 is killed", "no leader from here on: nothing can be scheduled"]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (("w1", "process.crash", {"lose": "disk"}), "w1 burns down, its disk is gone"),
        (("w1", "process.pause", {}), "w1 freezes"),
        (("w1", "process.resume", {}), "w1 goes on"),
        (("w1", "process.restart", {}), "w1 boots"),
        (("", "network.partition", {"groups": ("m1,m2", "m3")}), "the network splits: m1 m2 | m3"),
        (("", "network.heal", {"targets": ()}), "the network heals"),
        (
            ("", "network.link", {"sources": ("m1",), "targets": ("m2",), "loss": 1_000_000}),
            "links are cut: m1 to m2",
        ),
        (
            (
                "",
                "network.link",
                {"sources": ("m1",), "targets": ("a", "b", "c", "d"), "loss": 50_000}
                | {"latency": 80_000_000, "jitter": 20_000_000},
            ),
            "links get worse, m1 to 4 nodes: +80 ms ± 20 ms, 5% lost",
        ),
        (
            ("m1", "node.state", {"subject": "w1", "from": "ready", "to": "down", "message": "x"}),
            "w1 is down (x)",
        ),
        (
            ("m1", "node.state", {"subject": "w1", "from": "down", "to": "ready"}),
            "w1 is ready again",
        ),
        (
            ("m1", "node.availability", {"subject": "w1", "from": "active", "to": "drain"}),
            "w1 is drained",
        ),
        (
            ("m1", "node.role", {"subject": "w1", "from": "worker", "to": "manager"}),
            "w1 is a manager now",
        ),
        (
            ("m1", "clock.fault", {"targets": ("m1",), "skew": 5}),
            "clock of m1: targets ('m1',), skew 5",
        ),
        (
            ("m1", "call", {"method": "service scale web=3", "error": "Error: No\nmore"}),
            "service scale web=3: Error: No",
        ),
        (event("", "note", "look here"), "look here"),
        (event("", "restart", "restart w1", remark="w1 is up"), "w1 is up"),
        (
            (
                "m1",
                "service.spec",
                {"service": "a", "action": "create", "replicas": 2, "image": "i"},
            ),
            "a is deployed: 2 tasks of i",
        ),
        (("m1", "service.spec", {"service": "a", "action": "remove"}), "a is removed"),
        (
            ("m1", "service.update", {"service": "a", "to": "paused", "message": "why"}),
            "update of a is paused: why",
        ),
        (
            ("m1", "task.message", {"service": "a", "error": "no suitable node"}),
            "a has tasks that wait: no suitable node",
        ),
        (
            ("", "invariant", {"name": "election safety", "message": "two leaders"}),
            "election safety is violated: two leaders",
        ),
    ],
)
def test_the_vocabulary(record, sentence):
    assert told(record) == [sentence]


def test_many_tasks_make_one_sentence():
    lines = told(
        ("m1", "service.spec", {"service": "web", "action": "create", "replicas": 3, "image": "i"}),
        *[(*task(n, "new"), 0.1) for n in (1, 2, 3)],
        *[(*task(n, "running"), 2.0 + n / 10) for n in (1, 2, 3)],
        *[(*task(n, "new"), 20.0) for n in (4, 5)],
        *[(*task(n, "running"), 25.0) for n in (4, 5)],
    )
    assert lines == [
        "web is deployed: 3 tasks of i",
        "all 3 web tasks run",
        "web 3 -> 5 tasks",
        "all 5 web tasks run",
    ]


def test_a_task_that_fails_again_and_again_is_told_only_so_often():
    failures = [(*task(n, "failed", exit_code=1), float(n)) for n in range(1, 20)]
    lines = told(*failures)
    assert len(lines) == 5
    assert lines[0] == "web.1 fails on w1: exit 1"
    assert lines[-1] == "web.5 fails on w1: exit 1; more of these are not told"


def test_what_follows_an_event_at_once_is_remarked_to_be_its_doing():
    lines = told(
        event("out", "drain", "node update --availability drain w1"),
        ("m1", "node.availability", {"subject": "w1", "from": "active", "to": "drain"}, 0.2),
        ("m1", "node.availability", {"subject": "w2", "from": "active", "to": "drain"}, 0.3),
    )
    assert lines == ["w1 is drained [event out]", "w2 is drained"]


@pytest.mark.parametrize(
    ("length", "words"),
    [(300_000_000, "300 ms"), (14_200_000_000, "14.2 s"), (125 * SECOND, "2m05s")],
)
def test_spans_are_written_as_people_say_them(length, words):
    assert span(length) == words


def test_the_story_of_the_demo():
    story = simswarm.run("leader-crash").story()
    assert story[0] == "    0.0s  swarm is up, leader m1, term 1"
    assert "   20.3s  m1 loses power" in story
    sentences = [line.split("s  ", 1)[1] for line in story]
    assert "web 6 -> 12 tasks" in sentences
    assert "all 12 web tasks run" in sentences
    assert "m1 is back, now follower" in sentences
    assert any(sentence.startswith("no leader for ") for sentence in sentences)
    assert len(story) < 25
