"""Raft: agreeing on one log although machines and networks fail.

Start with `README.md`; then `messages`, `log`, `quorum`, `progress`, `raft`, the roles `follower`,
`candidate` and `leader`, `step`, and `ready` and `rawnode`, which the owner sees. Knows only
`simswarm.base`.
"""

from simswarm.raft.config import RaftConfig
from simswarm.raft.log import Log
from simswarm.raft.messages import (
    NO_LEADER,
    AppendEntries,
    AppendEntriesReply,
    Entry,
    EntryKind,
    HardState,
    Index,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    PreVote,
    PreVoteReply,
    RaftID,
    RaftMessage,
    RequestVote,
    RequestVoteReply,
    Term,
    TimeoutNow,
)
from simswarm.raft.progress import ProgressState
from simswarm.raft.raft import Raft
from simswarm.raft.rawnode import RawNode
from simswarm.raft.ready import Outgoing, PeerStatus, Ready, Role, SoftState, Status

__all__ = [
    "NO_LEADER",
    "AppendEntries",
    "AppendEntriesReply",
    "Entry",
    "EntryKind",
    "HardState",
    "Index",
    "LeaderHeartbeat",
    "LeaderHeartbeatReply",
    "Log",
    "Outgoing",
    "PeerStatus",
    "PreVote",
    "PreVoteReply",
    "ProgressState",
    "Raft",
    "RaftConfig",
    "RaftID",
    "RaftMessage",
    "RawNode",
    "Ready",
    "RequestVote",
    "RequestVoteReply",
    "Role",
    "SoftState",
    "Status",
    "Term",
    "TimeoutNow",
]
