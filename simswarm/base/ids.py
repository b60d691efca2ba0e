"""Object ids: 25 characters of base 36, drawn from an Entropy.

Source: swarmkit identity/randomid.go (17 random bytes, top bit forced to 1, big-endian, printed
in base 36; characters 1 to 25 are the id).
"""

from __future__ import annotations

from simswarm.base.entropy import Entropy

ID_LENGTH = 25
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = [high + low for high in _DIGITS for low in _DIGITS]
"""All two-digit numbers: an id has 27 digits, and tasks come by the thousand."""


def new_id(entropy: Entropy) -> str:
    """A new random object id."""
    drawn = bytearray(entropy.bytes(17))
    drawn[0] |= 0x80
    number = int.from_bytes(drawn, "big")
    pairs: list[str] = []
    while number:
        number, pair = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    # 27 digits because of the top bit, so the first pair begins with a 0
    return "".join(pairs)[2 : ID_LENGTH + 2]
