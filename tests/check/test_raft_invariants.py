"""Raft's promises, shown logs and roles as buggy members would make them."""

from __future__ import annotations

from types import SimpleNamespace

from simswarm.base.effects import Channel, Send, Write, WriteMode, Written
from simswarm.check.durability import DurableBeforeAcknowledged
from simswarm.check.invariant import KEPT, Invariant
from simswarm.check.raft_safety import RaftSafety
from simswarm.raft.messages import (
    AppendEntriesReply,
    Entry,
    HardState,
    LeaderHeartbeat,
    RequestVoteReply,
)
from simswarm.raft.ready import Role
from simswarm.store import Created
from simswarm.wire import codec
from tests.check.test_task_invariants import node, task


def clock() -> int:
    return 7


def records(*entries: tuple[int, int, str]) -> tuple[bytes, ...]:
    return tuple(codec.encode_record(Entry(t, i, data.encode())) for t, i, data in entries)


def write(*entries: tuple[int, int, str], token: int = 1) -> Write:
    return Write("wal", WriteMode.APPEND, records(*entries), token)


def member(term: int, commit: int, role: Role = Role.FOLLOWER):
    return SimpleNamespace(term=term, role=role, log=SimpleNamespace(committed=commit))


def watch(*members: str) -> RaftSafety:
    safety = RaftSafety(clock)
    for name in members or ("m1", "m2", "m3"):
        safety.booted(name, ())
    return safety


def test_two_leaders_of_one_term_are_caught():
    safety = watch()
    safety.stepped("m1", member(2, 0, Role.LEADER))
    safety.stepped("m1", member(2, 0, Role.LEADER))
    safety.stepped("m2", member(3, 0, Role.LEADER))
    assert safety.election.holds
    safety.stepped("m3", member(3, 0, Role.LEADER))
    assert safety.election.violations[0].message == "m3 and m2 both lead term 3"


def test_logs_that_share_an_entry_but_not_what_is_before_it_are_caught():
    safety = watch()
    safety.wrote("m1", write((1, 1, "a"), (2, 2, "b")))
    safety.wrote("m2", write((1, 1, "a"), (2, 2, "b")))
    assert safety.matching.holds
    safety.wrote("m3", write((1, 1, "x"), (2, 2, "b")))
    assert "entry 1 of term 1" in safety.matching.violations[0].message


def test_a_conflicting_tail_that_is_overwritten_is_fine():
    safety = watch()
    safety.wrote("m1", write((1, 1, "a"), (1, 2, "b"), (1, 3, "c")))
    safety.wrote("m1", write((2, 2, "d")))
    safety.wrote("m2", write((1, 1, "a"), (2, 2, "d")))
    for name in ("m1", "m2"):
        safety.stepped(name, member(2, 2))
    assert all(invariant.holds for invariant in safety.invariants)


def test_a_gap_in_a_log_is_caught():
    safety = watch()
    safety.wrote("m1", write((1, 2, "b")))
    assert "wrote entry 2 to a log of 0" in safety.matching.violations[0].message


def test_a_leader_without_a_committed_entry_is_caught_and_counted():
    safety = watch()
    safety.wrote("m1", write((1, 1, "a"), (1, 2, "b"), (1, 3, "c")))
    safety.stepped("m1", member(1, 3, Role.LEADER))
    safety.wrote("m2", write((1, 1, "a")))
    safety.stepped("m2", member(2, 0, Role.LEADER))
    assert safety.completeness.violations[0].message.startswith("m2 leads term 2 without entry 2")
    assert safety.committed_lost == 2


def test_a_leader_elected_late_in_an_old_term_owes_nothing_of_newer_terms():
    safety = watch()
    safety.wrote("m1", write((3, 1, "a")))
    safety.stepped("m1", member(3, 1, Role.LEADER))
    safety.stepped("m2", member(2, 0, Role.LEADER))
    assert safety.completeness.holds


def test_members_that_commit_different_entries_are_caught():
    safety = watch()
    safety.wrote("m1", write((1, 1, "a"), (1, 2, "b")))
    safety.stepped("m1", member(1, 2, Role.LEADER))
    safety.wrote("m2", write((1, 1, "a"), (2, 2, "z")))
    safety.stepped("m2", member(2, 2))
    assert "m2 committed another entry 2" in safety.machines.violations[0].message
    assert safety.committed_lost == 1


def test_a_commit_beyond_the_log_is_caught():
    safety = watch()
    safety.stepped("m1", member(1, 4))
    assert "committed up to 4, its log ends at 0" in safety.machines.violations[0].message


def test_managers_that_apply_different_changes_are_caught():
    safety = watch()
    safety.on_applied("m1", [Created(task("t1"))], 4)
    safety.on_applied("m2", [Created(task("t1"))], 4)
    assert safety.machines.holds
    safety.on_applied("m3", [Created(task("t2"))], 4)
    safety.on_applied("m1", [Created(node())], 5)
    assert len(safety.machines.violations) == 1


def test_a_reboot_takes_the_log_from_the_disk():
    safety = watch()
    safety.wrote("m1", write((1, 1, "a"), (1, 2, "b")))
    safety.booted("m1", records((1, 1, "a")))
    safety.wrote("m1", write((2, 2, "c")))
    safety.stepped("m1", member(2, 2))
    assert all(invariant.holds for invariant in safety.invariants)


def send(message, after: int = 0) -> Send:
    return Send("m2", codec.encode(message), Channel.CONSENSUS, after)


def acknowledging() -> DurableBeforeAcknowledged:
    invariant = DurableBeforeAcknowledged(clock)
    invariant.booted("m1", ())
    invariant.wrote("m1", write((1, 1, "a"), token=4))
    invariant.wrote(
        "m1",
        Write("wal", WriteMode.APPEND, (codec.encode_record(HardState(2, 3, 0)),), 5),
    )
    return invariant


def test_an_acknowledgement_that_waits_for_its_write_is_fine():
    invariant = acknowledging()
    invariant.sent("m1", send(AppendEntriesReply(1, 1, 2, 1), after=4))
    invariant.sent("m1", send(RequestVoteReply(2, 1, 3, True), after=5))
    assert invariant.holds
    assert invariant.checked == 2


def test_an_acknowledgement_after_its_write_has_ended_needs_no_waiting():
    invariant = acknowledging()
    invariant.written("m1", Written(4))
    invariant.sent("m1", send(AppendEntriesReply(1, 1, 2, 1)))
    assert invariant.holds


def test_an_entry_acknowledged_before_it_is_durable_is_caught():
    invariant = acknowledging()
    invariant.sent("m1", send(AppendEntriesReply(1, 1, 2, 1)))
    assert invariant.violations[0].message == "m1 gave away entry 1 before it was durable"


def test_a_failed_write_makes_nothing_durable():
    invariant = acknowledging()
    invariant.written("m1", Written(4, "Input/output error"))
    invariant.sent("m1", send(AppendEntriesReply(1, 1, 2, 1)))
    assert not invariant.holds


def test_a_vote_that_waits_for_the_wrong_write_is_caught():
    invariant = acknowledging()
    invariant.sent("m1", send(RequestVoteReply(2, 1, 3, True), after=4))
    assert "its vote in term 2 before it was durable" in invariant.violations[0].message


def test_a_vote_that_was_never_written_is_caught():
    invariant = acknowledging()
    invariant.sent("m1", send(RequestVoteReply(3, 1, 2, True), after=5))
    assert "which it never wrote" in invariant.violations[0].message


def test_frames_without_a_promise_are_not_looked_at():
    invariant = acknowledging()
    invariant.sent("m1", send(LeaderHeartbeat(1, 1, 2, 0)))
    invariant.sent("m1", send(RequestVoteReply(2, 1, 3, False)))
    invariant.sent("m1", send(AppendEntriesReply(1, 1, 2, 9, rejected=True)))
    assert invariant.holds
    assert invariant.checked == 0


def test_only_so_many_violations_are_kept():
    invariant, told = Invariant("something"), []
    invariant.announce = lambda broken, violation: told.append(violation)
    for at in range(KEPT + 5):
        invariant.broken(at, "broken")
    assert (len(invariant.violations), invariant.suppressed) == (KEPT, 5)
    assert len(told) == KEPT
