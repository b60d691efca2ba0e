"""The log of one member: entries, and how far they are durable, committed and applied.

    floor ........ applied ....... committed ................ last
    floor .............. persisted ........ handed .......... last
    compacted            durable            given to the disk

Entries up to `floor` are gone: a snapshot stands for them. Their last term is still known.
Entries past `handed` wait for the next `Ready`. Writes under way are remembered in order, because
a conflict may overwrite entries whose write hasn't ended: such a write then proves nothing about
the entries that took their place, even if a third write restores the first ones.

Invariants:
    I1. floor <= applied <= committed <= last;  persisted <= handed <= last.
    I2. entry i stands at index i; terms never fall along the log.
    I3. Entries at or below `committed` are never removed, except by a snapshot of them.

Source: PAPER 5.3; THESIS 5; etcd-io/raft log.go, log_unstable.go,
testdata/async_storage_writes_*.txt.
Not here: what a snapshot holds, and who makes one (`rawnode`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from simswarm.base.errors import StorageCorrupt
from simswarm.raft.messages import Entry, EntryKind, Index, Snapshot, Term

_CONFIG = EntryKind.CONFIG
"""Looking a member up in its class is slow before Python 3.12."""


class Log:
    """Entries floor + 1 .. last_index."""

    __slots__ = (
        "_entries",
        "_writes",
        "applied",
        "committed",
        "floor",
        "floor_term",
        "handed",
        "last_index",
        "persisted",
    )

    def __init__(
        self,
        entries: Sequence[Entry] = (),
        committed: Index = 0,
        applied: Index = 0,
        snapshot: Snapshot | None = None,
    ) -> None:
        """`entries` and `snapshot` come from the disk: all of it is durable.

        With a snapshot the entries may begin anywhere up to just after it.

        Raises:
            StorageCorrupt: a gap in the indexes, a term that falls, or an end before what was
                known to be committed.
        """
        self.floor: Index = 0
        """Index of the last entry that a snapshot stands for; 0 if none does."""
        self.floor_term: Term = 0
        if snapshot is not None:
            entries = self._begin_with(snapshot, entries)
            committed = max(committed, snapshot.index)
            applied = max(applied, snapshot.index)
        self._entries = list(entries)
        _check_order(self._entries, self.floor, self.floor_term)
        last = self.floor + len(self._entries)
        if max(committed, applied) > last:
            needed = max(committed, applied)
            raise StorageCorrupt(f"the log ends at {last}, but {needed} was committed in it")
        self.committed: Index = max(applied, committed)
        self.applied: Index = applied
        self.persisted: Index = last
        self.handed: Index = last
        self.last_index: Index = last
        """Index of the last entry; the floor for an empty log."""
        self._writes: deque[_WriteUnderWay] = deque()

    def _begin_with(self, snapshot: Snapshot, entries: Sequence[Entry]) -> Sequence[Entry]:
        first = entries[0].index if entries else snapshot.index + 1
        if first > snapshot.index:
            self.floor, self.floor_term = snapshot.index, snapshot.term
            return entries
        if not after_snapshot(entries, snapshot):
            raise StorageCorrupt(f"the log does not agree with the snapshot at {snapshot.index}")
        if first == 1:
            return entries
        # Older entries are kept for slow followers; the first one tells the last term known.
        self.floor, self.floor_term = first, entries[0].term
        return entries[1:]

    @property
    def last_term(self) -> Term:
        """Term of the last entry; 0 for an empty log."""
        return self._entries[-1].term if self._entries else self.floor_term

    def term_at(self, index: Index) -> Term | None:
        """The term at an index, 0 at index 0, None where there is no entry (any more)."""
        floor = self.floor
        if floor < index <= self.last_index:
            return self._entries[index - floor - 1].term
        return self.floor_term if index == floor else None

    def entry(self, index: Index) -> Entry:
        """The entry at an index that exists."""
        assert self.floor < index <= self.last_index
        return self._entries[index - self.floor - 1]

    def entries(self, first: Index | None = None, last: Index | None = None) -> tuple[Entry, ...]:
        """The entries first .. last (default: all there are)."""
        start = 0 if first is None else first - self.floor - 1
        assert start >= 0
        return tuple(self._entries[start : None if last is None else max(0, last - self.floor)])

    def batch(self, first: Index, max_bytes: int) -> tuple[Entry, ...]:
        """Entries from `first` on whose data fits in `max_bytes`; at least one if there is one."""
        entries = self._entries
        start, stop = first - self.floor - 1, len(entries)
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
        return last_term > own or (last_term == own and last_index >= self.last_index)

    def last_up_to_term(self, index: Index, term: Term) -> Index:
        """The largest index <= `index` whose term is <= `term`; 0 if there is none.

        Terms never fall along a log, so everything after it is known to differ from a log that
        has `term` there: a probe skips a whole term at a time. Below the floor, whose terms are
        forgotten, the index itself is the answer.
        """
        floor, entries = self.floor, self._entries
        index = max(0, min(index, self.last_index))
        while index > floor and entries[index - floor - 1].term > term:
            index -= 1
        return index

    def has_config(self, after: Index, last: Index) -> bool:
        """Whether an entry in after + 1 .. last changes the configuration."""
        floor = self.floor
        return any(entry.kind is _CONFIG for entry in self._entries[after - floor : last - floor])

    def commit_proven_changes(self) -> None:
        """Commit what the log itself proves to be: all changes of configuration but the last.

        A leader appends one only after applying the ones before it. A member whose commit index
        was lost in a crash would otherwise vote and stand in a configuration that is more than
        one change old, whose majorities need not meet the present one's.
        """
        changes = [entry.index for entry in self._entries if entry.kind is _CONFIG]
        if len(changes) > 1:
            self.commit_to(changes[-2])

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
        own, floor = self._entries, self.floor
        for position, entry in enumerate(entries):
            index = entry.index
            if index <= self.last_index and own[index - floor - 1].term != entry.term:
                self._truncate(index)
            if index > self.last_index:
                own.extend(entries[position:])
                self.last_index = floor + len(own)
                return

    def _truncate(self, index: Index) -> None:
        """Remove the entries from `index` on."""
        assert index > self.committed, "a committed entry is never removed"
        del self._entries[index - self.floor - 1 :]
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
        floor = self.floor
        taken = tuple(self._entries[self.applied - floor : self.committed - floor])
        self.applied = self.committed
        return taken

    def take_unwritten(self) -> tuple[Entry, ...]:
        """What the disk hasn't been given yet; under way from now on."""
        if self.handed == self.last_index:
            return ()
        taken = tuple(self._entries[self.handed - self.floor :])
        last = taken[-1]
        self.handed = last.index
        self._writes.append(_WriteUnderWay(last.term, last.index))
        return taken

    def compact(self, index: Index) -> None:
        """Forget the entries up to `index`, which a snapshot stands for."""
        assert self.floor <= index <= self.applied, "only what is applied is in a snapshot"
        self.floor_term = self.term_at(index) or 0
        del self._entries[: index - self.floor]
        self.floor = index

    def restore(self, snapshot: Snapshot) -> None:
        """Replace the whole log by a leader's snapshot that it does not agree with."""
        assert snapshot.index > self.committed
        # What was committed here is the same in the snapshot; the rest was another history, and
        # writes of it that are still under way prove nothing about this one.
        self.persisted = min(self.persisted, self.committed)
        for write in self._writes:
            write.proves = min(write.proves, self.committed)
        self._entries.clear()
        self.floor, self.floor_term = snapshot.index, snapshot.term
        self.committed = self.applied = self.last_index = self.handed = snapshot.index

    def hand_snapshot(self, snapshot: Snapshot) -> None:
        """The disk is given a snapshot: its write proves everything up to its index."""
        self._writes.append(_WriteUnderWay(snapshot.term, snapshot.index))

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
        last = self.last_index
        assert last == self.floor + len(self._entries)
        assert self.floor <= self.applied <= self.committed <= last
        assert self.persisted <= self.handed <= last
        if self._entries:
            assert self._entries[-1].index == last

    def check_order(self) -> None:
        """I2 over the whole log."""
        _check_order(self._entries, self.floor, self.floor_term)


class _WriteUnderWay:
    """A write: its last entry, and up to where its end still proves durability."""

    __slots__ = ("index", "proves", "term")

    def __init__(self, term: Term, index: Index) -> None:
        self.term = term
        self.index = index
        self.proves = index


def after_snapshot(entries: Sequence[Entry], snapshot: Snapshot) -> Sequence[Entry]:
    """What the entries stored so far are still worth when this snapshot is stored after them.

    If they agree with it where it ends they stay; otherwise they are another history.
    """
    for entry in entries:
        if entry.index == snapshot.index:
            return entries if entry.term == snapshot.term else ()
    return ()


def _check_order(entries: Sequence[Entry], floor: Index = 0, term: Term = 0) -> None:
    for index, entry in enumerate(entries, floor + 1):
        if entry.index != index:
            raise StorageCorrupt(f"log entry {entry.index} stands at index {index}")
        if entry.term < term:
            raise StorageCorrupt(f"log entry {index} has term {entry.term} after term {term}")
        term = entry.term
