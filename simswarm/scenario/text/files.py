"""Texts of scenario and stack files, and the errors of getting at them."""

from __future__ import annotations

from pathlib import Path as FilePath

from simswarm.scenario.text.errors import Problem, ScenarioErrors

TEXT_NAME = "scenario"
"""What a scenario that came as a text is called in messages."""
MOST_BYTES = 8_000_000


def read_text(source: str | FilePath) -> tuple[str, str]:
    """The text of a scenario, and the name of its file.

    Raises:
        ScenarioErrors: E002, it can't be read.
    """
    if is_text(source):
        return _lines(str(source)), TEXT_NAME
    file = str(source)
    try:
        return _lines(file_text(FilePath(file))), file
    except Unreadable as error:
        raise ScenarioErrors([Problem("E002", error.reason, file, 1, 1)]) from None


def is_text(source: str | FilePath) -> bool:
    """Whether a source is a text, not a path: paths have one line."""
    return isinstance(source, str) and ("\n" in source or ": " in source)


def base_folder(source: str | FilePath) -> FilePath:
    """What paths in a scenario are relative to."""
    return FilePath() if is_text(source) else FilePath(source).parent


class Unreadable(Exception):
    """A file that can't be read; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def file_text(path: FilePath) -> str:
    """The text of a file.

    Raises:
        Unreadable: it is missing, no file, too large, or not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise Unreadable(f"there is no file {path}") from None
    except IsADirectoryError:
        raise Unreadable(f"{path} is a folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise Unreadable(f"{path} can't be read: {reason}") from None
    if len(content) > MOST_BYTES:
        raise Unreadable(f"{path} is larger than any scenario")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(f"{path} is not UTF-8") from None


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
