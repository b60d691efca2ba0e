"""A live swarm with the simulator's verbs: boot, crash, pause, partition, call, run.

    LiveWorld ──Popen, signals──> node processes ──trace files──> LiveRecorder ──> trace, sinks
        └── orders: who is where, links, clients' calls ──> control sockets

`run(until)` lets real time pass; whatever is due or observed meanwhile happens in order of time.
Verbs act at once and return; what they set going (a boot, containers that are killed) shows in the
trace.

Invariants:
    I1. The state folder names everything before it is started; `sweep` needs nothing else.
    I2. A crash ends the process before its containers: the node sees none of them die.
    I3. A process that ends by itself has crashed, with the reason it gave.

Not here: formation, timelines and verdicts (`scenario/`), stopping it all (`sweep.py`).
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from simswarm.base.effects import Field
from simswarm.base.errors import (
    FailedPrecondition,
    NotFound,
    SimswarmError,
    Unavailable,
    Unsupported,
)
from simswarm.base.time import MILLISECOND, Duration, Instant
from simswarm.base.trace import TraceRecord
from simswarm.base.values import Value, replace
from simswarm.live.control import (
    Answer,
    Halted,
    Links,
    Listening,
    Moved,
    ProcessConfig,
    Report,
    Start,
    Stop,
    UseImages,
)
from simswarm.live.driver import subject_fields
from simswarm.live.faults import LinkRule, LinkTable
from simswarm.live.scripted import KILLED
from simswarm.live.supervisor.calls import LiveCalls, OnReply
from simswarm.live.supervisor.clockwork import LiveEnvironment
from simswarm.live.supervisor.faultbook import FaultBook, LinkFault, link_rule
from simswarm.live.supervisor.host import CONNECT_SECONDS, LiveHost
from simswarm.live.supervisor.recorder import LAG, LiveRecorder, RecordSink
from simswarm.live.supervisor.state import StateFolder
from simswarm.live.supervisor.sweep import kill_containers, kill_task
from simswarm.model.config import NodeConfig

TURN_SECONDS = 0.005
"""How often traces are read and what is due is done."""
READ_PERIOD: Duration = 10 * MILLISECOND
PROCESS_CHECK_PERIOD: Duration = 100 * MILLISECOND


class LiveWorld:
    """All nodes of one live swarm."""

    def __init__(self, state: StateFolder, faults: FaultBook, *, level: str = "normal") -> None:
        self.state = state
        self.record = state.load()
        self._began = time.monotonic_ns() - LAG
        self.env = LiveEnvironment()
        self.recorder = LiveRecorder(self._began)
        self.hosts: dict[str, LiveHost] = {}
        self._images: dict[str, str] = {}
        self._level = level
        self._faults = faults
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._on_bug)
        self._failure: BaseException | None = None
        self._calls = LiveCalls(self.env, self._real)
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
            level=self._level,
        )
        self._save(nodes=(*self.record.nodes, process))
        return self._adopt(process)

    def _save(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)
        self.state.save(self.record)

    def _adopt(self, config: ProcessConfig) -> LiveHost:
        host = LiveHost(config, self.state, self._heard)
        self.hosts[host.name] = host
        return host

    def attach(self) -> None:
        """Take over the processes that run already; what they observed so far is read again.

        Raises:
            FailedPrecondition: a node is down.
        """
        running = {name: pid for pid, name in self.state.processes().items()}
        for name, host in self.hosts.items():
            if name not in running:
                raise FailedPrecondition(f"{name} of the live swarm '{self.record.name}' is down")
            host.attach(self._loop, running[name])
        self.wait_booted()

    def boot(self, name: str) -> bool:
        """Start a node's process, for the first time or again. False: it is up already. Nodes
        booted together come to life together."""
        host = self.host(name)
        if host.up:
            return False
        kind = "process.restart" if host.boot_number else "process.boot"
        self._fault(name, kind, boot=host.boot_number + 1)
        host.start(self._loop)
        host.tell(self._use_images())
        self._starting[name] = None
        return True

    def restart(self, name: str) -> bool:
        """The same as `boot`: what is up is left alone."""
        return self.boot(name)

    def crash(self, name: str, lose: str = "nothing", *, silent: bool | None = None) -> bool:
        """SIGKILL the process, then its containers. False: it is down already.

        Args:
            name: The node.
            lose: `disk`: its files are deleted too. What was not synced survives the death of a
                process, so `unsynced` loses nothing here.
            silent: Can't be had: the kernel of this machine closes a killed process' connections.
        """
        host = self.host(name)
        if not host.up:
            return False
        self._fault(name, "process.crash", lose=lose, reason="")
        host.kill()
        self._ended(host)
        if lose == "disk":
            shutil.rmtree(self.state.disk_folder(name), ignore_errors=True)
        return True

    def _ended(self, host: LiveHost) -> None:
        """A process is gone: so are its open calls and, whatever ended it, its containers."""
        self._calls.node_lost(host)
        if self.record.engine == "docker":
            self._loop.create_task(self._kill_containers(host.name))

    def pause(self, name: str) -> bool:
        """SIGSTOP: the process does nothing; its containers go on. False: down, or paused."""
        host = self.host(name)
        if not host.up or host.paused:
            return False
        self._fault(name, "process.pause")
        host.pause()
        return True

    def resume(self, name: str) -> bool:
        """SIGCONT. False: it is not paused."""
        host = self.host(name)
        if not host.paused:
            return False
        self._fault(name, "process.resume")
        host.resume()
        return True

    def shut_down(self, name: str) -> bool:
        """Ask a node to stop in good order. False: it is down."""
        host = self.host(name)
        host.tell(Stop())
        return host.up

    def exit_container(self, node: str, task: str, code: int) -> bool:
        """End a task's container with SIGKILL.

        Raises:
            Unsupported: another exit code than 137 is wanted.
        """
        if code != KILLED or self.record.engine != "docker":
            raise Unsupported(f"a real container can be made to exit with {KILLED} only")
        self._loop.run_in_executor(None, kill_task, self.record.label, task)
        return True

    def host(self, name: str) -> LiveHost:
        """A machine by its node's name.

        Raises:
            NotFound: there is none.
        """
        host = self.hosts.get(name)
        if host is None:
            raise NotFound(f"no node {name} in this swarm")
        return host

    def _fault(self, name: str, kind: str, **fields: Field) -> None:
        self.observe(name, kind, targets=(name,), **fields)

    def set_image(self, name: str, behaviour: object) -> None:
        """Real images behave as they do: this has no effect."""

    def use_profile(self, profile: object) -> None:
        """The network is this machine's: this has no effect."""

    def use_images(self, images: Mapping[str, str]) -> None:
        """Let other images stand in for those that services name, in all nodes."""
        self._images = dict(images)
        for host in self.hosts.values():
            host.tell(self._use_images())

    def _use_images(self) -> UseImages:
        return UseImages(tuple(sorted(self._images.items())))

    async def _kill_containers(self, name: str) -> None:
        work = self._loop.run_in_executor(None, kill_containers, self.record.label, name)
        for subject in await work:
            fields = subject_fields(subject)
            self.observe(name, "engine.container", **fields, action="die", exit_code=KILLED)

    def undo_faults(self) -> None:
        """Whatever was done to links and processes that still run ends now."""
        if any(self._table(name).rules for name in self.hosts):
            self.heal()
        for name in self.hosts:
            self.resume(name)
        self.run(self.env.now + READ_PERIOD)  # the orders have to leave

    # ── the network ──────────────────────────────────────────────────────────────────────────

    def partition(self, groups: Sequence[Sequence[str]]) -> int:
        """Cut every link between nodes of different groups; who is in none talks to everybody."""
        names = tuple(name for group in groups for name in group)
        self._check(names)
        fault = self._faults.partition(groups)
        written = tuple(",".join(group) for group in groups)
        self.observe("", "network.partition", targets=names, groups=written, fault=fault)
        self._order_links()
        return fault

    def set_link(
        self,
        sources: str | Sequence[str],
        targets: str | Sequence[str],
        link: LinkFault,
        *,
        oneway: bool = False,
    ) -> int:
        """Do something to the links from sources to targets, and back unless `oneway`."""
        from_, to = _names(sources), _names(targets)
        self._check((*from_, *to))
        fault = self._faults.shape(from_, to, link, oneway=oneway)
        self.observe(
            "",
            "network.link",
            targets=to,
            sources=from_,
            fault=fault,
            oneway=oneway,
            latency=link.latency,
            jitter=link.jitter,
            loss=link.loss,
            duplicate=link.duplicate,
            reorder=link.reorder,
            bandwidth=link.bandwidth,
        )
        self._order_links()
        return fault

    def heal(self, fault: int | None = None) -> bool:
        """End one network fault, or all. False: that one is not in force."""
        if fault is None:
            self._faults.heal_all()
            self.observe("", "network.heal", targets=tuple(self.hosts), fault=None)
        elif self._faults.heal(fault):
            self.observe("", "network.heal", targets=(), fault=fault)
        else:
            return False
        self._order_links()
        return True

    def heal_nodes(self, names: Sequence[str]) -> None:
        """End every network fault as far as it concerns these nodes."""
        self._check(names)
        self._faults.heal_nodes(names)
        self.observe("", "network.heal", targets=tuple(names), fault=None)
        self._order_links()

    def heal_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """End every network fault between nodes of different groups."""
        names = tuple(name for group in groups for name in group)
        self._check(names)
        self._faults.heal_groups(groups)
        self.observe("", "network.heal", targets=names, fault=None)
        self._order_links()

    def is_cut(self, source: str, target: str) -> bool:
        """Whether nothing gets from one node to another."""
        return self._faults.condition(source, target).cut

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            self.host(name)

    def _order_links(self) -> None:
        for host in self.hosts.values():
            host.tell(Links(self._table(host.name)))

    def _table(self, source: str) -> LinkTable:
        rules = []
        for target in sorted(self.hosts):
            rule = link_rule(self._faults.condition(source, target))
            if rule != LinkRule():
                rules.append((target, rule))
        return LinkTable(tuple(rules))

    # ── clients ──────────────────────────────────────────────────────────────────────────────

    def call(self, name: str, request: Value, on_reply: OnReply, timeout: Duration) -> int:
        """A client's request to a node. `on_reply` gets the answer once, or None if there is
        none: the node is down or goes down, or the time is up. Returns the call's id."""
        return self._calls.call(self.host(name), request, on_reply, timeout)

    def cancel_call(self, id: int) -> None:
        """Give a call up; `on_reply` will not be called."""
        self._calls.cancel(id)

    # ── what processes say ───────────────────────────────────────────────────────────────────

    def _heard(self, host: LiveHost, report: Report) -> None:
        match report:
            case Listening():
                self._on_listening(host)
            case Answer():
                self._calls.answered(report)
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
        """The observed time, in nanoseconds since this world was made."""
        return self.env.now

    @property
    def origin(self) -> Instant:
        """The observed time of t = 0; it must have been marked."""
        origin = self.recorder.origin
        assert origin is not None, "t = 0 has not been marked yet"
        return origin

    @property
    def t(self) -> Instant:
        """Nanoseconds since the swarm was up."""
        return self.env.now - self.origin

    @property
    def wall_origin(self) -> Instant:
        """What the machine's wall clock showed at t = 0, in nanoseconds since 1970."""
        return time.time_ns() - (self._real() - self.origin)

    def _real(self) -> Instant:
        """The machine's time, which the observed time follows."""
        return time.monotonic_ns() - self._began

    def mark_origin(self) -> None:
        """The swarm is up: this observed instant is t = 0."""
        self.recorder.mark_origin(self.env.now)
        if not self.record.origin:
            self._save(origin=self._began + self.env.now)

    def use_origin(self) -> None:
        """Count from the moment the swarm was up at first, for those who only watch."""
        self.recorder.mark_origin(self.record.origin - self._began if self.record.origin else 0)

    @property
    def observers(self) -> list[RecordSink]:
        """Who watches the trace; append to it before the first boot."""
        return self.recorder.sinks

    @property
    def trace(self) -> list[TraceRecord]:
        """Everything observed so far."""
        return self.recorder.records

    @property
    def digest(self) -> str:
        """Live runs don't repeat themselves: they have no digest."""
        return ""

    @property
    def steps(self) -> int:
        """Not counted."""
        return 0

    @property
    def checkpoints(self) -> list[object]:
        """None, without a digest."""
        return []

    def observe(self, node: str, kind: str, **fields: Field) -> None:
        """A record of the supervisor's own, of this moment."""
        self.recorder.record(self._real(), node, kind, tuple(fields.items()))

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
        horizon = min(self._real() - LAG, until)
        while True:
            record, callback = self.recorder.next_at, self.env.next_at
            if record is not None and record <= horizon and (callback is None or record < callback):
                # its own time first: what hears of it may ask for the time
                self.env.now = max(self.env.now, record)
                self.recorder.take_next()
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
                if self.recorder.origin is None:
                    raise Unavailable(f"{host.name} did not start: {reason}\n{host.log_tail()}")
                self._fault(host.name, "process.crash", lose="nothing", reason=reason)
                self._ended(host)

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


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for them."""
    waiting = [task for task in tasks if task is not asyncio.current_task()]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
