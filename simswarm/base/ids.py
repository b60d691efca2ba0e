"""Object ids: 25 characters of base 36, drawn from an Entropy.

Source: swarmkit identity/randomid.go (17 random bytes, top bit forced to 1, big-endian, printed
in base 36; characters 1 to 25 are the id).
"""

from __future__ import annotations

from simswarm.base.entropy import Entropy

ID_LENGTH = 25
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_id(entropy: Entropy) -> str:
    """A new random object id."""
    drawn = bytearray(entropy.bytes(17))
    drawn[0] |= 0x80
    number = int.from_bytes(drawn, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))[1 : ID_LENGTH + 1]
