"""The worker side of a node: session, assignments, tasks, reports.

It meets the managers only through `wire`.
"""
