"""What an update makes of a spec: given things change, all else stays, in docker's way."""

from __future__ import annotations

import pytest

from simswarm.base.engine import HealthCheck
from simswarm.base.time import SECOND
from simswarm.dockercli.changes import (
    HealthChange,
    LabelChange,
    ListChange,
    NodeChange,
    PolicyChange,
    Refused,
    ResourceChange,
    RestartChange,
    ServiceChange,
    changed_node,
    changed_service,
)
from simswarm.dockercli.stack import in_stack
from simswarm.model.specs import (
    Availability,
    ContainerSpec,
    EndpointSpec,
    FailureAction,
    GenericResource,
    Global,
    Mount,
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
)

CONTAINER = ContainerSpec(
    image="shop/web:1",
    env=("A=1", "B=2"),
    labels=(("c", "d"),),
    health=HealthCheck(("CMD", "x"), interval=SECOND),
    mounts=(Mount("volume", "v", "/data"),),
)
SPEC = ServiceSpec(
    name="web",
    task=TaskSpec(
        container=CONTAINER,
        placement=Placement(("node.role==worker",), ("node.labels.zone",), 2),
        reservations=Resources(0, 1, (GenericResource("gpu", count=1),)),
        networks=("front",),
    ),
    mode=Replicated(3),
    labels=(("live", "true"),),
    endpoint=EndpointSpec(ports=(Port(80, 8080),)),
)


def changed(**fields):
    return changed_service(SPEC, ServiceChange(**fields))


def test_no_change_is_no_change():
    assert changed_service(SPEC, ServiceChange()) == SPEC


def test_force_counts_up():
    assert changed(force=True).task.force_update == 1


def test_variables_are_replaced_by_name_and_removed():
    env = changed(env=ListChange(("B=3", "C=4"), ("A",))).task.container.env
    assert env == ("B=3", "C=4")


def test_labels_of_service_and_container_are_different_things():
    spec = changed(labels=LabelChange((("live", "false"),)))
    assert spec.labels == (("live", "false"),)
    assert spec.task == SPEC.task
    spec = changed(container_labels=LabelChange((("e", "f"),), ("c",)))
    assert spec.task.container.labels == (("e", "f"),)


def test_policies_start_from_swarms_defaults():
    assert changed(update=PolicyChange(monitor=SECOND)).update == UpdateConfig(1, monitor=SECOND)
    action = FailureAction.ROLLBACK
    assert changed(rollback=PolicyChange(failure_action=action)).rollback == UpdateConfig(
        1, failure_action=action, monitor=5 * SECOND
    )
    policy = changed(restart=RestartChange(max_attempts=2)).task.restart
    assert policy == RestartPolicy(RestartCondition.ANY, 5 * SECOND, 2, None)


def test_a_policy_that_is_there_keeps_what_is_not_said():
    once = changed_service(SPEC, ServiceChange(update=PolicyChange(parallelism=0)))
    twice = changed_service(once, ServiceChange(update=PolicyChange(delay=SECOND)))
    assert twice.update == UpdateConfig(0, SECOND, monitor=5 * SECOND)


def test_health_checks_are_changed_switched_off_and_on_again():
    assert changed(health=HealthChange(retries=3)).task.container.health == HealthCheck(
        ("CMD", "x"), interval=SECOND, retries=3
    )
    off = changed(health=HealthChange(off=True))
    assert off.task.container.health == HealthCheck(("NONE",))
    on = changed_service(off, ServiceChange(health=HealthChange(test=("CMD-SHELL", "y"))))
    assert on.task.container.health == HealthCheck(("CMD-SHELL", "y"))
    with pytest.raises(Refused, match="conflicts"):
        changed(health=HealthChange(off=True, retries=1))


def test_lists_grow_and_shrink():
    spec = changed(
        constraints=ListChange(("node.role==worker", "node.labels.a==b")),
        preferences=ListChange((), ("node.labels.zone",)),
        networks=ListChange(("back",), ("front",)),
        reservations=ResourceChange(generic_add=(GenericResource("gpu", count=2),)),
        mounts_add=(Mount("bind", "/x", "/data"),),
    )
    assert spec.task.placement.constraints == ("node.role==worker", "node.labels.a==b")
    assert spec.task.placement.preferences == ()
    assert spec.task.networks == ("back",)
    assert spec.task.reservations.generic == (GenericResource("gpu", count=2),)
    assert spec.task.container.mounts == (Mount("bind", "/x", "/data"),)
    assert changed(mounts_rm=("/data",)).task.container.mounts == ()


def test_ports_are_added_and_removed_by_target():
    both = changed(ports_add=(Port(443, 8443),)).endpoint
    assert both is not None
    assert both.ports == (Port(80, 8080), Port(443, 8443))
    none = changed(ports_rm=(Port(80),)).endpoint
    assert none is not None
    assert none.ports == ()


def test_a_global_service_has_no_replicas():
    whole = ServiceSpec("agent", SPEC.task, Global())
    with pytest.raises(Refused, match="replicas can only be used with replicated mode"):
        changed_service(whole, ServiceChange(replicas=2))
    with pytest.raises(Refused, match="replicas-max-per-node"):
        changed_service(whole, ServiceChange(max_replicas=2))


def test_a_node_changes_labels_and_availability():
    node = NodeSpec("w1", (("old", "1"),))
    change = NodeChange(LabelChange((("disk", "ssd"),), ("old",)), Availability.DRAIN)
    assert changed_node(node, change) == NodeSpec(
        "w1", (("disk", "ssd"),), availability=Availability.DRAIN
    )
    with pytest.raises(Refused, match="key nosuch doesn't exist in node's labels"):
        changed_node(node, NodeChange(LabelChange(rm=("nosuch",))))


def test_a_service_in_a_stack_is_named_and_labelled_as_recorded():
    spec = in_stack(SPEC, "app")
    assert spec.name == "app_web"
    assert spec.labels == (
        ("com.docker.stack.image", "shop/web:1"),
        ("com.docker.stack.namespace", "app"),
        ("live", "true"),
    )
    assert spec.task.container.labels == (("c", "d"), ("com.docker.stack.namespace", "app"))
    assert spec.task.container.mounts == (Mount("volume", "app_v", "/data"),)
    assert spec.task.networks == ("app_front",)
