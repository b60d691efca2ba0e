"""Which node each pending task runs on.

Reading order: `nodeinfo` (a node and what is left of it), `filters` and `pipeline` (may this task
run there, and if nowhere, why), `spread` (which of the fitting nodes), `tracker` (what the
scheduler knows, kept up with the store), `scheduler` (when, and the write).

Source: swarmkit manager/scheduler.
"""

from simswarm.manager.scheduler.scheduler import Scheduler

__all__ = ["Scheduler"]
