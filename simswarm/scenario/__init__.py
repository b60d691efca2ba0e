"""Scenario files: reading, running and judging them; and the public Cluster.

Reading a file: `model` (what it means), `load` (how it is read), `lint`, `lock`.
Running it: `formation` (before t = 0), `timeline` (when), `perform` and `operator` (what),
`client` (who asks), `stage` (who is told), `run` (how long), `finished`.
Judging it: `facts` and `truth` (what is so) in a `scene`, `snapshot` (what conditions see),
`expect` (verdicts). Keeping it: `result`, `bundle`, `keep`; again: `verify`, `fork`, `diff`.
`story` tells it. `api` and `cluster` are for Python.
"""
