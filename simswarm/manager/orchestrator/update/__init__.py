"""Rolling updates and rollbacks.

Reading order: `run` (slots, workers and failures of one update), `status` (what the user is told),
`supervisor` (all updates of one orchestrator, their writes and timers).

Source: swarmkit manager/orchestrator/update.
"""

from simswarm.manager.orchestrator.update.supervisor import UpdateSupervisor

__all__ = ["UpdateSupervisor"]
