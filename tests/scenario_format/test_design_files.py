"""The eight files that fix the format's meaning: they load, check, lock and fit the schema."""

from __future__ import annotations

import jsonschema
import pytest

from simswarm.base.time import MILLISECOND, MINUTE, SECOND
from simswarm.model.specs import FailureAction, UpdateOrder
from simswarm.scenario.grammar import targets
from simswarm.scenario.grammar.durations import Fixed, Uniform
from simswarm.scenario.grammar.moments import AfterEvent, AtEnd, Between, Finally, Throughout
from simswarm.scenario.loading.load import check, load_scenario
from simswarm.scenario.loading.lock import lock
from simswarm.scenario.loading.schema import json_schema
from simswarm.scenario.model import At, actions, expect
from simswarm.scenario.model.images import ImageBehaviour
from simswarm.scenario.model.triggers import AfterFiring, When
from simswarm.scenario.text.positions import Document
from tests.scenario_format.places import DESIGN, EVERYTHING

NAMES = (
    *("blue-green", "leader-crash", "noisy-network", "rolling-os-upgrade", "rolling-update"),
    *("split-brain", "zone-outage"),
)
FILES = [DESIGN / f"{name}.yaml" for name in NAMES]
ALL = [*FILES, EVERYTHING]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_it_loads_and_checks_without_an_error(path):
    assert load_scenario(path).name == path.stem
    assert [problem for problem in check(path) if problem.is_error] == []


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_its_lock_reads_back_as_the_same_scenario_without_other_files(path, tmp_path):
    scenario = load_scenario(path)
    locked = tmp_path / "locked.yaml"
    locked.write_text(lock(scenario))
    again = load_scenario(locked)
    assert again == scenario
    assert again.services == scenario.services
    assert lock(again) == lock(scenario)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_it_and_its_lock_fit_the_json_schema(path):
    validator = jsonschema.Draft202012Validator(json_schema())
    for text in (path.read_text(), lock(load_scenario(path))):
        assert list(validator.iter_errors(Document(text, "file").data)) == []


def test_only_these_can_be_run_yet():
    runnable = [
        path.stem
        for path in FILES
        if not any(problem.code.startswith("W3") for problem in check(path))
    ]
    assert runnable == ["leader-crash", "split-brain"]


def test_leader_crash_means_what_it_says():
    scenario = load_scenario(DESIGN / "leader-crash.yaml")
    deploy, crash, back = scenario.events
    assert deploy.trigger == At(20 * SECOND)
    assert isinstance(deploy.action, actions.Scale)
    assert dict(deploy.action.services) == {"web": 12}
    assert crash.trigger == AfterFiring("deploy", 300 * MILLISECOND)
    assert crash.action == actions.Crash(target="leader", lose="unsynced")
    assert isinstance(back.action, actions.Restart)
    assert back.action.target == (targets.Named("m1"),)
    elected = scenario.expect[0].check
    assert isinstance(elected, expect.LeaderElected)
    assert elected.after == AfterEvent("crash")
    assert elected.within == 25 * SECOND
    assert scenario.sweep is not None
    assert list(scenario.sweep.seeds)[:2] == [1, 2]
    assert len(scenario.sweep.seeds) == 500
    assert [machine.zone for machine in scenario.cluster.machines] == [*"abc", *"abcab"]
    assert [event.line for event in scenario.events] == [7, 8, 9]
    assert [one.line for one in scenario.expect] == [11, 12, 13, 14]
    assert len(scenario.warnings) == 1


def test_the_stack_of_leader_crash_becomes_services():
    web, api, db = load_scenario(DESIGN / "leader-crash.yaml").services
    assert (web.name, web.task.container.image) == ("web", "shop/web:1")
    assert web.update is not None
    assert web.update.parallelism == 2
    assert web.update.order == UpdateOrder.START_FIRST
    assert web.update.failure_action == FailureAction.ROLLBACK
    assert web.update.monitor == 10 * SECOND
    assert web.task.placement.preferences == ("node.labels.zone",)
    assert web.task.placement.max_replicas == 3
    assert web.task.container.health is not None
    assert web.task.container.health.test[0] == "CMD"
    assert web.endpoint is not None
    assert [(port.published, port.target) for port in web.endpoint.ports] == [(80, 8080)]
    assert api.task.networks == ("front", "back")
    assert db.task.placement.constraints == ("node.labels.disk == ssd",)
    assert db.task.container.mounts[0].source == "db"


def test_noisy_network_means_what_it_says():
    scenario = load_scenario(DESIGN / "noisy-network.yaml")
    noise, lost = scenario.events
    assert isinstance(noise.action, actions.LinkFault)
    assert noise.action.source == (targets.Managers(),)
    assert noise.action.target == (targets.All(),)
    assert noise.action.loss == 50_000
    assert noise.action.latency == Fixed(80 * MILLISECOND)
    assert noise.undo_after == 3 * MINUTE
    assert isinstance(lost.action, actions.LinkFault)
    assert lost.action.oneway
    assert scenario.nemesis is not None
    assert scenario.nemesis.every == Uniform(8 * SECOND, 15 * SECOND)
    assert scenario.nemesis.between.start == 4 * MINUTE
    few, calm = (one.check for one in scenario.expect)
    assert isinstance(few, expect.Raft)
    assert few.during == Throughout("noise")
    assert isinstance(calm, expect.Converged)
    assert calm.after == AfterEvent("nemesis")


def test_rolling_update_means_what_it_says():
    scenario = load_scenario(DESIGN / "rolling-update.yaml")
    assert scenario.images["shop/web:3"].healthy == "never"
    assert scenario.image("no/such:1") == ImageBehaviour()
    windows = [getattr(one.check, "during", None) for one in scenario.expect]
    good_to_end = Between(AfterEvent("good"), AtEnd())
    assert windows == [None, None, good_to_end, good_to_end, Finally()]
    assert scenario.traffic[0].rate.count == 50


def test_conditions_of_the_files_are_conditions():
    upgrade = load_scenario(DESIGN / "rolling-os-upgrade.yaml")
    when = upgrade.events[1].trigger
    assert isinstance(when, When)
    assert when.condition.evaluate({"nodes": {"w1": {"tasks": 0}}})
    assert not when.condition.evaluate({"nodes": {"w1": {"tasks": 1}}})
    split = load_scenario(DESIGN / "split-brain.yaml")
    wrote = split.expect[0].check
    assert isinstance(wrote, expect.Eventually)
    error = "the swarm does not have a leader"
    assert wrote.condition.evaluate({"nodes": {"m1": {"last_command": {"error": error}}}})
    assert not wrote.condition.evaluate({"nodes": {"m1": {}}})


def test_a_setting_replaces_what_the_file_says():
    path = DESIGN / "noisy-network.yaml"
    scenario = load_scenario(
        path, set={"cluster.managers": 7, "events.noise.link.loss": "20%", "until": "10m"}
    )
    assert scenario.cluster.managers == 7
    assert scenario.events[0].link is not None
    assert scenario.events[0].link.loss == 200_000
    assert scenario.until == 10 * MINUTE
    assert load_scenario(path).cluster.managers == 5
