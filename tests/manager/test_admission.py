"""Nodes get in by name, once their object is committed."""

from __future__ import annotations

from simswarm.base.time import SECOND
from simswarm.model.objects import Cluster, Node, NodeDescription, NodeState
from simswarm.model.specs import Availability, Membership, NodeRole, Resources
from simswarm.wire import codec
from simswarm.wire.control import ClusterResult, GetCluster, ListNodes
from simswarm.wire.join import JoinAccepted, JoinRefused, JoinRequest
from tests.manager.trio import Trio


def join(name: str = "w1", role: NodeRole = NodeRole.WORKER) -> JoinRequest:
    return JoinRequest(name, role, NodeDescription(name, resources=Resources(4 * 10**9, 8 << 30)))


def answers(trio: Trio, joiner: str = "w1") -> list:
    return [
        message
        for _, send in trio.sent
        if send.target == joiner
        and isinstance(message := codec.decode(send.frame), JoinAccepted | JoinRefused)
    ]


def test_the_first_leader_writes_the_cluster_and_its_own_node():
    trio = Trio()
    store = trio.manager("m1").store
    (cluster,) = store.find(Cluster)
    (node,) = store.find(Node)
    assert len(cluster.id) == len(node.id) == 25
    assert cluster.spec.name == "default"
    assert (node.name, node.spec.role, node.role) == ("m1", NodeRole.MANAGER, NodeRole.MANAGER)
    assert node.spec.membership is Membership.ACCEPTED
    assert isinstance(trio.ask("m2", GetCluster()), ClusterResult)


def test_a_later_leader_keeps_the_cluster_and_adds_its_own_node():
    trio = Trio()
    before = trio.manager("m1").store.find(Cluster)
    trio.crash("m1")
    trio.advance(30 * SECOND)
    store = trio.manager(trio.leader).store
    assert store.find(Cluster) == before
    assert sorted(node.name for node in store.find(Node)) == sorted(["m1", trio.leader])


def test_a_new_node_is_written_and_accepted():
    trio = Trio()
    trio.message("w1", "m1", join())
    (accepted,) = answers(trio)
    node = trio.manager("m1").store.get(Node, accepted.node_id)
    assert node is not None
    assert node.spec.availability is Availability.ACTIVE
    assert node.status.state is NodeState.UNKNOWN
    assert node.description == join().description
    assert accepted.cluster_id == trio.manager("m1").store.find(Cluster)[0].id


def test_joining_works_through_a_follower():
    trio = Trio()
    trio.message("w1", "m3", join())
    (accepted,) = answers(trio)
    assert trio.manager("m1").store.get(Node, accepted.node_id) is not None


def test_acceptance_waits_for_the_commit():
    trio = Trio()
    trio["m2"].held = trio["m3"].held = True
    trio.message("w1", "m1", join())
    assert answers(trio) == []
    trio["m2"].held = False
    trio.settle()
    assert len(answers(trio)) == 1


def test_a_name_known_already_gets_its_old_id():
    trio = Trio()
    trio.message("w1", "m1", join())
    trio.message("w1", "m2", join())
    trio.crash("m1")
    trio.advance(30 * SECOND)
    trio.message("w1", trio.leader, join())
    ids = {answer.node_id for answer in answers(trio)}
    assert len(answers(trio)) == 3
    assert len(ids) == 1


def test_a_node_that_asks_twice_at_once_is_one_node():
    trio = Trio()
    trio["m2"].held = trio["m3"].held = True
    trio.message("w1", "m1", join())
    trio.message("w1", "m1", join())
    trio["m2"].held = trio["m3"].held = False
    trio.settle()
    assert len({answer.node_id for answer in answers(trio)}) == 1
    assert len(trio.manager("m1").store.find(Node)) == 2


def test_the_leaders_own_agent_gets_the_id_of_the_node_it_wrote():
    trio = Trio()
    own = trio.manager("m1").store.find(Node)[0].id
    trio.message("m1", "m1", join("m1", NodeRole.MANAGER))
    assert [source for source, message in trio["m1"].given] == ["m1"]
    assert trio["m1"].given[0][1].node_id == own


def test_a_node_with_another_host_name_is_still_itself():
    trio = Trio()
    trio.message("w1", "m1", JoinRequest("w1", NodeRole.WORKER, NodeDescription("host-a")))
    trio.message("w1", "m1", JoinRequest("w1", NodeRole.WORKER, NodeDescription("host-b")))
    assert len({answer.node_id for answer in answers(trio)}) == 1


def test_a_node_that_says_no_host_name_is_called_by_its_name():
    trio = Trio()
    trio.message("w1", "m1", JoinRequest("w1", NodeRole.WORKER, NodeDescription()))
    nodes = trio.ask("m2", ListNodes(names=("w1",))).nodes
    assert [node.name for node in nodes] == ["w1"]


def test_losing_leadership_refuses_who_was_about_to_join():
    trio = Trio()
    trio.cut.update({("m2", "m1"), ("m3", "m1")})
    trio.message("w1", "m1", join())
    trio.advance(20 * SECOND)
    assert [type(answer) for answer in answers(trio)] == [JoinRefused]
