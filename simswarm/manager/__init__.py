"""The control plane of one manager.

`manager` composes the parts; `replica` ties Raft, disk and store; `forward` is the proxy to the
leader. Leader-only control loops (`loop`) are built on election and dropped on its loss: they
meet only at the store.
"""
