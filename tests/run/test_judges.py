"""Judges, shown scenes by hand: when they decide, what they measure, how far from flipping."""

from __future__ import annotations

import pytest

from simswarm.base.time import SECOND
from simswarm.base.trace import TraceRecord
from simswarm.model.objects import (
    Node,
    NodeDescription,
    NodeState,
    NodeStatus,
    Service,
    Task,
    TaskStatus,
    UpdateState,
    UpdateStatus,
)
from simswarm.model.specs import ContainerSpec, NodeSpec, Replicated, ServiceSpec, TaskSpec
from simswarm.model.taskstate import TaskState
from simswarm.scenario.expect.availability import Available, Limits
from simswarm.scenario.expect.condition import ComesTrue, Holds
from simswarm.scenario.expect.converged import Converged
from simswarm.scenario.expect.judge import Judge, Judgement
from simswarm.scenario.expect.leader import LeaderElected
from simswarm.scenario.expect.raft import RaftStaysCalm
from simswarm.scenario.expect.referee import Referee
from simswarm.scenario.expect.running import Bounded, Bounds, Reached, RunningTasks, Unevenness
from simswarm.scenario.expect.update import UpdateReaches
from simswarm.scenario.grammar.cel import Condition
from simswarm.scenario.grammar.moments import AfterEvent, AtEnd, Between, Finally, Throughout
from simswarm.scenario.observed.scene import Scene
from simswarm.scenario.observed.snapshot import snapshot
from simswarm.store import Created, Updated

CRASH = AfterEvent("crash")


class Around:
    """Surroundings without faults."""

    def __init__(self) -> None:
        self.lost = 0
        self.cut: tuple[str, ...] = ()

    def nodes(self):
        return ("m1", "m2", "m3", "w1", "w2")

    def members(self):
        return ("m1", "m2", "m3")

    def can_talk(self, a, b):
        return (a in self.cut) == (b in self.cut)

    def committed_lost(self):
        return self.lost


class Stage:
    """A scene with one service `web`, and a referee over one judge."""

    def __init__(self) -> None:
        self.around = Around()
        self.scene = Scene(self.around)
        self.index = 0
        self.tasks: dict[int, Task] = {}
        self.service: Service | None = None
        self.told: list[Judgement] = []
        self.record("m1", "raft.role", role="leader", term=1, leader="m1")
        for number in (1, 2):
            spec = NodeSpec(labels=(("zone", "ab"[number - 1]),))
            said = NodeDescription(f"w{number}")
            node = Node(f"n{number}", spec, description=said, status=NodeStatus(NodeState.READY))
            self.commit(Created(node))

    def judge(self, judge: Judge) -> Judge:
        self.referee = Referee(self.scene, [judge], self.told.append)
        return judge

    def commit(self, *changes) -> None:
        self.index += 1
        self.scene.facts.commit(changes, self.index, self.scene.now)

    def deploy(self, replicas: int, **fields) -> None:
        old = self.service
        spec = ServiceSpec("web", TaskSpec(ContainerSpec("shop/web:1")), Replicated(replicas))
        self.service = Service("s1", spec, spec_version=1, **fields)
        self.commit(Created(self.service) if old is None else Updated(self.service, old))

    def task(self, number: int, state: TaskState, node: str = "n1") -> None:
        spec = TaskSpec(ContainerSpec("shop/web:1"))
        wanted = TaskState.RUNNING
        task = Task(
            f"t{number}", spec, "s1", "web", TaskStatus(state), wanted, number, node, spec_version=1
        )
        old = self.tasks.get(number)
        self.tasks[number] = task
        self.commit(Created(task) if old is None else Updated(task, old))

    def record(self, node: str, kind: str, **fields) -> None:
        self.scene.truth.on_record(TraceRecord(self.scene.now, node, kind, tuple(fields.items())))

    def start(self, number: int, node: str = "w1") -> None:
        self.record(node, "engine.container", task=f"t{number}", service="web", action="start")

    def die(self, number: int, node: str = "w1") -> None:
        self.record(node, "engine.container", task=f"t{number}", service="web", action="die")

    def up(self, number: int, place: int = 1) -> None:
        self.start(number, f"w{place}")
        self.task(number, TaskState.RUNNING, f"n{place}")

    def at(self, seconds: float) -> None:
        self.scene.now = int(seconds * SECOND)

    def look(self) -> None:
        self.referee.observe(self.scene.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, asking at every instant the judge wished for."""
        end = int(seconds * SECOND)
        while True:
            wish = self.referee.next_wish(self.scene.now)
            if wish is None or wish > end:
                break
            self.scene.now = wish
            self.look()
        self.scene.now = end

    def end(self, seconds: float) -> Judgement:
        self.wait(seconds)
        return self.referee.finish(self.scene.now)[0]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_converged_is_dated_at_the_first_instant_of_the_stable_span(stage):
    judge = stage.judge(Converged(stage.scene, ("calm", 3), (CRASH, 30 * SECOND), ["web"]))
    stage.deploy(2)
    stage.up(1)
    stage.at(10)
    stage.scene.marks.fire("crash", stage.scene.now)
    stage.look()
    stage.wait(18)
    stage.up(2)
    stage.look()
    assert judge.verdict is None
    assert stage.referee.next_wish(stage.scene.now) == 23 * SECOND
    stage.wait(24)
    assert judge.verdict == "pass"
    outcome = judge.judgement()
    assert (outcome.at, outcome.measured, outcome.margin) == (18 * SECOND, 8.0, 22.0)
    assert outcome.message == "8.0 s (within 30 s, margin 22.0 s)"
    assert [told.name for told in stage.told] == ["calm"]


def test_a_span_that_breaks_before_its_time_does_not_count(stage):
    judge = stage.judge(Converged(stage.scene, ("", 0), (None, 60 * SECOND), None))
    stage.deploy(1)
    stage.up(1)
    stage.look()
    stage.wait(4)
    stage.die(1)
    stage.look()
    stage.wait(9)
    stage.start(1)
    stage.look()
    stage.wait(20)
    assert judge.judgement().at == 9 * SECOND


def test_containers_that_do_not_really_run_keep_a_service_from_converging(stage):
    stage.judge(Converged(stage.scene, ("", 0), (None, 20 * SECOND), None))
    stage.deploy(1)
    stage.task(1, TaskState.RUNNING)
    stage.look()
    outcome = stage.end(30)
    assert outcome.verdict == "fail"
    assert outcome.message == "not converged (web 0/1) within 20 s"
    assert outcome.measured is None


def test_a_span_that_begins_in_time_passes_though_it_is_confirmed_later(stage):
    judge = stage.judge(Converged(stage.scene, ("", 0), (None, 20 * SECOND), None))
    stage.deploy(1)
    stage.look()
    stage.wait(18)
    stage.up(1)
    stage.look()
    stage.wait(24)
    assert judge.judgement().verdict == "pass"
    assert judge.horizon() is None


def test_one_that_comes_too_late_fails_and_still_says_how_late(stage):
    judge = stage.judge(Converged(stage.scene, ("", 0), (None, 20 * SECOND), None))
    stage.deploy(1)
    stage.look()
    stage.wait(27)
    assert judge.verdict == "fail"
    stage.up(1)
    stage.look()
    outcome = stage.end(40)
    assert (outcome.verdict, outcome.measured, outcome.margin) == ("fail", 27.0, -7.0)


def test_an_expectation_after_an_event_that_never_fired_is_undecided(stage):
    stage.judge(Converged(stage.scene, ("", 0), (CRASH, 20 * SECOND), None))
    outcome = stage.end(100)
    assert (outcome.verdict, outcome.message) == ("undecided", "event 'crash' never fired")


def test_a_run_cut_short_leaves_a_deadline_undecided(stage):
    stage.judge(Converged(stage.scene, ("", 0), (None, 20 * SECOND), None))
    stage.deploy(1)
    stage.look()
    assert stage.end(15).verdict == "undecided"


def test_a_swarm_without_a_leader_is_not_converged(stage):
    stage.judge(Converged(stage.scene, ("", 0), (None, 20 * SECOND), None))
    stage.deploy(1)
    stage.up(1)
    stage.record("m1", "process.crash", lose="nothing")
    stage.look()
    assert stage.end(30).message == "not converged (there is no leader) within 20 s"


def test_whoever_is_in_touch_with_the_leader_must_be_ready(stage):
    stage.judge(Converged(stage.scene, ("", 0), (None, 20 * SECOND), None))
    said, down = NodeDescription("w2"), NodeStatus(NodeState.DOWN)
    before = stage.scene.facts.nodes["n2"].node
    stage.commit(Updated(Node("n2", NodeSpec(), description=said, status=down), before))
    stage.deploy(1)
    stage.up(1)
    stage.look()
    outcome = stage.end(30)
    lacking = "a node in touch with the leader is not ready yet"
    assert outcome.message.startswith(f"not converged ({lacking})")


def leads(stage: Stage, node: str, term: int) -> None:
    stage.record(node, "raft.role", role="leader", term=term, leader=node)


def test_a_new_leader_is_the_first_win_after_the_event(stage):
    leads(stage, "m1", 2)
    stage.judge(LeaderElected(stage.scene, "leader_elected", "", 0, (CRASH, 25 * SECOND)))
    stage.at(20)
    stage.scene.marks.fire("crash", stage.scene.now)
    stage.record("m1", "process.crash", lose="unsynced")
    stage.look()
    stage.wait(34.2)
    leads(stage, "m3", 3)
    stage.look()
    outcome = stage.end(60)
    assert (outcome.verdict, outcome.measured) == ("pass", 14.2)
    assert outcome.message == "m3 leads term 3, 14.2 s (within 25 s, margin 10.8 s)"
    assert outcome.margin == pytest.approx(10.8)


def test_no_election_is_needed_where_a_leader_goes_on(stage):
    leads(stage, "m1", 2)
    judge = stage.judge(LeaderElected(stage.scene, "leader_elected", "", 0, (CRASH, 25 * SECOND)))
    stage.at(20)
    stage.scene.marks.fire("crash", stage.scene.now)
    stage.look()
    assert judge.verdict is None
    assert stage.end(60).message == "no election was needed, m1 leads"


def test_a_leader_that_has_lost_its_quorum_is_none(stage):
    leads(stage, "m1", 2)
    stage.judge(LeaderElected(stage.scene, "leader_elected", "", 0, (CRASH, 25 * SECOND)))
    stage.at(20)
    stage.scene.marks.fire("crash", stage.scene.now)
    stage.around.cut = ("m1",)
    stage.look()
    assert stage.end(60).verdict == "fail"


def test_running_over_a_window_says_how_low_when_and_for_how_long(stage):
    during = Between(AfterEvent("drain"), AtEnd())
    about = ("running", "api", 4)
    stage.judge(Bounded(stage.scene, about, during, RunningTasks("web", None), Bounds(2)))
    stage.deploy(3)
    for number in (1, 2, 3):
        stage.up(number)
    stage.at(30)
    stage.scene.marks.fire("drain", stage.scene.now)
    stage.look()
    stage.wait(30.4)
    stage.task(1, TaskState.SHUTDOWN)
    stage.task(2, TaskState.SHUTDOWN)
    stage.look()
    stage.wait(36.5)
    stage.task(4, TaskState.RUNNING)
    stage.look()
    outcome = stage.end(90)
    assert outcome.verdict == "fail"
    assert outcome.message == "3 -> 1 at 30.4 s for 6.1 s (at least 2, margin -1)"
    assert (outcome.measured, outcome.margin, outcome.at) == (1, -1.0, 30_400_000_000)


def test_what_happens_outside_the_window_does_not_matter(stage):
    about = ("running", "api", 4)
    during = Throughout("noise")
    judge = stage.judge(Bounded(stage.scene, about, during, RunningTasks("web", None), Bounds(1)))
    stage.deploy(1)
    stage.look()
    stage.at(10)
    stage.up(1)
    stage.scene.marks.fire("noise", stage.scene.now)
    stage.look()
    stage.at(20)
    stage.scene.marks.undo("noise", stage.scene.now)
    stage.look()
    assert judge.verdict == "pass"
    stage.at(30)
    stage.task(1, TaskState.FAILED)
    stage.look()
    assert stage.end(40).message == "1 (at least 1, margin 0)"


def test_at_the_end_only_the_last_instant_counts(stage):
    about = ("running", "web", 4)
    exactly = Bounds(1, 1)
    stage.judge(Bounded(stage.scene, about, Finally(), RunningTasks("web", "shop/web:1"), exactly))
    stage.deploy(1)
    stage.look()
    stage.at(30)
    stage.up(1)
    stage.look()
    outcome = stage.end(40)
    assert (outcome.verdict, outcome.message) == ("pass", "1 (exactly 1, margin 0)")


def test_a_number_to_be_reached_in_time(stage):
    about = ("running", "web", 4)
    timing = (CRASH, 10 * SECOND)
    judge = stage.judge(
        Reached(stage.scene, about, timing, RunningTasks("web", None), Bounds(2, 2))
    )
    stage.deploy(2)
    stage.up(1)
    stage.scene.marks.fire("crash", 0)
    stage.look()
    stage.wait(4)
    stage.up(2)
    stage.look()
    assert judge.judgement().message == "2 after 4.0 s (within 10 s, margin 6.0 s)"


def test_spread_counts_places_without_tasks(stage):
    reading = Unevenness("web", "zone")
    stage.deploy(3)
    for number in (1, 2, 3):
        stage.up(number, 1)
    assert reading.read(stage.scene) == 3
    assert Unevenness("web", "node").read(stage.scene) == 3
    stage.task(3, TaskState.RUNNING, "n2")
    assert reading.read(stage.scene) == 1


def test_an_update_that_was_over_before_does_not_count(stage):
    done = UpdateStatus(UpdateState.COMPLETED, started_at=5)
    stage.deploy(1, update_status=done)
    timing = (CRASH, 60 * SECOND)
    judge = stage.judge(UpdateReaches(stage.scene, ("u", 1), timing, "web", "completed"))
    stage.at(10)
    stage.scene.marks.fire("crash", stage.scene.now)
    stage.look()
    assert judge.verdict is None
    stage.wait(20)
    stage.deploy(1, update_status=UpdateStatus(UpdateState.UPDATING, started_at=20))
    stage.look()
    stage.wait(31)
    stage.deploy(1, update_status=UpdateStatus(UpdateState.COMPLETED, started_at=20))
    stage.look()
    assert judge.judgement().message == "completed after 21.0 s (within 60 s, margin 39.0 s)"


def test_an_update_that_ends_otherwise_fails_and_says_how(stage):
    stage.judge(UpdateReaches(stage.scene, ("u", 1), (None, 30 * SECOND), "web", "completed"))
    stage.deploy(1, update_status=UpdateStatus(UpdateState.PAUSED, started_at=1))
    stage.look()
    assert stage.end(40).message == "paused instead of completed within 30 s"


def test_downtime_is_the_longest_span_without_a_healthy_container(stage):
    limits = Limits(lowest=500_000, max_downtime=10 * SECOND)
    stage.judge(Available(stage.scene, ("up", 1), None, "web", limits))
    stage.deploy(2)
    stage.up(1)
    stage.up(2)
    stage.look()
    stage.at(20)
    stage.die(1)
    stage.look()
    outcome = stage.end(30)
    assert outcome.verdict == "pass"
    assert outcome.message == (
        "down for 0.0 s (at most 10 s, margin 10.0 s), 50% at 20.0 s (at least 50%, margin 0%)"
    )
    assert (outcome.measured, outcome.margin) == (50.0, 0.0)


def test_a_downtime_fails_in_the_moment_it_gets_too_long(stage):
    judge = stage.judge(
        Available(stage.scene, ("up", 1), None, "web", Limits(max_downtime=10 * SECOND))
    )
    stage.deploy(1)
    stage.up(1)
    stage.look()
    stage.at(20)
    stage.die(1)
    stage.look()
    stage.wait(35)
    assert judge.verdict == "fail"
    assert judge.at == 30 * SECOND + 1
    stage.start(1)
    stage.look()
    outcome = stage.end(40)
    assert (outcome.measured, outcome.margin) == (15.0, -5.0)


def test_leader_changes_and_losses_are_maxima(stage):
    def calm(changes: int | None, lost: int | None) -> RaftStaysCalm:
        return RaftStaysCalm(
            stage.scene, ("raft", 1), None, leader_changes=changes, committed_lost=lost
        )

    stage.at(-1)
    leads(stage, "m1", 2)
    stage.at(10)
    judge = stage.judge(calm(1, 0))
    stage.look()
    leads(stage, "m2", 3)
    stage.look()
    assert judge.verdict is None
    stage.around.lost = 2
    stage.look()
    outcome = stage.end(20)
    assert outcome.verdict == "fail"
    assert outcome.message == (
        "2 committed entries were lost (at most 0, margin -2), "
        "1 leader change (at most 1, margin 0)"
    )


def test_conditions_over_windows(stage):
    stage.deploy(1)
    stage.up(1)
    tree = snapshot(stage.scene)

    def outcome(kind: str, text: str, wanted: bool, window=None) -> Judgement:
        about = (kind, text, 1)
        judge = Holds(stage.scene, about, window, (Condition(text), tree), wanted=wanted)
        stage.scene.marks.end = None
        stage.judge(judge)
        stage.look()
        return stage.end(stage.scene.now / SECOND + 1)

    assert outcome("always", "services.web.running == 1", True).verdict == "pass"
    assert outcome("always", "services.web.running == 2", True).verdict == "fail"
    assert outcome("never", "services.web.healthy == 0", False).verdict == "pass"
    assert outcome("never", "services.web.desired == 1", False).verdict == "fail"
    assert outcome("at_end", "nodes.w1.tasks == 1", True, Finally()).verdict == "pass"
    late = outcome("always", "true", True, Throughout("never-fires"))
    assert (late.verdict, late.message) == ("undecided", "event 'never-fires' never fired")


def test_eventually_passes_at_the_first_instant(stage):
    condition = Condition("services.web.running == 1")
    over = (condition, snapshot(stage.scene))
    judge = stage.judge(ComesTrue(stage.scene, ("soon", 1), (None, 10 * SECOND), over))
    stage.look()
    stage.deploy(1)
    stage.wait(3)
    stage.up(1)
    stage.look()
    assert judge.judgement().margin == 7.0


def test_every_variable_of_the_format_has_a_value_of_its_type(stage):
    from simswarm.scenario.grammar import variables

    stage.deploy(1)
    stage.up(1)
    stage.record("w1", "call", target="w1", method="service ls", result="ok", error="")
    tree = snapshot(stage.scene)
    for name, variable in variables.SERVICE.items():
        assert type(tree["services"]["web"][name]) is type(variable.example), name
    for name, variable in variables.NODE.items():
        assert type(tree["nodes"]["w1"][name]) is type(variable.example), name
    for name, variable in variables.RAFT.items():
        assert type(tree["raft"][name]) is type(variable.example), name
    for name, variable in variables.COMMAND.items():
        assert type(tree["nodes"]["w1"]["last_command"][name]) is type(variable.example), name
    assert tree["services"]["web"]["images"] == {"shop/web:1": 1}
    assert "m9" not in tree["nodes"]
