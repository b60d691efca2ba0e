"""Turns: one write of a loop at a time, every stage in turn, bounded batches."""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.errors import NotLeader
from simswarm.manager.agenda import MAX_BATCH_BYTES, Agenda, Batch
from simswarm.store import ObjectChange, Store
from tests.orchestrator.bench import START, Bench, service, spec, task

WEB = service()


class Later:
    """A proposer that commits when told to."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.store: Store | None = None
        self._changes: Sequence[ObjectChange] = ()

    def can_propose(self) -> bool:
        return True

    def propose(self, name: str, changes: Sequence[ObjectChange]) -> None:
        self.names.append(name)
        self._changes = changes

    def commit_index(self) -> int:
        return len(self.names)

    def commit(self) -> None:
        assert self.store is not None
        self.store.apply(self._changes, len(self.names))
        self.store.finish()


class Loop:
    """Creates one task a stage; `again` are stages that have work left for ever."""

    owner = "loop"

    def __init__(self, *again: str) -> None:
        self.performed: list[str] = []
        self.agenda: Agenda | None = None
        self._again = again

    def perform(self, stage: str, batch: Batch) -> None:
        self.performed.append(stage)
        batch.tx.create(task(f"t{len(self.performed)}", WEB))

    def finished(self, stage: str) -> None:
        assert self.agenda is not None
        if stage in self._again:
            self.agenda.add(stage)


def loop(*again: str) -> tuple[Later, Loop, Agenda]:
    proposer, made = Later(), Loop(*again)
    store = proposer.store = Store(proposer, lambda: START)
    made.agenda = Agenda(store, made)
    return proposer, made, made.agenda


def test_stages_take_turns_one_write_at_a_time():
    proposer, made, agenda = loop()
    for stage in ("a", "b", "a", "c"):
        agenda.add(stage)
    assert made.performed == ["a"]
    proposer.commit()
    assert made.performed == ["a", "b"]
    proposer.commit()
    assert proposer.names == ["loop.a", "loop.b", "loop.a"]


def test_a_stage_that_never_ends_does_not_starve_the_others():
    proposer, made, agenda = loop("a")
    agenda.add("a")
    agenda.add("b")
    for _ in range(3):
        proposer.commit()
    assert made.performed == ["a", "b", "a", "a"]


def test_a_refused_write_closes_the_agenda():
    proposer, made, agenda = loop("a")
    agenda.add("a")
    agenda.add("b")
    assert proposer.store is not None
    proposer.store.refuse(NotLeader("lost"))
    assert agenda.closed
    agenda.add("c")
    assert made.performed == ["a"]


def test_a_queued_turn_of_a_closed_agenda_does_nothing():
    proposer, _, agenda = loop()
    other = Loop()
    assert proposer.store is not None
    other.agenda = Agenda(proposer.store, other)
    agenda.add("a")
    other.agenda.add("x")
    other.agenda.close()
    proposer.commit()
    assert other.performed == []


def test_a_batch_is_full_by_number():
    bench = Bench()
    sizes: list[int] = []

    def fill(tx) -> None:
        batch = Batch(tx)
        while batch.room():
            tx.create(task(f"t{len(tx.changes)}", WEB))
        sizes.append(len(tx.changes))
        assert not batch.takes(1)

    bench.change(fill)
    assert sizes == [200]


def test_a_batch_is_full_by_size():
    bench = Bench()
    large = task("t", WEB, spec=spec(image="x" * 100_000))

    def fill(tx) -> None:
        batch = Batch(tx)
        assert batch.room_for(large) == MAX_BATCH_BYTES // 100_000
        while batch.room():
            tx.create(task(f"t{len(tx.changes)}", WEB, spec=large.spec))
        assert len(tx.changes) == 12

    bench.change(fill)


def test_an_empty_batch_takes_any_item():
    bench = Bench()

    def ask(tx) -> None:
        batch = Batch(tx)
        assert batch.takes(1000)
        tx.create(task("t", WEB))
        assert not batch.takes(1000)
        assert batch.takes(199)

    bench.change(ask)
