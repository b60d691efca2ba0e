"""The two stages on which the conformance script is played: simulated and live.

Both have five real nodes and the same verbs. The live one runs all nodes in this process, on real
sockets and real files; its clock is virtual, and its engine a scripted one that takes the times
that the simulated engine takes.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from simswarm.base.effects import Field, Identity
from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import MILLISECOND, SECOND, Duration, Instant
from simswarm.base.values import Value
from simswarm.live.driver import Driver
from simswarm.live.driver import World as LiveParts
from simswarm.live.faults import LinkRule, LinkTable
from simswarm.live.scripted import ScriptedEngine, ScriptedImage, ScriptedTimes
from simswarm.model.config import Member, NodeConfig
from simswarm.model.objects import NodeDescription
from simswarm.model.specs import NodeRole, Resources
from simswarm.node import Node
from simswarm.sim.distributions import Fixed
from simswarm.sim.fabric.faults import LinkFault
from simswarm.sim.fabric.profiles import perfect
from simswarm.sim.machine.disk import DiskFault
from simswarm.sim.machine.engine import CREATE_TIME, LOOKUP_TIME, REMOVE_TIME
from simswarm.sim.machine.images import ImageBehaviour
from simswarm.sim.world import World
from simswarm.wire import codec
from tests.conformance.virtual import VirtualClock, VirtualLoop

SEED = 7
MANAGERS, WORKERS = ("m1", "m2", "m3"), ("w1", "w2")
NAMES = (*MANAGERS, *WORKERS)
IMAGES: dict[str, Duration] = {"app:1": 2 * SECOND, "app:2": 2 * SECOND, "slow:1": 120 * SECOND}
"""Image → how long its pull takes. All start in 500 ms and stop in 100 ms."""
START, STOP = 500 * MILLISECOND, 100 * MILLISECOND

Fields = dict[str, Field]
OnReply = Callable[[Any], None]


def configs() -> list[NodeConfig]:
    members = tuple(Member(number, name, name) for number, name in enumerate(MANAGERS, 1))
    return [
        NodeConfig(
            name=name,
            address=name,
            role=NodeRole.MANAGER if name in MANAGERS else NodeRole.WORKER,
            managers=MANAGERS,
            members=members if name in MANAGERS else (),
            campaign=name == "m1",
            description=NodeDescription(hostname=name, resources=Resources(4 * 10**9, 8 * 2**30)),
        )
        for name in NAMES
    ]


class Stage(Protocol):
    """What the script may do."""

    records: list[tuple[Instant, str, str, Fields]]
    """(When, node, kind, fields)."""

    def boot(self, *names: str) -> None: ...

    def crash(self, name: str) -> None: ...

    def run(self, until: Instant) -> None: ...

    def call(self, name: str, request: Value, on_reply: OnReply) -> int: ...

    def cancel(self, call: int) -> None: ...

    def links(self, names: tuple[str, ...], latency: Duration | None) -> None:
        """Do something to all links of these nodes with others: a latency, or None: cut."""
        ...

    def heal(self) -> None: ...

    def break_fsync(self, name: str, broken: bool) -> None: ...

    def close(self) -> None: ...


class SimStage:
    """The simulated world."""

    def __init__(self, folder: Path) -> None:
        self.world = World(SEED, profile=perfect())
        self.records: list[tuple[Instant, str, str, Fields]] = []
        for image, pull in IMAGES.items():
            behaviour = ImageBehaviour(pull=Fixed(pull), start=Fixed(START), stop=Fixed(STOP))
            self.world.set_image(image, behaviour)
        for config in configs():
            self.world.add(config)
        self.world.observers.append(self)
        self.world.mark_origin()

    def on_record(self, record: Any) -> None:
        self.records.append((record.t, record.node, record.kind, dict(record.fields)))

    def on_boot(self, host: Any, image: Any, effects: Any) -> None: ...

    def on_step(self, host: Any, given: Any, effects: Any) -> None: ...

    def on_crash(self, host: Any) -> None: ...

    def boot(self, *names: str) -> None:
        for name in names:
            self.world.boot(name)

    def crash(self, name: str) -> None:
        self.world.crash(name)

    def run(self, until: Instant) -> None:
        self.world.run(until)

    def call(self, name: str, request: Value, on_reply: OnReply) -> int:
        return self.world.call(name, request, on_reply, 60 * SECOND)

    def cancel(self, call: int) -> None:
        self.world.cancel_call(call)

    def links(self, names: tuple[str, ...], latency: Duration | None) -> None:
        others = [name for name in NAMES if name not in names]
        if latency is None:
            self.world.partition([list(names), others])
        else:
            self.world.set_link(names, others, LinkFault(latency=latency))

    def heal(self) -> None:
        self.world.heal()

    def break_fsync(self, name: str, broken: bool) -> None:
        self.world.fault_disk(name, DiskFault(error=broken))

    def close(self) -> None: ...


class LiveNode:
    """One live node: what outlives its boots, and the driver of the boot that is up."""

    def __init__(self, stage: LiveStage, config: NodeConfig, folder: Path) -> None:
        self.stage = stage
        self.config = config
        self.folder = folder
        self.boots = 0
        self.broken_fsync = False
        self.driver: Driver | None = None
        images = {name: ScriptedImage(pull, START, STOP) for name, pull in IMAGES.items()}
        self.engine = ScriptedEngine(images, ScriptedTimes(LOOKUP_TIME, CREATE_TIME, REMOVE_TIME))
        self.calls: dict[int, OnReply] = {}

    def record(self, at: Instant, kind: str, fields: tuple[tuple[str, Field], ...]) -> None:
        self.stage.records.append((at, self.config.name, kind, dict(fields)))

    def replied(self, call: int, frame: bytes, last: bool) -> None:
        found = self.calls.pop(call, None)
        if found is not None:
            found(codec.decode(frame))

    async def ask(self, frame: bytes, on_reply: OnReply) -> int:
        assert self.driver is not None
        id = self.driver.call(frame, Identity("client"))
        self.calls[id] = on_reply
        return id * 100 + NAMES.index(self.config.name)

    def halted(self, reason: str) -> None:
        self.stage.note(self.config.name, "process.crash", lose="nothing", reason=reason)
        self.stage.loop.create_task(self.end())

    def sync(self, descriptor: int) -> None:
        if self.broken_fsync:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def open(self) -> None:
        self.boots += 1
        parts = LiveParts(VirtualClock(self.stage.loop), SeededEntropy(1), self.engine, self.folder)
        self.driver = Driver(self.config, parts, self, Node.boot)
        self.driver.disk._sync = self.sync
        self.stage.places[self.config.name] = await self.driver.open()

    def boot(self) -> None:
        assert self.driver is not None
        entropy = SeededEntropy(SEED).fork(f"node/{self.config.name}/boot{self.boots}")
        self.driver.boot(entropy)

    async def end(self) -> None:
        driver, self.driver = self.driver, None
        if driver is not None:
            self.engine.crash()
            driver.crash()
            await driver.close()


class LiveStage:
    """The live drivers, on virtual time."""

    def __init__(self, folder: Path) -> None:
        self.loop = VirtualLoop()
        self.failures: list[str] = []
        self.loop.set_exception_handler(self._on_failure)
        self.records: list[tuple[Instant, str, str, Fields]] = []
        self.places: dict[str, tuple[str, int]] = {}
        self.nodes = {
            config.name: LiveNode(self, config, folder / config.name) for config in configs()
        }

    def _on_failure(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")

    def note(self, name: str, kind: str, **fields: Field) -> None:
        self.records.append((round(self.loop.time() * SECOND), name, kind, fields))

    def boot(self, *names: str) -> None:
        self.loop.run_until_complete(self._boot(names))

    async def _boot(self, names: tuple[str, ...]) -> None:
        for name in names:
            await self.nodes[name].open()
        for node in self.nodes.values():
            if node.driver is not None:
                node.driver.transport.learn(self.places)
        for name in names:
            self.nodes[name].boot()

    def crash(self, name: str) -> None:
        self.note(name, "process.crash", lose="nothing", reason="")
        self.loop.run_until_complete(self.nodes[name].end())

    def run(self, until: Instant) -> None:
        self.loop.run_until_complete(asyncio.sleep(until / SECOND - self.loop.time()))

    def call(self, name: str, request: Value, on_reply: OnReply) -> int:
        node = self.nodes[name]
        return self.loop.run_until_complete(node.ask(codec.encode(request), on_reply))

    def cancel(self, call: int) -> None:
        node = self.nodes[NAMES[call % 100]]
        id = call // 100
        assert node.driver is not None
        del node.calls[id]
        self.loop.call_soon(node.driver.cancel_call, id)

    def links(self, names: tuple[str, ...], latency: Duration | None) -> None:
        rule = LinkRule(cut=True) if latency is None else LinkRule(latency=latency)
        for name, node in self.nodes.items():
            others = [other for other in NAMES if (other in names) != (name in names)]
            if node.driver is not None:
                table = LinkTable(tuple((other, rule) for other in others))
                node.driver.transport.obey(table)

    def heal(self) -> None:
        for node in self.nodes.values():
            if node.driver is not None:
                node.driver.transport.obey(LinkTable())

    def break_fsync(self, name: str, broken: bool) -> None:
        self.nodes[name].broken_fsync = broken

    def close(self) -> None:
        for node in self.nodes.values():
            self.loop.run_until_complete(node.end())
        self.run(round(self.loop.time() * SECOND) + SECOND)
        self.loop.close()
        assert self.failures == []
