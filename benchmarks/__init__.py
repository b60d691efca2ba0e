"""How fast simswarm is: `python -m benchmarks [NAME…]`.

Reading order: `swarms` (what is simulated), `cluster` (the cases and their targets), `kernel` and
`raft_core` (parts by themselves), `running` (rounds, in turns, on one core), `sampling` (where
the time goes), `report` (table, JSON, Markdown).

Only ratios mean something on another machine: simulated seconds per CPU second, one variant
against another in the same run, and everything against a loop of plain method calls (`machine`).
Nothing here is ever a test's assertion.
"""
