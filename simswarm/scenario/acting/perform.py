"""What each action does to a world, and how `for` takes it back.

Operators' actions become orders of a client; everything else acts on the world at once.

Invariants:
    I1. Every event is recorded when it fires, with the nodes its targets meant at that moment.
    I2. An action that finds nothing to do says so, and fails nothing.

Not here: when events fire (`timeline.py`), what conversations ask for (`dockercli/`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.base.entropy import Entropy
from simswarm.base.errors import Unsupported
from simswarm.base.values import Value
from simswarm.dockercli import Command, Conversation, converse, parse
from simswarm.model.specs import Availability
from simswarm.scenario.acting.client import Clients, Order
from simswarm.scenario.acting.imagery import simulated_image
from simswarm.scenario.acting.links import link_fault
from simswarm.scenario.acting.operator import OperatorAction, Plan, plan, set_availability
from simswarm.scenario.acting.stageworld import StageWorld
from simswarm.scenario.grammar.targets import Target
from simswarm.scenario.model import Event, ImageBehaviour, Scenario, actions
from simswarm.scenario.observed.resolve import Resolver, absent, is_random
from simswarm.scenario.observed.scene import Scene


class Undo(Value, frozen=True):
    """What has to be taken back: these nodes, this network fault, this change of images."""

    nodes: tuple[str, ...] = ()
    fault: int = 0
    change: int = 0


class Actions:
    """Carries out the actions of one run."""

    __slots__ = (
        "_changes",
        "_clients",
        "_entropy",
        "_faults",
        "_fired",
        "_images",
        "_scene",
        "_wiped",
        "_world",
        "resolved",
        "warnings",
    )

    def __init__(
        self,
        world: StageWorld,
        scene: Scene,
        clients: Clients,
        scenario: Scenario,
        entropy: Entropy,
    ) -> None:
        self._world = world
        self._scene = scene
        self._clients = clients
        self._entropy = entropy
        self._images: dict[str, ImageBehaviour] = dict(scenario.images)
        self._changes: dict[int, actions.ChangeImages] = {}
        """Changes of images that have not been undone, in the order they were made."""
        self._fired: dict[int, int] = {}
        """How often each event has fired."""
        self._faults: dict[int, Event] = {}
        """Network faults that have not been undone, and whose doing they are."""
        self._wiped: dict[str, None] = {}
        """Managers that lost their disk. A Raft member that has forgotten its votes must not come
        back under its old id; coming back as a new member is not built yet."""
        self.resolved: dict[int, dict[str, tuple[str, ...]]] = {}
        """What random targets meant: event number → field → nodes; for the locked scenario."""
        self.warnings: list[str] = []

    # ── the timeline's performer ─────────────────────────────────────────────────────────────

    def perform(self, number: int, event: Event) -> Undo:
        """Carry out an event's action."""
        self._fired[number] = self._fired.get(number, 0) + 1
        action = event.action
        match action:
            case actions.Docker():
                return self._docker(event, action)
            case actions.Partition() | actions.LinkFault() | actions.Heal():
                return self._network(number, event, action)
            case actions.ChangeImages():
                return self._change_images(event, action)
            case actions.ExitContainer():
                return self._exit_container(event, action)
            case actions.Note():
                self._record(event, (), action.text)
                return Undo()
            case actions.Crash() | actions.Restart() | actions.Pause() | actions.Resume():
                return self._process(number, event, action)
            case _ if isinstance(action, OperatorAction):
                return self._operate(number, event, action)
            case _:
                raise Unsupported(f"line {event.line}: '{event.verb}' is not supported yet")

    def undo(self, number: int, event: Event, done: Undo) -> None:
        """Take back what `perform` did."""
        self._world.observe(
            "",
            "event",
            id=event.id,
            action=event.verb,
            targets=done.nodes,
            text=f"{event.verb} ends",
            undone=True,
        )
        match event.action:
            case actions.Crash():
                self._restart(event, done.nodes)
            case actions.Pause():
                for name in done.nodes:
                    self._world.resume(name)
            case actions.Partition() | actions.LinkFault():
                self._heal_fault(done.fault)
            case actions.Drain() | actions.PauseNode():
                self._order(event, set_availability(done.nodes, Availability.ACTIVE))
            case actions.ChangeImages():
                self._set_images(self._changes.pop(done.change))

    # ── targets and records ──────────────────────────────────────────────────────────────────

    def _nodes(self, number: int, field: str, targets: Sequence[Target]) -> tuple[str, ...]:
        stream = self._entropy.fork(f"targets/{number}/{field}{self._turn(number)}")
        nodes = Resolver(self._scene, stream).nodes(targets)
        if is_random(targets):
            self.resolved.setdefault(number, {})[field] = nodes
        return nodes

    def _record(
        self, event: Event, nodes: Sequence[str], text: str, remark: str | None = None
    ) -> None:
        self._world.observe(
            "",
            "event",
            id=event.id,
            action=event.verb,
            targets=tuple(nodes),
            text=text,
            remark=remark,
        )

    def _turn(self, number: int) -> str:
        """Tells the firings of one event apart, so that each draws its own random targets."""
        count = self._fired.get(number, 0)
        return f"/{count}" if count > 1 else ""

    def _missing(self, event: Event, nodes: Sequence[str], targets: Sequence[Target]) -> list[str]:
        """What to say where targets name nodes that there are not, or mean nobody."""
        names = absent(self._scene, targets)
        if names:
            return [f"there is no node {' or '.join(names)}"]
        return [] if nodes else [f"{event.verb}: there is no such node now"]

    def _remark(self, event: Event, found: Sequence[str]) -> str | None:
        """One remark of all that an event found amiss, kept as a warning too."""
        if not found:
            return None
        text = "; ".join(found)
        self.warnings.append(f"line {event.line}: {text}")
        return text

    def _words(self, event: Event, nodes: Sequence[str], *tail: str) -> str:
        return " ".join([event.verb, *(nodes or ("nobody",)), *tail])

    # ── operators ────────────────────────────────────────────────────────────────────────────

    def _operate(self, number: int, event: Event, action: OperatorAction) -> Undo:
        targets = getattr(action, "target", None)
        nodes = () if targets is None else self._nodes(number, "target", targets)
        made = plan(action, nodes)
        missing = [] if targets is None else self._missing(event, nodes, targets)
        self._record(event, nodes, made.command, self._remark(event, missing))
        if targets is None or nodes:
            self._order(event, made)
        return Undo(nodes)

    def _order(self, event: Event, made: Plan) -> None:
        self._clients.ask(Order(made.command, made.make, event=event.id, stubborn=True))

    def _docker(self, event: Event, action: actions.Docker) -> Undo:
        line = parse(action.command)
        words = action.command.removeprefix("docker ").strip()
        self._record(event, () if line.host is None else (line.host,), f"docker {words}")
        self._clients.ask(
            Order(
                words,
                _Converse(line.command),
                event=event.id,
                host=line.host,
                retry=action.retry,
                client="docker",
            )
        )
        return Undo()

    # ── processes ────────────────────────────────────────────────────────────────────────────

    def _process(
        self,
        number: int,
        event: Event,
        action: actions.Crash | actions.Restart | actions.Pause | actions.Resume,
    ) -> Undo:
        nodes = self._nodes(number, "target", action.target)
        idle = tuple(name for name in nodes if not self._applies(action, name))
        found = self._missing(event, nodes, action.target)
        if idle:
            found.append(self._nothing_to_do(event, idle))
        self._record(event, nodes, self._words(event, nodes), self._remark(event, found))
        touched = tuple(name for name in nodes if name not in idle)
        for name in touched:
            match action:
                case actions.Crash(lose=lose):
                    self._world.crash(name, lose)
                    if lose == "disk" and name in self._scene.around.members():
                        self._wiped[name] = None
                case actions.Restart():
                    self._world.restart(name)
                case actions.Pause():
                    self._world.pause(name)
                case actions.Resume():
                    self._world.resume(name)
        return Undo(touched)

    def _applies(self, action: object, name: str) -> bool:
        truth = self._scene.truth
        match action:
            case actions.Restart():
                return name in truth.down and name not in self._wiped
            case actions.Resume():
                return name in truth.paused
            case actions.Pause():
                return truth.is_up(name)
            case _:
                return name not in truth.down

    def _nothing_to_do(self, event: Event, idle: Sequence[str]) -> str:
        wiped = [name for name in idle if name in self._wiped]
        if wiped and event.verb == "restart":
            return f"{' and '.join(wiped)} can't come back: a manager without its disk is none"
        state = {"restart": "up", "resume": "not paused", "pause": "not running"}
        verb = "are" if len(idle) > 1 else "is"
        text = f"{' and '.join(idle)} {verb} {state.get(event.verb, 'down already')}"
        return f"{text}: {event.verb} does nothing"

    def _restart(self, event: Event, nodes: Sequence[str]) -> None:
        """Take a crash back."""
        for name in nodes:
            if name in self._wiped:
                text = f"{name} can't come back: a manager without its disk is none"
                self.warnings.append(f"line {event.line}: {text}")
            else:
                self._world.restart(name)

    # ── network ──────────────────────────────────────────────────────────────────────────────

    def _network(
        self,
        number: int,
        event: Event,
        action: actions.Partition | actions.LinkFault | actions.Heal,
    ) -> Undo:
        match action:
            case actions.Partition(groups=groups):
                sides = self._sides(number, groups)
                words = " | ".join(" ".join(side) for side in sides)
                named = tuple(name for side in sides for name in side)
                found = self._missing(event, named, [one for group in groups for one in group])
                if len(sides) < 2:
                    found.append("all nodes are on one side: nothing is cut")
                self._record(event, named, f"partition {words}", self._remark(event, found))
                return self._injected(event, self._world.partition(sides))
            case actions.LinkFault():
                sources = self._nodes(number, "from", action.source)
                targets = self._nodes(number, "to", action.target)
                found = self._missing(event, sources and targets, action.source + action.target)
                text = f"link {' '.join(sources)} to {' '.join(targets)}"
                self._record(event, sources, text, self._remark(event, found))
                if not sources or not targets:
                    return Undo()
                fault = link_fault(action)
                id = self._world.set_link(sources, targets, fault, oneway=action.oneway)
                return self._injected(event, id)
            case actions.Heal():
                self._heal(number, event, action)
                return Undo()

    def _sides(self, number: int, groups: Sequence[Sequence[Target]]) -> list[tuple[str, ...]]:
        """The groups of a partition, with one more of all nodes in none; each node in one."""
        sides: list[tuple[str, ...]] = []
        placed: dict[str, None] = {}
        for index, group in enumerate(groups):
            named = self._nodes(number, f"group{index}", group)
            side = tuple(name for name in named if name not in placed)
            placed.update(dict.fromkeys(side))
            sides.append(side)
        rest = tuple(name for name in self._scene.around.nodes() if name not in placed)
        return [side for side in (*sides, rest) if side]

    def _heal(self, number: int, event: Event, action: actions.Heal) -> None:
        if action.event is not None:
            self._record(event, (), f"heal {action.event}")
            for fault in [id for id, cause in self._faults.items() if cause.id == action.event]:
                self._heal_fault(fault)
        elif action.groups is not None:
            sides = self._sides(number, action.groups)
            self._record(event, (), "heal " + " | ".join(" ".join(side) for side in sides))
            self._world.heal_groups(sides)
        elif action.target is not None:
            nodes = self._nodes(number, "target", action.target)
            found = self._missing(event, nodes, action.target)
            self._record(event, nodes, self._words(event, nodes), self._remark(event, found))
            if set(nodes) >= set(self._scene.around.nodes()):
                self._faults.clear()
                self._world.heal()
            elif nodes:
                self._world.heal_nodes(nodes)

    def _injected(self, event: Event, fault: int) -> Undo:
        self._faults[fault] = event
        return Undo(fault=fault)

    def _heal_fault(self, fault: int) -> None:
        if self._faults.pop(fault, None) is not None:
            self._world.heal(fault)

    def left_in_force(self) -> list[str]:
        """What was done to the world and not undone, in words."""
        truth = self._scene.truth
        found = [f"{name} is still down at the end" for name in truth.down]
        found += [f"{name} is still paused at the end" for name in truth.paused]
        for event in self._faults.values():
            whose = f"event '{event.id}'" if event.id else f"the {event.verb} event"
            found.append(f"network faults of {whose} are still in force at the end")
        return list(dict.fromkeys(found))

    # ── images and containers ────────────────────────────────────────────────────────────────

    def _change_images(self, event: Event, action: actions.ChangeImages) -> Undo:
        self._record(event, (), f"image {' '.join(action.images)}")
        change = max(self._changes, default=0) + 1
        self._changes[change] = action
        self._set_images(action)
        return Undo(change=change)

    def _set_images(self, touched: actions.ChangeImages) -> None:
        """Let images be as the scenario has them, with all changes in force on top."""
        for name in touched.images:
            behaviour = self._images.get(name, ImageBehaviour())
            for action in self._changes.values():
                if name in action.images:
                    behaviour = behaviour.changed(action.images[name])
            self._world.set_image(name, simulated_image(behaviour))

    def _exit_container(self, event: Event, action: actions.ExitContainer) -> Undo:
        wanted = action.target
        place = wanted.slot if wanted.node is None else wanted.node
        text = f"container {wanted.service}.{place} exits with {action.exit}"
        for (node, task), container in self._scene.truth.containers.items():
            if container.service != wanted.service:
                continue
            if container.slot == wanted.slot if wanted.node is None else node == wanted.node:
                self._record(event, (node,), text)
                self._world.exit_container(node, task, action.exit)
                return Undo()
        remark = f"no container {wanted.service}.{place} runs now: nothing exits"
        self._record(event, (), text, self._remark(event, [remark]))
        return Undo()


class _Converse:
    """Makes a docker command's conversation afresh for every try."""

    __slots__ = ("_command",)

    def __init__(self, command: Command) -> None:
        self._command = command

    def __call__(self) -> Conversation:
        return converse(self._command)
