"""A live swarm with the simulator's verbs: boot, crash, pause, partition, call, run.

    LiveWorld ──Popen, signals──> node processes ──trace files──> LiveRecorder ──> trace, sinks
        └── orders: who is where, links, clients' calls ──> control sockets

`run(until)` lets real time pass; whatever is due or observed meanwhile happens in order of time.
Verbs act at once and return; what they set going (a boot, containers that are killed) shows in the
trace.

Invariants:
    I1. The state folder names everything before it is started; `sweep` needs nothing else.
    I2. A crash ends the process before its containers: the node sees none of them die.
    I3. A process that ends by itself is recorded as a crash, with the reason it gave.

Not here: formation, timelines and verdicts (`scenario/`), stopping it all (`live/sweep.py`).
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from simswarm.base.effects import Field
from simswarm.base.errors import NotFound, SimswarmError, Unavailable
from simswarm.base.time import MILLISECOND, SECOND, Duration, Instant
from simswarm.base.trace import TraceRecord
from simswarm.base.values import Value
from simswarm.live.clockwork import LiveEnvironment
from simswarm.live.control import (
    Answer,
    CancelCall,
    ClientCall,
    Halted,
    Links,
    Listening,
    Moved,
    ProcessConfig,
    Report,
    Start,
)
from simswarm.live.driver import container_fields
from simswarm.live.engine import Subject
from simswarm.live.faults import LinkRule, LinkTable
from simswarm.live.host import CONNECT_SECONDS, LiveHost
from simswarm.live.recorder import LAG, LiveRecorder
from simswarm.live.scripted import KILLED
from simswarm.live.state import StateFolder
from simswarm.model.config import NodeConfig
from simswarm.wire import codec
from simswarm.wire.control import Result

TURN_SECONDS = 0.01
"""How often traces are read and what is due is done."""
READ_PERIOD: Duration = 10 * MILLISECOND
PROCESS_CHECK_PERIOD: Duration = 100 * MILLISECOND


class LinkFault(Protocol):
    """A fault of a link, as `sim.faults.LinkFault` and the scenario format have it."""

    @property
    def latency(self) -> Duration:
        """Added one-way delay."""
        ...

    @property
    def jitter(self) -> Duration:
        """± around it."""
        ...

    @property
    def loss(self) -> int:
        """Millionths."""
        ...

    @property
    def duplicate(self) -> int:
        """Millionths."""
        ...

    @property
    def reorder(self) -> int:
        """Millionths."""
        ...

    @property
    def bandwidth(self) -> int:
        """Bytes a second; 0: no limit."""
        ...


class Condition(Protocol):
    """What all faults together do to one direction."""

    @property
    def cut(self) -> bool:
        """Nothing passes."""
        ...

    @property
    def fault(self) -> LinkFault:
        """What happens to what passes."""
        ...


class FaultBook(Protocol):
    """Which network faults are in force: `sim.faults.FaultBook`, which both worlds use."""

    def partition(self, groups: Sequence[Sequence[str]]) -> int:
        """Cut every link between two groups."""
        ...

    def shape(
        self, sources: Sequence[str], targets: Sequence[str], fault: Any, *, oneway: bool
    ) -> int:
        """Do something to links."""
        ...

    def heal(self, fault: int) -> bool:
        """End one fault."""
        ...

    def heal_all(self) -> None:
        """End every fault."""
        ...

    def heal_nodes(self, names: Sequence[str]) -> None:
        """End every fault as far as it concerns these nodes."""
        ...

    def heal_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """End every fault between groups."""
        ...

    def condition(self, source: str, target: str) -> Condition:
        """What all faults together do to this direction."""
        ...


OnReply = Callable[[Result | None], None]


class _Waiting:
    """A client's call that has no answer yet."""

    __slots__ = ("host", "on_reply", "timer")

    def __init__(self, host: LiveHost, on_reply: OnReply, timer: asyncio.TimerHandle) -> None:
        self.host = host
        self.on_reply = on_reply
        self.timer = timer


class LiveWorld:
    """All nodes of one live swarm."""

    def __init__(self, state: StateFolder, faults: FaultBook, *, level: str = "normal") -> None:
        self.state = state
        self.record = state.load()
        self.env = LiveEnvironment(time.monotonic_ns() - LAG)
        self.recorder = LiveRecorder()
        self.hosts: dict[str, LiveHost] = {}
        self.images: dict[str, str] = {}
        self._level = level
        self._faults = faults
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._on_bug)
        self._failure: BaseException | None = None
        self._calls: dict[int, _Waiting] = {}
        self._last_call = 0
        self._starting: dict[str, None] = {}
        self._reasons: dict[str, str] = {}
        self._next_check: Instant = 0
        for config in self.record.nodes:
            self._adopt(config)

    # ── nodes ────────────────────────────────────────────────────────────────────────────────

    def add(self, config: NodeConfig) -> LiveHost:
        """A new node, not booted yet."""
        process = ProcessConfig(
            swarm=self.record.label,
            node=config,
            folder=str(self.state.node(config.name)),
            socket=f"{self.record.sockets}/{config.name}.sock",
            engine=self.record.engine,
            images=tuple(sorted(self.images.items())),
            level=self._level,
        )
        nodes = (*self.record.nodes, process)
        self.record = type(self.record)(
            self.record.name,
            self.record.label,
            self.record.engine,
            self.record.sockets,
            nodes,
            self.record.created_by,
        )
        self.state.save(self.record)
        return self._adopt(process)

    def _adopt(self, config: ProcessConfig) -> LiveHost:
        host = LiveHost(config, self.state, self._heard)
        self.hosts[host.name] = host
        return host

    def attach(self) -> None:
        """Take over the processes that run already."""
        for pid, name in self.state.processes().items():
            self.hosts[name].attach(self._loop, pid)
        self._wait(self._all_listening)

    def boot(self, name: str) -> None:
        """Start a node's process. Nodes booted together come to life together."""
        host = self._host(name)
        host.start(self._loop)
        self._starting[name] = None

    def restart(self, name: str) -> None:
        """Start a node again that crashed; one that is up stays as it is."""
        host = self._host(name)
        if host.up:
            return
        self.observe(name, "process.restart")
        self.boot(name)

    def crash(self, name: str, lose: str = "nothing") -> None:
        """SIGKILL the process, then its containers. `lose="disk"`: its files too. What was not
        synced survives the death of a process, so `unsynced` loses nothing here."""
        host = self._host(name)
        if not host.up:
            return
        self.observe(name, "process.crash", lose=lose)
        host.kill()
        self._forget_calls(host)
        if lose == "disk":
            shutil.rmtree(self.state.disk_folder(name), ignore_errors=True)
        if self.record.engine == "docker":
            self._loop.create_task(self._kill_containers(name))

    def pause(self, name: str) -> None:
        """SIGSTOP: the process does nothing; its containers go on."""
        host = self._host(name)
        if host.up and not host.paused:
            host.pause()
            self.observe(name, "process.pause")

    def resume(self, name: str) -> None:
        """SIGCONT."""
        host = self._host(name)
        if host.up and host.paused:
            host.resume()
            self.observe(name, "process.resume")

    def _host(self, name: str) -> LiveHost:
        host = self.hosts.get(name)
        if host is None:
            raise NotFound(f"there is no node {name}")
        return host

    async def _kill_containers(self, name: str) -> None:
        work = self._loop.run_in_executor(None, _kill_containers, self.record.label, name)
        for subject in await work:
            self.observe(name, "engine.container", **container_fields("die", subject, KILLED))

    # ── the network ──────────────────────────────────────────────────────────────────────────

    def partition(self, groups: Sequence[Sequence[str]]) -> int:
        """Cut every link between two groups."""
        fault = self._faults.partition(groups)
        self._order_links()
        return fault

    def set_link(
        self, sources: Sequence[str], targets: Sequence[str], fault: LinkFault, *, oneway: bool
    ) -> int:
        """Do something to links."""
        id = self._faults.shape(sources, targets, fault, oneway=oneway)
        self._order_links()
        return id

    def heal(self, fault: int) -> None:
        """End one fault."""
        self._faults.heal(fault)
        self._order_links()

    def heal_all(self) -> None:
        """End every fault."""
        self._faults.heal_all()
        self._order_links()

    def heal_nodes(self, names: Sequence[str]) -> None:
        """End every fault as far as it concerns these nodes."""
        self._faults.heal_nodes(names)
        self._order_links()

    def heal_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """End every fault between nodes of different groups."""
        self._faults.heal_groups(groups)
        self._order_links()

    def _order_links(self) -> None:
        for host in self.hosts.values():
            host.tell(Links(self._table(host.name)))

    def _table(self, source: str) -> LinkTable:
        rules = []
        for target in sorted(self.hosts):
            condition = self._faults.condition(source, target)
            fault = condition.fault
            rule = LinkRule(
                condition.cut,
                fault.latency,
                fault.jitter,
                fault.loss,
                fault.duplicate,
                fault.reorder,
                fault.bandwidth,
            )
            if rule != LinkRule():
                rules.append((target, rule))
        return LinkTable(tuple(rules))

    # ── clients ──────────────────────────────────────────────────────────────────────────────

    def call(self, name: str, request: Value, on_reply: OnReply, timeout: Duration) -> int:
        """A client's request to a node. `on_reply(None)`: the node died, or time is up."""
        host = self._host(name)
        self._last_call += 1
        id = self._last_call
        limit = timeout / SECOND if host.up else 0.0
        timer = self._loop.call_later(limit, self._gave_up, id)
        self._calls[id] = _Waiting(host, on_reply, timer)
        host.tell(ClientCall(id, "client", codec.encode(request)))
        return id

    def cancel_call(self, id: int) -> None:
        """The client goes away; nobody will be told."""
        waiting = self._calls.pop(id, None)
        if waiting is not None:
            waiting.timer.cancel()
            waiting.host.tell(CancelCall(id))

    def _gave_up(self, id: int) -> None:
        waiting = self._calls.get(id)
        if waiting is not None:
            self.cancel_call(id)
            waiting.on_reply(None)

    def _forget_calls(self, host: LiveHost) -> None:
        for id in [id for id, waiting in self._calls.items() if waiting.host is host]:
            self._calls[id].timer.cancel()
            self._loop.call_soon(self._gave_up, id)

    def _answered(self, answer: Answer) -> None:
        waiting = self._calls.pop(answer.id, None)
        if waiting is not None:
            waiting.timer.cancel()
            result: Any = codec.decode(answer.frame)
            waiting.on_reply(result)

    # ── what processes say ───────────────────────────────────────────────────────────────────

    def _heard(self, host: LiveHost, report: Report) -> None:
        match report:
            case Listening():
                self._on_listening(host)
            case Answer():
                self._answered(report)
            case Halted(reason):
                self._reasons[host.name] = reason
            case _:
                pass

    def _on_listening(self, host: LiveHost) -> None:
        """Bring nodes to life when all that start together are there; tell the others."""
        if host.name in self._starting:
            if any(not self.hosts[name].listening for name in self._starting):
                return
            started, self._starting = self._starting, {}
            places = self._places()
            for other in self.hosts.values():
                other.tell(Links(self._table(other.name)))
                other.tell(Start(places) if other.name in started else Moved(places))

    def _places(self) -> tuple[tuple[str, tuple[str, int]], ...]:
        return tuple(
            (host.config.address, host.place)
            for _, host in sorted(self.hosts.items())
            if host.place is not None
        )

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> Instant:
        """The observed time, on the machine's monotonic clock."""
        return self.env.now

    @property
    def trace(self) -> list[TraceRecord]:
        """Everything observed so far."""
        return self.recorder.records

    def observe(self, node: str, kind: str, **fields: Field) -> None:
        """A record of the supervisor's own, of this moment."""
        self.recorder.record(time.monotonic_ns(), node, kind, tuple(fields.items()))

    def run(self, until: Instant) -> None:
        """Let time pass until the observed time is `until`."""
        self._loop.run_until_complete(self._until(until))

    async def _until(self, until: Instant) -> None:
        while self.env.now < until:
            self._turn(until)
            if self._failure is not None:
                raise self._failure
            await asyncio.sleep(TURN_SECONDS)

    def _turn(self, until: Instant) -> None:
        """Do what is due, and take in what was observed, in order of time."""
        for host in self.hosts.values():
            for entry in host.trace.read():
                self.recorder.add(host.name, entry)
        self._check_processes()
        horizon = min(time.monotonic_ns() - LAG, until)
        while True:
            record, callback = self.recorder.next_at, self.env.next_at
            if record is not None and record <= horizon and (callback is None or record < callback):
                self.env.now = max(self.env.now, record)
                self.recorder.take_next(self.env.now)
            elif callback is not None and callback < horizon:
                self.env.run_next()
            else:
                break
        self.env.now = max(self.env.now, horizon)

    def _check_processes(self) -> None:
        if self.env.now < self._next_check:
            return
        self._next_check = self.env.now + PROCESS_CHECK_PERIOD
        for host in self.hosts.values():
            code = host.ended()
            if code is not None:
                reason = self._reasons.pop(host.name, f"process ended with {code}")
                self.observe(host.name, "process.crash", lose="nothing", reason=reason)
                self._forget_calls(host)

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Let time pass until something is so.

        Raises:
            Unavailable: it doesn't become so.
        """
        limit = time.monotonic() + CONNECT_SECONDS
        while not ready():
            self.run(self.env.now + READ_PERIOD)
            missing = [host.name for host in self.hosts.values() if not host.listening]
            dead = [name for name in missing if not self.hosts[name].up]
            if dead or time.monotonic() > limit:
                name = (dead or missing)[0]
                raise Unavailable(f"{name} did not start: {self.hosts[name].log_tail()}")

    def wait_booted(self) -> None:
        """Let time pass until every process that was started runs its node.

        Raises:
            Unavailable: one of them doesn't.
        """
        self._wait(self._all_listening)

    def _all_listening(self) -> bool:
        return all(host.listening for host in self.hosts.values() if host.up)

    def _on_bug(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        failure = error or SimswarmError(str(context.get("message")))
        self._failure = self._failure or failure

    def close(self) -> None:
        """Let go of the swarm: its processes run on."""
        for host in self.hosts.values():
            host.close()
        self._loop.run_until_complete(_cancelled(asyncio.all_tasks(self._loop)))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


def _kill_containers(label: str, node: str) -> list[Subject]:
    from simswarm.live.docker import Sweeper, connect

    client = connect()
    try:
        return Sweeper(client).kill(label, node)
    finally:
        client.close()


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for them."""
    waiting = [task for task in tasks if task is not asyncio.current_task()]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
