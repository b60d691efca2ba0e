"""How long things take: distributions of durations, drawn with integers and tables of ours.

A distribution is a frozen value that a file or a profile names; its sampler turns one uniform
32-bit integer into a duration. Curved ones are quantile tables with 256 cells, linear between
their points:

    duration                    x[255] ╭─ x[256]   the ends are the 0.05 % and 99.95 % quantiles:
             x[1] ──╴╴╴──── x[254] ────╯           tails end there, so that no single draw can
       x[0] ─╯                                     stall a run
             0         uniform integer       2³²

Invariants:
    I1. The same integer gives the same duration on every Python and platform: tables are built
        with `decimal`, whose functions are correctly rounded in software, never with libm.
    I2. A larger integer never gives a shorter duration.

Not here: where the integers come from (`Draws`, fed by a named `Entropy` stream, is below).
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import lru_cache
from struct import Struct
from typing import Protocol

from simswarm.base.entropy import Entropy
from simswarm.base.time import Duration
from simswarm.base.values import Value

U32 = 1 << 32
"""Draws are uniform in [0, U32)."""
MILLION = 1_000_000
"""Probabilities are integers: parts per million."""
_CELLS = 256
_CELL_BITS = 24
_FRACTION = (1 << _CELL_BITS) - 1
_DECIMAL = Context(prec=28)
# fmt: off
_NORMAL = (
    0, 9792, 19584, 29379, 39176, 48977, 58783, 68594, 78412, 88238, 98072, 107916, 117770,
    127635, 137513, 147405, 157311, 167232, 177170, 187125, 197099, 207093, 217107, 227143,
    237202, 247285, 257394, 267528, 277690, 287881, 298102, 308355, 318639, 328958, 339312,
    349702, 360130, 370597, 381105, 391656, 402250, 412890, 423576, 434311, 445097, 455934,
    466825, 477772, 488776, 499840, 510966, 522155, 533410, 544733, 556126, 567591, 579132,
    590751, 602449, 614231, 626099, 638056, 650104, 662248, 674490, 686834, 699283, 711842,
    724514, 737304, 750215, 763253, 776422, 789727, 803173, 816765, 830511, 844415, 858484,
    872726, 887147, 901754, 916557, 931563, 946782, 962223, 977898, 993816, 1009990, 1026433,
    1043158, 1060180, 1077516, 1095181, 1113194, 1131577, 1150349, 1169537, 1189164, 1209261,
    1229859, 1250992, 1272699, 1295022, 1318011, 1341718, 1366204, 1391537, 1417797, 1445073,
    1473468, 1503103, 1534121, 1566689, 1601009, 1637325, 1675940, 1717228, 1761670, 1809892,
    1862732, 1921351, 1987428, 2063528, 2153875, 2266227, 2417559, 2660067, 3290527,
)
# fmt: on
"""Millionths: the standard normal distribution's quantiles at 128/256 … 255/256 and at 0.9995."""
_NORMAL_P99 = 2_326_348
"""Millionths: its 99 % quantile."""


class Fixed(Value, frozen=True, tag="fixed"):
    """Always the same."""

    value: Duration


class Uniform(Value, frozen=True, tag="uniform"):
    """Every duration from `low` to `high` alike."""

    low: Duration
    high: Duration


class Quantiles(Value, frozen=True, tag="quantiles"):
    """Log-normal, by its median and its 99 % quantile."""

    p50: Duration
    p99: Duration


class Exponential(Value, frozen=True, tag="exponential"):
    """`least` and an exponentially distributed rest with this mean."""

    mean: Duration
    least: Duration = 0


Distribution = Fixed | Uniform | Quantiles | Exponential


class Sampler(Protocol):
    """A distribution ready to be drawn from."""

    least: Duration
    """The shortest it can give."""
    constant: bool
    """Whether that is all it can give, so that no draw is needed."""

    def at(self, u: int) -> Duration:
        """The duration at a uniform integer of [0, U32)."""
        ...


class LinearSampler:
    """A constant or uniform duration."""

    __slots__ = ("_span", "constant", "least")

    def __init__(self, low: Duration, high: Duration) -> None:
        assert 0 <= low <= high, "a duration is not negative, a range not empty"
        self.least = low
        self.constant = low == high
        self._span = high - low + 1

    def at(self, u: int) -> Duration:
        """The duration at a uniform integer of [0, U32)."""
        return self.least + (self._span * u >> 32)


class TableSampler:
    """A quantile table."""

    __slots__ = ("_table", "constant", "least")

    def __init__(self, table: tuple[Duration, ...]) -> None:
        assert len(table) == _CELLS + 1, "one point more than cells"
        self.least = table[0]
        self.constant = False
        self._table = table

    def at(self, u: int) -> Duration:
        """The duration at a uniform integer of [0, U32)."""
        cell = u >> _CELL_BITS
        low = self._table[cell]
        return low + ((self._table[cell + 1] - low) * (u & _FRACTION) >> _CELL_BITS)


@lru_cache(maxsize=256)
def sampler(distribution: Distribution) -> Sampler:
    """The sampler of a distribution.

    Raises:
        AssertionError: a range that is empty or begins below 0, or a p99 below its p50.
    """
    match distribution:
        case Fixed(value):
            return LinearSampler(value, value)
        case Uniform(low, high):
            return LinearSampler(low, high)
        case Quantiles(p50, p99):
            assert 0 < p50 <= p99, "the 99 % quantile is not below the median"
            return TableSampler(_log_normal(p50, p99))
        case Exponential(mean, least):
            assert mean > 0, "a mean is positive"
            assert least >= 0, "a duration is not negative"
            return TableSampler(_exponential(mean, least))


def _log_normal(p50: Duration, p99: Duration) -> tuple[Duration, ...]:
    """x(z) = p50 · (p99/p50)^(z/z99), at the normal quantiles z."""
    growth = _DECIMAL.ln(_DECIMAL.divide(Decimal(p99), Decimal(p50)))
    scores = [-score for score in reversed(_NORMAL)] + list(_NORMAL[1:])
    points = []
    for score in scores:
        exponent = _DECIMAL.divide(_DECIMAL.multiply(growth, Decimal(score)), Decimal(_NORMAL_P99))
        points.append(int(_DECIMAL.multiply(Decimal(p50), _DECIMAL.exp(exponent))))
    return tuple(points)


def _exponential(mean: Duration, least: Duration) -> tuple[Duration, ...]:
    """x(q) = least − mean · ln(1 − q)."""
    points = []
    for cell in range(_CELLS + 1):
        # the last point is the 99.95 % quantile, like the normal one's
        rest = Decimal(_CELLS - cell) / _CELLS if cell < _CELLS else Decimal("0.0005")
        points.append(least - int(_DECIMAL.multiply(Decimal(mean), _DECIMAL.ln(rest))))
    return tuple(points)


class Draws:
    """Uniform 32-bit integers from one entropy stream, taken in batches because it is cheaper."""

    __slots__ = ("_batch", "_entropy")

    _BATCH = Struct("<16I")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._batch: list[int] = []

    def next(self) -> int:
        """The next integer of [0, U32)."""
        if not self._batch:
            self._refill()
        return self._batch.pop()

    def duration(self, source: Sampler) -> Duration:
        """The next duration of a distribution; a constant one takes no draw."""
        if source.constant:
            return source.least
        if not self._batch:
            self._refill()
        return source.at(self._batch.pop())

    def _refill(self) -> None:
        self._batch += self._BATCH.unpack(self._entropy.bytes(self._BATCH.size))

    def happens(self, parts: int) -> bool:
        """Whether something of this probability (parts per million) happens."""
        return parts > 0 and self.next() * MILLION < parts * U32


def span_around(middle: Duration, deviation: Duration) -> Distribution:
    """`middle` ± `deviation`, uniformly, never below 0 (as `tc netem delay` has it)."""
    if deviation == 0:
        return Fixed(middle)
    return Uniform(max(0, middle - deviation), middle + deviation)
