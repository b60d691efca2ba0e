"""Stand-ins that tests of the simulated world share."""

from __future__ import annotations

from simswarm.base.effects import (
    Channel,
    Deliver,
    Outbox,
    PeerLost,
    TimerFired,
    TimerKey,
    WriteMode,
    Written,
)
from simswarm.base.entropy import SeededEntropy
from simswarm.model.config import NodeConfig
from simswarm.model.specs import NodeRole
from simswarm.sim.fabric.network import Network
from simswarm.sim.fabric.profiles import perfect
from simswarm.sim.kernel import SimEnvironment
from simswarm.sim.world import World


class End:
    """A node as the network sees it: keeps what it is told, reads at once unless `asleep`."""

    def __init__(self, env, name):
        self.env = env
        self.name = name
        self.got = []
        self.told = []
        self.asleep = False
        self.unread = []
        self.port = None

    def deliver(self, way, frame):
        self.got.append((self.env.now, way.source.name, frame))
        if self.asleep:
            self.unread.append(way)
        else:
            way.consumed()

    def read_all(self):
        unread, self.unread = self.unread, []
        for way in unread:
            way.consumed()

    def lost(self, target, channel):
        self.told.append((self.env.now, "lost", target, channel))

    def ready(self, target, channel):
        self.told.append((self.env.now, "ready", target, channel))

    @property
    def frames(self):
        return [frame for _, _, frame in self.got]

    @property
    def lost_peers(self):
        return [(target, channel) for _, what, target, channel in self.told if what == "lost"]


class Wires:
    """A network with a few ends, all up."""

    def __init__(self, *names, profile=None, seed=1, zones=None):
        self.env = SimEnvironment()
        self.network = Network(self.env, SeededEntropy(seed), profile or perfect())
        self.ends = {}
        for name in names:
            end = self.ends[name] = End(self.env, name)
            end.port = self.network.attach(name, (zones or {}).get(name, ""), end)
            self.network.booted(end.port)

    def __getitem__(self, name):
        return self.ends[name]

    def send(self, source, target, frame, channel=Channel.CONTROL):
        self.network.send(self.ends[source].port, target, channel, frame)

    def crash(self, name, *, silent=False):
        self.network.crashed(self.ends[name].port, silent=silent)

    def boot(self, name):
        self.network.booted(self.ends[name].port)

    def run(self, span):
        self.env.run(until=self.env.now + span)


def config(name, peers=()):
    return NodeConfig(name, name, NodeRole.MANAGER, tuple(peers))


class FakeNode:
    """A node without a protocol: it keeps what it is given, and does what its script says.

    `script` maps a frame, a timer's name or an input's type to a method that records effects.
    """

    def __init__(self, config, disk, entropy, now):
        self.config = config
        self.disk = dict(disk)
        self.entropy = entropy
        self.out = Outbox(lambda value: value, now)
        self.given = []

    def step(self, given, now):
        self.out.now = now
        self.given.append((now, given))
        self.react(given)
        return self.out.drain()

    def on_boot(self):
        """Effects of the boot."""

    def react(self, given):
        """Effects of an input."""

    def inputs(self, kind):
        return [given for _, given in self.given if isinstance(given, kind)]

    @classmethod
    def boot(cls, config, disk, entropy, now):
        node = cls(config, disk, entropy, now)
        node.on_boot()
        return node, node.out.drain()


class Gossip(FakeNode):
    """Ticks; at every tick writes a random word and, once it is durable, tells its peers, who
    answer. It uses every part of a driver and never stops."""

    TICK = TimerKey("gossip", 0, "tick")

    def on_boot(self):
        self.out.set_timer(self.TICK, 1 + self.entropy.integer(0, 50_000_000))

    def react(self, given):
        match given:
            case TimerFired():
                word = self.entropy.bytes(8)
                token = self.out.write("log", WriteMode.APPEND, (word,))
                for peer in self.config.managers:
                    if peer != self.config.name:
                        self.out.send_frame(peer, b"hello" + word, Channel.CONTROL, after=token)
                        self.out.send_frame(peer, b"gossip", Channel.DATAGRAM)
                self.out.set_timer(self.TICK, 100_000_000 + self.entropy.integer(0, 1_000_000))
                self.out.observe("gossip.tick", word=word.hex())
            case Deliver(source, _, frame) if frame.startswith(b"hello"):
                self.out.send_frame(source, b"heard", Channel.CONTROL)
            case PeerLost(target, _):
                self.out.observe("gossip.lost", peer=target)
            case Written():
                pass


def gossiping(count=3, seed=1, **settings):
    """A world of gossips, booted."""
    names = [f"m{number}" for number in range(1, count + 1)]
    world = World(seed, boot=Gossip.boot, **settings)
    for name in names:
        world.add(config(name, names))
    for name in names:
        world.boot(name)
    world.mark_origin()
    return world
