"""The hunter: managers alone under drawn faults, until something that must hold doesn't.

    seed ──draw──> Plan ──run──> Outcome ──shrink──> the smallest Plan that still fails

Reading order: `plan` (what one hunt does), `draw` (how plans are drawn), `node` and `machine` (who
is hunted), `nemesis` (what is done to them), `clients`, `oracles` (what must hold), `run` (one
hunt), `shrink`, `search` (many), `planfile` and `story` (for people), `mutants` (planted bugs).
"""
