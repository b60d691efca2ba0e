"""Finding the bundles that commands are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from simswarm.cli.exits import Refused

if TYPE_CHECKING:
    from simswarm.scenario.outcome.bundle import Bundle


def open_bundle(text: str) -> Bundle:
    """A bundle by its path, by its name in the default folder, or the newest one: `last`."""
    from simswarm.scenario.outcome.bundle import DEFAULT_FOLDER, Bundle

    path = Path(text)
    if text == "last":
        return newest(1)[0]
    if not path.exists() and (DEFAULT_FOLDER / text).exists():
        path = DEFAULT_FOLDER / text
    return Bundle(path)


@contextmanager
def trusting(*bundles: Bundle) -> Iterator[None]:
    """While what is in bundles is used as what simswarm writes: what isn't so is their fault."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        names = " or ".join(str(bundle.path) for bundle in bundles)
        raise Refused(f"{names} is damaged ({type(error).__name__}: {error})") from error


def newest(count: int) -> list[Bundle]:
    """The newest bundles of the default folder, oldest of them first."""
    from simswarm.scenario.outcome.bundle import DEFAULT_FOLDER, SUFFIX, Bundle

    paths = sorted(DEFAULT_FOLDER.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
    if len(paths) < count:
        raise Refused(f"there are only {len(paths)} bundles in {DEFAULT_FOLDER}")
    return [Bundle(path) for path in paths[-count:]]
