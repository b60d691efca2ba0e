"""The log of one member: entries, and how far they are durable, committed and applied.

    1 ........ applied ....... committed ................ last
    1 .............. persisted ........ handed .......... last
                     durable            given to the disk

Entries past `handed` wait for the next `Ready`. Writes under way are remembered in order, because
a conflict may overwrite entries whose write hasn't ended: such a write then proves nothing about
the entries that took their place, even if a third write restores the first ones.

Invariants:
    I1. applied <= committed <= last;  persisted <= handed <= last.
    I2. entry i stands at index i; terms never fall along the log.
    I3. Entries at or below `committed` are never removed.

Source: PAPER 5.3; etcd-io/raft log.go, log_unstable.go, testdata/async_storage_writes_*.txt.
Not here: compaction; the log begins at 1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from simswarm.base.errors import StorageCorrupt
from simswarm.raft.messages import Entry, Index, Term


class Log:
    """Entries 1 .. last_index."""

    __slots__ = (
        "_entries",
        "_writes",
        "applied",
        "committed",
        "handed",
        "last_index",
        "persisted",
    )

    def __init__(
        self, entries: Sequence[Entry] = (), committed: Index = 0, applied: Index = 0
    ) -> None:
        """`entries` come from the disk: all of them are durable.

        Raises:
            StorageCorrupt: a gap in the indexes, a term that falls, or an end before what was
                known to be committed.
        """
        self._entries = list(entries)
        _check_order(self._entries)
        last = len(self._entries)
        if max(committed, applied) > last:
            needed = max(committed, applied)
            raise StorageCorrupt(f"the log ends at {last}, but {needed} was committed in it")
        self.committed: Index = max(applied, committed)
        self.applied: Index = applied
        self.persisted: Index = last
        self.handed: Index = last
        self.last_index: Index = last
        """Index of the last entry; 0 for an empty log."""
        self._writes: deque[_WriteUnderWay] = deque()

    @property
    def last_term(self) -> Term:
        """Term of the last entry; 0 for an empty log."""
        return self._entries[-1].term if self._entries else 0

    def term_at(self, index: Index) -> Term | None:
        """The term at an index, 0 at index 0, None where there is no entry."""
        if 0 < index <= self.last_index:
            return self._entries[index - 1].term
        return 0 if index == 0 else None

    def entry(self, index: Index) -> Entry:
        """The entry at an index that exists."""
        assert 0 < index <= len(self._entries)
        return self._entries[index - 1]

    def entries(self, first: Index = 1, last: Index | None = None) -> tuple[Entry, ...]:
        """The entries first .. last (default: to the end)."""
        assert first >= 1
        return tuple(self._entries[first - 1 : last])

    def batch(self, first: Index, max_bytes: int) -> tuple[Entry, ...]:
        """Entries from `first` on whose data fits in `max_bytes`; at least one if there is one."""
        entries = self._entries
        start, stop = first - 1, len(entries)
        if stop - start <= 1:
            return tuple(entries[start:])
        room = max_bytes - len(entries[start].data)
        for end in range(start + 1, stop):
            room -= len(entries[end].data)
            if room < 0:
                return tuple(entries[start:end])
        return tuple(entries[start:])

    def is_up_to_date(self, last_index: Index, last_term: Term) -> bool:
        """Whether a log with this end is at least as up to date as this one (PAPER 5.4.1)."""
        own = self.last_term
        return last_term > own or (last_term == own and last_index >= len(self._entries))

    def last_up_to_term(self, index: Index, term: Term) -> Index:
        """The largest index <= `index` whose term is <= `term`; 0 if there is none.

        Terms never fall along a log, so everything after it is known to differ from a log that
        has `term` there: a probe skips a whole term at a time.
        """
        index = max(0, min(index, len(self._entries)))
        while index and self._entries[index - 1].term > term:
            index -= 1
        return index

    def append(self, entry: Entry) -> None:
        """Add a leader's new entry at the end."""
        assert entry.index == self.last_index + 1
        self._entries.append(entry)
        self.last_index += 1

    def merge(self, entries: Sequence[Entry]) -> None:
        """Make these entries part of the log; the one before the first is known to match.

        Only a real conflict (same index, another term) removes anything: a message that is old
        or doubled must not (PAPER figure 2, AppendEntries 3 and 4).
        """
        own = self._entries
        for position, entry in enumerate(entries):
            conflict = entry.index <= len(own) and own[entry.index - 1].term != entry.term
            if conflict:
                self._truncate(entry.index)
            if entry.index > len(own):
                own.extend(entries[position:])
                self.last_index = len(own)
                return

    def _truncate(self, index: Index) -> None:
        """Remove the entries from `index` on."""
        assert index > self.committed, "a committed entry is never removed"
        del self._entries[index - 1 :]
        kept = self.last_index = index - 1
        self.handed = min(self.handed, kept)
        self.persisted = min(self.persisted, kept)
        for write in self._writes:
            write.proves = min(write.proves, kept)

    def commit_to(self, index: Index) -> bool:
        """Raise the commit index; False if it is that high already."""
        if index <= self.committed:
            return False
        assert index <= self.last_index, "only what is here can be committed here"
        self.committed = index
        return True

    def take_committed(self) -> tuple[Entry, ...]:
        """What is committed and not applied; counted as applied from now on."""
        if self.applied == self.committed:
            return ()
        taken = tuple(self._entries[self.applied : self.committed])
        self.applied = self.committed
        return taken

    def take_unwritten(self) -> tuple[Entry, ...]:
        """What the disk hasn't been given yet; under way from now on."""
        if self.handed == self.last_index:
            return ()
        taken = tuple(self._entries[self.handed :])
        last = taken[-1]
        self.handed = last.index
        self._writes.append(_WriteUnderWay(last.term, last.index))
        return taken

    def on_persisted(self, term: Term, index: Index) -> None:
        """The write that ended with this entry, and all before it, are durable."""
        while True:
            assert self._writes, "a write is acknowledged once, in order, by its last entry"
            write = self._writes.popleft()
            if write.proves > self.persisted:
                self.persisted = write.proves
            if write.index == index and write.term == term:
                return

    def check_invariants(self) -> None:
        """I1, and I2 at the end of the log; `check_order` walks all of it."""
        last = len(self._entries)
        assert last == self.last_index
        assert self.applied <= self.committed <= last
        assert self.persisted <= self.handed <= last
        if last:
            assert self._entries[-1].index == last

    def check_order(self) -> None:
        """I2 over the whole log."""
        _check_order(self._entries)


class _WriteUnderWay:
    """A write: its last entry, and up to where its end still proves durability."""

    __slots__ = ("index", "proves", "term")

    def __init__(self, term: Term, index: Index) -> None:
        self.term = term
        self.index = index
        self.proves = index


def _check_order(entries: Sequence[Entry]) -> None:
    term = 0
    for index, entry in enumerate(entries, 1):
        if entry.index != index:
            raise StorageCorrupt(f"log entry {entry.index} stands at index {index}")
        if entry.term < term:
            raise StorageCorrupt(f"log entry {index} has term {entry.term} after term {term}")
        term = entry.term
