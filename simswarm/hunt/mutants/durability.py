"""Planted bugs of what must be durable, and of what clients are told (groups D and L)."""

from __future__ import annotations

from typing import Any

from simswarm.base.effects import Call
from simswarm.hunt import node as node_module
from simswarm.hunt.log import LogImage, read
from simswarm.hunt.machine import Done, Registers, command_of, decode_command
from simswarm.hunt.mutants.patch import Mutant, Patch
from simswarm.hunt.node import HuntNode
from simswarm.raft import Role, follower, leader
from simswarm.raft.log import Log
from simswarm.raft.messages import AppendEntriesReply
from simswarm.raft.raft import Raft

EARLY = (
    "known to be durable",
    "durable before acknowledged",
    "committed is durable",
    "one vote a term",
)
CLIENTS = ("linearizable",)


def _nothing_waits_for_the_disk(patch: Patch) -> None:
    patch.attribute(Raft, "send_durable", Raft.send)


def _acknowledged_before_durable(patch: Patch) -> None:
    def mutant(raft: Raft, source: int, index: int) -> None:
        raft.send(AppendEntriesReply(raft.term, raft.id, source, index))

    patch.attribute(follower, "_acknowledge", mutant)


def _leader_counts_itself_early(patch: Patch) -> None:
    append = leader.append

    def mutant(raft: Raft, *given: Any) -> int:
        index = append(raft, *given)
        raft.progress[raft.id].match = index
        return index

    patch.attribute(leader, "append", mutant)
    patch.attribute(leader, "on_persisted", leader.maybe_commit)
    patch.attribute(Raft, "check_invariants", _nothing)


def _nothing(*_: Any) -> None:
    pass


def _late_write_proves_what_took_its_place(patch: Patch) -> None:
    truncate: Any = Log._truncate

    def mutant(log: Log, index: int) -> None:
        under_way = [(write, write.proves) for write in log._writes]
        truncate(log, index)
        for write, proves in under_way:
            write.proves = proves

    patch.attribute(Log, "_truncate", mutant)
    patch.attribute(Raft, "check_invariants", _nothing)


def _restart_skips_what_is_committed(patch: Patch) -> None:
    boot: Any = HuntNode.__init__

    def mutant(node: HuntNode, *given: Any) -> None:
        boot(node, *given)
        log = node.raw.raft.log
        log.applied = log.committed

    patch.attribute(HuntNode, "__init__", mutant)


def _torn_tail_stops_the_boot(patch: Patch) -> None:
    def mutant(image: bytes) -> LogImage:
        found = read(image)
        if found.torn_bytes:
            raise ValueError("short record")
        return found

    patch.attribute(node_module, "read", mutant)


def _failed_write_counts(patch: Patch) -> None:
    def mutant(node: HuntNode, error: str) -> None:
        raft = node.raw.raft
        raft.log.persisted = raft.log.handed
        if raft.role is Role.LEADER:
            leader.on_persisted(raft)

    patch.attribute(HuntNode, "on_write_error", mutant)


def _replaced_entries_are_not_written(patch: Patch) -> None:
    truncate: Any = Log._truncate

    def mutant(log: Log, index: int) -> None:
        handed = log.handed
        truncate(log, index)
        log.handed = log.persisted = handed

    take: Any = Log.take_unwritten

    def take_beyond(log: Log) -> Any:
        log.handed = min(log.handed, log.last_index)
        return take(log)

    patch.attribute(Log, "_truncate", mutant)
    patch.attribute(Log, "take_unwritten", take_beyond)
    patch.attribute(Raft, "check_invariants", _nothing)


def _client_is_told_at_once(patch: Patch) -> None:
    on_call = HuntNode.on_call

    def mutant(node: HuntNode, call: Call) -> None:
        command = decode_command(command_of(call.frame))
        if node.raw.raft.role is Role.LEADER and command.op in ("write", "append"):
            node.raw.propose(command_of(call.frame))
            node._out.reply(call.id, Done(None))
        else:
            on_call(node, call)

    patch.attribute(HuntNode, "on_call", mutant)


def _leader_reads_its_own_registers(patch: Patch) -> None:
    on_call = HuntNode.on_call

    def mutant(node: HuntNode, call: Call) -> None:
        command = decode_command(command_of(call.frame))
        if node.raw.raft.role is Role.LEADER and command.op == "read":
            node._out.reply(call.id, Done(node.registers.values.get(command.key)))
        else:
            on_call(node, call)

    patch.attribute(HuntNode, "on_call", mutant)


def _everybody_reads_its_own_registers(patch: Patch) -> None:
    on_call = HuntNode.on_call

    def mutant(node: HuntNode, call: Call) -> None:
        command = decode_command(command_of(call.frame))
        if command.op == "read":
            node._out.reply(call.id, Done(node.registers.values.get(command.key)))
        else:
            on_call(node, call)

    patch.attribute(HuntNode, "on_call", mutant)


def _repeated_commands_count_again(patch: Patch) -> None:
    def mutant(registers: Registers, index: int, data: bytes) -> Any:
        registers.index = index
        return registers.perform(decode_command(data))

    patch.attribute(Registers, "apply", mutant)


DURABILITY = (
    Mutant("D01", "a leader counts itself before its disk", EARLY, _leader_counts_itself_early),
    Mutant("D03", "nothing waits for the disk", EARLY, _nothing_waits_for_the_disk),
    Mutant(
        "D04",
        "a late write proves the entries that took its place",
        (*EARLY, "state machine safety"),
        _late_write_proves_what_took_its_place,
    ),
    Mutant(
        "D07",
        "a restart skips what is committed and not applied",
        ("one history", "linearizable"),
        _restart_skips_what_is_committed,
    ),
    Mutant(
        "D09",
        "a torn tail stops the boot",
        ("no impossible state (ValueError)",),
        _torn_tail_stops_the_boot,
    ),
    Mutant("D13", "a failed write counts as written", EARLY, _failed_write_counts),
    Mutant(
        "D14", "an acknowledgement doesn't wait for the disk", EARLY, _acknowledged_before_durable
    ),
    Mutant(
        "D15",
        "entries that replace others are not written",
        (*EARLY, "log matching", "state machine safety"),
        _replaced_entries_are_not_written,
    ),
    Mutant(
        "L02",
        "a leader reads its own registers, unconfirmed",
        CLIENTS,
        _leader_reads_its_own_registers,
    ),
    Mutant(
        "L04", "every member reads its own registers", CLIENTS, _everybody_reads_its_own_registers
    ),
    Mutant("L10", "a write is answered before it is committed", CLIENTS, _client_is_told_at_once),
    Mutant("L14", "a repeated command counts again", CLIENTS, _repeated_commands_count_again),
)
