"""Raft: agreeing on one log although machines and networks fail.

Start with `README.md`; then `messages`, `log`, `quorum`, `progress`, `raft`, the roles `follower`,
`candidate` and `leader`, `step`, and `ready` and `rawnode`, which the owner sees; then what a group
can live without at first: `membership`, `reconfigure`, `reads`, `sessions`. Knows only
`simswarm.base`.
"""

from simswarm.raft.config import RaftConfig
from simswarm.raft.log import Log, after_snapshot
from simswarm.raft.membership import ChangeKind, ConfChange, MemberChange, Transition
from simswarm.raft.messages import (
    NO_LEADER,
    AppendEntries,
    AppendEntriesReply,
    Entry,
    EntryKind,
    HardState,
    Index,
    InstallSnapshot,
    LeaderHeartbeat,
    LeaderHeartbeatReply,
    Membership,
    PreVote,
    PreVoteReply,
    RaftID,
    RaftMessage,
    ReadProbe,
    ReadProbeReply,
    ReadReply,
    ReadRequest,
    RequestVote,
    RequestVoteReply,
    Snapshot,
    Term,
    TimeoutNow,
)
from simswarm.raft.progress import ProgressState
from simswarm.raft.raft import Raft
from simswarm.raft.rawnode import RawNode
from simswarm.raft.ready import Outgoing, PeerStatus, ReadState, Ready, Role, SoftState, Status

__all__ = [
    "NO_LEADER",
    "AppendEntries",
    "AppendEntriesReply",
    "ChangeKind",
    "ConfChange",
    "Entry",
    "EntryKind",
    "HardState",
    "Index",
    "InstallSnapshot",
    "LeaderHeartbeat",
    "LeaderHeartbeatReply",
    "Log",
    "MemberChange",
    "Membership",
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
    "ReadProbe",
    "ReadProbeReply",
    "ReadReply",
    "ReadRequest",
    "ReadState",
    "Ready",
    "RequestVote",
    "RequestVoteReply",
    "Role",
    "Snapshot",
    "SoftState",
    "Status",
    "Term",
    "TimeoutNow",
    "Transition",
    "after_snapshot",
]
