"""How fast the Raft core is by itself: three members in memory, no codec, no disk, no kernel.

    python benchmarks/raft_core.py [--members N]

Prints one JSON object. Rates are per second of CPU time, best of five rounds; `bare` is a loop of
plain method calls on the same interpreter in the same run, so that figures of two machines can be
compared as ratios to it.

`idle` is one tick of every member with all heartbeats and answers; a simulated second at Swarm's
1 s tick. `one_at_a_time` waits until each proposal is applied everywhere; `on_commit` makes the
next proposal when the leader applies the last one, as a store with a queue of writes does;
`batched` proposes 64 at once.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import deque
from collections.abc import Callable

from simswarm.base.entropy import SeededEntropy
from simswarm.raft import RaftConfig, RaftMessage, RawNode, Role

ROUNDS = 5


class Group:
    def __init__(self, size: int) -> None:
        members = tuple(range(1, size + 1))
        self.nodes = [RawNode(RaftConfig(id, members), SeededEntropy(id)) for id in members]
        self.wire: deque[RaftMessage] = deque()
        self.messages = 0
        self.to_propose = 0
        self.nodes[0].campaign()
        self.pump(self.nodes[0])
        assert self.nodes[0].raft.role is Role.LEADER

    def collect(self, node: RawNode) -> None:
        while node.has_ready():
            batch = node.ready()
            for out in batch.messages:
                self.wire.append(out.message)
            if batch.entries:
                last = batch.entries[-1]
                node.persisted(last.term, last.index)
            if self.to_propose and batch.committed and node is self.nodes[0]:
                self.to_propose -= 1
                node.propose(b"x" * 64)

    def pump(self, node: RawNode) -> None:
        self.collect(node)
        wire, nodes = self.wire, self.nodes
        while wire:
            message = wire.popleft()
            self.messages += 1
            target = nodes[message.target - 1]
            target.step(message)
            self.collect(target)

    def idle(self, times: int) -> None:
        for _ in range(times):
            for node in self.nodes:
                node.tick()
                self.pump(node)

    def propose(self, times: int, together: int) -> None:
        leader = self.nodes[0]
        for _ in range(times // together):
            for _ in range(together):
                assert leader.propose(b"x" * 64) is not None
            self.pump(leader)
        assert all(node.raft.applied == leader.raft.last_index for node in self.nodes)

    def propose_on_commit(self, times: int) -> None:
        self.to_propose = times - 1
        self.propose(1, 1)
        assert self.to_propose == 0


class Bare:
    def __init__(self) -> None:
        self.count = 0

    def call(self, times: int) -> None:
        for _ in range(times):
            self.one()

    def one(self) -> None:
        self.count += 1


def best(run: Callable[[int], object], amount: int) -> float:
    """Most of `amount` done per CPU second over the rounds."""
    rate = 0.0
    for _ in range(ROUNDS):
        start = time.process_time()
        run(amount)
        rate = max(rate, amount / (time.process_time() - start))
    return rate


def measure(size: int) -> dict[str, object]:
    bare = best(Bare().call, 1_000_000)
    idle_group = Group(size)
    before = idle_group.messages
    idle = best(idle_group.idle, 3_000)
    idle_messages = (idle_group.messages - before) / (ROUNDS * 3_000)
    group = Group(size)
    before = group.messages
    alone = best(lambda times: group.propose(times, 1), 3_000)
    messages = (group.messages - before) / (ROUNDS * 3_000)
    loop_group = Group(size)
    before = loop_group.messages
    loop = best(loop_group.propose_on_commit, 3_000)
    loop_messages = (loop_group.messages - before) / (ROUNDS * 3_000)
    batched = best(lambda times: Group(size).propose(times, 64), 12_800)
    return {
        "benchmark": "raft_core",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "members": size,
        "bare_calls_per_second": round(bare),
        "idle_ticks_per_second": round(idle),
        "idle_messages_per_tick": idle_messages,
        "proposals_per_second_one_at_a_time": round(alone),
        "messages_per_proposal": messages,
        "proposals_per_second_on_commit": round(loop),
        "messages_per_proposal_on_commit": round(loop_messages, 2),
        "proposals_per_second_batched_64": round(batched),
        "bare_calls_per_idle_tick": round(bare / idle, 1),
        "bare_calls_per_proposal": round(bare / alone, 1),
        "bare_calls_per_batched_proposal": round(bare / batched, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=3)
    print(json.dumps(measure(parser.parse_args().members), indent=1))


if __name__ == "__main__":
    main()
