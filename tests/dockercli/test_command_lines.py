"""Docker command lines: what they ask for, and docker's own words for what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.engine import HealthCheck
from simswarm.base.errors import Unsupported
from simswarm.base.time import MINUTE, SECOND
from simswarm.dockercli import CreateCommand, UsageError, parse
from simswarm.dockercli.changes import (
    HealthChange,
    LabelChange,
    ListChange,
    PolicyChange,
    ResourceChange,
    ServiceChange,
)
from simswarm.dockercli.commands import (
    NodeUpdateCommand,
    RemoveCommand,
    RollbackCommand,
    ScaleCommand,
    UpdateCommand,
)
from simswarm.model.specs import (
    Availability,
    EndpointSpec,
    FailureAction,
    Global,
    Mount,
    Port,
    Replicated,
    Resources,
    RestartCondition,
    RestartPolicy,
    UpdateConfig,
    UpdateOrder,
)


def command(line):
    return parse(line).command


def change(flags):
    found = command(f"service update {flags} web")
    assert isinstance(found, UpdateCommand)
    assert found.service == "web"
    return found.change


def created(flags):
    found = command(f"service create --name web {flags} shop/web:1")
    assert isinstance(found, CreateCommand)
    return found.spec


def test_scale():
    assert command("service scale web=3 api=0") == ScaleCommand((("web", 3), ("api", 0)))
    assert command("docker service scale -d web=3") == ScaleCommand((("web", 3),))


def test_a_host_names_the_node():
    assert parse("--host m1 service scale web=2").host == "m1"
    assert parse("-H m1 service scale web=2").host == "m1"
    assert parse("docker --host=m1 service rm web").host == "m1"
    assert parse("service rm web").host is None


def test_rm_and_rollback():
    assert command("service rm web api") == RemoveCommand(("web", "api"))
    assert command("service remove web") == RemoveCommand(("web",))
    assert command("service rollback -q web") == RollbackCommand("web")
    rolled = command("service update --rollback web")
    assert isinstance(rolled, UpdateCommand)
    assert rolled.rollback


def test_node_update():
    found = command("node update --label-add disk=ssd --label-rm old --availability drain w1")
    assert isinstance(found, NodeUpdateCommand)
    assert found.node == "w1"
    assert found.change.labels == LabelChange((("disk", "ssd"),), ("old",))
    assert found.change.availability == Availability.DRAIN


def test_create_as_recorded():
    """As the engine got it from `docker service create` with the same flags."""
    spec = created("--replicas 2 --restart-condition none --update-monitor 2s")
    assert spec.mode == Replicated(2)
    assert spec.endpoint == EndpointSpec()
    assert spec.rollback is None
    assert spec.task.restart == RestartPolicy(RestartCondition.NONE, 5 * SECOND, 0, None)
    assert spec.update == UpdateConfig(parallelism=1, monitor=2 * SECOND)


def test_create_with_most_flags():
    spec = created(
        "--constraint node.role==worker --constraint 'node.labels.zone != a' "
        "--placement-pref spread=node.labels.zone --limit-cpu 0.5 --limit-memory 64M "
        "--reserve-cpu 0.25 --replicas-max-per-node 2 --generic-resource gpu=1 -e A=1 --env B=two "
        "--label app=full -l tier --container-label cl=1 --hostname h -p 80:80 "
        "-p published=8443,target=443,protocol=udp,mode=host --mount "
        "type=volume,source=v,target=/data,readonly --network front --stop-grace-period 3s "
        "--stop-signal SIGINT --health-cmd true --health-interval 1s --no-resolve-image -d"
    )
    task, container = spec.task, spec.task.container
    assert task.placement.constraints == ("node.role==worker", "node.labels.zone != a")
    assert task.placement.preferences == ("node.labels.zone",)
    assert task.placement.max_replicas == 2
    assert task.limits == Resources(500_000_000, 64 * 2**20)
    assert task.reservations.nano_cpus == 250_000_000
    assert [(one.kind, one.count) for one in task.reservations.generic] == [("gpu", 1)]
    assert container.env == ("A=1", "B=two")
    assert container.labels == (("cl", "1"),)
    assert spec.labels == (("app", "full"), ("tier", ""))
    assert container.mounts == (Mount("volume", "v", "/data", True),)
    assert container.health == HealthCheck(("CMD-SHELL", "true"), interval=SECOND)
    assert (container.hostname, container.stop_grace, container.stop_signal) == (
        "h",
        3 * SECOND,
        "SIGINT",
    )
    assert task.networks == ("front",)
    assert spec.endpoint is not None
    assert spec.endpoint.ports == (Port(80, 80), Port(443, 8443, "udp", "host"))


def test_words_after_the_image_are_the_command_and_not_flags():
    found = command("service create --name web --replicas 1 img sh -c 'echo --name x'")
    assert isinstance(found, CreateCommand)
    assert found.spec.task.container.args == ("sh", "-c", "echo --name x")


def test_a_global_service():
    assert created("--mode global").mode == Global()


def test_update_changes_only_what_is_said():
    assert change("") == ServiceChange()
    assert change("--image shop/web:2 --force --args 'sleep 9'") == ServiceChange(
        image="shop/web:2", force=True, args=("sleep", "9")
    )
    assert change("--env-add A=1 --env-rm B").env == ListChange(("A=1",), ("B",))
    assert change("--limit-memory 32M").limits == ResourceChange(memory_bytes=2**25)
    assert change("--no-healthcheck").health == HealthChange(off=True)
    assert change("--publish-add 8080:80 --publish-rm 80").ports_rm == (Port(80),)
    assert change(
        "--update-parallelism 0 --update-delay 1m --update-failure-action rollback "
        "--update-order start-first --update-max-failure-ratio 0.25"
    ).update == PolicyChange(0, MINUTE, FailureAction.ROLLBACK, None, 0.25, UpdateOrder.START_FIRST)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("service scale rep28", "invalid scale specifier 'rep28'."),
        (
            "service scale rep=x",
            'rep: invalid replicas value x: strconv.ParseUint: parsing "x": invalid syntax',
        ),
        ("service scale", '"docker service scale" requires at least 1 argument.'),
        ("service rollback a b", '"docker service rollback" requires exactly 1 argument.'),
        ("service create", '"docker service create" requires at least 1 argument.'),
        ("service update --foo web", "unknown flag: --foo"),
        ("service update -x web", "unknown shorthand flag: 'x' in -x"),
        ("service update web --image", "flag needs an argument: --image"),
        ("service update --=x web", "bad flag syntax: --=x"),
        (
            "service create --name a --replicas -1 img",
            'invalid argument "-1" for "--replicas" flag: '
            'strconv.ParseUint: parsing "-1": invalid syntax',
        ),
        (
            "service update --detach=maybe web",
            'invalid argument "maybe" for "-d, --detach" flag: '
            'strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            "service update --update-delay 5 web",
            'invalid argument "5" for "--update-delay" flag: time: missing unit in duration "5"',
        ),
        (
            "service create --name a --mode global --replicas 2 img",
            "replicas can only be used with replicated or replicated-job mode",
        ),
        (
            "service create --name a --mode weird img",
            "Unknown mode: weird, only replicated and global supported",
        ),
        (
            "service create --name a --update-failure-action oops img",
            "Error response from daemon: unrecognized update failure action oops",
        ),
        (
            "service create --name a --restart-condition oops img",
            'Error response from daemon: invalid RestartCondition: "oops"',
        ),
        (
            "node update --availability bogus w1",
            'Error response from daemon: invalid Availability: "bogus"',
        ),
        (
            "service create --name a --health-cmd true --no-healthcheck img",
            "--no-healthcheck conflicts with --health-* options",
        ),
        ("servic scale web=1", "'servic' is not a docker command. Did you mean 'service'?"),
        ("service 'scale", "a quote is not closed"),
        ("", "there is no command"),
    ],
)
def test_docker_refuses_in_its_own_words(line, words):
    with pytest.raises(UsageError) as raised:
        parse(line)
    assert raised.value.message == words


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("node promote w1", "docker node promote"),
        ("service ps web", "docker service ps"),
        ("stack deploy -c x.yml shop", "docker stack deploy"),
        ("swarm leave", "docker swarm leave"),
        ("ps", "docker ps"),
        ("node update --role manager w1", "--role of docker node update"),
        ("service create --name a --user root img", "--user of docker service create"),
        ("service update --secret-add key web", "--secret-add of docker service update"),
        ("service create --name a --mode replicated-job img", "replicated-job"),
        ("service create img", "without --name"),
    ],
)
def test_what_docker_knows_and_we_do_not_yet_is_named(line, named):
    with pytest.raises(Unsupported) as raised:
        parse(line)
    assert named in raised.value.message
    assert raised.value.message.endswith("not supported yet")


WORDS = st.sampled_from(
    [
        *(
            "service",
            "create",
            "update",
            "scale",
            "node",
            "rm",
            "--name",
            "--replicas",
            "web",
            "-d",
        ),
        *(
            "web=3",
            "--host",
            "m1",
            "-e",
            "A=1",
            "--",
            "-",
            "--force",
            "--mount",
            "type=x",
            "'",
            '"',
        ),
        *("--publish-add", "80:", "--limit-memory", "1y", "--update-delay", "-1s", "\\", "=", ""),
    ]
)


def said(line: str) -> str:
    try:
        return type(parse(line).command).__name__
    except (UsageError, Unsupported) as refusal:
        return refusal.message


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=9).map(" ".join)))
def test_any_line_is_read_or_refused(line):
    assert said(line)
