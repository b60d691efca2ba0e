"""The worker side of a node: session, assignments, tasks, reports.

It meets the managers only through `wire`. Reading order: `remotes` (which manager to talk to),
`session` (how), `steps` and `task` (one task towards its desired state), `taskdb` (what a reboot
must remember), `worker` (all tasks), `reporter` (what managers must learn), `agent` (the whole).
"""

from simswarm.agent.agent import Agent

__all__ = ["Agent"]
