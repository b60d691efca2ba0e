"""Carrying a command out: requests to a manager, one after another, until there is an answer.

        start() ─> request ─> on_result(result) ─> request ─> … ─> Done(output, error)

A conversation is a list of jobs, each a short state machine as docker's client does it: look the
object up, change the spec it found, send it back with the version it read. Nothing is tried
again: a version that is out of date is the user's to see.

Invariants:
    I1. At most one request is out at a time; `on_result` takes its result.
    I2. A conversation does nothing by itself: no clock, no chance.

Source: docker/cli cli/command/service/{scale,update,rollback,remove}.go, node/update.go,
stack/swarm/deploy_composefile.go. Not here: waiting for tasks (docker's progress bars).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from simswarm.base.values import Value
from simswarm.dockercli.words import daemon_error
from simswarm.wire.control import CallFailed, Request, Result


class Done(Value, frozen=True):
    """The end: what the command printed, and what it complained (empty: it succeeded)."""

    output: str
    error: str


Step: TypeAlias = Request | Done


class Job(Protocol):
    """One object's part of a command."""

    def start(self) -> Step:
        """The first request, or the end at once."""
        ...

    def on_result(self, result: Result) -> Step:
        """What follows from a result."""
        ...


class Conversation:
    """A command under way.

    Args:
        jobs: Its parts, carried out in order.
        keep_going: Whether a part that fails leaves the others to be tried.
    """

    __slots__ = ("_errors", "_jobs", "_keep_going", "_next", "_output")

    def __init__(self, jobs: Sequence[Job], *, keep_going: bool = False) -> None:
        self._jobs = tuple(jobs)
        self._keep_going = keep_going
        self._next = 0
        self._output: list[str] = []
        self._errors: list[str] = []

    def start(self) -> Step:
        """The first request, or the end at once."""
        return self._advance()

    def on_result(self, result: Result) -> Step:
        """What follows from the result of the last request."""
        step = self._jobs[self._next - 1].on_result(result)
        if not isinstance(step, Done):
            return step
        return self._advance() if self._note(step) else self._end()

    def _advance(self) -> Step:
        while self._next < len(self._jobs):
            self._next += 1
            step = self._jobs[self._next - 1].start()
            if not isinstance(step, Done):
                return step
            if not self._note(step):
                break
        return self._end()

    def _end(self) -> Done:
        return Done("\n".join(self._output), "\n".join(self._errors))

    def _note(self, done: Done) -> bool:
        """Keep what a part said; whether the next one is to be tried."""
        if done.output:
            self._output.append(done.output)
        if done.error:
            self._errors.append(done.error)
        return self._keep_going or not done.error


def refused(result: Result, before: str = "") -> Done:
    """The end of a part whose request was not carried out."""
    if isinstance(result, CallFailed):
        return Done("", before + daemon_error(result))
    return Done("", f"{before}Error response from daemon: unexpected {type(result).__name__}")
