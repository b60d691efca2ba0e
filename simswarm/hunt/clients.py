"""Clients of the hunted members: what they ask, whom, and what they were told.

A client asks one thing at a time. It asks the member that it believes to lead, is sent on by the
others, and after silence either gives the command up (its outcome is unknown) or repeats it under
its number somewhere else; sessions make that once (`machine.py`). Everything goes into a history,
which must be linearizable.

Invariants:
    I1. An operation ends in the history exactly if an answer came; else its outcome is unknown.

Not here: whether a history is linearizable (`simswarm.check.history`).
"""

from __future__ import annotations

from typing import Any

from simswarm.base.entropy import Entropy
from simswarm.base.time import MILLISECOND
from simswarm.check.history import Operation, Register, Verdict, check
from simswarm.hunt.machine import OPS, Command, Done, NotHere
from simswarm.hunt.oracles import Found
from simswarm.hunt.plan import Plan
from simswarm.sim.world import World

HISTORY_STEPS = 200_000
"""Box of the search: more of it, and the verdict is unknown."""


class Client:
    """One client."""

    __slots__ = ("_clients", "_command", "_entropy", "_last_seen", "_number", "_target", "name")

    def __init__(self, clients: Clients, name: int, entropy: Entropy) -> None:
        self._clients = clients
        self.name = name
        self._entropy = entropy
        self._number = 0
        self._target = entropy.choice(clients.plan.names)
        self._command: Command | None = None
        self._last_seen: dict[str, str | None] = {}

    def next(self, given: Command | None) -> None:
        """Ask for something; `given`, or whatever comes to mind."""
        clients = self._clients
        if given is None and clients.closing:
            return
        self._number += 1
        self._command = command = given or self._think_of_one()
        clients.open[self.name] = (command, clients.world.now)
        self._ask(command)

    def _think_of_one(self) -> Command:
        draw, plan = self._entropy, self._clients.plan
        key = f"k{draw.integer(1, plan.keys)}"
        op = draw.choice(OPS)
        value = f"{self.name}.{self._number}"
        if op == "append":
            value += " "
        expected = self._last_seen.get(key) if op == "cas" else None
        return Command(self.name, self._number, op, key, value if op != "read" else "", expected)

    def _ask(self, command: Command) -> None:
        clients = self._clients
        clients.world.call(self._target, command, self.on_reply, clients.timeout)

    def on_reply(self, answer: object) -> None:
        """The member has answered, or it hasn't."""
        command, clients = self._command, self._clients
        assert command is not None, "nothing is answered that was not asked"
        if isinstance(answer, Done):
            self._done(command, answer)
            return
        names = clients.plan.names
        if isinstance(answer, NotHere) and answer.leader and answer.leader != self._target:
            self._target = answer.leader
        else:
            self._target = names[(names.index(self._target) + 1) % len(names)]
        if isinstance(answer, NotHere) or clients.plan.retry:
            # a little later: where nobody leads, asking around at once leads nowhere
            clients.world.env.call_in(clients.pause, self._again, command)
        else:
            clients.unknown(self.name)
            self._later()

    def _again(self, command: Command) -> None:
        if self._command is command:
            self._ask(command)

    def _done(self, command: Command, answer: Done) -> None:
        self._command = None
        clients = self._clients
        clients.done(command, answer)
        if command.op == "read" and isinstance(answer.output, str | None):
            self._last_seen[command.key] = answer.output
        elif command.op == "write":
            self._last_seen[command.key] = command.input
        self._later()

    def _later(self) -> None:
        clients = self._clients
        mean = clients.plan.think * MILLISECOND
        clients.world.env.call_in(self._entropy.integer(0, 2 * mean), self.next, None)


class Clients:
    """All clients of a run, and their common history."""

    __slots__ = ("closing", "history", "open", "pause", "plan", "timeout", "world")

    def __init__(self, world: World, plan: Plan, entropy: Entropy) -> None:
        self.world = world
        self.plan = plan
        self.history: list[Operation] = []
        self.open: dict[int, tuple[Command, int]] = {}
        """What each client waits for, and since when."""
        self.timeout = plan.patience * MILLISECOND
        self.pause = plan.tick * MILLISECOND
        self.closing = False
        """No new operations."""
        for name in range(1, plan.clients + 1):
            client = Client(self, name, entropy.fork(f"client/{name}"))
            world.env.call_in(entropy.integer(0, plan.think * MILLISECOND), client.next, None)

    def done(self, command: Command, answer: Done) -> None:
        """An operation has ended."""
        _, begun = self.open.pop(command.client)
        self._add(command, begun, self.world.now, answer.output)

    def unknown(self, client: int) -> None:
        """An operation was given up."""
        command, begun = self.open.pop(client)
        self._add(command, begun, None, None)

    def _add(self, command: Command, begun: int, end: int | None, output: Any) -> None:
        asked: Any = None
        if command.op == "cas":
            asked = [command.expected, command.input]
        elif command.op != "read":
            asked = command.input
        self.history.append(
            Operation(
                client=command.client,
                op=command.op,
                key=command.key,
                input=asked,
                output=output if command.op in ("read", "cas") else None,
                start=begun,
                end=end,
            )
        )

    def judge(self) -> bool:
        """Whether the history is known to be linearizable; False: the search took too long.

        Raises:
            Found: it is not.
        """
        for client in list(self.open):
            self.unknown(client)
        verdict = check(self.history, Register(), steps=HISTORY_STEPS)
        if verdict.result == "not linearizable":
            raise Found("linearizable", _explained(verdict))
        return verdict.result == "linearizable"


def _explained(verdict: Verdict) -> str:
    window = verdict.window
    if window is None:
        return "no order explains what clients were told"
    told = "; ".join(_told(operation) for operation in window.operations)
    return f"no order explains what clients were told of {window.key}: {told}"


def _told(operation: Operation) -> str:
    match operation.op:
        case "read":
            what = f"read {operation.output!r}"
        case "cas":
            old, new = operation.input
            what = f"cas {old!r} to {new!r} {'done' if operation.output else 'refused'}"
        case _:
            what = f"{operation.op} {operation.input!r}"
    if operation.end is None:
        what += " (unknown)"
    return f"client {operation.client} {what}"
