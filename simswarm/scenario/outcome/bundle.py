"""Run bundles: one zip that holds a run, and nothing that anybody would execute.

    scenario.lock.yaml   the scenario with every default, stack and random choice written out
    trace.ndjson.gz      the trace, one JSON object a line
    views/               summaries of state every so often, for seeking
    result.json          the result
    meta.json            versions, digests, and what the run was asked to do

Invariants:
    I1. Equal runs give equal files, bar `result.json` and `meta.json`, which hold the timing.
    I2. Opening reads JSON, YAML and text, with a limit on what is unpacked; nothing is evaluated.

Not here: running again from a bundle (`replay.py`).
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from simswarm.base.errors import ScenarioError
from simswarm.base.trace import TraceRecord
from simswarm.scenario.outcome.result import Json

SUFFIX = ".swrun"
DEFAULT_FOLDER = Path(".simswarm/runs")
FORMAT = 1
LOCK, TRACE, RESULT, META = "scenario.lock.yaml", "trace.ndjson.gz", "result.json", "meta.json"
MOST_PARTS = 1_000
SMALL, MOST_RATIO = 64_000_000, 100
"""Parts may unpack to so many bytes, and so many times the size of the bundle beyond."""
LONGEST_LINE = 16_000_000
"""Bytes of one record."""
UNREADABLE = (
    *(OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error, lzma.LZMAError),
    zipfile.BadZipFile,
)
"""What reading a damaged or foreign zip may raise."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleError(ScenarioError):
    """The file is no bundle, or not one of ours."""


def bundle_name(scenario: str, seed: int, digest: str) -> str:
    """`NAME-SEED-DIGEST6.swrun`."""
    return f"{scenario}-{seed}-{digest.removeprefix('sha256:')[:6]}{SUFFIX}"


def trace_lines(records: Iterable[TraceRecord]) -> Iterator[bytes]:
    """The trace as NDJSON lines."""
    for record in records:
        yield record.line() + b"\n"


def write_trace(path: Path, records: Iterable[TraceRecord]) -> None:
    """Write a trace as NDJSON; compressed if the name ends in `.gz`."""
    data = b"".join(trace_lines(records))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_compress(data) if path.suffix == ".gz" else data)


def write_bundle(
    path: Path,
    *,
    lock: str,
    records: Sequence[TraceRecord],
    views: Sequence[Json],
    result: Json,
    meta: Json,
) -> None:
    """Write a bundle; an existing one of this name is replaced at once or not at all."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        _put(archive, LOCK, lock.encode())
        _put(archive, TRACE, _compress(b"".join(trace_lines(records))), packed_already=True)
        for number, view in enumerate(views):
            _put(archive, f"views/{number:04d}.json", _json(view))
        index = [{"t": view["t"], "file": f"{at:04d}.json"} for at, view in enumerate(views)]
        _put(archive, "views/index.json", _json({"views": index}))
        _put(archive, RESULT, _json(result))
        _put(archive, META, _json({"format": FORMAT, **meta}))
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(path.name + ".part")
    half_written.write_bytes(packed.getvalue())
    half_written.replace(path)


def _put(archive: zipfile.ZipFile, name: str, data: bytes, *, packed_already: bool = False) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_STORED if packed_already else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _compress(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


class Bundle:
    """A bundle that was opened."""

    __slots__ = ("_parts", "path")

    def __init__(self, path: Path) -> None:
        """Open a bundle.

        Raises:
            BundleError: no such file, or it is no bundle.
        """
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._parts = _unpacked(archive, path.stat().st_size)
        except FileNotFoundError:
            raise BundleError(f"{path}: there is no such file") from None
        except UNREADABLE as error:
            raise BundleError(f"{path}: not a run bundle ({error})") from None
        missing = [name for name in (LOCK, TRACE, RESULT, META) if name not in self._parts]
        if missing:
            raise BundleError(f"{path}: not a run bundle ({missing[0]} is missing)")
        if self.meta.get("format") != FORMAT:
            raise BundleError(f"{path}: a bundle of format {self.meta.get('format')}, not {FORMAT}")

    @property
    def lock(self) -> str:
        """The locked scenario."""
        return self._parts[LOCK].decode(errors="replace")

    @property
    def result(self) -> Json:
        """The result."""
        return self._object(RESULT)

    @property
    def meta(self) -> Json:
        """What the run was asked to do."""
        return self._object(META)

    @property
    def views(self) -> list[Json]:
        """Summaries of state, in order of time."""
        names = sorted(name for name in self._parts if name.startswith("views/0"))
        return [self._object(name) for name in names]

    def lines(self) -> Iterator[bytes]:
        """The trace, line by line.

        Raises:
            BundleError: the trace is damaged.
        """
        try:
            with gzip.open(io.BytesIO(self._parts[TRACE])) as trace:
                while line := trace.readline(LONGEST_LINE):
                    if len(line) == LONGEST_LINE:
                        raise ValueError("a line without end")
                    yield line.rstrip(b"\n")
        except UNREADABLE as error:
            raise BundleError(f"{self.path}: its trace is damaged ({error})") from None

    def records(self) -> Iterator[Json]:
        """The trace, record by record, as JSON objects."""
        for _, record in self.pairs():
            yield record

    def pairs(self) -> Iterator[tuple[bytes, Json]]:
        """The trace: every line, and what it says.

        Raises:
            BundleError: the trace is damaged.
        """
        decode = msgspec.json.Decoder().decode
        for line in self.lines():
            try:
                record = decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                raise BundleError(f"{self.path}: its trace is damaged ({error})") from None
            if not _is_record(record):
                raise BundleError(f"{self.path}: its trace is damaged (no t, node and kind)")
            yield line, record

    def _object(self, name: str) -> Json:
        try:
            found = json.loads(self._parts[name])
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{self.path}: {name} is damaged ({error})") from None
        if not isinstance(found, dict):
            raise BundleError(f"{self.path}: {name} is damaged")
        return found


def _unpacked(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    """The parts that make a bundle, if they are of a reasonable size; others are left alone."""
    parts = [info for info in archive.infolist() if _is_part(info.filename)]
    whole = sum(info.file_size for info in parts)
    if len(parts) > MOST_PARTS or whole > SMALL + MOST_RATIO * size:
        raise ValueError(f"{len(parts)} parts would unpack to {whole} bytes")
    return {info.filename: archive.read(info) for info in parts}


def _is_part(name: str) -> bool:
    return name in (LOCK, TRACE, RESULT, META) or name.startswith("views/")


def _is_record(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and isinstance(record.get("t"), int | float)
        and isinstance(record.get("node"), str)
        and isinstance(record.get("kind"), str)
    )
