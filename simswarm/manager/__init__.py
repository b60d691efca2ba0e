"""The control plane of one manager.

`manager` composes the parts; `replica` ties Raft, its log (`wal`) and the store; `calls` takes
clients' requests to the leader's `controlapi`, `forward` agents' messages to its dispatcher;
`admission` lets nodes in; `observe` records what commits. Leader-only control loops (`loop`, listed
in `leaderloops`) are built on election and dropped on its loss: they meet only at the store.
"""
