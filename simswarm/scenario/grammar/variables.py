"""What a condition can see: the tree of variables, each with an example and its meaning.

    services.NAME.running    nodes.NAME.tasks    raft.leader    time

The runner fills the tree; a condition's names are checked against it when the file is read.

Invariant: a name below `services` or `nodes` is that of a service or node; everything else is
listed here.
"""

from __future__ import annotations

from simswarm.base.values import Value


class Variable(Value, frozen=True):
    """A value at the end of a path. `example` has the type that the runner supplies."""

    example: bool | int | float | str
    meaning: str


SERVICE: dict[str, Variable] = {
    "running": Variable(6, "tasks that run, by what the managers know"),
    "healthy": Variable(6, "tasks whose container runs and is healthy, by what the engines know"),
    "desired": Variable(6, "tasks there should be"),
    "tasks": Variable(6, "tasks that have not ended"),
    "pending": Variable(0, "tasks that wait for a node"),
    "failed": Variable(0, "tasks in the history that failed or were rejected"),
    "updating": Variable(False, "an update or a rollback is in progress"),
    "update_state": Variable("completed", "state of the last update; empty without one"),
    "update_message": Variable("", "text of the last update"),
    "image": Variable("shop/web:1", "image of the current spec"),
    "max_per_zone": Variable(2, "running tasks in the zone that has most"),
    "min_per_zone": Variable(2, "running tasks in the zone that has fewest"),
    "max_per_node": Variable(1, "running tasks on the node that has most"),
    "min_per_node": Variable(0, "running tasks on the node that has fewest, of those that are up"),
}
"""`services.NAME.…`; and `images.IMAGE`: running tasks by image."""
IMAGES = "images"

NODE: dict[str, Variable] = {
    "role": Variable("manager", "manager or worker"),
    "status": Variable("ready", "ready, down, disconnected or unknown, by what the managers know"),
    "availability": Variable("active", "active, pause or drain"),
    "tasks": Variable(2, "tasks assigned to it that have not ended"),
    "up": Variable(True, "its process runs"),
    "leader": Variable(False, "it leads"),
}
"""`nodes.NAME.…`; and `last_command`: the last docker command that was sent to it."""
LAST_COMMAND = "last_command"

COMMAND: dict[str, Variable] = {
    "command": Variable("service scale web=2", "the command line"),
    "output": Variable("web scaled to 2", "what it printed"),
    "error": Variable("", "what it complained; empty if it succeeded"),
}

RAFT: dict[str, Variable] = {
    "leader": Variable("m1", "name of the leader of the highest term; empty without one"),
    "term": Variable(2, "the highest term"),
    "members": Variable(3, "number of managers in the member list"),
    "members_reachable": Variable(3, "members that are up and can talk to a quorum"),
    "leaders_in_same_term": Variable(1, "most leaders that any term has had"),
    "leader_changes": Variable(0, "elections won since the swarm is up"),
}

TIME = Variable(30.5, "seconds since the swarm is up")

ROOTS = ("services", "nodes", "raft", "time")
