"""Framed, checksummed records: what a file of a node is made of, in simulation and live.

A file is a header byte (format version) and records, each
`length (4 bytes, little-endian) · CRC-32 of length and payload (4 bytes) · payload`.

What a crash can leave is a *torn tail*: the file ends inside a record, its last record fails its
checksum, or it ends in zeros (space that was allocated and never written). It is cut off, for
nothing in it was ever reported durable. Damage with a good record anywhere behind it is something
else, corruption: it is refused, never repaired.

Invariants:
    I1. recover(frame_file(records)) == records, and cutting the file anywhere loses only a tail.
    I2. No single damaged byte makes a record read as another, or hides the ones behind it.

Not here: what the payloads mean (their owners), sealing (`pki/`).
"""

from __future__ import annotations

import struct
from zlib import crc32

from simswarm.base.errors import StorageCorrupt
from simswarm.base.values import Value

FORMAT_VERSION = 1
HEADER = bytes([FORMAT_VERSION])
_LENGTH = struct.Struct("<I")
_FRAME = struct.Struct("<II")


class Recovered(Value, frozen=True):
    """What a file held: its whole records, and how many bytes of a torn tail were cut off."""

    records: tuple[bytes, ...]
    torn_bytes: int


def frame(payload: bytes) -> bytes:
    """One record as it stands in a file."""
    length = _LENGTH.pack(len(payload))
    return length + _LENGTH.pack(crc32(payload, crc32(length))) + payload


def frame_file(payloads: tuple[bytes, ...]) -> bytes:
    """A whole file: header and records."""
    return HEADER + b"".join([frame(payload) for payload in payloads])


def recover(image: bytes, name: str) -> Recovered:
    """Read a file's bytes back into records.

    Raises:
        StorageCorrupt: an unknown format version, or damage that is not at the end of the file.
    """
    if not image:
        return Recovered((), 0)
    if image[0] != FORMAT_VERSION:
        raise StorageCorrupt(f"{name}: unknown format version {image[0]}")
    records: list[bytes] = []
    position, end = len(HEADER), len(image)
    while position < end:
        payload = _payload_at(image, position)
        if payload is None:
            break
        records.append(payload)
        position += _FRAME.size + len(payload)
    if position < end and _good_record_behind(image, position):
        raise StorageCorrupt(f"{name}: record {len(records) + 1} is damaged")
    return Recovered(tuple(records), end - position)


def _payload_at(image: bytes, position: int) -> bytes | None:
    """The payload of the record that begins here; None where no whole record does."""
    start = position + _FRAME.size
    if start > len(image):
        return None
    length, checksum = _FRAME.unpack_from(image, position)
    if start + length > len(image):
        return None
    payload = image[start : start + length]
    if crc32(payload, crc32(image[position : position + _LENGTH.size])) != checksum:
        return None
    return payload


def _good_record_behind(image: bytes, damaged: int) -> bool:
    """Whether a whole record begins anywhere behind a damaged one.

    A damaged length hides where the next record begins, so every byte is tried; that a place
    inside a torn record passes by chance is a matter of one in four billion.
    """
    return any(
        _payload_at(image, position) is not None
        for position in range(damaged + 1, len(image) - _FRAME.size + 1)
    )
