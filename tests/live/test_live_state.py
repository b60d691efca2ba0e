"""A live swarm's folder, the system's chance, orders and reports."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.errors import (
    FailedPrecondition,
    InvalidSpec,
    NotFound,
    RemoteProtocolError,
)
from simswarm.live.control import (
    CancelCall,
    ClientCall,
    Links,
    Listening,
    Moved,
    Order,
    Start,
    Stop,
    UseImages,
    line,
    read_order,
    read_report,
)
from simswarm.live.faults import LinkRule, LinkTable
from simswarm.live.supervisor.state import SOCKET_PATH_LIMIT, StateFolder
from simswarm.live.supervisor.sweep import sweep
from simswarm.live.system import SystemEntropy

PLACES = (("m1", ("127.0.0.1", 4242)),)
ORDERS: list[Order] = [
    Start(PLACES),
    Moved(PLACES),
    Links(LinkTable((("m2", LinkRule(cut=True, latency=5)),))),
    ClientCall(1, "client", b"\x00\xff"),
    CancelCall(1),
    UseImages((("a", "b"),)),
    Stop(),
]


@pytest.mark.parametrize("order", ORDERS)
def test_orders_are_lines_that_read_back(order: Order) -> None:
    text = line(order)
    assert text.count(b"\n") == 1
    assert read_order(text) == order


def test_reports_read_back_and_nonsense_is_refused() -> None:
    report = Listening("m1", 7, ("127.0.0.1", 1), False)
    assert read_report(line(report)) == report
    for text in (b"", b"{", b'["nothing"]', line(report)):
        with pytest.raises(RemoteProtocolError):
            read_order(text)


def test_a_folder_is_claimed_once_and_remembers(tmp_path: Path) -> None:
    state = StateFolder("x", tmp_path)
    assert not state.exists
    with pytest.raises(NotFound):
        state.load()
    record = state.create("none")
    assert record.label.startswith("x-")
    assert state.exists
    assert state.load() == record
    with pytest.raises(FailedPrecondition, match="live down --name x"):
        StateFolder("x", tmp_path).create("none")
    assert StateFolder.all(tmp_path) == ["x"]
    assert StateFolder("y", tmp_path).create("none").label != record.label
    for name in ("x", "y"):
        assert sweep(StateFolder(name, tmp_path)).processes == 0
    assert StateFolder.all(tmp_path) == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 60])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidSpec):
        StateFolder(name, tmp_path)


def test_sockets_are_elsewhere_if_the_path_is_too_long_and_go_away_too(tmp_path: Path) -> None:
    state = StateFolder("x", tmp_path / ("long" * 30))
    sockets = Path(state.create("none").sockets)
    assert sockets.is_dir()
    assert len(str(sockets)) < SOCKET_PATH_LIMIT - 20
    sweep(state)
    assert not sockets.exists()


def test_a_folder_whose_claim_was_interrupted_can_be_taken_down(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert sweep(StateFolder("x", tmp_path)).processes == 0
    assert not (tmp_path / "x").exists()


@given(st.integers(-1000, 1000), st.integers(0, 1000))
def test_the_systems_integers_are_in_range(low: int, span: int) -> None:
    assert low <= SystemEntropy().integer(low, low + span) <= low + span


def test_the_system_chooses_and_shuffles_everything_there_is() -> None:
    entropy = SystemEntropy().fork("any")
    drawn = Counter(entropy.choice("abc") for _ in range(600))
    assert min(drawn.values()) > 100
    assert len(drawn) == 3
    items = list(range(20))
    entropy.shuffle(items)
    assert sorted(items) == list(range(20))
    assert entropy.bytes(16) != entropy.bytes(16)
