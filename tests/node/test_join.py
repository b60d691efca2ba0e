"""Joining by name: whom it asks, when it asks again, and what a boot remembers."""

from __future__ import annotations

import pytest

from simswarm.base.effects import CancelTimer, Outbox, Send, SetTimer, Write, WriteMode
from simswarm.base.errors import StorageCorrupt
from simswarm.base.records import frame_file
from simswarm.base.time import MILLISECOND, Now
from simswarm.model.config import Member, NodeConfig
from simswarm.model.objects import NodeDescription
from simswarm.model.specs import NodeRole
from simswarm.node.join import Joiner, Membership, recall
from simswarm.wire import codec
from simswarm.wire.join import JoinAccepted, JoinRequest

WORKER = NodeConfig("w1", "w1", NodeRole.WORKER, ("m1", "m2"))
MANAGER = NodeConfig("m2", "m2", NodeRole.MANAGER, ("m1", "m2", "m3"), (Member(2, "m2", "m2"),))


class Door:
    def __init__(self, config: NodeConfig = WORKER) -> None:
        self.out = Outbox(codec.encode, Now(0, 0))
        self.joiner = Joiner(config, self.out)

    def ask(self) -> tuple[str, int]:
        """Whom it asks, and after what time it asks again."""
        self.joiner.ask()
        send, timer = self.out.drain()
        assert isinstance(send, Send)
        assert isinstance(timer, SetTimer)
        return send.target, timer.at


def test_managers_are_asked_in_turn_with_growing_delays():
    door = Door()
    asked = [door.ask() for _ in range(9)]
    assert [target for target, _ in asked] == ["m1", "m2"] * 4 + ["m1"]
    assert [delay // MILLISECOND for _, delay in asked] == [
        100, 200, 400, 800, 1600, 3200, 6400, 8000, 8000,
    ]  # fmt: skip


def test_request_says_who_asks_and_as_what():
    door = Door()
    door.joiner.ask()
    frame = door.out.drain()[0].frame
    assert codec.decode(frame) == JoinRequest("w1", NodeRole.WORKER, NodeDescription())


def test_manager_asks_its_own_half_first():
    door = Door(MANAGER)
    assert [door.ask()[0] for _ in range(3)] == ["m2", "m1", "m3"]


def test_membership_counts_once_it_is_durable():
    door = Door()
    door.ask()
    door.joiner.accepted("m1", JoinAccepted("n1", "c1"))
    cancel, write = door.out.drain()
    assert isinstance(cancel, CancelTimer)
    assert isinstance(write, Write)
    assert (write.file, write.mode) == ("identity", WriteMode.REPLACE)
    assert door.joiner.written(write.token + 1) is None
    assert door.joiner.written(write.token) == Membership("n1", "c1")
    assert recall({"identity": frame_file(write.records)}) == Membership("n1", "c1")


def test_second_answer_and_answers_of_strangers_are_ignored():
    door = Door()
    door.ask()
    door.joiner.accepted("m2", JoinAccepted("n9", "c9"))
    assert door.out.drain() == []
    door.joiner.accepted("m1", JoinAccepted("n1", "c1"))
    door.out.drain()
    door.joiner.accepted("m1", JoinAccepted("n2", "c1"))
    door.joiner.ask()
    assert door.out.drain() == []


def test_empty_or_torn_file_is_no_membership():
    assert recall({}) is None
    assert recall({"identity": b""}) is None
    assert recall({"identity": b"\x01\x05"}) is None


def test_file_of_something_else_is_corruption():
    with pytest.raises(StorageCorrupt, match="identity: not a membership"):
        recall({"identity": frame_file((b"\xc0",))})
