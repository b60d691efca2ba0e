"""Stacks: where they come from, what Compose's keys become, and what has no effect."""

from __future__ import annotations

import pytest

from simswarm.base.engine import HealthCheck
from simswarm.base.time import SECOND
from simswarm.model.specs import (
    Global,
    Mount,
    Port,
    Replicated,
    RestartCondition,
    RestartPolicy,
    UpdateConfig,
)
from simswarm.scenario.loading.load import check, load_scenario
from simswarm.scenario.model import actions
from simswarm.scenario.text.errors import ScenarioErrors
from tests.scenario_format.places import DESIGN


def service(**keys):
    stack = {"services": {"web": {"image": "shop/web:1", **keys}}}
    return load_scenario("simswarm: 1\nname: x\n", set={"stack": stack}).services[0]


def test_a_service_without_settings_leaves_them_to_swarm():
    spec = service()
    assert spec.mode == Replicated(1)
    assert spec.update is None
    assert spec.rollback is None
    assert spec.task.restart is None
    assert spec.task.container.health is None
    assert spec.task.container.stop_grace is None
    assert spec.task.networks == ("default",)


@pytest.mark.parametrize(
    ("environment", "env"),
    [
        ({"B": 1, "A": "x", "E": None, "T": True}, ("A=x", "B=1", "E", "T=true")),
        (["B=1", "A", "B=2"], ("A", "B=2")),
    ],
)
def test_the_environment_is_a_mapping_or_a_list_and_sorted(environment, env):
    assert service(environment=environment).task.container.env == env


@pytest.mark.parametrize("labels", [{"b": "1", "a": None}, ["b=1", "a"]])
def test_labels_are_a_mapping_or_a_list(labels):
    assert service(labels=labels).task.container.labels == (("a", ""), ("b", "1"))
    assert service(deploy={"labels": labels}).labels == (("a", ""), ("b", "1"))


def test_a_command_is_split_as_a_shell_would():
    assert service(command="sh -c 'echo a b'").task.container.args == ("sh", "-c", "echo a b")
    assert service(entrypoint=["/a", 1]).task.container.command == ("/a", "1")


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("curl x", ("CMD-SHELL", "curl x")),
        (["CMD", "curl", "x"], ("CMD", "curl", "x")),
        (["NONE"], ("NONE",)),
    ],
)
def test_health_checks(test, words):
    spec = service(healthcheck={"test": test, "interval": "2s", "retries": 3})
    assert spec.task.container.health == HealthCheck(words, interval=2 * SECOND, retries=3)


def test_a_disabled_health_check_is_none_whatever_the_image_says():
    spec = service(healthcheck={"disable": True})
    assert spec.task.container.health == HealthCheck(("NONE",))


def test_an_update_goes_one_by_one_unless_told_otherwise():
    assert service(deploy={"update_config": {}}).update == UpdateConfig(parallelism=1)
    spec = service(deploy={"update_config": {"parallelism": 0, "delay": "5s"}})
    assert spec.update == UpdateConfig(parallelism=0, delay=5 * SECOND)


def test_restart_policies():
    assert service(deploy={"restart_policy": {}}).task.restart == RestartPolicy()
    policy = {"condition": "on-failure", "max_attempts": 3}
    assert service(deploy={"restart_policy": policy}).task.restart == RestartPolicy(
        RestartCondition.ON_FAILURE, max_attempts=3
    )


@pytest.mark.parametrize(
    ("port", "found"),
    [
        ("8080:80", Port(80, 8080)),
        (80, Port(80)),
        ("127.0.0.1:8080:80/udp", Port(80, 8080, "udp")),
        ({"target": 80, "published": 8080, "mode": "host"}, Port(80, 8080, "tcp", "host")),
    ],
)
def test_ports(port, found):
    endpoint = service(ports=[port]).endpoint
    assert endpoint is not None
    assert endpoint.ports == (found,)


@pytest.mark.parametrize(
    ("volume", "found"),
    [
        ("db:/data", Mount("volume", "db", "/data")),
        ("/host:/data:ro", Mount("bind", "/host", "/data", True)),
        ("/data", Mount("volume", "", "/data")),
        ({"type": "tmpfs", "target": "/tmp"}, Mount("tmpfs", "", "/tmp")),
    ],
)
def test_volumes(volume, found):
    assert service(volumes=[volume]).task.container.mounts == (found,)


def test_a_global_service_has_one_task_a_node():
    assert service(deploy={"mode": "global"}).mode == Global()


def test_resources():
    spec = service(deploy={"resources": {"limits": {"cpus": "0.50", "memory": "64m"}}})
    assert (spec.task.limits.nano_cpus, spec.task.limits.memory_bytes) == (5 * 10**8, 2**26)
    assert spec.task.reservations.nano_cpus == 0


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("shop/web:${TAG:-2}", "shop/web:2"),
        ("shop/web:${TAG-3}", "shop/web:3"),
        ("shop/${NAME:-web}:1$$", "shop/web:1$"),
    ],
)
def test_variables_have_their_default(text, image):
    stack = {"services": {"web": {"image": "a:1", "labels": {"x": text}}}}
    scenario = load_scenario("simswarm: 1\nname: x\n", set={"stack": stack})
    assert scenario.services[0].task.container.labels == (("x", image),)


def test_a_variable_of_the_environment_is_not_read(monkeypatch):
    monkeypatch.setenv("TAG", "from-outside")
    text = 'simswarm: 1\nstack: {services: {web: {image: "a:1", hostname: "h${TAG}"}}}\n'
    assert [problem.code for problem in check(text)] == ["W212"]
    assert load_scenario(text).services[0].task.container.hostname == "h"


def test_stacks_come_from_files_beside_the_scenario(tmp_path, monkeypatch):
    (tmp_path / "a.yml").write_text("services: {a: {image: 'a:1'}}\n")
    (tmp_path / "b.yml").write_text("services: {b: {image: 'b:1'}, c: {image: 'c:1'}}\n")
    path = tmp_path / "two.yaml"
    path.write_text("simswarm: 1\nstack: {one: ./a.yml, two: b.yml}\n")
    monkeypatch.chdir("/")
    scenario = load_scenario(path)
    assert [spec.name for spec in scenario.services] == ["a", "b", "c"]
    assert [stack.name for stack in scenario.stack] == ["one", "two"]
    assert scenario.name == "two"


def test_a_deployed_stack_has_its_name_and_its_services(tmp_path):
    (tmp_path / "shop.yml").write_text("services: {web: {image: 'a:1'}}\n")
    path = tmp_path / "x.yaml"
    path.write_text(
        "simswarm: 1\nevents:\n"
        "  - {at: 1s, deploy: ./shop.yml}\n"
        "  - {at: 2s, deploy: {shop: ./shop.yml}}\n"
        "  - {at: 3s, deploy: {name: shop, stack: ./shop.yml, prune: true}}\n"
        "expect:\n"
        "  - {at_end: services.shop_web.running == 1 && services.web.running == 1}\n"
    )
    plain, named, pruned = (event.action for event in load_scenario(path).events)
    assert isinstance(plain, actions.Deploy)
    assert isinstance(named, actions.Deploy)
    assert isinstance(pruned, actions.Deploy)
    assert (plain.name, named.name, pruned.name) == (None, "shop", "shop")
    assert (named.prune, pruned.prune) == (False, True)
    assert [spec.name for spec in named.stack.services] == ["web"]


def test_an_error_in_a_stack_file_stands_at_its_place_there(tmp_path):
    (tmp_path / "shop.yml").write_text(
        "services:\n  web:\n    image: a:1\n    deploy: {replicas: x}\n"
    )
    path = tmp_path / "x.yaml"
    path.write_text("simswarm: 1\nstack: shop.yml\nexpect: [{always: services.web.running > 0}]\n")
    with pytest.raises(ScenarioErrors) as raised:
        load_scenario(path)
    (problem,) = raised.value.problems
    assert problem.file == str(tmp_path / "shop.yml")
    assert (problem.line, problem.column, problem.code) == (4, 24, "E103")


def test_networks_and_ports_are_kept_and_reported_once():
    text = (
        "simswarm: 1\nstack: {services: {a: {image: 'a:1', networks: [n]}, "
        "b: {image: 'b:1', ports: ['80:80']}}, networks: {n: {}}}\n"
    )
    scenario = load_scenario(text)
    assert len(scenario.warnings) == 1
    assert [problem.code for problem in check(text)] == ["W220"]
    assert load_scenario("simswarm: 1\nname: x\n").warnings == ()


def test_a_stack_file_is_checked_by_itself_but_is_no_scenario():
    assert check(DESIGN / "docker-stack.yml") == []
    with pytest.raises(ScenarioErrors) as raised:
        load_scenario(DESIGN / "docker-stack.yml")
    assert [problem.code for problem in raised.value.problems] == ["E004"]
    text = "services:\n  a: {image: x, deploy: {mode: global-job, replica: 1}}\n"
    assert sorted(problem.code for problem in check(text)) == ["W209", "W211", "W305"]
