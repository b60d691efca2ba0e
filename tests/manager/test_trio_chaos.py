"""Random crashes, cuts, slow disks and calls: nothing acknowledged is lost, and all end equal."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simswarm.base.time import MILLISECOND, SECOND
from simswarm.model.objects import Service
from simswarm.store.tables import KINDS
from simswarm.wire.control import ServiceResult
from tests.manager.trio import Trio, create

NAMES = ["m1", "m2", "m3"]
names = st.sampled_from(NAMES)
links = st.tuples(names, names)
actions = st.one_of(
    st.tuples(st.just("call"), names),
    st.tuples(st.just("wait"), st.integers(1, 15_000)),
    st.tuples(st.just("act"), st.integers(1, 20)),
    st.tuples(st.just("crash"), names, st.integers(0, 3)),
    st.tuples(st.just("boot"), names),
    st.tuples(st.just("cut"), links),
    st.tuples(st.just("heal"), links),
    st.tuples(st.just("hold"), names),
    st.tuples(st.just("free"), names),
)


class Chaos:
    """Carries a script out and remembers what clients were told."""

    def __init__(self, seed: int) -> None:
        self.trio = Trio(seed=seed)
        self.asked: dict[int, tuple[str, str, int, int]] = {}
        """Call → (manager, service, its boot, when)."""
        self.applied: dict[int, object] = {}
        self.watched: dict[str, int] = {}
        self.watch()

    def watch(self) -> None:
        for name, host in self.trio.hosts.items():
            if host.manager is not None and self.watched.get(name) != host.boots:
                self.watched[name] = host.boots
                host.manager.store.watch(self)

    def on_changes(self, changes, index: int) -> None:
        assert self.applied.setdefault(index, changes) == changes, "two managers, two histories"

    def run(self, script) -> None:
        for action, *arguments in script:
            getattr(self, f"do_{action}")(*arguments)
            self.watch()

    def do_call(self, name: str) -> None:
        if self.trio[name].manager is not None:
            service = f"s{len(self.asked)}"
            boots = self.trio[name].boots
            number = self.trio.call(name, create(service))
            self.asked[number] = (name, service, boots, self.trio.now)

    def do_wait(self, span: int) -> None:
        self.trio.advance(span * MILLISECOND)

    def do_act(self, times: int) -> None:
        for _ in range(times):
            self.trio.act()

    def do_crash(self, name: str, kept: int) -> None:
        self.trio.crash(name, kept=kept)

    def do_boot(self, name: str) -> None:
        if self.trio[name].manager is None:
            self.trio.boot(name)

    def do_cut(self, link: tuple[str, str]) -> None:
        self.trio.cut.add(link)

    def do_heal(self, link: tuple[str, str]) -> None:
        self.trio.cut.discard(link)

    def do_hold(self, name: str) -> None:
        self.trio[name].held = True

    def do_free(self, name: str) -> None:
        self.trio[name].held = False

    def finish(self) -> None:
        self.trio.cut.clear()
        for name in NAMES:
            self.do_free(name)
            self.do_boot(name)
        self.watch()
        self.trio.advance(90 * SECOND)


@settings(max_examples=120)
@given(st.integers(0, 1000), st.lists(actions, max_size=40))
def test_nothing_acknowledged_is_lost_and_all_managers_end_equal(seed, script):
    chaos = Chaos(seed)
    chaos.run(script)
    chaos.finish()
    trio = chaos.trio
    states = [
        (manager.store.index, [manager.store.find(kind) for kind in KINDS.values()])
        for manager in map(trio.manager, NAMES)
    ]
    assert states[0] == states[1] == states[2]
    stored = {service.spec.name for service in trio.manager("m1").store.find(Service)}
    for number, (name, service, boots, _) in chaos.asked.items():
        answer = trio[name].replies.get(number)
        if isinstance(answer, ServiceResult):
            assert service in stored
        if trio[name].boots == boots:
            assert answer is not None, "a manager that lives answers every call"
    # and the swarm works
    assert isinstance(trio.ask(trio.followers[0], create("after")), ServiceResult)
