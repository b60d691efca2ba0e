"""Judging: what a scenario expects, held against what is committed and what is true.

Reading order: `scene` (what judges see), `judge` (what a judge is), the kinds (`converged`,
`leader`, `running`, `update`, `availability`, `raft`, `condition`), `referee` (who asks them when).
"""
