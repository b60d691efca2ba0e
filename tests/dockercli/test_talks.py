"""Conversations with a manager: the requests in order, and what is printed in the end."""

from __future__ import annotations

import pytest

from simswarm.base.values import replace
from simswarm.dockercli import conversations, converse, parse
from simswarm.dockercli.changes import ServiceChange
from simswarm.dockercli.conversation import Conversation, Done
from simswarm.dockercli.stack import NAMESPACE_LABEL
from simswarm.model.objects import Meta, Node, NodeDescription, Service
from simswarm.model.specs import (
    Availability,
    ContainerSpec,
    Global,
    NodeSpec,
    Replicated,
    ServiceSpec,
    TaskSpec,
)
from simswarm.wire.control import (
    CallFailed,
    CreateService,
    ListNodes,
    ListServices,
    NodeList,
    NodeResult,
    Removed,
    RemoveService,
    Request,
    Result,
    ServiceList,
    ServiceResult,
    UpdateNode,
    UpdateService,
)


def spec(name, mode=None):
    return ServiceSpec(name, TaskSpec(ContainerSpec("shop/web:1")), mode or Replicated(1))


class Manager:
    """A manager that answers at once, and can be told to refuse."""

    def __init__(self, *specs, nodes=()):
        self.services = {
            f"id-{one.name}": Service(f"id-{one.name}", one, Meta(version=7)) for one in specs
        }
        self.nodes = {
            f"id-{name}": Node(
                f"id-{name}",
                NodeSpec(),
                Meta(version=9),
                NodeDescription(hostname=name),
            )
            for name in nodes
        }
        self.asked: list[Request] = []
        self.refusal: CallFailed | None = None

    def answer(self, request: Request) -> Result:
        self.asked.append(request)
        writes = CreateService | UpdateService | RemoveService | UpdateNode
        if self.refusal is not None and isinstance(request, writes):
            return self.refusal
        match request:
            case ListServices(names, ids):
                wanted = (*names, *ids)
                found = [
                    one
                    for one in self.services.values()
                    if not wanted or one.spec.name in wanted or one.id in wanted
                ]
                return ServiceList(tuple(found))
            case ListNodes(names, ids):
                known = [one for one in self.nodes.values() if one.name in names or one.id in ids]
                return NodeList(tuple(known), ())
            case CreateService(new):
                service = Service(f"id-{new.name}", new, Meta(version=8))
                self.services[service.id] = service
                return ServiceResult(service)
            case UpdateService(id, _, new):
                self.services[id] = replace(self.services[id], spec=new)
                return ServiceResult(self.services[id])
            case RemoveService(id):
                del self.services[id]
                return Removed(id)
            case UpdateNode(id, _, new):
                self.nodes[id] = replace(self.nodes[id], spec=new)
                return NodeResult(self.nodes[id])
        raise AssertionError(request)


def talk(manager: Manager, conversation: Conversation) -> Done:
    step = conversation.start()
    while not isinstance(step, Done):
        step = conversation.on_result(manager.answer(step))
    return step


def run(manager, line):
    return talk(manager, converse(parse(line).command))


def test_scale_looks_up_then_updates_with_the_version_it_read():
    manager = Manager(spec("web"))
    assert run(manager, "service scale web=12") == Done("web scaled to 12", "")
    look, update = manager.asked
    assert look == ListServices(("web",), ("web",))
    assert isinstance(update, UpdateService)
    assert (update.id, update.version, update.spec.mode) == ("id-web", 7, Replicated(12))


def test_scaling_several_goes_on_after_a_failure():
    manager = Manager(spec("web"), spec("agent", Global()), spec("api"))
    done = run(manager, "service scale web=2 agent=2 nosuch=3 api=4")
    assert done.output == "web scaled to 2\napi scaled to 4"
    assert done.error == (
        "agent: scale can only be used with replicated or replicated-job mode\n"
        "nosuch: Error: No such service: nosuch"
    )


def test_a_name_that_is_another_services_id_means_that_service():
    manager = Manager(spec("id-web"), spec("web"))
    run(manager, "service rm id-web")
    assert list(manager.services) == ["id-id-web"]


def test_update_prints_the_name():
    manager = Manager(spec("web"))
    assert run(manager, "service update --image shop/web:2 --force web") == Done("web", "")
    assert manager.services["id-web"].spec.task.container.image == "shop/web:2"


def test_a_service_that_is_not_there():
    for line in ("service update --force x", "service rollback x", "service rm x"):
        assert run(Manager(), line) == Done("", "Error: No such service: x")


def test_rollback_sends_the_current_spec_and_the_wish():
    manager = Manager(spec("web"))
    assert run(manager, "service rollback web").output == "web"
    update = manager.asked[-1]
    assert isinstance(update, UpdateService)
    assert update.rollback
    assert update.spec == spec("web")
    assert run(manager, "service update --rollback web").output == "web"
    assert isinstance(manager.asked[-1], UpdateService)


def test_create_prints_the_id():
    assert run(Manager(), "service create --name web --replicas 2 img").output == "id-web"


def test_rm_prints_names_and_goes_on():
    manager = Manager(spec("web"), spec("api"))
    done = run(manager, "service rm web nosuch api")
    assert done == Done("web\napi", "Error: No such service: nosuch")
    assert manager.services == {}


@pytest.mark.parametrize(
    ("refusal", "printed"),
    [
        (
            CallFailed("already exists", "name conflicts with an existing object: service web"),
            "Error response from daemon: rpc error: code = AlreadyExists "
            "desc = name conflicts with an existing object: service web",
        ),
        (
            CallFailed("failed precondition", "update out of sequence"),
            "Error response from daemon: rpc error: code = Unknown desc = update out of sequence",
        ),
        (
            CallFailed("unavailable", "The swarm does not have a leader. It's possible that …"),
            "Error response from daemon: rpc error: code = Unknown "
            "desc = The swarm does not have a leader. It's possible that …",
        ),
        (
            CallFailed("unavailable", "This node is not a swarm manager. Worker nodes can't …"),
            "Error response from daemon: This node is not a swarm manager. Worker nodes can't …",
        ),
    ],
)
def test_refusals_are_printed_in_dockers_words(refusal, printed):
    manager = Manager(spec("web"))
    manager.refusal = refusal
    assert run(manager, "service update --force web") == Done("", printed)
    assert run(manager, "service scale web=2") == Done("", f"web: {printed}")
    assert len([one for one in manager.asked if isinstance(one, UpdateService)]) == 2


def test_a_refused_look_up_ends_it():
    conversation = converse(parse("node update --availability drain w1").command)
    conversation.start()
    done = conversation.on_result(CallFailed("deadline exceeded", "context deadline exceeded"))
    assert isinstance(done, Done)
    assert done.error.endswith("code = DeadlineExceeded desc = context deadline exceeded")


def test_nodes_are_drained_one_after_another():
    manager = Manager(nodes=("w1", "w2"))
    done = talk(manager, conversations.drain(["w1", "nosuch", "w2"]))
    assert done == Done("w1\nw2", "Error: No such node: nosuch")
    states = [node.spec.availability for node in manager.nodes.values()]
    assert states == [Availability.DRAIN, Availability.DRAIN]
    talk(manager, conversations.activate(["w1"]))
    talk(manager, conversations.pause_node(["w2"]))
    states = [node.spec.availability for node in manager.nodes.values()]
    assert states == [Availability.ACTIVE, Availability.PAUSE]


def test_labels_of_a_node():
    manager = Manager(nodes=("w1",))
    assert run(manager, "node update --label-add disk=ssd w1") == Done("w1", "")
    assert manager.nodes["id-w1"].spec.labels == (("disk", "ssd"),)
    done = talk(manager, conversations.label(["w1"], {"a": "b"}, ["nosuch"]))
    assert done == Done("", "key nosuch doesn't exist in node's labels")
    talk(manager, conversations.label(["w1"], {"a": "b"}, ["disk"]))
    assert manager.nodes["id-w1"].spec.labels == (("a", "b"),)


def test_a_stack_is_created_then_updated_under_its_name():
    manager = Manager()
    services = [spec("web"), spec("api")]
    done = talk(manager, conversations.deploy(services, "shop"))
    assert done.output == "Creating service shop_web\nCreating service shop_api"
    talk(manager, conversations.update("shop_web", ServiceChange(force=True)))
    done = talk(manager, conversations.deploy(services[:1], "shop"))
    assert done.output == "Updating service shop_web (id: id-shop_web)"
    # docker keeps the count of forced updates, so that a new deploy restarts nothing
    assert manager.services["id-shop_web"].spec.task.force_update == 1
    assert (NAMESPACE_LABEL, "shop") in manager.services["id-shop_web"].spec.labels


def test_pruning_removes_only_the_stacks_own():
    manager = Manager(spec("other"))
    talk(manager, conversations.deploy([spec("web"), spec("old")], "shop"))
    done = talk(manager, conversations.deploy([spec("web")], "shop", prune=True))
    assert done.output.startswith("Removing service shop_old\nUpdating service shop_web")
    assert sorted(manager.services) == ["id-other", "id-shop_web"]


def test_without_a_prefix_services_keep_their_names_and_have_no_labels():
    manager = Manager()
    talk(manager, conversations.deploy([spec("web")]))
    assert manager.services["id-web"].spec == spec("web")


def test_a_deploy_stops_at_the_first_refusal():
    manager = Manager()
    manager.refusal = CallFailed("invalid argument", "no")
    done = talk(manager, conversations.deploy([spec("web"), spec("api")]))
    assert done.error == (
        "failed to create service web: "
        "Error response from daemon: rpc error: code = InvalidArgument desc = no"
    )
    assert len(manager.asked) == 2
