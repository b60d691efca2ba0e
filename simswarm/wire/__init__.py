"""Everything said between nodes, once; and one codec for it.

Raft's messages stand beside their protocol in `raft/messages.py`; the rest is here: `join`,
`dispatcher`, `control`, `forward`, and `codec`, the registry of all of them.
"""
