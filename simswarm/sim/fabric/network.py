"""The network of one world: who is attached, over which links, and what a crash tells the peers.

Streams and links are made when first used. A stream that broke is gone; the next `Send` opens
another one. How a node's end shows at its peers:

    process killed   its kernel closes the connections: PeerLost after one latency
    host powerless   silence: frames wait, until their stream times out or the host is back
    back again       frames of old streams are answered by a reset: PeerLost

Invariants:
    I1. A peer learns of a killed process after everything that process had sent to it.
    I2. Nothing crosses a link that is cut at the moment of arrival.

Not here: how a frame travels (`streams.py`), what is wrong with a link (`faults.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.effects import Channel, Identity
from simswarm.base.entropy import Entropy
from simswarm.base.time import Instant
from simswarm.base.values import Value
from simswarm.sim.distributions import sampler
from simswarm.sim.fabric.faults import HEALTHY, FaultBook, FaultID, LinkFault
from simswarm.sim.fabric.links import LOOPBACK, Link
from simswarm.sim.fabric.profiles import Profile
from simswarm.sim.fabric.streams import Datagrams, Port, Receiver, Stream, Tap
from simswarm.sim.kernel import SimEnvironment


class _Lost(Value, frozen=True):
    """That a stream to or from `name` broke, on its way to a peer."""

    peer: str
    incarnation: int
    name: str
    channel: Channel
    since: int = 0
    """The incarnation of `name` that followed the break; 0 where there is no such node."""


class Network:
    """All ports, links and streams."""

    __slots__ = ("_entropy", "_env", "_faults", "_links", "_ports", "_profile", "tap")

    def __init__(self, env: SimEnvironment, entropy: Entropy, profile: Profile) -> None:
        self._env = env
        self._entropy = entropy
        self._profile = profile
        self._faults = FaultBook()
        self._ports: dict[str, Port] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self.tap: Tap | None = None
        """Sees every message of streams opened from now on."""

    def attach(self, name: str, zone: str, receiver: Receiver) -> Port:
        """A new node's port. It is down until `booted`."""
        assert name not in self._ports, "a node is attached once"
        port = Port(Identity(name), len(self._ports), zone, receiver)
        self._ports[name] = port
        return port

    def send(self, source: Port, target: str, channel: Channel, frame: bytes) -> None:
        """Send a frame from a running node."""
        way = source.outgoing[channel].get(target)
        if way is None:
            way = self._open(source, target, channel)
            if way is None:
                return
        way.send(frame)

    def _open(self, source: Port, name: str, channel: Channel) -> Stream | Datagrams | None:
        target = self._ports.get(name)
        if target is None:
            if channel is not Channel.DATAGRAM:
                # as for a name without an address: the resolver says so after a round trip
                delay = 2 * sampler(self._profile.link.latency).least
                lost = _Lost(source.name, source.incarnation, name, channel)
                self._env.call_in(delay, self._on_lost, lost)
            return None
        way: Stream | Datagrams
        if channel is Channel.DATAGRAM:
            way = Datagrams(self._env, source, target, self.tap)
        else:
            way = Stream(self._env, source, target, channel, self.tap)
            way.back = self.link(target, source)
            target.incoming[source.name, channel] = way
        way.link = self.link(source, target)
        source.outgoing[channel][name] = way
        return way

    def link(self, source: Port, target: Port) -> Link:
        """One direction between two nodes."""
        key = (source.name, target.name)
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = Link(*key, self._entropy)
            self._refresh(link)
        return link

    def _refresh(self, link: Link) -> None:
        """Make a link what profile and faults say."""
        if link.source == link.target:
            link.become(LOOPBACK, HEALTHY)
            return
        profile = self._profile
        link_profile = profile.link
        if profile.between_zones is not None:
            zones = (self._ports[link.source].zone, self._ports[link.target].zone)
            if all(zones) and zones[0] != zones[1]:
                link_profile = profile.between_zones
        link.become(link_profile, self._faults.condition(link.source, link.target))

    # ── nodes come and go ────────────────────────────────────────────────────────────────────

    def booted(self, port: Port) -> None:
        """A process runs: it can be reached, and old streams to it will be reset."""
        port.running = port.powered = True
        port.incarnation += 1
        for stream in list(port.incoming.values()):
            stream.release()

    def crashed(self, port: Port, *, silent: bool) -> None:
        """The process is gone; with `silent`, its whole host."""
        told = {} if silent else self._connections(port)
        port.running = False
        port.powered = not silent
        port.incarnation += 1
        for ways in port.outgoing:
            for way in ways.values():
                if isinstance(way, Stream):
                    way.abandon()
            ways.clear()
        for (name, channel), at in told.items():
            peer = self._ports[name]
            lost = _Lost(name, peer.incarnation, port.name, channel, port.incarnation)
            self._env.call_at(at, self._on_lost, lost)

    def _connections(self, port: Port) -> dict[tuple[str, Channel], Instant]:
        """Peers and channels that have a connection with a node, and when a close sent now
        reaches them: behind everything that is on the wire."""
        told: dict[tuple[str, Channel], Instant] = {}
        for ways in port.outgoing:
            for way in ways.values():
                if isinstance(way, Stream):
                    told[way.target.name, way.channel] = way.tail
        for stream in port.incoming.values():
            told.setdefault((stream.source.name, stream.channel), 0)
        return {
            (name, channel): max(tail, self._env.now + link.delay())
            for (name, channel), tail in told.items()
            if name != port.name
            if not (link := self.link(port, self._ports[name])).cut
        }

    def _on_lost(self, lost: _Lost) -> None:
        """A peer sees its connection with a node closed."""
        peer = self._ports[lost.peer]
        gone = self._ports.get(lost.name)
        if peer.incarnation != lost.incarnation or not peer.running:
            return
        if gone is not None:
            if self.link(gone, peer).cut:
                return
            if peer.told.get((lost.name, lost.channel), 0) >= lost.since:
                return  # a reset was quicker
            way = peer.outgoing[lost.channel].get(lost.name)
            if isinstance(way, Stream) and way.incarnation != gone.incarnation:
                way.close()
        peer.receiver.lost(lost.name, lost.channel)

    # ── faults ───────────────────────────────────────────────────────────────────────────────

    def use(self, profile: Profile) -> None:
        """Be another network from now on."""
        self._profile = profile
        self._refresh_all()

    def partition(self, groups: Sequence[Sequence[str]]) -> FaultID:
        """Cut every link between two groups."""
        fault = self._faults.partition(groups)
        self._refresh_all()
        return fault

    def shape(
        self, sources: Sequence[str], targets: Sequence[str], fault: LinkFault, *, oneway: bool
    ) -> FaultID:
        """Do something to links."""
        id = self._faults.shape(sources, targets, fault, oneway=oneway)
        self._refresh_all()
        return id

    def heal(self, fault: FaultID) -> bool:
        """End one fault. False: it is not in force."""
        ended = self._faults.heal(fault)
        self._refresh_all()
        return ended

    def heal_all(self) -> None:
        """End every fault."""
        self._faults.heal_all()
        self._refresh_all()

    def heal_nodes(self, names: Sequence[str]) -> None:
        """End every fault as far as it concerns these nodes."""
        self._faults.heal_nodes(names)
        self._refresh_all()

    def heal_groups(self, groups: Sequence[Sequence[str]]) -> None:
        """End every fault between nodes of different groups."""
        self._faults.heal_groups(groups)
        self._refresh_all()

    def is_cut(self, source: str, target: str) -> bool:
        """Whether nothing gets from one node to another."""
        return self._faults.condition(source, target).cut

    def _refresh_all(self) -> None:
        for link in self._links.values():
            self._refresh(link)
        for port in self._ports.values():
            for stream in list(port.incoming.values()):
                stream.release()
