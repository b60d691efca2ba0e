"""A replica keeps Raft's promises to its disk, its peers and its store."""

from __future__ import annotations

import pytest

from simswarm.base.effects import Channel, Outbox
from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import InvalidSpec, NotLeader, ProposalTooLarge, StorageCorrupt
from simswarm.base.records import frame, frame_file
from simswarm.base.time import SECOND, Now
from simswarm.base.values import replace
from simswarm.manager.keykeeper import KEYS_FILE
from simswarm.manager.manager import Manager
from simswarm.manager.replica import LOST_LEADERSHIP, TOO_LARGE
from simswarm.manager.segments import segment_name
from simswarm.manager.wal import WriteAheadLog
from simswarm.model.defaults import MAX_PROPOSAL_BYTES
from simswarm.model.objects import Service
from simswarm.pki import KeySealer, decode_keys
from simswarm.raft import AppendEntries, Entry, HardState
from simswarm.store import ByName
from simswarm.store.tables import KINDS
from simswarm.wire import codec
from simswarm.wire.codec import Proposal
from simswarm.wire.control import CallFailed, ServiceResult
from tests.manager.trio import Trio, a_service, create

LOG = segment_name(1)


class Put:
    """A write of a service, and its owner."""

    name = "test.put"

    def __init__(self, service: str, image: str = "nginx") -> None:
        self.spec = a_service(service, image=image)
        self.outcomes: list = []

    def __call__(self, tx) -> None:
        tx.create(Service(f"id-{self.spec.name}", self.spec))

    def on_outcome(self, write, outcome) -> None:
        self.outcomes.append(outcome)


def tables(trio: Trio, name: str):
    return [trio.manager(name).store.find(kind) for kind in KINDS.values()]


def put(trio: Trio, name: str, write: Put) -> None:
    trio.step(name, lambda m: (m.store.update(write, write), m.replica.settle()))


def test_a_write_commits_on_every_manager_at_the_same_index():
    trio = Trio()
    for number in range(20):
        write = Put(f"s{number}")
        put(trio, "m1", write)
        trio.settle()
        assert [outcome.error for outcome in write.outcomes] == [None]
    trio.advance(2 * SECOND)
    indexes = {name: trio.manager(name).store.index for name in trio.hosts}
    assert len(set(indexes.values())) == 1, indexes
    assert tables(trio, "m1") == tables(trio, "m2") == tables(trio, "m3")
    assert len(trio.manager("m2").store.find(Service)) == 20


def test_writes_queued_together_commit_one_entry_each_in_order():
    trio = Trio()
    before = trio.manager("m1").replica.commit_index()
    writes = [Put("a"), Put("a"), Put("b")]
    for write in writes:
        put(trio, "m1", write)
    trio.settle()
    assert [bool(write.outcomes[0].error) for write in writes] == [False, True, False]
    versions = [service.meta.version for service in trio.manager("m1").store.find(Service)]
    assert versions == [before, before + 1]
    assert trio.manager("m1").replica.commit_index() == before + 2


def test_nothing_that_depends_on_a_write_is_sent_before_it_is_durable():
    trio = Trio()
    trio["m2"].held = True
    put(trio, "m1", Put("a"))
    while trio.wire:
        trio._deliver(*trio.wire.popleft())
    assert [type(codec.decode(s.frame)).__name__ for s in trio["m2"].waiting] == [
        "AppendEntriesReply"
    ]
    trio["m2"].held = False
    trio.settle()
    assert not trio["m2"].waiting


def test_a_repeated_append_is_not_acknowledged_before_the_first_ones_write():
    """The answer to an append that brings nothing new rests on a write that is still under way."""
    trio = Trio()
    trio["m2"].held = True
    put(trio, "m1", Put("a"))
    trio.settle()
    append = [
        send
        for source, send in trio.sent
        if send.target == "m2"
        and isinstance(message := codec.decode(send.frame), AppendEntries)
        and message.entries
    ][-1]
    waiting = len(trio["m2"].waiting)
    trio._deliver("m1", append)
    assert len(trio["m2"].waiting) == waiting + 1
    assert {send.after for send in trio["m2"].waiting} == {trio["m2"].unsynced[-1].token}


def test_the_leader_counts_itself_only_when_its_own_write_is_durable():
    trio = Trio()
    trio["m1"].held = trio["m3"].held = True
    write = Put("a")
    put(trio, "m1", write)
    trio.settle()
    assert write.outcomes == [], "one durable copy of three is no majority"
    trio["m1"].held = False
    trio.settle()
    assert len(write.outcomes) == 1


def test_a_failed_write_halts_the_node():
    trio = Trio()
    trio["m1"].failing = "EIO"
    put(trio, "m1", Put("a"))
    trio.settle()
    assert trio["m1"].halted == "raft log: write or fsync failed: EIO"
    assert trio["m1"].manager is None


def test_a_lone_manager_leads_and_commits_by_itself():
    trio = Trio(1)
    assert isinstance(trio.ask("m1", create()), ServiceResult)
    trio.crash("m1")
    trio.boot("m1")
    trio.advance(25 * SECOND)
    assert [service.spec.name for service in trio.manager("m1").store.find(Service)] == ["web"]


def test_a_restarted_manager_has_its_log_again_and_catches_up():
    trio = Trio()
    for number in range(5):
        put(trio, "m1", Put(f"before{number}"))
    trio.settle()
    trio.crash("m3")
    put(trio, "m1", Put("meanwhile"))
    trio.advance(3 * SECOND)
    trio.boot("m3")
    assert trio.manager("m3").replica.raw.raft.last_index > 5
    trio.advance(3 * SECOND)
    assert tables(trio, "m3") == tables(trio, "m1")


def test_all_managers_restarted_have_everything_that_was_committed():
    trio = Trio()
    put(trio, "m1", Put("a"))
    trio.advance(2 * SECOND)
    for name in trio.hosts:
        trio.crash(name)
    for name in trio.hosts:
        trio.boot(name)
    trio.advance(60 * SECOND)
    assert len(trio.manager(trio.leader).store.find(Service)) == 1
    assert tables(trio, "m1") == tables(trio, "m2") == tables(trio, "m3")


def test_m1_campaigns_at_once_only_in_a_new_swarm():
    trio = Trio()
    assert trio.leader == "m1"
    assert trio.now == 0
    for name in trio.hosts:
        trio.crash(name)
    for name in trio.hosts:
        trio.boot(name)
    trio.settle()
    assert not any(host.manager and host.manager.is_leader for host in trio.hosts.values())


def test_a_vote_survives_a_crash():
    trio = Trio()
    trio.crash("m2")
    trio.boot("m2")
    raft = trio.manager("m2").replica.raw.raft
    assert (raft.term, raft.vote) == (1, 1)


def test_a_torn_tail_is_cut_off_on_disk_before_anything_is_appended():
    trio = Trio()
    for number in range(3):
        put(trio, "m1", Put(f"s{number}"))
    trio.advance(2 * SECOND)
    trio.crash("m3")
    whole = trio["m3"].bytes()
    trio["m3"].image = {**whole, LOG: whole[LOG] + frame(b"nobody was told of it")[:-1]}
    trio.boot("m3")
    trio.advance(3 * SECOND)
    assert tables(trio, "m3") == tables(trio, "m1")
    put(trio, "m1", Put("after"))
    trio.advance(2 * SECOND)
    trio.crash("m3")
    trio.boot("m3")
    trio.advance(3 * SECOND)
    assert tables(trio, "m3") == tables(trio, "m1")


def test_a_damaged_log_refuses_to_boot():
    trio = Trio()
    for number in range(3):
        put(trio, "m1", Put(f"s{number}"))
    trio.advance(2 * SECOND)
    trio.crash("m3")
    image = bytearray(trio["m3"].bytes()[LOG])
    image[20] ^= 0xFF
    trio["m3"].image = {**trio["m3"].bytes(), LOG: bytes(image)}
    with pytest.raises(StorageCorrupt):
        trio.boot("m3")


def test_an_entry_of_an_unknown_kind_halts_the_node():
    trio = Trio()
    trio.crash("m3")
    keys = decode_keys(trio["m3"].disk[KEYS_FILE][0], b"")
    out = Outbox(codec.encode, Now(0, 0))
    entries = Entry(1, 1, b""), Entry(1, 2, b"\x93\x01\xa1x\x91\x92\x63\xc0")
    WriteAheadLog(out, KeySealer(keys.readable, SeededEntropy(7))).append(
        entries, HardState(1, 0, 2)
    )
    (write,) = out.drain()
    trio["m3"].image = {**trio["m3"].bytes(), LOG: frame_file(write.records)}
    trio.boot("m3")
    assert trio["m3"].halted is not None
    assert "raft entry 2: log entry of an unknown kind" in trio["m3"].halted


def test_losing_leadership_refuses_the_queue_and_the_entry_may_still_commit():
    trio = Trio()
    others = [("m1", "m2"), ("m1", "m3"), ("m2", "m1"), ("m3", "m1")]
    appends_only = others[:2]
    # The append reaches m2 and m3, their answers don't reach m1.
    trio.cut.update(others[2:])
    writes = [Put("a"), Put("b")]
    for write in writes:
        put(trio, "m1", write)
    trio.settle()
    trio.cut.update(appends_only)
    trio.advance(45 * SECOND)
    assert [type(write.outcomes[0].error) for write in writes] == [NotLeader, NotLeader]
    assert writes[0].outcomes[0].error.message == LOST_LEADERSHIP
    assert trio.leader in ("m2", "m3")
    trio.cut.clear()
    trio.advance(60 * SECOND)
    names = [service.spec.name for service in trio.manager("m1").store.find(Service)]
    assert names == ["a"], "the one under way committed later, the queued one never existed"
    assert len(writes[0].outcomes) == 1
    assert tables(trio, "m1") == tables(trio, "m2") == tables(trio, "m3")


def test_a_write_too_large_for_the_log_is_refused_and_the_next_one_runs():
    trio = Trio()
    large, small = Put("large", "x" * MAX_PROPOSAL_BYTES), Put("small")
    put(trio, "m1", large)
    put(trio, "m1", small)
    trio.settle()
    assert isinstance(large.outcomes[0].error, ProposalTooLarge)
    assert large.outcomes[0].error.message == TOO_LARGE
    assert small.outcomes[0].error is None


def test_leadership_is_announced_only_when_earlier_entries_are_applied():
    trio = Trio()
    put(trio, "m1", Put("a"))
    trio.settle()
    trio.crash("m1")
    trio["m3"].held = True
    trio.advance(60 * SECOND)
    elected = [
        host
        for host in trio.hosts.values()
        if host.manager and host.manager.replica.raw.raft.role.name == "LEADER"
    ]
    assert all(not host.manager.is_leader for host in elected), "its no-op is not committed yet"
    trio["m3"].held = False
    trio.advance(60 * SECOND)
    leader = trio.manager(trio.leader)
    assert leader.store.find(Service, ByName("a"))


def test_an_own_entry_is_not_decoded_again(monkeypatch):
    trio = Trio()
    decoded: list[str] = []
    original = codec.decode_proposal

    def counting(data: bytes) -> Proposal:
        proposal = original(data)
        decoded.append(proposal.name)
        return proposal

    monkeypatch.setattr(codec, "decode_proposal", counting)
    put(trio, "m1", Put("a"))
    trio.advance(2 * SECOND)
    assert decoded == ["test.put", "test.put"], "once on each follower, never on the leader"


def test_requests_are_cluster_unique():
    trio = Trio()
    put(trio, "m1", Put("a"))
    put(trio, "m1", Put("b"))
    trio.settle()
    trio.crash("m1")
    trio.advance(30 * SECOND)
    put(trio, trio.leader, Put("c"))
    trio.settle()
    log = trio.manager(trio.leader).replica.raw.raft.log.entries()
    requests = [codec.decode_proposal(entry.data).request for entry in log if entry.data]
    assert len(set(requests)) == len(requests) == 5, "two new leaders', and three"


def test_heartbeats_have_a_stream_of_their_own():
    trio = Trio()
    trio.sent.clear()
    trio.advance(3 * SECOND)
    kinds = {(type(codec.decode(send.frame)).__name__, send.channel) for _, send in trio.sent}
    assert kinds == {
        ("LeaderHeartbeat", Channel.HEARTBEAT),
        ("LeaderHeartbeatReply", Channel.HEARTBEAT),
    }


def test_a_message_that_comes_from_elsewhere_than_it_says_is_dropped():
    trio = Trio()
    term = trio.manager("m2").replica.term
    stranger = AppendEntries(term + 5, 1, 2, 0, 0, 0)
    trio.message("w1", "m2", stranger)
    trio.message("m3", "m2", stranger)
    assert trio.manager("m2").replica.term == term
    trio.message("m1", "m2", stranger)
    assert trio.manager("m2").replica.term == term + 5


def test_managers_booted_together_do_not_tick_together():
    trio = Trio()
    phases = {
        host.timers[key]
        for host in trio.hosts.values()
        for key in host.timers
        if key.owner == "raft"
    }
    assert len(phases) == 3


def test_ticks_keep_their_rhythm_over_a_pause():
    trio = Trio(1)
    key = next(key for key in trio["m1"].timers if key.owner == "raft")
    first = trio["m1"].timers[key]
    trio.advance(first)
    trio.now = first + 5 * SECOND + 300_000_000
    del trio["m1"].timers[key]
    trio.step("m1", lambda m: m.timer(key))
    assert trio["m1"].timers[key] == first + 6 * SECOND


def test_a_manager_that_is_not_among_the_members_does_not_boot():
    trio = Trio(1)
    config = replace(trio["m1"].config, name="m9")
    out = Outbox(codec.encode, Now(0, 0))
    with pytest.raises(InvalidSpec, match="m9 is not in its own member list"):
        Manager(config, {}, out, SeededEntropy(1))


def test_a_role_is_recorded_when_it_changes_and_every_win_once():
    trio = Trio()
    trio.advance(60 * SECOND)
    roles = [(record["role"], record["leader"]) for record in trio["m1"].records("raft.role")]
    assert roles == [("follower", None), ("candidate", None), ("leader", "m1")]
    trio.crash("m1")
    trio.advance(60 * SECOND)
    wins = [
        (record["term"], record["leader"])
        for host in trio.hosts.values()
        for record in host.records("raft.role")
        if record["role"] == "leader"
    ]
    assert len(wins) == len({term for term, _ in wins}) == 2


def test_the_leader_records_commits_and_everybody_what_it_applies():
    trio = Trio()
    put(trio, "m1", Put("a"))
    trio.advance(2 * SECOND)
    assert trio["m1"].records("raft.commit") == trio["m1"].records("raft.apply")
    for host in trio.hosts.values():
        assert bool(host.records("raft.commit")) == (host.name == "m1")
        indexes = [record["index"] for record in host.records("raft.apply")]
        assert indexes == sorted(set(indexes))
        assert indexes[-1] == trio.manager("m1").replica.commit_index()


def test_a_member_out_of_touch_is_unreachable_and_back_when_it_is_heard():
    trio = Trio()
    status = {s.name: s for s in trio.manager("m1").manager_statuses()}
    assert [status[name].reachable for name in ("m1", "m2", "m3")] == [True, True, True]
    assert [status[name].leader for name in ("m1", "m2", "m3")] == [True, False, False]
    trio.cut.update({("m3", "m1"), ("m1", "m3")})
    trio.advance(5 * SECOND)
    assert [s.reachable for s in trio.manager("m1").manager_statuses()] == [True, True, False]
    trio.cut.clear()
    trio.advance(2 * SECOND)
    assert [s.reachable for s in trio.manager("m1").manager_statuses()] == [True, True, True]
    trio.crash("m2")
    assert [s.reachable for s in trio.manager("m1").manager_statuses()] == [True, False, True]


def test_a_call_to_a_leader_that_steps_down_ends_in_its_words():
    trio = Trio()
    trio.advance(9 * SECOND)
    trio.cut.update({("m2", "m1"), ("m3", "m1")})
    number = trio.call("m1", create())
    trio.advance(19 * SECOND)
    assert not trio.manager("m1").is_leader
    assert trio["m1"].replies[number] == CallFailed("unknown", LOST_LEADERSHIP)
