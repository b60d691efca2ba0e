"""The machine a run was measured on, one core of it to run on, and its yardstick."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from time import process_time

LIBRARIES = ("simpy", "msgspec")
"""What the measured code runs on."""
BARE_CALLS = 1_000_000


def pin() -> str:
    """Run on one core only, if the system lets us; says which."""
    with suppress(AttributeError, OSError):
        core = max(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {core})
        return f"core {core}"
    return "not pinned"


def describe() -> dict[str, str | int]:
    """What to state with every number."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "simswarm": version("simswarm"),
        **{name: version(name) for name in LIBRARIES},
        "load": _load(),
    }


def _load() -> str:
    """How many processes wanted to run in the last minute: neighbours cost CPU time, too."""
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except (AttributeError, OSError):
        return "unknown"


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def max_rss() -> int:
    """The most memory this process has had, in bytes; 0 where the system doesn't say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _Bare:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def call(self) -> None:
        self.count += 1


def bare_calls() -> float:
    """Plain method calls per CPU second: the yardstick between machines and moments."""
    bare = _Bare()
    began = process_time()
    for _ in range(BARE_CALLS):
        bare.call()
    return BARE_CALLS / (process_time() - began)
