"""Reads the objects of recorded cases into the model. Formats: tests/data/vectors/README.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simswarm.base.time import SECOND
from simswarm.base.values import labels
from simswarm.model.objects import (
    Meta,
    Node,
    NodeDescription,
    NodeState,
    NodeStatus,
    Service,
    Task,
    TaskStatus,
)
from simswarm.model.specs import (
    Availability,
    ContainerSpec,
    EndpointMode,
    EndpointSpec,
    FailureAction,
    GenericResource,
    Global,
    Mount,
    NodeRole,
    NodeSpec,
    Placement,
    Port,
    Replicated,
    Resources,
    RestartCondition,
    RestartPolicy,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
    UpdateOrder,
)
from simswarm.model.taskstate import TaskState

Json = Mapping[str, Any]


def state(name: str) -> TaskState:
    return TaskState[name.upper()]


def nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * SECOND)


def generic(items: list[Json] | None) -> tuple[GenericResource, ...]:
    return tuple(
        GenericResource(item["kind"], 0, item["name"])
        if item.get("name")
        else GenericResource(item["kind"], item.get("count", 0))
        for item in items or ()
    )


def resources(item: Json | None) -> Resources:
    item = item or {}
    return Resources(
        item.get("nano_cpus", 0), item.get("memory_bytes", 0), generic(item.get("generic"))
    )


def node(item: Json) -> Node:
    description = None
    if item.get("description") is not None:
        told = item["description"]
        platform, engine = told.get("platform") or {}, told.get("engine") or {}
        description = NodeDescription(
            hostname=told.get("hostname", ""),
            os=platform.get("os", ""),
            architecture=platform.get("arch", ""),
            resources=resources(told.get("resources")),
            engine_version="20.10.24" if "engine" in told else "",
            engine_labels=labels(engine.get("labels") or {}),
            plugins=tuple((one["type"], one["name"]) for one in engine.get("plugins") or ()),
        )
    return Node(
        id=item["id"],
        spec=NodeSpec(
            labels=labels(item.get("labels") or {}),
            availability=Availability[(item.get("availability") or "active").upper()],
        ),
        description=description,
        status=NodeStatus(
            NodeState[(item.get("state") or "unknown").upper()], address=item.get("addr", "")
        ),
        role=NodeRole[(item.get("role") or "worker").upper()],
    )


def restart_policy(item: Json | None) -> RestartPolicy | None:
    if item is None:
        return None
    return RestartPolicy(
        RestartCondition[(item.get("condition") or "none").upper()],
        nanoseconds(item.get("delay")),
        item.get("max_attempts") or 0,
        nanoseconds(item.get("window")),
    )


def task_spec(item: Json | None) -> TaskSpec:
    item = item or {}
    placement = item.get("placement") or {}
    return TaskSpec(
        ContainerSpec(
            item.get("image", ""),
            env=tuple(item.get("env") or ()),
            mounts=tuple(
                Mount(
                    one.get("type", ""),
                    one.get("source", ""),
                    one.get("target", ""),
                    driver=one.get("driver") or "",
                )
                for one in item.get("mounts") or ()
            ),
        ),
        reservations=resources(item.get("reservations")),
        restart=restart_policy(item.get("restart")),
        placement=Placement(
            tuple(placement.get("constraints") or ()),
            tuple(placement.get("preferences") or ()),
            placement.get("max_replicas") or 0,
            tuple(
                (one.get("os", ""), one.get("arch", "")) for one in placement.get("platforms") or ()
            ),
        ),
        force_update=item.get("force_update") or 0,
        log_driver=item.get("log_driver") or "",
    )


def ports(items: list[Json] | None) -> tuple[Port, ...]:
    return tuple(
        Port(
            one.get("target_port", 0),
            one.get("published_port", 0),
            one.get("protocol") or "tcp",
            one.get("mode") or "ingress",
            one.get("name", ""),
        )
        for one in items or ()
    )


def update_config(item: Json | None) -> UpdateConfig | None:
    if item is None:
        return None
    return UpdateConfig(
        item.get("parallelism") or 0,
        nanoseconds(item.get("delay") or 0) or 0,
        FailureAction[(item.get("failure_action") or "pause").upper()],
        nanoseconds(item.get("monitor")),
        item.get("max_failure_ratio") or 0,
        UpdateOrder[(item.get("order") or "stop_first").upper()],
    )


def endpoint(item: Json) -> EndpointSpec | None:
    if not item.get("ports") and not item.get("endpoint_mode"):
        return None
    mode = EndpointMode[(item.get("endpoint_mode") or "vip").upper()]
    return EndpointSpec(mode, ports(item.get("ports")))


def service(item: Json) -> Service:
    replicated = item["mode"] == "replicated"
    return Service(
        id=item["id"],
        spec=ServiceSpec(
            item["name"],
            task_spec(item.get("task")),
            Replicated(item.get("replicas") or 0) if replicated else Global(),
            update=update_config(item.get("update")),
            rollback=update_config(item.get("rollback")),
            endpoint=endpoint(item),
        ),
        spec_version=item.get("spec_version"),
    )


def task(item: Json, services: Mapping[str, Service], start: int) -> Task:
    of = services.get(item.get("service_id", ""))
    own_ports = ports(item.get("ports"))
    inherited = of.spec.endpoint if of is not None else None
    if item.get("spec") is not None or of is None:
        spec = task_spec(item.get("spec"))
    else:
        spec = of.spec.task

    def moment(key: str) -> int:
        return 0 if item.get(key) is None else start - round(item[key] * SECOND)

    return Task(
        id=item["id"],
        spec=spec,
        service_id=item.get("service_id", ""),
        service_name=of.spec.name if of is not None else "",
        status=TaskStatus(
            state(item.get("state") or "new"),
            moment("status_ago"),
            item.get("message", ""),
            item.get("err", ""),
            applied_at=moment("applied_ago") or None,
        ),
        desired_state=state(item.get("desired_state") or "new"),
        slot=item.get("slot") or 0,
        node_id=item.get("node_id") or "",
        meta=Meta(created_at=moment("created_ago")),
        spec_version=item.get("spec_version"),
        endpoint=EndpointSpec(EndpointMode.VIP, own_ports) if own_ports else inherited,
        generic=generic(item.get("assigned_generic")),
    )
