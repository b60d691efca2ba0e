"""The live driver around a node that does what a test tells it."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simswarm.base.effects import (
    Call,
    CallCancelled,
    CancelEngine,
    CancelTimer,
    Channel,
    Deliver,
    Effect,
    EngineEvent,
    EngineResult,
    Halt,
    Identity,
    Input,
    Observe,
    Reply,
    RunEngine,
    Send,
    SetTimer,
    Shutdown,
    TimerFired,
    TimerKey,
    UseCredentials,
    Write,
    WriteMode,
    Written,
)
from simswarm.base.engine import (
    ContainerConfig,
    ContainerDied,
    CreateContainer,
    Done,
    Failed,
    PullImage,
    StartContainer,
)
from simswarm.base.entropy import Entropy, SeededEntropy
from simswarm.base.records import frame_file
from simswarm.base.time import MILLISECOND, SECOND, Now
from simswarm.live import engine as lanes
from simswarm.live.driver import Driver, World
from simswarm.live.scripted import ScriptedEngine, ScriptedImage
from simswarm.live.system import SystemClock
from simswarm.model.config import NodeConfig
from simswarm.model.specs import NodeRole
from simswarm.wire import codec
from simswarm.wire.control import ListNodes

KEY = TimerKey("test", 0, "timer")
OTHER = TimerKey("test", 0, "other")


class Puppet:
    """Answers inputs by a table of the test's, and remembers them."""

    def __init__(self) -> None:
        self.given: list[Input] = []
        self.image: dict[str, bytes] = {}
        self.first: list[Effect] = []
        self.answers: Callable[[Input, Now], list[Effect]] = lambda given, now: []
        self._changed = asyncio.Event()

    def boot(
        self, config: NodeConfig, disk: Mapping[str, bytes], entropy: Entropy, now: Now
    ) -> tuple[Puppet, list[Effect]]:
        self.image = dict(disk)
        return self, [
            SetTimer(effect.key, effect.at + now.mono) if isinstance(effect, SetTimer) else effect
            for effect in self.first
        ]

    def step(self, given: Input, now: Now) -> list[Effect]:
        self.given.append(given)
        self._changed.set()
        return self.answers(given, now)

    async def until(self, kind: type[Input], count: int = 1) -> list[Any]:
        while len(found := [given for given in self.given if isinstance(given, kind)]) < count:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 20)
        return found


class Sink:
    """Collects what the driver reports."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.replies: list[tuple[int, bytes, bool]] = []
        self.reasons: list[str] = []

    def record(self, at: int, kind: str, fields: tuple[tuple[str, Any], ...]) -> None:
        self.records.append((kind, dict(fields)))

    def replied(self, call: int, frame: bytes, last: bool) -> None:
        self.replies.append((call, frame, last))

    def halted(self, reason: str) -> None:
        self.reasons.append(reason)


class Bench:
    """One driver, its node and what it reports."""

    def __init__(
        self, folder: Path, engine: ScriptedEngine | None = None, *, every_message: bool = False
    ) -> None:
        self.puppet, self.sink = Puppet(), Sink()
        config = NodeConfig("a", "a", NodeRole.WORKER, ("a",))
        world = World(
            SystemClock(),
            SeededEntropy(1),
            engine or ScriptedEngine(),
            folder,
            every_message=every_message,
        )
        self.driver = Driver(config, world, self.sink, self.puppet.boot)

    async def start(self, *first: Effect) -> None:
        self.puppet.first = list(first)
        await self.driver.open()
        self.driver.boot(SeededEntropy(1))


def write(token: int) -> Write:
    return Write("wal", WriteMode.APPEND, (b"%d" % token,), token)


def test_timers_fire_once_at_their_time_and_not_when_cancelled(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        bench = Bench(tmp_path)
        begun = time.monotonic()
        await bench.start(
            SetTimer(KEY, 10 * MILLISECOND),
            SetTimer(OTHER, 5 * MILLISECOND),
            SetTimer(KEY, 60 * MILLISECOND),
            CancelTimer(OTHER),
        )
        await bench.puppet.until(TimerFired)
        assert time.monotonic() - begun >= 0.06
        await asyncio.sleep(0.05)
        assert bench.puppet.given == [TimerFired(KEY)]
        await bench.driver.close()

    run(script())


def test_a_timer_that_fired_but_was_cancelled_before_its_turn_is_not_told(
    run: Any, tmp_path: Path
) -> None:
    async def script() -> None:
        bench = Bench(tmp_path)

        def cancels(given: Input, now: Now) -> list[Effect]:
            time.sleep(0.03)  # both deadlines pass within this step
            return [CancelTimer(OTHER)] if given == TimerFired(KEY) else []

        bench.puppet.answers = cancels
        await bench.start(SetTimer(KEY, 10 * MILLISECOND), SetTimer(OTHER, 10 * MILLISECOND))
        await bench.puppet.until(TimerFired)
        await asyncio.sleep(0.05)
        assert bench.puppet.given == [TimerFired(KEY)]
        await bench.driver.close()

    run(script())


def test_what_waits_for_a_write_leaves_when_it_is_durable(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        bench = Bench(tmp_path)
        await bench.start(
            write(1),
            Send("a", b"held", Channel.CONSENSUS, 1),
            Send("a", b"free", Channel.HEARTBEAT),
            Send("a", b"gram", Channel.DATAGRAM, 1),
        )
        assert sorted(given.frame for given in await bench.puppet.until(Deliver, 3)) == [
            b"free",
            b"gram",
            b"held",
        ]
        given = bench.puppet.given
        assert given.index(Written(1)) < given.index(Deliver("a", Identity("a"), b"held"))
        await bench.driver.close()

    run(script())


def test_every_message_is_recorded_where_that_is_wanted(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        bench = Bench(tmp_path, every_message=True)
        frame = codec.encode(ListNodes())
        await bench.start(Send("a", frame, Channel.CONTROL), Send("a", b"?", Channel.CONTROL))
        await bench.puppet.until(Deliver, 2)
        found = [(kind, fields["message"], fields["size"]) for kind, fields in bench.sink.records]
        size = len(frame)
        assert found == [
            ("net.sent", "ListNodes", size),
            ("net.sent", "?", 1),
            ("net.delivered", "ListNodes", size),
            ("net.delivered", "?", 1),
        ]
        await bench.driver.close()

    run(script())


def test_replies_of_a_call_keep_their_order_behind_a_held_one(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        bench = Bench(tmp_path)

        def answers(given: Input, now: Now) -> list[Effect]:
            if isinstance(given, Call):
                return [write(1), Reply(given.id, b"1", False, 1), Reply(given.id, b"2")]
            return []

        bench.puppet.answers = answers
        await bench.start()
        id = bench.driver.call(b"question", Identity("client"))
        await bench.puppet.until(Call)
        assert bench.sink.replies == []
        await bench.puppet.until(Written)
        assert bench.sink.replies == [(id, b"1", False), (id, b"2", True)]
        bench.driver.cancel_call(id)
        assert await bench.puppet.until(CallCancelled) == [CallCancelled(id)]
        await bench.driver.close()

    run(script())


def test_a_failed_write_is_told_and_ends_the_node_and_what_waited_for_it_is_lost(
    run: Any, tmp_path: Path
) -> None:
    async def script() -> None:
        bench = Bench(tmp_path)

        def broken(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        bench.driver.disk._sync = broken
        await bench.start(write(1), Send("a", b"held", Channel.CONSENSUS, 1))
        error = "wal: No space left on device"
        assert await bench.puppet.until(Written) == [Written(1, error)]
        await asyncio.sleep(0.02)
        assert bench.sink.reasons == [f"write failed: {error}"]
        assert bench.driver.dead
        assert bench.puppet.given == [Written(1, error)]
        await bench.driver.close()

    run(script())


def test_after_a_halt_nothing_more_is_performed(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        bench = Bench(tmp_path)
        await bench.start(Observe("x.y", (("n", 1),)), SetTimer(KEY, MILLISECOND))
        bench.puppet.answers = lambda given, now: [Halt("enough"), SetTimer(OTHER, 0)]
        bench.driver.shut_down()
        await bench.puppet.until(Shutdown)
        await asyncio.sleep(0.02)
        assert bench.sink.records == [("x.y", {"n": 1})]
        assert bench.sink.reasons == ["enough"]
        assert bench.puppet.given == [Shutdown()]
        await bench.driver.close()

    run(script())


def test_credentials_are_refused_clearly(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        bench = Bench(tmp_path)
        await bench.start(UseCredentials(b"c", b"k", b"t"))
        assert bench.sink.reasons == ["credentials can't be used: mutual TLS isn't built"]
        await bench.driver.close()

    run(script())


def test_a_slow_step_is_recorded(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        bench = Bench(tmp_path)
        bench.puppet.answers = lambda given, now: time.sleep(0.06) or []
        await bench.start()
        bench.driver.call(b"", Identity("client"))
        await bench.puppet.until(Call)
        ((kind, fields),) = bench.sink.records
        assert kind == "live.slow_step"
        assert fields["input"] == "Call"
        assert fields["duration"] > 0.05
        await bench.driver.close()

    run(script())


def test_a_crash_keeps_what_was_durable_and_the_next_boot_finds_it(
    run: Any, tmp_path: Path
) -> None:
    async def script() -> None:
        first = Bench(tmp_path)
        await first.start(write(1))
        await first.puppet.until(Written)
        first.driver.crash()
        first.driver.call(b"", Identity("client"))
        await first.driver.close()
        assert first.puppet.given == [Written(1)]
        second = Bench(tmp_path)
        await second.start()
        assert second.puppet.image == {"wal": frame_file((b"1",))}
        await second.driver.close()

    run(script())


def container(image: str = "web") -> CreateContainer:
    return CreateContainer(ContainerConfig("web.1.t", image, "t", "web", 1))


def test_engine_commands_of_a_task_run_in_order_and_of_tasks_side_by_side(
    run: Any, tmp_path: Path
) -> None:
    async def script() -> None:
        slow = ScriptedImage(pull=50 * MILLISECOND, exit_after=0, exit_code=3)
        bench = Bench(tmp_path, ScriptedEngine({"web": slow}))
        await bench.start(
            RunEngine(1, PullImage("web", "t")),
            RunEngine(2, container()),
            RunEngine(3, StartContainer("t-1", "t")),
            RunEngine(4, PullImage("quick", "u")),
        )
        results = await bench.puppet.until(EngineResult, 4)
        assert [result.id for result in results] == [4, 1, 2, 3]
        died = (await bench.puppet.until(EngineEvent))[0].occurrence
        assert died == ContainerDied("t-1", "t", 3)
        acts = [fields for kind, fields in bench.sink.records if kind == "engine.container"]
        assert [act["action"] for act in acts] == ["create", "start", "die"]
        assert acts[2]["exit_code"] == 3
        await bench.driver.close()

    run(script())


def test_a_cancelled_command_gives_no_result(run: Any, tmp_path: Path) -> None:
    async def script() -> None:
        slow = ScriptedImage(pull=120 * SECOND)
        bench = Bench(tmp_path, ScriptedEngine({"slow": slow}))
        await bench.start(
            RunEngine(1, PullImage("slow", "t")),
            RunEngine(2, PullImage("web", "t")),
            RunEngine(3, container()),
        )
        bench.puppet.answers = lambda given, now: [CancelEngine(1), CancelEngine(3)]
        bench.driver.call(b"", Identity("client"))
        assert await bench.puppet.until(EngineResult) == [EngineResult(2, Done())]
        await asyncio.sleep(0.02)
        assert len(bench.puppet.given) == 2
        await bench.driver.close()

    run(script())


def test_a_command_past_its_deadline_fails_for_now(
    run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(lanes, "PULL_DEADLINE", 50 * MILLISECOND)

    async def script() -> None:
        bench = Bench(tmp_path, ScriptedEngine({"slow": ScriptedImage(pull=120 * SECOND)}))
        await bench.start(RunEngine(1, PullImage("slow", "t")))
        (result,) = await bench.puppet.until(EngineResult)
        assert result.outcome == Failed("the engine took over 50ms", temporary=True)
        await bench.driver.close()

    run(script())
