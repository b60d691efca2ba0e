"""Independent observers that watch a run and judge it: invariants and convergence."""
