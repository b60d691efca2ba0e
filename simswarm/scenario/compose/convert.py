"""From a service of a stack file to the spec that `docker stack deploy` would send.

What a file leaves open stays open in the spec, so that Swarm's defaults apply; where docker's own
conversion fills something in (parallelism 1, the network `default`), so does this.

Source: docker/cli cli/compose/convert/service.go.
Not here: names with a stack's prefix (`dockercli/deploy.py`), reading the file (`read.py`).
"""

from __future__ import annotations

from simswarm.base.engine import HealthCheck
from simswarm.model.specs import (
    ContainerSpec,
    EndpointMode,
    EndpointSpec,
    FailureAction,
    GenericResource,
    Global,
    Placement,
    Replicated,
    Resources,
    RestartCondition,
    RestartPolicy,
    ServiceMode,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
    UpdateOrder,
)
from simswarm.scenario.compose import files

DEFAULT_NETWORK = "default"
FAILURE_ACTIONS = {
    "pause": FailureAction.PAUSE,
    "continue": FailureAction.CONTINUE,
    "rollback": FailureAction.ROLLBACK,
}
ORDERS = {"stop-first": UpdateOrder.STOP_FIRST, "start-first": UpdateOrder.START_FIRST}
CONDITIONS = {
    "none": RestartCondition.NONE,
    "on-failure": RestartCondition.ON_FAILURE,
    "any": RestartCondition.ANY,
}


def service_spec(name: str, service: files.ServiceFile) -> ServiceSpec:
    """The spec of a service, under the name it has in the file."""
    deploy = service.deploy
    resources = deploy.resources or files.ResourceSettings()
    task = TaskSpec(
        container=_container(service),
        reservations=_resources(resources.reservations),
        limits=_resources(resources.limits),
        restart=restart_policy(deploy.restart_policy),
        placement=_placement(deploy.placement),
        networks=service.networks or (DEFAULT_NETWORK,),
    )
    return ServiceSpec(
        name=name,
        task=task,
        mode=_mode(deploy),
        labels=deploy.labels,
        update=update_config(deploy.update_config),
        rollback=update_config(deploy.rollback_config),
        endpoint=_endpoint(service),
    )


def _container(service: files.ServiceFile) -> ContainerSpec:
    return ContainerSpec(
        image=service.image,
        command=service.entrypoint or (),
        args=service.command or (),
        env=service.environment,
        hostname=service.hostname or "",
        labels=service.labels,
        health=_health(service.healthcheck),
        stop_grace=service.stop_grace_period,
        stop_signal=service.stop_signal or "",
        mounts=service.volumes,
    )


def _health(check: files.Healthcheck | None) -> HealthCheck | None:
    if check is None:
        return None
    if check.disable:
        return HealthCheck(test=("NONE",))
    return HealthCheck(
        test=check.test,
        interval=check.interval or 0,
        timeout=check.timeout or 0,
        retries=check.retries or 0,
        start_period=check.start_period or 0,
    )


def _resources(amount: files.Resources | None) -> Resources:
    if amount is None:
        return Resources()
    generic = tuple(
        GenericResource(one.discrete_resource_spec.kind, count=one.discrete_resource_spec.value)
        for one in amount.generic_resources
    )
    return Resources(amount.cpus or 0, amount.memory or 0, generic)


def restart_policy(policy: files.RestartPolicy | None) -> RestartPolicy | None:
    """How ended tasks are replaced; None where the file doesn't say."""
    if policy is None:
        return None
    return RestartPolicy(
        condition=CONDITIONS[policy.condition or "any"],
        delay=policy.delay,
        max_attempts=policy.max_attempts or 0,
        window=policy.window,
    )


def update_config(config: files.UpdateConfig | None) -> UpdateConfig | None:
    """How updates proceed; None where the file doesn't say. Without `parallelism`: 1 at a time."""
    if config is None:
        return None
    return UpdateConfig(
        parallelism=1 if config.parallelism is None else config.parallelism,
        delay=config.delay or 0,
        failure_action=FAILURE_ACTIONS[config.failure_action or "pause"],
        monitor=config.monitor,
        max_failure_ratio=config.max_failure_ratio or 0.0,
        order=ORDERS[config.order or "stop-first"],
    )


def _placement(settings: files.PlacementSettings | None) -> Placement:
    if settings is None:
        return Placement()
    return Placement(
        constraints=settings.constraints or (),
        preferences=tuple(one.spread for one in settings.preferences),
        max_replicas=settings.max_replicas_per_node,
    )


def _mode(deploy: files.DeploySettings) -> ServiceMode:
    if deploy.mode.startswith("global"):
        return Global()
    return Replicated(1 if deploy.replicas is None else deploy.replicas)


def _endpoint(service: files.ServiceFile) -> EndpointSpec:
    ports = tuple(port for group in service.ports for port in group)
    mode = service.deploy.endpoint_mode
    return EndpointSpec(EndpointMode.DNSRR if mode == "dnsrr" else EndpointMode.VIP, ports)
