"""What two leaders recorded of one entry is in a world's trace once."""

from __future__ import annotations

from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.recorder import Recorder


def test_an_entry_that_a_second_leader_records_again_is_dropped():
    recorder = Recorder(SimEnvironment(), "normal", ())
    first = (("task", "a"), ("to", "running"), ("index", 5))
    second = (("task", "b"), ("to", "running"), ("index", 6))
    recorder.record("m1", "task.state", first)
    recorder.mark_origin()
    recorder.record("m1", "task.state", second)
    recorder.record("m2", "task.state", first)
    recorder.record("m2", "task.state", second)
    recorder.record("m2", "raft.role", (("role", "leader"),))
    assert [(r.node, r.kind, r.fields) for r in recorder.records] == [
        ("m1", "task.state", first),
        ("m1", "task.state", second),
        ("m2", "raft.role", (("role", "leader"),)),
    ]
