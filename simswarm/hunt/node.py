"""A member that is hunted: Raft, its log on the simulated disk, registers. Nothing else.

    TimerFired ─> tick ──┐
    Deliver ─> step ─────┼─> RawNode ─Ready─> 1. write  2. send (some after the write)  3. apply
    Call ─> propose ─────┤                                                              └─> Reply
    Written ─> persisted ┘

It is driven like every node (boot from a disk image; one input, a list of effects), so the whole
simulated world works on it. Raft is the swarm's own: what is hunted here is what a manager runs,
without the swarm on top.

Invariants:
    I1. A client is answered after its command was applied here, or told that this isn't the
        leader; never anything in between.
    I2. A write that fails ends the member: what the disk holds is unknown.
    I3. After each step Raft's own invariants hold (asserted).

Not here: what is right (`oracles.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from simswarm.base.effects import (
    Call,
    Channel,
    Deliver,
    Effect,
    Input,
    Outbox,
    PeerLost,
    Shutdown,
    TimerFired,
    TimerKey,
    Written,
)
from simswarm.base.entropy import Entropy
from simswarm.base.errors import RemoteProtocolError
from simswarm.base.time import Now
from simswarm.hunt.log import WAL_FILE, WriteAheadLog, read
from simswarm.hunt.machine import Done, NotHere, Registers, command_of
from simswarm.hunt.plan import Plan
from simswarm.model.config import NodeConfig
from simswarm.raft import Entry, RaftConfig, RaftMessage, RawNode, Ready, Role, SoftState
from simswarm.wire import codec

_TICK = TimerKey("raft", 0, "tick")
_CHANNELS = {"stream": Channel.CONSENSUS, "datagram": Channel.DATAGRAM}
_LEADER = Role.LEADER


class HuntNode:
    """One member."""

    __slots__ = (
        "_channel",
        "_names",
        "_out",
        "_tick",
        "_waiting",
        "config",
        "raw",
        "recovered",
        "registers",
        "wal",
    )

    def __init__(
        self, plan: Plan, config: NodeConfig, image: bytes, out: Outbox, entropy: Entropy
    ) -> None:
        self.config = config
        self._out = out
        self._channel = _CHANNELS[plan.transport]
        self._tick = config.raft.tick
        self._names = {member.raft_id: member.name for member in config.members}
        on_disk = read(image)
        self.recovered = on_disk.records
        """What its log held at boot, for those who watch."""
        self.wal = WriteAheadLog(out)
        self.wal.repair(on_disk)
        me = next(member.raft_id for member in config.members if member.name == config.name)
        self.raw = RawNode(
            RaftConfig(
                me,
                tuple(self._names),
                election_ticks=plan.election_ticks,
                pre_vote=plan.pre_vote,
                max_message_bytes=plan.message_bytes,
                max_inflight=plan.inflight,
            ),
            entropy.fork("election"),
            hard_state=on_disk.hard_state,
            entries=on_disk.entries,
        )
        self.registers = Registers()
        self._waiting: dict[int, tuple[int, int]] = {}
        """By index: the term of the entry, and the call that waits for it."""
        # members don't start in step
        out.set_timer(_TICK, entropy.fork("phase").integer(1, self._tick))

    # ── inputs ───────────────────────────────────────────────────────────────────────────────

    def step(self, given: Input, now: Now) -> list[Effect]:
        """React to one input."""
        self._out.now = now
        match given:
            case Deliver():
                self._on_message(given)
            case TimerFired():
                self._out.set_timer(_TICK, self._tick)
                self.raw.tick()
            case Written():
                self._on_written(given)
            case Call():
                self.on_call(given)
            case PeerLost(target=target):
                self._on_peer_lost(target)
            case Shutdown():
                self._out.halt("asked to stop")
            case _:
                pass
        self.settle()
        self.raw.check_invariants()
        return self._out.drain()

    def _on_message(self, given: Deliver) -> None:
        try:
            message = codec.decode(given.frame)
        except RemoteProtocolError:
            return
        if isinstance(message, RaftMessage) and self._names.get(message.source) == given.source:
            self.raw.step(message)

    def _on_written(self, given: Written) -> None:
        batch = self.wal.written(given.token)
        if batch is None:
            return
        if given.error is not None:
            self.on_write_error(given.error)
        elif batch.last is not None:
            self.raw.persisted(batch.last.term, batch.last.index)

    def on_write_error(self, error: str) -> None:
        """What the disk holds is unknown from now on."""
        self._out.halt(f"raft log: {error}")

    def on_call(self, call: Call) -> None:
        """A client's command: take it, or say who leads."""
        index = self.raw.propose(command_of(call.frame))
        if index is None:
            leader = self._names.get(self.raw.raft.leader, "")
            self._out.reply(call.id, NotHere(leader))
        else:
            self._waiting[index] = (self.raw.raft.term, call.id)

    def _on_peer_lost(self, target: str) -> None:
        for raft_id, name in self._names.items():
            if name == target:
                self.raw.report_unreachable(raft_id)

    # ── Raft's work ──────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Take Raft's work until there is none."""
        raw = self.raw
        while raw.has_ready():
            ready = raw.ready()
            self.wal.append(ready.entries, ready.hard_state)
            self.send(ready)
            if ready.soft is not None:
                self._observe(ready.soft)
            for entry in ready.committed:
                self._apply(entry)

    def send(self, ready: Ready) -> None:
        """Messages, some after what was given to write so far."""
        for outgoing in ready.messages:
            after = self.wal.barrier if outgoing.durable_first else 0
            message = outgoing.message
            self._out.send(self._names[message.target], message, self._channel, after)

    def _apply(self, entry: Entry) -> None:
        registers = self.registers
        if not entry.data:
            registers.skip(entry.index)
            return
        output = registers.apply(entry.index, entry.data)
        term, call = self._waiting.pop(entry.index, (0, 0))
        if term == entry.term:
            self._out.reply(call, Done(output))

    def _observe(self, soft: SoftState) -> None:
        leader = self._names.get(soft.leader, "")
        role = soft.role.name.lower()
        self._out.observe("raft.role", role=role, term=soft.term, leader=leader)


class Members:
    """Boots members of one plan; its `boot` is what a world wants."""

    __slots__ = ("_plan",)

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def boot(
        self, config: NodeConfig, disk: Mapping[str, bytes], entropy: Entropy, now: Now
    ) -> tuple[HuntNode, list[Effect]]:
        """A member from what its disk holds."""
        out = Outbox(codec.encode, now)
        node = HuntNode(self._plan, config, disk.get(WAL_FILE, b""), out, entropy)
        node.settle()
        return node, out.drain()
