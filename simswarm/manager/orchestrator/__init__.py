"""Services into tasks: what should exist, what has ended, what is outdated, what may go.

Reading order: `tasks` (making and judging one task), `slots` (which tasks belong together, which
go first), `history` and `restart` (is an ended task replaced, and when does the replacement
start), `update` (rolling updates and rollbacks), `winddown` (tasks that shall end), `taskinit`
(after a change of leader), `upkeep` (stages of work); then the loops: `replicated`,
`global_services`, `reaper`, `enforcer`.

Source: swarmkit manager/orchestrator. Not here: jobs.
"""
