"""Every default number of Swarm, each with its source. Durations in nanoseconds.

Source column: `SK` is moby/swarmkit, `MB` is moby/moby.
"""

from __future__ import annotations

from simswarm.base.time import HOUR, MILLISECOND, MINUTE, SECOND, Duration

# Raft: SK manager/state/raft/raft.go DefaultNodeConfig, DefaultRaftConfig
RAFT_TICK: Duration = 1 * SECOND
HEARTBEAT_TICKS = 1
ELECTION_TICKS = 10
MAX_MESSAGE_BYTES = 65_535
MAX_INFLIGHT_MESSAGES = 256
MAX_PROPOSAL_BYTES = 1_572_864
SNAPSHOT_INTERVAL = 10_000
LOG_ENTRIES_FOR_SLOW_FOLLOWERS = 500
WAL_SEGMENT_BYTES = 1 << 20
"""Ours: a segment of the log that holds so much is full. etcd's are of 64 MB."""
LOST_QUORUM_TICKS = 10
"""Ticks without a leader after which calls are refused."""

# Store: SK manager/state/store/memory.go
MAX_CHANGES_PER_TRANSACTION = 200

# Dispatcher: SK manager/dispatcher/dispatcher.go, nodes.go
HEARTBEAT_PERIOD: Duration = 5 * SECOND
HEARTBEAT_EPSILON: Duration = 500 * MILLISECOND
GRACE_MULTIPLIER = 3
UNKNOWN_GRACE_MULTIPLIER = 2 * GRACE_MULTIPLIER
REGISTRATION_LIMIT = 3
REGISTRATION_WINDOW: Duration = 8 * SECOND
STATUS_BATCH_INTERVAL: Duration = 100 * MILLISECOND
STATUS_BATCH_ITEMS = 10_000
ASSIGNMENT_BATCH_INTERVAL: Duration = 100 * MILLISECOND
ASSIGNMENT_BATCH_CHANGES = 100
ORPHAN_AFTER: Duration = 24 * HOUR

# Agent: SK agent/agent.go, agent/session.go
SESSION_BACKOFF_INITIAL: Duration = 100 * MILLISECOND
SESSION_BACKOFF_MAX: Duration = 8 * SECOND
DISPATCHER_RPC_TIMEOUT: Duration = 5 * SECOND
TASK_RETRY_DELAY: Duration = 1 * SECOND

# Orchestration: SK manager/orchestrator/restart/restart.go, api/defaults/service.go
RESTART_DELAY: Duration = 5 * SECOND
OLD_TASK_TIMEOUT: Duration = 1 * MINUTE
TASK_HISTORY_LIMIT = 5
REAPER_BATCH_INTERVAL: Duration = 250 * MILLISECOND
REAPER_MAX_DIRTY = 1000
UPDATE_MONITOR: Duration = 5 * SECOND
"""MB and SK api/defaults: monitoring period after a task of an update started."""
STOP_GRACE: Duration = 10 * SECOND

# Scheduler: SK manager/scheduler/scheduler.go
SCHEDULER_DEBOUNCE: Duration = 50 * MILLISECOND
SCHEDULER_MAX_LATENCY: Duration = 1 * SECOND

# Client calls: SK manager/state/raft/raft.go; recorded on 20.10.24
CALL_TIMEOUT: Duration = 20 * SECOND

assert HEARTBEAT_TICKS < ELECTION_TICKS
assert HEARTBEAT_EPSILON < HEARTBEAT_PERIOD
