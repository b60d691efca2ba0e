"""Service requests are refused as the real control API of Docker 20.10.24 refuses them.

`tests/data/service-validation.jsonl` holds sequences of calls on an empty store with the answers
(gRPC code and text) that the swarmkit inside that engine gave; ids stand as `<id of service X>`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simswarm.base.effects import Identity
from simswarm.base.engine import HealthCheck
from simswarm.base.entropy import SeededEntropy
from simswarm.base.time import SECOND, Now
from simswarm.manager.controlapi import ControlApi
from simswarm.manager.ticket import Ticket
from simswarm.model.objects import Service
from simswarm.model.specs import (
    ContainerSpec,
    EndpointMode,
    EndpointSpec,
    Global,
    Mount,
    Placement,
    Port,
    Replicated,
    Resources,
    RestartPolicy,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
)
from simswarm.store import ByName, Store
from simswarm.wire.control import CallFailed, CreateService, RemoveService, UpdateService

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "service-validation.jsonl")
    .read_text()
    .splitlines()
]
CODES = {
    "InvalidArgument": "invalid argument",
    "Unknown": "unknown",
    "AlreadyExists": "already exists",
    "NotFound": "not found",
    "FailedPrecondition": "failed precondition",
    "Unimplemented": "unimplemented",
}


class Bench:
    """A control API on a store whose proposals commit at once."""

    def __init__(self) -> None:
        self.index = 1
        self.answered: list = []
        self.store = Store(self, lambda: Now(0, 5))
        self.api = ControlApi(self.store, SeededEntropy(1), self, self)

    def can_propose(self) -> bool:
        return True

    def commit_index(self) -> int:
        return self.index

    def propose(self, name, changes) -> None:
        self.index += 1
        self.store.apply(changes, self.index)
        self.store.finish()

    def answer(self, ticket, result) -> None:
        self.answered.append(result)

    def manager_statuses(self):
        return ()

    def ask(self, request):
        self.api.handle(Ticket(1), Identity("client"), request)
        return self.answered.pop()

    def named(self, name: str) -> Service | None:
        found = [s for s in self.store.find(Service, ByName(name)) if s.spec.name == name]
        return found[0] if found else None


def span(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * SECOND)


def update_config(given: dict | None) -> UpdateConfig | None:
    if given is None:
        return None
    return UpdateConfig(
        given.get("parallelism", 0),
        span(given.get("delay", 0)) or 0,
        monitor=span(given.get("monitor")),
        max_failure_ratio=given.get("max_failure_ratio", 0.0),
    )


def resources(given: dict) -> Resources:
    return Resources(given.get("nano_cpus", 0), given.get("memory_bytes", 0))


def health(given: dict | None) -> HealthCheck | None:
    if given is None:
        return None
    times = [span(given.get(key, 0)) or 0 for key in ("interval", "timeout", "start_period")]
    return HealthCheck((), times[0], times[1], given.get("retries", 0), times[2])


def endpoint(given: dict) -> EndpointSpec | None:
    ports = tuple(
        Port(port.get("target_port", 0), port["published_port"], port["protocol"], port["mode"])
        for port in given.get("ports", ())
    )
    mode = given.get("endpoint_mode")
    if not ports and not mode:
        return None
    return EndpointSpec(EndpointMode.DNSRR if mode == "dnsrr" else EndpointMode.VIP, ports)


def service_spec(given: dict) -> ServiceSpec:
    task, restart = given["task"], given["task"].get("restart")
    return ServiceSpec(
        given.get("name", ""),
        TaskSpec(
            ContainerSpec(
                task.get("image", ""),
                mounts=tuple(
                    Mount(m["type"], m.get("source", ""), m.get("target", ""))
                    for m in task.get("mounts", ())
                ),
                health=health(given.get("healthcheck")),
            ),
            resources(task.get("reservations", {})),
            resources(given.get("limits", {})),
            None
            if restart is None
            else RestartPolicy(
                delay=span(restart.get("delay")), window=span(restart.get("window"))
            ),
            Placement(tuple(task.get("placement", {}).get("constraints", ()))),
        ),
        Global() if given["mode"] == "global" else Replicated(given.get("replicas", 0)),
        update=update_config(given.get("update")),
        rollback=update_config(given.get("rollback")),
        endpoint=endpoint(given),
    )


def request(bench: Bench, call: dict):
    if call["call"] == "create_service":
        return CreateService(service_spec(call["spec"]))
    target = bench.named(call["target"])
    id = call["target"] if target is None else target.id
    if call["call"] == "remove_service":
        return RemoveService(id)
    current = 7 if target is None else target.meta.version
    version = {"current": current, "stale": current + 1000, "none": 0}[call["version"]]
    return UpdateService(id, version, service_spec(call["spec"]), call["rollback"])


@pytest.mark.parametrize("case", CASES, ids=[str(case["case"]) for case in CASES])
def test_answers_are_those_of_the_real_control_api(case):
    bench = Bench()
    for call, expected in zip(case["calls"], case["results"], strict=True):
        answer = bench.ask(request(bench, call))
        if expected["code"] == "OK":
            assert not isinstance(answer, CallFailed), (call, answer)
            continue
        text = expected["message"]
        for service in bench.store.find(Service):
            text = text.replace(f"<id of service {service.spec.name}>", service.id)
        assert answer == CallFailed(CODES[expected["code"]], text), call


def test_the_cases_cover_what_can_be_refused():
    texts = {
        result.get("message", "").split("'")[0] for case in CASES for result in case["results"]
    }
    assert len(texts) > 40
