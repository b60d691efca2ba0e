"""Independent observers that watch a run and judge it: invariants, always on.

Reading order: `invariant` (what one is), `committed` (the sequence of entries they follow), then
the sentences - `raft_safety`, `durability`, `tasks`, `placement` - and `monitor`, which shows them
a world. They read and never touch; one that fails says so and is taken out.
"""
