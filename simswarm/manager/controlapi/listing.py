"""Lists of services, tasks and nodes, from what is committed at the leader.

A filter left empty lets everything pass; filters are joined by "and", the values in one by "or"
(but a service or node is asked for by name or id, whichever fits). Names compare lower-cased.

Source: swarmkit manager/controlapi/*.go (List*). As there, a leader that has lost touch with the
others answers from what it knows until it steps down: a list may be a few seconds old then.
"""

from __future__ import annotations

from collections.abc import Sequence

from simswarm.model.objects import Node, Service, Task
from simswarm.store import ALL, ByName, ByNode, ByService, View
from simswarm.wire.control import (
    ListNodes,
    ListServices,
    ListTasks,
    ManagerStatus,
    NodeList,
    ServiceList,
    TaskList,
)


def list_services(view: View, request: ListServices) -> ServiceList:
    """Services with these names or ids, in order of id."""
    if not request.names and not request.ids:
        return ServiceList(tuple(view.find(Service)))
    found: dict[str, Service] = {}
    for name in request.names:
        found.update((service.id, service) for service in view.find(Service, ByName(name)))
    for id in request.ids:
        service = view.get(Service, id)
        if service is not None:
            found[id] = service
    return ServiceList(tuple(found[id] for id in sorted(found)))


def list_tasks(view: View, request: ListTasks) -> TaskList:
    """Tasks of these services and on these nodes, in order of id."""
    found: dict[str, Task] = {}
    if request.service_ids:
        for service_id in request.service_ids:
            found.update((task.id, task) for task in view.find(Task, ByService(service_id)))
    elif request.node_ids:
        for node_id in request.node_ids:
            found.update((task.id, task) for task in view.find(Task, ByNode(node_id)))
    else:
        found.update((task.id, task) for task in view.find(Task, ALL))
    wanted = dict.fromkeys(request.node_ids)
    return TaskList(
        tuple(found[id] for id in sorted(found) if not wanted or found[id].node_id in wanted)
    )


def list_nodes(view: View, request: ListNodes, managers: Sequence[ManagerStatus]) -> NodeList:
    """Nodes with these names or ids, in order of id, and the managers among them."""
    if not request.names and not request.ids:
        return NodeList(tuple(view.find(Node)), tuple(managers))
    found: dict[str, Node] = {}
    for name in request.names:
        found.update((node.id, node) for node in view.find(Node, ByName(name)))
    for id in request.ids:
        node = view.get(Node, id)
        if node is not None:
            found[id] = node
    nodes = tuple(found[id] for id in sorted(found))
    named = dict.fromkeys(node.name for node in nodes)
    return NodeList(nodes, tuple(status for status in managers if status.name in named))
