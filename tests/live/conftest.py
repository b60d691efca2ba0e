"""What live tests share: an event loop, a real engine where there is one, images to run."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from simswarm.base.errors import Unavailable

T = TypeVar("T")
BUSYBOX = Path("/bin/busybox")
WEB = """#!/bin/busybox sh
trap 'exit 0' TERM
/bin/busybox httpd -p 127.0.0.1:8080 -h /
while :; do /bin/busybox sleep 1000 & wait $!; done
"""
ENDS = """#!/bin/busybox sh
/bin/busybox sleep ${K:-1}
exit ${CODE:-1}
"""


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine on a loop on which a failure in the background fails the test."""

    def runner(work: Coroutine[Any, Any, T]) -> T:
        failures: list[str] = []

        async def watched() -> T:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: failures.append(str(context)))
            return await asyncio.wait_for(work, 60)

        result = asyncio.run(watched())
        assert failures == []
        return result

    return runner


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A client of a real Docker engine."""
    from simswarm.live.docker import connect

    try:
        client = connect()
        if not BUSYBOX.exists():
            raise Unavailable("no static busybox to build images from")
    except Unavailable as error:
        if os.environ.get("SIMSWARM_REQUIRE_ENGINE") == "1":
            raise
        pytest.skip(str(error))
    yield client
    client.close()


@pytest.fixture(scope="session")
def images(engine: Any) -> Iterator[dict[str, str]]:
    """Small images: `web` serves until SIGTERM, `ends` exits with $CODE after $K seconds."""
    tag = uuid4().hex[:8]
    names = {}
    for name, script in (("web", WEB), ("ends", ENDS)):
        names[name] = f"simswarm-test/{name}:{tag}"
        engine.import_image_from_data(
            _filesystem(script),
            repository=names[name].split(":")[0],
            tag=tag,
            changes=['CMD ["/bin/app"]'],
        )
    yield names
    for name in names.values():
        engine.remove_image(name, force=True)


def _filesystem(script: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in ("bin", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, content in (("bin/busybox", BUSYBOX.read_bytes()), ("bin/app", script.encode())):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        archive.addfile(link)
    return packed.getvalue()
