"""What a supervisor does to the links of a running node: rules that its transport obeys.

Every node applies the rules of its own outgoing links, so a two-way fault is two rules on two
nodes, and a one-way fault is one. The supervisor always hands over the complete table.

Theory: a stream is TCP, so loss shows as delay (a lost segment is sent again after a time-out
that doubles) and a cut link as silence; only datagrams are really lost, doubled and reordered.

Not here: who decides (`live/supervisor.py`), who carries it out (`live/transport.py`).
"""

from __future__ import annotations

from simswarm.base.effects import Address
from simswarm.base.entropy import Entropy
from simswarm.base.time import MILLISECOND, SECOND, Duration
from simswarm.base.values import Value

MILLION = 1_000_000
RETRANSMIT: Duration = 200 * MILLISECOND
"""Linux' smallest retransmission time-out (TCP_RTO_MIN)."""
RETRANSMIT_MAX: Duration = 120 * SECOND
"""Linux' largest (TCP_RTO_MAX)."""


class LinkRule(Value, frozen=True):
    """A fault of a directed link. Durations in nanoseconds, shares in millionths."""

    cut: bool = False
    """Nothing passes."""
    latency: Duration = 0
    jitter: Duration = 0
    loss: int = 0
    duplicate: int = 0
    reorder: int = 0
    bandwidth: int = 0
    """Bytes a second; 0: no limit."""

    @property
    def blocks(self) -> bool:
        """Whether nothing passes at all."""
        return self.cut or self.loss >= MILLION


class LinkTable(Value, frozen=True):
    """The rules of one node's outgoing links, sorted by target."""

    rules: tuple[tuple[Address, LinkRule], ...] = ()


def stream_delay(rule: LinkRule, size: int, chance: Entropy) -> Duration:
    """How much later than without the fault a frame of a stream arrives."""
    delay = datagram_delay(rule, size, chance)
    resend = RETRANSMIT
    while chance.integer(1, MILLION) <= rule.loss:
        delay += resend
        resend = min(2 * resend, RETRANSMIT_MAX)
    return delay


def retransmission(since: float) -> float:
    """How long after a frame first went astray TCP sends it again, at the earliest `since`
    seconds after."""
    at, timeout = 0.0, RETRANSMIT / SECOND
    while at < since:
        at += timeout
        timeout = min(2 * timeout, RETRANSMIT_MAX / SECOND)
    return at


def datagram_delay(rule: LinkRule, size: int, chance: Entropy) -> Duration:
    """Latency, jitter (uniform, either way) and the time the bytes take at this bandwidth."""
    delay = rule.latency
    if rule.jitter:
        delay += chance.integer(-rule.jitter, rule.jitter)
    if rule.bandwidth:
        delay += size * SECOND // rule.bandwidth
    return max(delay, 0)


def datagram_copies(rule: LinkRule, chance: Entropy) -> int:
    """How many copies of a datagram arrive: none, one or two."""
    if rule.blocks or chance.integer(1, MILLION) <= rule.loss:
        return 0
    return 2 if chance.integer(1, MILLION) <= rule.duplicate else 1
