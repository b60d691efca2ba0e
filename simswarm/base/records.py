"""Framed, checksummed records: what a file of a node is made of, in simulation and live.

A file is a header byte (format version) and records, each
`length (4 bytes, little-endian) · CRC-32 of the payload (4 bytes) · payload`. A torn tail (the
file ends inside a record, or its last record fails its checksum) is what a crash can leave, and
is cut off. A bad record with good ones behind it is corruption, and is refused, never repaired.

Not here: what the payloads mean (their owners), sealing (`pki/`).
"""

from __future__ import annotations

import struct
from zlib import crc32

from simswarm.base.errors import StorageCorrupt
from simswarm.base.values import Value

FORMAT_VERSION = 1
HEADER = bytes([FORMAT_VERSION])
_FRAME = struct.Struct("<II")


class Recovered(Value, frozen=True):
    """What a file held: its whole records, and how many bytes of a torn tail were cut off."""

    records: tuple[bytes, ...]
    torn_bytes: int


def frame(payload: bytes) -> bytes:
    """One record as it stands in a file."""
    return _FRAME.pack(len(payload), crc32(payload)) + payload


def frame_file(payloads: tuple[bytes, ...]) -> bytes:
    """A whole file: header and records."""
    return HEADER + b"".join(frame(payload) for payload in payloads)


def recover(image: bytes, name: str) -> Recovered:
    """Read a file's bytes back into records.

    Raises:
        StorageCorrupt: an unknown format version, or a bad record that is not the last.
    """
    if not image:
        return Recovered((), 0)
    if image[0] != FORMAT_VERSION:
        raise StorageCorrupt(f"{name}: unknown format version {image[0]}")
    records: list[bytes] = []
    position, end = 1, len(image)
    while position < end:
        start = position + _FRAME.size
        if start > end:
            break
        length, checksum = _FRAME.unpack_from(image, position)
        payload = image[start : start + length]
        if len(payload) < length:
            break
        if crc32(payload) != checksum:
            if start + length < end:
                raise StorageCorrupt(f"{name}: record {len(records) + 1} fails its checksum")
            break
        records.append(payload)
        position = start + length
    return Recovered(tuple(records), end - position)
