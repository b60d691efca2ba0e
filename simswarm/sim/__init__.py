"""The simulated world: one kernel, and on it networks, disks, clocks, engines and driven nodes.

Reading order: `world` (what may be done to a world), `driver` (how a node lives in it), `kernel`
(time), `network` with `streams`, `links` and `faults`, `disk`, `clock` with `timers`, `engine` with
`containers` and `images`, `distributions` and `profiles` (chance and numbers), `digest` and
`recorder` (proof and trace). What all this is a model of, and what not: `docs/model-card.md`.
"""
