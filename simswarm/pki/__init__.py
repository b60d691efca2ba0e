"""Keys and what they protect. The only package that knows a cipher.

`sealing` seals records; `datakeys` says which keys a manager has and how they are exchanged.
"""

from simswarm.pki.datakeys import (
    DataKeys,
    WrongKey,
    decode_keys,
    encode_keys,
    human_key,
    new_data_keys,
    parse_key,
    promoted,
    with_pending,
    with_unlock_key,
)
from simswarm.pki.sealing import KEY_BYTES, PLAIN, Algorithm, KeySealer, Plain, Sealed

__all__ = [
    "KEY_BYTES",
    "PLAIN",
    "Algorithm",
    "DataKeys",
    "KeySealer",
    "Plain",
    "Sealed",
    "WrongKey",
    "decode_keys",
    "encode_keys",
    "human_key",
    "new_data_keys",
    "parse_key",
    "promoted",
    "with_pending",
    "with_unlock_key",
]
