"""What a scenario is, once it has been read: frozen models that mirror the file.

    Scenario
      cluster: Cluster            machines, zones, network, Raft's settings      (cluster)
      stack: (Stack, ...)         -> services: (ServiceSpec, ...)                (stack)
      images: {IMAGE: ImageBehaviour}                                            (images)
      events: (Event, ...)        .trigger -> At | AfterFiring | Repeatedly | When (triggers)
                                  .action  -> Crash | Scale | Docker | ...       (actions)
                                  .undo_after, .id, .verb, .line                 (event)
      expect: (Expectation, ...)  .check   -> Converged | Running | Always | ... (expect)
      nemesis, sweep, traffic, x_trace, x_live                                   (scenario)

Durations are integer nanoseconds, shares integer millionths, processors billionths, memory bytes.
Targets, moments, conditions and distributions are values of `scenario.grammar`.

A part's file and line (`.line`) are no part of its meaning: two scenarios that mean the same are
equal. `model_dump()` gives back the file's own shape with defaults filled in.

Not here: reading and checking files (`scenario.loading.load`).
"""

from simswarm.scenario.model.cluster import Clock, Cluster, Link, Machine, Network, RaftTuning
from simswarm.scenario.model.event import Event
from simswarm.scenario.model.expect import Expectation
from simswarm.scenario.model.images import Exit, ImageBehaviour, ImageChange
from simswarm.scenario.model.scenario import Live, Nemesis, Scenario, Sweep, Traffic
from simswarm.scenario.model.stack import Stack
from simswarm.scenario.model.triggers import AfterFiring, At, Every, Repeatedly, Trigger, When

__all__ = [
    "AfterFiring",
    "At",
    "Clock",
    "Cluster",
    "Event",
    "Every",
    "Exit",
    "Expectation",
    "ImageBehaviour",
    "ImageChange",
    "Link",
    "Live",
    "Machine",
    "Nemesis",
    "Network",
    "RaftTuning",
    "Repeatedly",
    "Scenario",
    "Stack",
    "Sweep",
    "Traffic",
    "Trigger",
    "When",
]
