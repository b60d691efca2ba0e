"""The parts of conversations: one object looked up, changed, created or removed.

Each follows one command of docker's client; together they are what operators' actions and docker
command lines are made of (`conversations.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from simswarm.base.values import replace
from simswarm.dockercli.changes import (
    NodeChange,
    Refused,
    ServiceChange,
    changed_node,
    changed_service,
)
from simswarm.dockercli.conversation import Done, Step, refused
from simswarm.dockercli.words import no_such
from simswarm.model.objects import Node, Service
from simswarm.model.specs import Replicated, ServiceSpec
from simswarm.wire.control import (
    CreateService,
    ListNodes,
    ListServices,
    NodeList,
    NodeResult,
    Removed,
    RemoveService,
    Result,
    ServiceList,
    ServiceResult,
    UpdateNode,
    UpdateService,
)


def _found_service(result: ServiceList, name: str) -> Service | None:
    """The service of this id, else the one of this name."""
    by_id = [service for service in result.services if service.id == name]
    by_name = [service for service in result.services if service.spec.name == name]
    return (by_id + by_name + [None])[0]


class _OnService(ABC):
    """Base: look a service up by name or id, then do something with it."""

    __slots__ = ("_before", "_name", "_service")

    def __init__(self, name: str) -> None:
        self._name = name
        self._before = ""
        """What precedes an error, where one command has several services."""
        self._service: Service | None = None

    def start(self) -> Step:
        """Ask for the service."""
        return ListServices(names=(self._name,), ids=(self._name,))

    def on_result(self, result: Result) -> Step:
        """Act on the service, then say how it went."""
        if isinstance(result, ServiceList) and self._service is None:
            self._service = _found_service(result, self._name)
            if self._service is None:
                return self._missing()
            try:
                return self._act(self._service)
            except Refused as refusal:
                return Done("", f"{self._before}{refusal}")
        if isinstance(result, ServiceResult | Removed) and self._service is not None:
            return Done(self._said(self._service), "")
        return refused(result, self._before)

    def _missing(self) -> Step:
        return Done("", self._before + no_such("service", self._name))

    @abstractmethod
    def _act(self, service: Service) -> Step:
        """The request that does it."""

    def _said(self, service: Service) -> str:
        return self._name


class ScaleJob(_OnService):
    """Change the number of replicas of a service."""

    __slots__ = ("_replicas",)

    def __init__(self, name: str, replicas: int) -> None:
        super().__init__(name)
        self._replicas = replicas
        self._before = f"{name}: "

    def _act(self, service: Service) -> Step:
        if not isinstance(service.spec.mode, Replicated):
            raise Refused("scale can only be used with replicated or replicated-job mode")
        spec = replace(service.spec, mode=Replicated(self._replicas))
        return UpdateService(service.id, service.meta.version, spec)

    def _said(self, service: Service) -> str:
        return f"{self._name} scaled to {self._replicas}"


class UpdateJob(_OnService):
    """Change a service's spec."""

    __slots__ = ("_change",)

    def __init__(self, name: str, change: ServiceChange) -> None:
        super().__init__(name)
        self._change = change

    def _act(self, service: Service) -> Step:
        spec = changed_service(service.spec, self._change)
        return UpdateService(service.id, service.meta.version, spec)


class RollbackJob(_OnService):
    """Go back to a service's previous spec."""

    __slots__ = ()

    def _act(self, service: Service) -> Step:
        return UpdateService(service.id, service.meta.version, service.spec, rollback=True)


class RemoveJob(_OnService):
    """Remove a service."""

    __slots__ = ()

    def _act(self, service: Service) -> Step:
        return RemoveService(service.id)


class CreateJob:
    """Create a service."""

    __slots__ = ("_spec",)

    def __init__(self, spec: ServiceSpec) -> None:
        self._spec = spec

    def start(self) -> Step:
        """Ask for the service to be created."""
        return CreateService(self._spec)

    def on_result(self, result: Result) -> Step:
        """The id of the new service, or the refusal."""
        if isinstance(result, ServiceResult):
            return Done(result.service.id, "")
        return refused(result)


class DeployJob(_OnService):
    """Create a service of a stack, or bring the one there up to date."""

    __slots__ = ("_is_new", "_spec")

    def __init__(self, spec: ServiceSpec) -> None:
        super().__init__(spec.name)
        self._spec = spec
        self._is_new = False

    def _missing(self) -> Step:
        self._is_new = True
        self._before = f"failed to create service {self._name}: "
        return CreateService(self._spec)

    def _act(self, service: Service) -> Step:
        self._before = f"failed to update service {self._name}: "
        task = replace(self._spec.task, force_update=service.spec.task.force_update)
        spec = replace(self._spec, task=task)
        return UpdateService(service.id, service.meta.version, spec)

    def on_result(self, result: Result) -> Step:
        """As for any service; a new one has none yet."""
        if self._is_new and isinstance(result, ServiceResult):
            return Done(f"Creating service {self._name}", "")
        return super().on_result(result)

    def _said(self, service: Service) -> str:
        return f"Updating service {self._name} (id: {service.id})"


class PruneJob:
    """Remove the services of a stack that its file no longer has, one after another."""

    __slots__ = ("_kept", "_label", "_left", "_namespace", "_said")

    def __init__(self, label: str, namespace: str, kept: tuple[str, ...]) -> None:
        self._label, self._namespace, self._kept = label, namespace, kept
        self._left: list[Service] | None = None
        self._said: list[str] = []

    def start(self) -> Step:
        """Ask for all services."""
        return ListServices()

    def on_result(self, result: Result) -> Step:
        """Remove the next one that is too many."""
        if isinstance(result, ServiceList) and self._left is None:
            mark = (self._label, self._namespace)
            self._left = [
                service
                for service in result.services
                if mark in service.spec.labels and service.spec.name not in self._kept
            ]
        elif not isinstance(result, Removed):
            return refused(result)
        if not self._left:
            return Done("\n".join(self._said), "")
        service = self._left.pop(0)
        self._said.append(f"Removing service {service.spec.name}")
        return RemoveService(service.id)


class NodeJob:
    """Change a node's spec."""

    __slots__ = ("_change", "_name", "_sent")

    def __init__(self, name: str, change: NodeChange) -> None:
        self._name, self._change, self._sent = name, change, False

    def start(self) -> Step:
        """Ask for the node."""
        return ListNodes(names=(self._name,), ids=(self._name,))

    def on_result(self, result: Result) -> Step:
        """Send the changed spec, then say how it went."""
        if isinstance(result, NodeResult):
            return Done(self._name, "")
        if not isinstance(result, NodeList) or self._sent:
            return refused(result)
        node = self._found(result)
        if node is None:
            return Done("", no_such("node", self._name))
        self._sent = True
        try:
            spec = changed_node(node.spec, self._change)
        except Refused as refusal:
            return Done("", str(refusal))
        return UpdateNode(node.id, node.meta.version, spec)

    def _found(self, result: NodeList) -> Node | None:
        by_id = [node for node in result.nodes if node.id == self._name]
        by_name = [node for node in result.nodes if node.name == self._name]
        return (by_id + by_name + [None])[0]
