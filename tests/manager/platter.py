"""A disk by hand: writes wait in order; each file's bytes are what is durable."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from simswarm.base.effects import Effect, Write, WriteMode
from simswarm.base.records import frame_file


class Platter:
    """Files of records, and writes that wait to become durable."""

    def __init__(self) -> None:
        self.files: dict[str, list[bytes]] = {}
        self.waiting: deque[Write] = deque()

    def take(self, effects: Iterable[Effect]) -> list[Write]:
        writes = [effect for effect in effects if isinstance(effect, Write)]
        self.waiting.extend(writes)
        return writes

    def end(self) -> Write:
        """The oldest write becomes durable."""
        write = self.waiting.popleft()
        if write.mode is WriteMode.REMOVE:
            self.files.pop(write.file, None)
        elif write.mode is WriteMode.REPLACE:
            self.files[write.file] = list(write.records)
        else:
            self.files.setdefault(write.file, []).extend(write.records)
        return write

    def image(self) -> dict[str, bytes]:
        return {file: frame_file(tuple(records)) for file, records in self.files.items()}
