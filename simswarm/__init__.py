"""simswarm: a deterministic simulator of Docker Swarm mode on its real control-plane logic.

    import simswarm

    run = simswarm.run("scenarios/teaching/01-leader-crash.yaml", seed=7)
    swarm = simswarm.Cluster(managers=3, workers=2, seed=1)

Names are loaded when they are used, so that importing the package is quick. `simswarm.raft` and
`simswarm.store` are usable alone.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simswarm.scenario.api import run
    from simswarm.scenario.cluster import Cluster
    from simswarm.scenario.loading.load import load_scenario
    from simswarm.scenario.model import Scenario
    from simswarm.scenario.outcome.finished import Run

__version__ = "0.1.0"
__all__ = ["Cluster", "Run", "Scenario", "__version__", "load_scenario", "run"]

_HOMES = {
    "Cluster": "simswarm.scenario.cluster",
    "Run": "simswarm.scenario.outcome.finished",
    "Scenario": "simswarm.scenario.model",
    "load_scenario": "simswarm.scenario.loading.load",
    "run": "simswarm.scenario.api",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'simswarm' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
