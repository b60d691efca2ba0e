"""A simulated world: nodes on one kernel, and everything that may happen to them.

    world = World(seed=1)
    world.add(config)            a machine, switched off
    world.boot("m1")
    world.run(until=…)           kernel time; t = 0 is wherever `mark_origin` is called
    world.crash("m1", "unsynced")

Formation runs before t = 0: until `mark_origin`, records are held; then they get negative times.
Kernel time begins at 0, and at that moment every clock shows 2026-01-01T00:00:00Z.

Invariants:
    I1. A run depends on the seed and on the calls made here, at their instants, alone: slicing
        `run(until)` differently, observers and the trace level change nothing.
    I2. Every fault is recorded when it is injected, with whom it concerns.

Not here: when to do what (`scenario/acting/timeline.py`), how a swarm is formed (`scenario/`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Field
from simswarm.base.entropy import SeededEntropy
from simswarm.base.errors import InvalidSpec, NotFound
from simswarm.base.time import Duration, Instant
from simswarm.base.trace import TraceRecord
from simswarm.base.values import Value
from simswarm.model.config import NodeConfig
from simswarm.node.node import Node
from simswarm.sim.calls import Calls, OnReply, ReadAnswer
from simswarm.sim.digest import Checkpoint, Digest, StepRecord
from simswarm.sim.distributions import MILLION, sampler
from simswarm.sim.driver import Boot, Host, Observer, Shared
from simswarm.sim.fabric.faults import FaultID, LinkFault
from simswarm.sim.fabric.network import Network
from simswarm.sim.fabric.profiles import Profile, lan
from simswarm.sim.fabric.tap import NetworkTap
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.machine.clock import WALL_EPOCH, ClockModel
from simswarm.sim.machine.disk import DiskFault, Lose
from simswarm.sim.machine.images import ImageBehaviour
from simswarm.sim.recorder import Level, Recorder
from simswarm.wire import codec


class World:
    """Nodes, their network, and the faults in it."""

    __slots__ = ("_calls", "_digest", "_recorder", "_shared", "env", "hosts", "profile", "seed")

    def __init__(
        self,
        seed: int,
        *,
        profile: Profile | None = None,
        level: Level = "normal",
        boot: Boot = Node.boot,
        record_steps: tuple[int, int] | None = None,
        answers: ReadAnswer = codec.decode,
    ) -> None:
        self.seed = seed
        self.profile = profile or lan()
        self.env = SimEnvironment()
        self.hosts: dict[str, Host] = {}
        entropy = SeededEntropy(seed)
        shared = self._shared = Shared(self.env, entropy, boot)
        self._digest = shared.digest = Digest(record_steps)
        self._recorder = shared.recorder = Recorder(self.env, level, shared.observers)
        self._calls = shared.calls = Calls(self.env, answers)
        shared.network = Network(self.env, entropy, self.profile)
        if level == "full":
            shared.network.tap = NetworkTap(self._recorder)

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> Instant:
        """Kernel time, in nanoseconds since the world began."""
        return self.env.now

    @property
    def origin(self) -> Instant:
        """Kernel time of t = 0; it must have been marked."""
        origin = self._recorder.origin
        assert origin is not None, "t = 0 has not been marked yet"
        return origin

    @property
    def t(self) -> Instant:
        """Nanoseconds since the swarm was up."""
        return self.env.now - self.origin

    @property
    def wall_origin(self) -> Instant:
        """What a faultless wall clock showed at t = 0, in nanoseconds since 1970."""
        return WALL_EPOCH + self.origin

    def mark_origin(self) -> None:
        """The swarm is up: this instant is t = 0."""
        self._recorder.mark_origin()

    def run(self, until: Instant) -> None:
        """Let everything happen that is due before the kernel's time `until`."""
        if until > self.env.now:
            self.env.run(until=until)

    def step(self) -> None:
        """Let the next thing happen."""
        self.env.step()

    # ── what is to be seen ───────────────────────────────────────────────────────────────────

    @property
    def trace(self) -> list[TraceRecord]:
        """The records so far; empty before t = 0 is marked."""
        return self._recorder.records

    @property
    def observers(self) -> list[Observer]:
        """Who watches; append to it before the first boot."""
        return self._shared.observers

    @property
    def digest(self) -> str:
        """The digest over the execution so far."""
        return self._digest.value

    @property
    def steps(self) -> int:
        """Steps that all nodes have taken."""
        return self._digest.steps

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The digest's beginnings at every 256th step."""
        return self._digest.checkpoints

    @property
    def recorded_steps(self) -> list[StepRecord]:
        """The steps of the window `record_steps`, in words."""
        return self._digest.records

    def observe(self, node: str, kind: str, **fields: Field) -> None:
        """Add a record of one's own to the trace."""
        self._recorder.record(node, kind, tuple(fields.items()))

    def host(self, name: str) -> Host:
        """A machine by its node's name.

        Raises:
            NotFound: there is none.
        """
        host = self.hosts.get(name)
        if host is None:
            raise NotFound(f"no node {name} in this world")
        return host

    # ── nodes ────────────────────────────────────────────────────────────────────────────────

    def add(
        self,
        config: NodeConfig,
        *,
        clock: ClockModel | None = None,
        service_time: Duration = 0,
        zone: str = "",
    ) -> Host:
        """A machine more, switched off. Its node's name is its address.

        Raises:
            InvalidSpec: the name is taken, or is not the address.
        """
        name = config.name
        if name in self.hosts:
            raise InvalidSpec(f"there is a node {name} already")
        if config.address != name:
            raise InvalidSpec(f"in simulation the address of {name} is its name")
        host = Host(self._shared, config, self.profile, clock or ClockModel(), zone)
        host.service_time = service_time
        self.hosts[name] = host
        return host

    def boot(self, name: str) -> bool:
        """Switch a machine on, for the first time or again. False: it is up already."""
        host = self.host(name)
        if host.up:
            return False
        kind = "process.restart" if host.boot_number else "process.boot"
        self._fault(name, kind, boot=host.boot_number + 1)
        host.boot()
        return True

    def restart(self, name: str) -> bool:
        """The same as `boot`: what is up is left alone."""
        return self.boot(name)

    def crash(self, name: str, lose: Lose = "nothing", *, silent: bool | None = None) -> bool:
        """End a node and all its containers at once. False: it is down already.

        Args:
            name: The node.
            lose: What its disk loses. `nothing`: the process was killed; `unsynced`, `disk`: the
                machine lost power.
            silent: Whether no peer sees its connections closed; by default so at a power loss.
        """
        host = self.host(name)
        if not host.up:
            return False
        if silent is None:
            silent = lose != "nothing"
        self._fault(name, "process.crash", lose=lose, reason="")
        host.crash(lose, silent=silent)
        return True

    def pause(self, name: str) -> bool:
        """Stop a node's process for a while; its containers go on. False: it is down or paused."""
        host = self.host(name)
        if not host.up or host.paused:
            return False
        self._fault(name, "process.pause")
        host.pause()
        return True

    def resume(self, name: str) -> bool:
        """Let a paused node go on. False: it is not paused."""
        host = self.host(name)
        if not host.paused:
            return False
        self._fault(name, "process.resume")
        host.resume()
        return True

    def shut_down(self, name: str) -> bool:
        """Ask a node to stop in good order. False: it is down."""
        host = self.host(name)
        if host.up:
            self.env.call_in(0, _shut_down, host)
        return host.up

    def set_service_time(self, name: str, service_time: Duration) -> None:
        """Let every step of a node take so long from now on."""
        self.host(name).service_time = service_time
        self.observe(name, "process.slow", targets=(name,), service_time=service_time)

    # ── clients and containers ───────────────────────────────────────────────────────────────

    def call(self, name: str, request: Value, on_reply: OnReply, timeout: Duration) -> int:
        """Send a client's request to a node. `on_reply` gets the answer once, or None if there
        is none: the node is down or goes down, or the time is up. Returns the call's id."""
        return self._calls.call(self.host(name), request, on_reply, timeout)

    def cancel_call(self, id: int) -> None:
        """Give a call up; `on_reply` will not be called."""
        self._calls.cancel(id)

    def set_image(self, name: str, behaviour: ImageBehaviour) -> None:
        """Let an image behave so from now on."""
        self._shared.images.set(name, behaviour)

    def exit_container(self, node: str, task: str, code: int) -> bool:
        """Make a task's container end by itself. False: none runs there."""
        return self.host(node).engine.exit(task, code)

    # ── network ──────────────────────────────────────────────────────────────────────────────

    def use_profile(self, profile: Profile) -> None:
        """Be another network, with other disks, from now on."""
        self.profile = profile
        self._shared.network.use(profile)
        for host in self.hosts.values():
            host.disk.use(sampler(profile.fsync))

    def partition(self, groups: Sequence[Sequence[str]]) -> FaultID:
        """Cut every link between nodes of different groups; who is in none talks to everybody.

        Raises:
            NotFound: there is no such node.
            InvalidSpec: a node is in two groups.
        """
        names = [name for group in groups for name in group]
        self._check(names)
        fault = self._shared.network.partition(groups)
        written = tuple(",".join(group) for group in groups)
        self.observe("", "network.partition", targets=tuple(names), groups=written, fault=fault)
        return fault

    def set_link(
        self,
        sources: str | Sequence[str],
        targets: str | Sequence[str],
        link: LinkFault,
        *,
        oneway: bool = False,
    ) -> FaultID:
        """Do something to the links from sources to targets, and back unless `oneway`.

        Raises:
            NotFound: there is no such node.
            InvalidSpec: a negative delay, or a probability outside 0 to a million.
        """
        from_, to = _names(sources), _names(targets)
        self._check([*from_, *to])
        _check_link(link)
        fault = self._shared.network.shape(from_, to, link, oneway=oneway)
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
        return fault

    def heal(self, fault: FaultID | None = None) -> bool:
        """End one network fault, or all. False: that one is not in force."""
        network = self._shared.network
        if fault is None:
            network.heal_all()
            self.observe("", "network.heal", targets=tuple(self.hosts), fault=None)
            return True
        ended = network.heal(fault)
        if ended:
            self.observe("", "network.heal", targets=(), fault=fault)
        return ended

    def heal_nodes(self, names: Sequence[str]) -> None:
        """End every network fault as far as it concerns these nodes."""
        self._check(names)
        self._shared.network.heal_nodes(names)
        self.observe("", "network.heal", targets=tuple(names), fault=None)

    def heal_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """End every network fault between nodes of different groups."""
        names = [name for group in groups for name in group]
        self._check(names)
        self._shared.network.heal_groups(groups)
        self.observe("", "network.heal", targets=tuple(names), fault=None)

    def is_cut(self, source: str, target: str) -> bool:
        """Whether nothing gets from one node to another."""
        return self._shared.network.is_cut(source, target)

    # ── disks and clocks ─────────────────────────────────────────────────────────────────────

    def fault_disk(self, name: str, fault: DiskFault) -> None:
        """Let a disk be so from now on; `DiskFault()` ends what was wrong with it."""
        self.host(name).disk.fault = fault
        self._fault(name, "disk.fault", slow=fault.slow, full=fault.full, error=fault.error)

    def corrupt_disk(self, name: str, file: str | None = None) -> bool:
        """Turn one bit of a durable record. False: there is none."""
        hit = self.host(name).disk.corrupt(file)
        if hit:
            self._fault(name, "disk.fault", corrupt=hit)
        return bool(hit)

    def fault_clock(
        self, name: str, *, skew: Duration = 0, drift: int | None = None, jump: Duration = 0
    ) -> None:
        """Set a node's wall clock forward by `skew` or `jump` (back, if negative), or let its
        monotonic clock run at another rate (`drift`, in parts per billion; 0 is right)."""
        host = self.host(name)
        host.clock.jump(skew + jump)
        if drift is not None:
            host.set_drift(drift)
        self._fault(name, "clock.fault", skew=skew, drift=drift, jump=jump)

    def _fault(self, name: str, kind: str, **fields: Field) -> None:
        self._recorder.record(name, kind, (("targets", (name,)), *fields.items()))

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            self.host(name)


def _shut_down(host: Host) -> None:
    host.shut_down()


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _check_link(link: LinkFault) -> None:
    if min(link.latency, link.jitter, link.bandwidth) < 0:
        raise InvalidSpec("latency, jitter and bandwidth of a link are not negative")
    for chance in (link.loss, link.duplicate, link.reorder):
        if not 0 <= chance <= MILLION:
            raise InvalidSpec("a probability lies between 0 and a million parts per million")
