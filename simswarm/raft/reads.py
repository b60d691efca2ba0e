"""Linearizable reads without an entry in the log: ReadIndex, and leases.

    request ──> leader: commit index, and a round of probes ──> majority answers ──> read index
                (or, within a lease, no round)                                        │
    answer  <── state machine has applied that far  <─────────────────────────────────┘

A probe is answered by who still follows; a majority of answers to a round that began after the
request shows that nobody else had committed anything by then.

A lease saves the round. Who answers a probe won't vote for another for `election_ticks` of its own
ticks (in lease mode also after a restart, and whatever term it hears of); so a leader whose round a
majority answered has until then, counted from before the probes were sent.

    The clock assumption: any two members' ticks differ in length by at most `drift_percent`, and
    a leader's owner reports ticks that were due and never came (`RawNode.late`) before it asks.

Invariants:
    I1. A read index is a commit index of a leader that has committed an entry of its own term.
    I2. A round counts the answers to itself and to later ones, by voters, in both halves if joint.
    I3. A read is answered when its index is applied here; or with None if it failed.
    I4. There is no lease once a transfer was begun, nor after a change of membership until a round
        that began later is answered.

Source: THESIS 6.4; etcd-io/raft read_only.go (ReadOnlySafe, ReadOnlyLeaseBased).
Not here: whom a client asks, how long it waits for an answer.
"""

from __future__ import annotations

from simswarm.raft import quorum
from simswarm.raft.follower import hear_leader
from simswarm.raft.messages import (
    NO_LEADER,
    Index,
    ReadProbe,
    ReadProbeReply,
    ReadReply,
    ReadRequest,
)
from simswarm.raft.raft import Raft
from simswarm.raft.readqueue import NO_LEASE, Round, Ticket
from simswarm.raft.ready import ReadState, Role


def ask(raft: Raft, request: int) -> bool:
    """Begin a read; False if it can't be: this member knows no leader."""
    if raft.role is Role.LEADER:
        _take(raft, Ticket(raft.id, request))
        return True
    if raft.leader == NO_LEADER:
        return False
    raft.reads.asked.append(request)
    raft.reads_busy = True
    raft.send(ReadRequest(raft.term, raft.id, raft.leader, request))
    return True


def has_lease(raft: Raft) -> bool:
    """Whether this leader can answer without a round."""
    config = raft.config
    if not config.lease_reads or raft.role is not Role.LEADER or raft.handed_over:
        return False
    # One tick for what of the follower's first tick was over when it heard the probe, one for
    # what of the leader's present tick is over.
    good_for = (config.election_ticks - 1) * 100 // (100 + config.drift_percent) - 1
    return _clock(raft) - raft.reads.lease_from <= good_for


def on_request(raft: Raft, message: ReadRequest) -> None:
    """A follower passes a read on."""
    _take(raft, Ticket(message.source, message.request))


def on_request_elsewhere(raft: Raft, message: ReadRequest) -> None:
    """A read came to a member that doesn't lead (any more): say so."""
    raft.send(ReadReply(raft.term, raft.id, message.source, message.request, 0))


def on_reply(raft: Raft, message: ReadReply) -> None:
    """The leader has answered a read that was passed on."""
    reads = raft.reads
    if message.request not in reads.asked:
        return
    reads.asked.remove(message.request)
    if message.index > 0:
        reads.confirmed.append((message.index, message.request))
    else:
        reads.failed.append(message.request)
    raft.extras_due = True


def on_probe(raft: Raft, message: ReadProbe) -> None:
    """The leader of this term asks who still follows it."""
    hear_leader(raft, message.source)
    # As with heartbeats no promise to the disk: a vote that went out before this is durable, and
    # one that is asked for later is another matter.
    raft.send(ReadProbeReply(raft.term, raft.id, message.source, message.round))


def on_probe_reply(raft: Raft, message: ReadProbeReply) -> None:
    """A follower still follows."""
    progress = raft.progress[message.source]
    progress.heard = raft.ticks
    if progress.read_round < message.round <= raft.reads.number:
        progress.read_round = message.round
        _confirm(raft)


def on_heartbeat_due(raft: Raft) -> None:
    """A tick of the leader's heart: renew the lease, or ask again who hasn't answered."""
    reads = raft.reads
    if raft.config.lease_reads:
        _begin_round(raft)
    elif reads.rounds:
        _send_probes(raft)


def on_members_changed(raft: Raft) -> None:
    """The electorate is another: what a majority of the old one promised is void."""
    reads = raft.reads
    reads.lease_from = NO_LEASE
    reads.void_up_to = reads.number
    _confirm(raft)


def serve(raft: Raft) -> None:
    """Begin a round for those that wait, if this leader knows what is committed."""
    if raft.reads.waiting and _knows_commit(raft):
        _begin_round(raft)


def take_results(raft: Raft) -> tuple[ReadState, ...]:
    """Reads that can be answered now: their index is applied, or they have failed."""
    reads, applied = raft.reads, raft.log.applied
    results = [ReadState(request, None) for request in reads.failed]
    results += [ReadState(request, index) for index, request in reads.confirmed if index <= applied]
    reads.failed = []
    reads.confirmed = [held for held in reads.confirmed if held[0] > applied]
    raft.holds_reads = bool(reads.confirmed)
    return tuple(results)


def _take(raft: Raft, ticket: Ticket) -> None:
    if has_lease(raft) and _knows_commit(raft):
        _answer(raft, ticket, raft.log.committed)
        return
    raft.reads.waiting.append(ticket)
    raft.reads_busy = raft.extras_due = True


def _knows_commit(raft: Raft) -> bool:
    """A new leader may not know yet what its predecessors committed."""
    return raft.log.term_at(raft.log.committed) == raft.term


def _begin_round(raft: Raft) -> None:
    reads = raft.reads
    tickets: tuple[Ticket, ...] = ()
    if _knows_commit(raft):
        tickets, reads.waiting = tuple(reads.waiting), []
    reads.number += 1
    reads.rounds.append(Round(reads.number, raft.log.committed, _clock(raft), tickets))
    raft.progress[raft.id].read_round = reads.number
    _send_probes(raft)
    _confirm(raft)


def _send_probes(raft: Raft) -> None:
    number = raft.reads.number
    for peer in raft.electors:
        if raft.progress[peer].read_round < number:
            raft.send(ReadProbe(raft.term, raft.id, peer, number))


def _confirm(raft: Raft) -> None:
    """Answer the reads of all rounds that a majority has answered."""
    number = quorum.committed_index([seen.read_round for seen in raft.voting])
    if raft.voting_too:
        other = quorum.committed_index([seen.read_round for seen in raft.voting_too])
        number = min(number, other)
    reads = raft.reads
    while reads.rounds and reads.rounds[0].number <= number:
        done = reads.rounds.popleft()
        if done.number > reads.void_up_to:
            reads.lease_from = done.began
        for ticket in done.tickets:
            _answer(raft, ticket, done.index)


def _answer(raft: Raft, ticket: Ticket, index: Index) -> None:
    if ticket.source == raft.id:
        raft.reads.confirmed.append((index, ticket.request))
        raft.extras_due = True
    else:
        raft.send(ReadReply(raft.term, raft.id, ticket.source, ticket.request, index))


def _clock(raft: Raft) -> int:
    return raft.ticks + raft.reads.late
