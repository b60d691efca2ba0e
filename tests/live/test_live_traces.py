"""Traces of node processes: written, read while they grow, merged into one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simswarm.base.effects import WriteMode
from simswarm.base.errors import RemoteProtocolError
from simswarm.base.trace import TraceRecord
from simswarm.live.supervisor.clockwork import LiveEnvironment
from simswarm.live.supervisor.recorder import LiveRecorder
from simswarm.live.traces import Applied, Observed, Seen, TraceReader, TraceWriter
from simswarm.live.watch import RaftBooted, RaftSeen, RaftStepped, RaftWrote
from simswarm.model.objects import Node, Service
from simswarm.model.specs import ContainerSpec, NodeSpec, ServiceSpec, TaskSpec
from simswarm.raft import Role
from simswarm.store import Change, Created, Deleted, Updated

SERVICE = Service("s1", ServiceSpec("web", TaskSpec(ContainerSpec("a:1"))))
NODE = Node("n1", NodeSpec("m1"))
CHANGES: tuple[Change, ...] = (Created(SERVICE), Updated(NODE, NODE), Deleted(SERVICE))


def test_what_is_written_is_read_with_order_and_types(tmp_path: Path) -> None:
    writer, reader = TraceWriter(tmp_path / "trace"), TraceReader(tmp_path / "trace")
    fields: tuple[tuple[str, Any], ...] = (
        ("z", 1),
        ("a", None),
        ("list", ("x", "y")),
        ("flag", True),
        ("text", 'ü"\n'),
        ("share", 0.5),
    )
    seen: list[RaftSeen] = [
        RaftBooted((b"1", b"\xff")),
        RaftWrote(WriteMode.APPEND, (b"\x00",)),
        RaftStepped(7, Role.LEADER, 2),
    ]
    writer.record(5, "x.y", fields)
    writer.applied(6, 17, CHANGES)
    for one in seen:
        writer.seen(7, one)
    assert reader.read() == []
    assert writer.waiting
    writer.flush()
    assert reader.read() == [
        Observed(5, "x.y", fields),
        Applied(6, 17, CHANGES),
        *[Seen(7, one) for one in seen],
    ]
    assert reader.read() == []
    reader.close()
    writer.close()


def test_a_half_written_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    reader = TraceReader(path)
    assert reader.read() == []  # not even there yet
    line = b'{"at":1,"kind":"a","fields":{}}\n'
    with path.open("ab", buffering=0) as file:
        file.write(line + line[:10])
        assert reader.read() == [Observed(1, "a", ())]
        assert reader.read() == []
        file.write(line[10:])
        assert reader.read() == [Observed(1, "a", ())]
    reader.close()


@pytest.mark.parametrize(
    "text",
    [b"nonsense", b"{}", b"[]", b'{"at":1,"index":2,"changes":"!"}', b'{"at":1,"raft":"AA=="}'],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "trace"
    path.write_bytes(text + b"\n")
    reader = TraceReader(path)
    with pytest.raises(RemoteProtocolError, match="not a line of a trace"):
        reader.read()
    reader.close()


class Sink:
    """Collects what a recorder passes on."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def on_record(self, record: TraceRecord) -> None:
        self.log.append((record.t, record.node, record.kind))

    def applied(self, manager: str, changes: tuple[Change, ...], index: int) -> None:
        self.log.append((manager, index))

    def raft(self, manager: str, seen: RaftSeen) -> None:
        self.log.append((manager, seen))


def recorder() -> tuple[LiveRecorder, Sink]:
    made, sink = LiveRecorder(1000), Sink()
    made.sinks.append(sink)
    made.applied.append(sink.applied)
    made.raft.append(sink.raft)
    return made, sink


def drain(made: LiveRecorder) -> None:
    while made.next_at is not None:
        made.take_next()


def test_records_of_several_nodes_are_merged_by_time() -> None:
    made, sink = recorder()
    made.mark_origin(50)
    made.add("m1", Observed(1060, "b", ()))
    made.add("m2", Observed(1055, "a", ()))
    made.add("m2", Applied(1061, 3, CHANGES))
    made.record(62, "m3", "own", ())
    made.add("m1", Seen(1063, RaftStepped(1, Role.FOLLOWER, 1)))
    drain(made)
    assert sink.log == [
        (5, "m2", "a"),
        (10, "m1", "b"),
        ("m2", 3),
        (12, "m3", "own"),
        ("m1", RaftStepped(1, Role.FOLLOWER, 1)),
    ]


def test_a_record_that_comes_late_does_not_turn_time_back() -> None:
    made, sink = recorder()
    made.mark_origin(0)
    made.add("m1", Observed(1020, "a", ()))
    drain(made)
    made.add("m2", Observed(1010, "late", ()))
    drain(made)
    assert sink.log == [(20, "m1", "a"), (20, "m2", "late")]


def test_records_before_the_origin_get_negative_times_when_it_is_known() -> None:
    made, sink = recorder()
    made.add("m1", Observed(1010, "a", ()))
    drain(made)
    assert sink.log == []
    made.mark_origin(30)
    assert sink.log == [(-20, "m1", "a")]


def test_callbacks_are_called_in_the_order_of_their_times() -> None:
    env, called = LiveEnvironment(), []
    env.call_at(20, called.append, "b")
    env.call_in(10, called.append, "a")
    env.call_at(20, called.append, "c")
    while env.next_at is not None:
        env.run_next()
    assert called == ["a", "b", "c"]
    assert env.now == 20
    env.call_at(5, called.append, "d")  # in the past: as soon as can be
    assert env.next_at == 20
