"""What of a scenario a live swarm can carry out, and what not: with places, before anything starts.

    crash       SIGKILL of the process and of its containers
    pause       SIGSTOP of the process
    partition, link, heal       in each node's transport
    everything an operator does, docker command lines, notes
    container   with exit code 137: SIGKILL
    refused     what changes an image, a disk or a clock, or how a node or the network is made

What is refused stops `live run`; a remark doesn't.

Not here: carrying it out (`liveplay.py`), what can't be run at all yet (`supported.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from simswarm.model.specs import ServiceSpec
from simswarm.scenario.loading.reading import Reading
from simswarm.scenario.model import actions
from simswarm.scenario.model.cluster import Network, NodeSettings
from simswarm.scenario.text.errors import Problem, Severity, in_order
from simswarm.scenario.text.positions import Path

KILLED = 137
CAN_DO = (
    "deploy update scale rollback remove drain pause_node activate label docker · "
    "crash (SIGKILL) restart pause (SIGSTOP) resume · partition link heal · "
    "container (exit 137) · note"
)
ACTIONS = {
    "disk": "a real disk can't be made wrong",
    "clock": "this machine has one clock",
    "image": "real images behave as they do; let another image stand in for it under x-live",
}
"""Actions, and why not."""
_Finding = tuple[Path, str, str]


def check_live(reading: Reading, has_image: Callable[[str], bool] | None) -> list[Problem]:
    """What a live swarm can't do of a scenario (errors), or does in another way (warnings).

    Args:
        reading: The scenario with its places.
        has_image: Whether the engine has an image; None: nobody to ask.
    """
    found = [
        *_problems(reading, "E401", _refused_actions(reading)),
        *_problems(reading, "E402", _refused_settings(reading)),
        *_problems(reading, "W401", _remarks(reading)),
    ]
    if has_image is not None:
        found += _problems(reading, "E403", _missing_images(reading, has_image))
    return in_order(found)


def _problems(reading: Reading, code: str, findings: Iterator[_Finding]) -> Iterator[Problem]:
    for path, message, hint in findings:
        place = reading.document.place(path, key=True)
        severity: Severity = "error" if code.startswith("E") else "warning"
        yield reading.document.problem(code, message, place, hint, severity)


def _refused_actions(reading: Reading) -> Iterator[_Finding]:
    for index, event in enumerate(reading.scenario.events):
        path: Path = ("events", index, event.verb)
        action = event.action
        if event.verb in ACTIONS:
            yield path, f"'{event.verb}' can't be done live", ACTIONS[event.verb]
        elif isinstance(action, actions.ExitContainer) and action.exit != KILLED:
            hint = f"exit: {KILLED} is SIGKILL"
            yield path, f"a real container can't be made to exit with {action.exit}", hint


def _refused_settings(reading: Reading) -> Iterator[_Finding]:
    scenario = reading.scenario
    cluster = scenario.cluster
    plain = (Network(profile="lan"), Network(profile="perfect"))
    if cluster.network not in plain:
        hint = "use a link event"
        yield ("cluster", "network"), "a live swarm's network is this machine's loopback", hint
    if cluster.between_zones is not None:
        yield ("cluster", "between_zones"), "a live swarm's zones are on one machine", ""
    for name, settings in cluster.nodes.items():
        if settings.service_time:
            path: Path = ("cluster", "nodes", name, "service_time")
            yield path, "what a step costs can't be set live", ""
        if settings.clock != NodeSettings().clock:
            yield ("cluster", "nodes", name, "clock"), "this machine has one clock", ""


def _remarks(reading: Reading) -> Iterator[_Finding]:
    scenario = reading.scenario
    for index, event in enumerate(scenario.events):
        if isinstance(event.action, actions.Crash) and event.action.lose == "unsynced":
            message = "a killed process loses nothing that it wrote: 'lose: unsynced' is 'nothing'"
            yield ("events", index, event.verb), message, ""
    if scenario.images:
        yield ("images",), "'images' has no effect live: real images behave as they do", ""


def _missing_images(reading: Reading, has_image: Callable[[str], bool]) -> Iterator[_Finding]:
    stand_ins = reading.scenario.x_live.images
    asked: dict[str, bool] = {}
    for path, name in _images(reading):
        real = real_image(name, stand_ins)
        if real not in asked:
            asked[real] = has_image(real)
            if not asked[real]:
                message = f"the engine has no image {real}" + (
                    f" (for {name})" if real != name else ""
                )
                yield path, message, f'nothing is pulled: x-live: {{images: {{"{name}": …}}}}'


def _images(reading: Reading) -> Iterator[tuple[Path, str]]:
    """Every image that may be run, with the place where it comes into the scenario."""
    scenario = reading.scenario
    for service in scenario.services:
        yield ("stack",), _image(service)
    for index, event in enumerate(scenario.events):
        path: Path = ("events", index, event.verb)
        action = event.action
        if isinstance(action, actions.Deploy):
            for service in action.stack.services:
                yield path, _image(service)
        elif isinstance(action, actions.Update) and action.image is not None:
            yield path, action.image


def _image(service: ServiceSpec) -> str:
    return service.task.container.image


def real_image(name: str, stand_ins: Mapping[str, str]) -> str:
    """The image of the engine that stands in for one of a service, or that image itself."""
    plain = name.partition("@")[0]
    for known in (name, plain, f"{plain}:latest", plain.removesuffix(":latest")):
        if known in stand_ins:
            return stand_ins[known]
    return name
