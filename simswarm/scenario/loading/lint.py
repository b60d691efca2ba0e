"""Is a scenario what was meant? Warnings W2xx: right by the rules, but probably a mistake.

Not here: errors (`references.py`), what can't be run yet (`supported.py`).
"""

from __future__ import annotations

from simswarm.scenario.loading.lintcluster import cluster_lints
from simswarm.scenario.loading.lintnames import name_lints
from simswarm.scenario.loading.lintstack import stack_lints
from simswarm.scenario.loading.reading import Reading
from simswarm.scenario.text.errors import Problem


def lint(reading: Reading) -> list[Problem]:
    """Everything doubtful about a scenario."""
    return [*cluster_lints(reading), *name_lints(reading), *stack_lints(reading)]
