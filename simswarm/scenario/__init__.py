"""Scenario files: reading, running and judging them; and the public Cluster."""
