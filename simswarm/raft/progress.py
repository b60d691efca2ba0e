"""One follower in its leader's eyes: what it holds, what to send next, and how fast.

              acknowledged                         rejected, unreachable
    PROBE ────────────────────────> REPLICATE ────────────────────────────> PROBE
    one append, then wait for an    many appends under way,
    answer or a heartbeat's answer  `next` runs ahead of `match`

              what it needs next is compacted      acknowledged: the logs meet
    PROBE ────────────────────────> SNAPSHOT ─────────────────────────────> REPLICATE
                                    nothing more until it is told that the snapshot arrived or
                                    failed, or patience ends

Invariants:
    I1. 0 <= match < next.
    I2. match never falls while the leadership lasts.
    I3. At most `window` appends are under way; each is named by its last index, in order.
    I4. In SNAPSHOT no append is sent.

Source: etcd-io/raft tracker/progress.go, tracker/inflights.go, design.md.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum

from simswarm.raft.messages import Index

NEVER = -1
"""`heard` of a follower that has not answered this leader."""


class ProgressState(IntEnum):
    """How a leader sends to a follower."""

    PROBE = 0
    REPLICATE = 1
    SNAPSHOT = 2


PROBE, REPLICATE = ProgressState.PROBE, ProgressState.REPLICATE
SNAPSHOT = ProgressState.SNAPSHOT
"""The same by themselves: looking a member up in its class is slow before Python 3.12."""


class Progress:
    """What the leader believes about one member. Its own record has only `match` in use."""

    __slots__ = (
        "heard",
        "inflight",
        "match",
        "next",
        "paused",
        "read_round",
        "sent_commit",
        "snapshot",
        "snapshot_sent",
        "state",
        "window",
    )

    def __init__(self, next: Index, window: int) -> None:
        self.match: Index = 0
        """Highest index known to be durable there."""
        self.next: Index = next
        """First index of the next append."""
        self.state: ProgressState = PROBE
        self.paused = False
        """No append before the next answer: a probe is out, or the window is full."""
        self.inflight: deque[Index] = deque()
        self.window = window
        self.sent_commit: Index = 0
        """The commit index last sent."""
        self.heard = NEVER
        """The leader's tick count when it last heard from it."""
        self.read_round = 0
        """The last round of read probes it has answered."""
        self.snapshot: Index = 0
        """SNAPSHOT: what the snapshot under way covers."""
        self.snapshot_sent = 0
        """SNAPSHOT: the leader's tick count when it was sent."""

    def become_probe(self) -> None:
        """Go back to asking where the logs agree."""
        self._enter(PROBE)
        self.sent_commit = min(self.sent_commit, self.match)

    def become_replicate(self) -> None:
        """The logs agree up to `match`: stream what follows."""
        self._enter(REPLICATE)

    def become_snapshot(self, index: Index, ticks: int) -> None:
        """A snapshot up to `index` is under way."""
        self._enter(SNAPSHOT)
        self.paused = True
        self.snapshot = index
        self.snapshot_sent = ticks

    def _enter(self, state: ProgressState) -> None:
        self.state = state
        self.paused = False
        self.inflight.clear()
        self.next = self.match + 1

    def is_full(self) -> bool:
        """Whether as many appends are under way as may be."""
        return len(self.inflight) >= self.window

    def on_sent(self, entries: int) -> None:
        """An append with that many entries left for the follower."""
        if self.state is PROBE:
            # An empty probe may be repeated: it costs little and says what is committed.
            if entries:
                self.paused = True
            return
        if entries:
            self.next += entries
            self.inflight.append(self.next - 1)
        self.paused = self.is_full()

    def on_acknowledged(self, index: Index) -> bool:
        """The follower holds everything up to `index`; False if that is no news."""
        if index <= self.match:
            return False
        self.match = index
        if self.next <= index:
            self.next = index + 1
        self.paused = self.state is SNAPSHOT
        inflight = self.inflight
        while inflight and inflight[0] <= index:
            inflight.popleft()
        return True

    def on_rejected(self, index: Index, hint: Index) -> bool:
        """The follower has no match at `index`; `hint` is where it may have one.

        Returns False for a stale rejection, which changes nothing: it is genuine only while
        replicating for an index above `match`, and while probing for the probe that is out.
        """
        if self.state is SNAPSHOT:
            return False
        if self.state is REPLICATE:
            if index <= self.match:
                return False
            self.become_probe()
            return True
        if index != self.next - 1:
            return False
        self.next = max(min(index, hint + 1), self.match + 1)
        self.sent_commit = min(self.sent_commit, self.next - 1)
        self.paused = False
        return True

    def can_learn_commit(self, committed: Index) -> bool:
        """Whether telling the commit index now can move the follower's."""
        return self.sent_commit < committed and self.sent_commit < self.next - 1

    def check_invariants(self) -> None:
        """I1, I3 and I4."""
        assert self.paused or self.state is not SNAPSHOT
        assert 0 <= self.match < self.next
        assert len(self.inflight) <= self.window
        assert not self.inflight or self.match < self.inflight[0]
        assert not self.inflight or self.inflight[-1] < self.next
