"""Campaigns: many runs of one scenario, on all cores, resumable.

`cells` (what is varied), `measures` (what a run is asked for), `job` (one chunk of runs, in a
worker process), `journal` (what is done already), `sweep` (the whole), `summary` (what came out).
"""
