"""Figures and tables from traces and sweeps. Everything here is computed from records and rows.

`sample` (measured values with those that were never reached), `table` (rows as CSV), `figure` (how
a figure looks and is saved), `distribution` (ECDF), `timeline` (tasks and roles over time).
"""
